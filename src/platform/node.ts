/** Weir on Node, from its bundle. */
import * as Host from "./Host.ts"

const runtime: Host.Runtime = {
  name: "node",
  version: process.versions.node,
  arguments: process.argv.slice(2),
  exit: (code) => process.exit(code)
}

export const runMain = Host.runMain(runtime)
export const layer = (modules: Parameters<typeof Host.layer>[1]) => Host.layer(runtime, modules)
