/** Runs the command line in this process: its words and environment are given, its streams are kept. */
import { join } from "node:path"
import { type Context, Effect, Fiber, Layer, Stream } from "effect"
import { main } from "../../src/cli/Main.ts"
import { Process } from "../../src/cli/Process.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import type { Topics } from "../../src/flow/Topics.ts"
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

/** The program's process, and what it says. */
const captured = (words: ReadonlyArray<string>, options: Options) => {
  const said = { out: "", err: "" }
  const process = Layer.effect(
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
          said.out += text
        }),
      report: (text: string) =>
        Effect.sync(() => {
          said.err += text
        })
    }))
  ).pipe(Layer.provideMerge(layer(modules)))
  return { said, program: Effect.provide(main, process) }
}

export const inProcess = async (words: ReadonlyArray<string>, options: Options = {}): Promise<Ended> => {
  const { program, said } = captured(words, options)
  const code = await Effect.runPromise(program)
  return { code, ...said }
}

/** A program that runs until it is interrupted, over services that it is given: `err` is what it has said so far. */
export const begin = (
  words: ReadonlyArray<string>,
  { services, ...options }: Options & { readonly services: Context.Context<Tables | Topics> }
): { readonly err: () => string; readonly stop: () => Promise<void> } => {
  const { program, said } = captured(words, options)
  const fiber = Effect.runFork(Effect.provide(program, services))
  return { err: () => said.err, stop: async () => void (await Effect.runPromise(Fiber.interrupt(fiber))) }
}
