/** Weir on Deno, from its sources. */
import * as Host from "./Host.ts"

declare const Deno: {
  readonly args: ReadonlyArray<string>
  readonly version: { readonly deno: string }
  readonly exit: (code: number) => never
}

const runtime: Host.Runtime = {
  name: "deno",
  version: Deno.version.deno,
  arguments: Deno.args,
  exit: (code) => Deno.exit(code)
}

export const runMain = Host.runMain(runtime)
export const layer = (modules: Parameters<typeof Host.layer>[1]) => Host.layer(runtime, modules)
