/** Runs the command line in this process: its words and environment are given, its streams are kept. */
import { join } from "node:path"
import { Effect, Layer, Stream } from "effect"
import { main } from "../../src/cli/Main.ts"
import { Process } from "../../src/cli/Process.ts"
import { layer } from "../../src/platform/node.ts"
import type { Ended } from "./program.ts"

const root = join(import.meta.dirname, "../..")
const modules = {
  root,
  actors: join(root, "actors"),
  fixtures: join(root, "fixtures"),
  page: join(root, "src/daemon/page"),
  weir: root,
  weirFixtures: join(root, "fixtures")
}

interface Options {
  readonly input?: string
  readonly environment?: Readonly<Record<string, string>>
  /** Where `weir.config.json` is looked for. */
  readonly folder?: string
  /** The folder of a project of its own, with `actors/` and `fixtures/`. */
  readonly project?: string
}

const modulesOf = ({ folder, project }: Options) =>
  project === undefined
    ? { ...modules, root: folder ?? root }
    : { ...modules, root: project, actors: join(project, "actors"), fixtures: join(project, "fixtures") }

export const inProcess = async (words: ReadonlyArray<string>, options: Options = {}): Promise<Ended> => {
  let out = ""
  let err = ""
  const captured = Layer.effect(
    Process,
    Effect.map(Process, (process) => ({
      ...process,
      modules: modulesOf(options),
      arguments: words,
      environment: options.environment ?? {},
      isTerminal: { input: false, output: false, error: false },
      input: Stream.succeed(new TextEncoder().encode(options.input ?? "")),
      print: (text: string) =>
        Effect.sync(() => {
          out += text
        }),
      report: (text: string) =>
        Effect.sync(() => {
          err += text
        })
    }))
  ).pipe(Layer.provideMerge(layer(modules)))
  const code = await Effect.runPromise(Effect.provide(main, captured))
  return { code, out, err }
}
