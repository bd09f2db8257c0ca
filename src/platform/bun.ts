/** Weir on Bun, from its sources. */
import * as Host from "./Host.ts"

const runtime: Host.Runtime = {
  name: "bun",
  version: process.versions.bun ?? "unknown",
  arguments: process.argv.slice(2),
  exit: (code) => process.exit(code)
}

export const runMain = Host.runMain(runtime)
export const layer = (modules: Parameters<typeof Host.layer>[1]) => Host.layer(runtime, modules)
