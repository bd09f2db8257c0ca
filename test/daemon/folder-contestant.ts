/** A process that opens and closes data folders as it is told by lines of standard input: `open <folder>`, `close`. */
import { createInterface } from "node:readline"
import { Effect, Exit, Scope } from "effect"
import * as DataFolder from "../../src/daemon/DataFolder.ts"
import { layer } from "../../src/platform/node.ts"

const modules = { root: "", actors: "", fixtures: "", page: "", weir: "", weirFixtures: "" }
let scope = Effect.runSync(Scope.make())

const open = (folder: string) =>
  DataFolder.open(folder, { pid: process.pid, port: null }).pipe(
    Effect.map(({ owner }) => `owner ${owner.term}`),
    Effect.catchAll((error) => Effect.succeed(`${error._tag} ${error.message}`)),
    Scope.extend(scope),
    Effect.provide(layer(modules))
  )

for await (const line of createInterface({ input: process.stdin })) {
  const [word, folder] = line.split(" ", 2)
  if (word === "open") console.log(await Effect.runPromise(open(folder!)))
  if (word === "close") {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    scope = Effect.runSync(Scope.make())
    console.log("closed")
  }
}
process.exit(0)
