/** The jobs of a project: every module of its `actors/` whose default export is a Job. */
import { FileSystem } from "@effect/platform"
import { Effect } from "effect"
import type { Job } from "../flow/Job.ts"
import { InvalidJob, UnknownJob } from "../model/Errors.ts"
import * as Suggestion from "../model/Suggestion.ts"
import { Process } from "./Process.ts"

/** Loads one job by its name; the file of that name is tried before all others. */
export const job = (name: string): Effect.Effect<Job, UnknownJob | InvalidJob, Process | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const paths = yield* modules
    const own = paths.find((path) => nameOf(path) === name)
    const first = own === undefined ? null : yield* load(own)
    if (first?.name === name) return first
    const all = yield* jobs
    const found = all.find((job) => job.name === name)
    return found ?? (yield* Effect.fail(unknown(name, all)))
  })

/** All jobs, by name. A module that cannot be loaded is told on standard error and left out. */
export const jobs: Effect.Effect<ReadonlyArray<Job>, never, Process | FileSystem.FileSystem> = Effect.gen(function* () {
  const process = yield* Process
  const loaded = yield* Effect.forEach(yield* modules, (path) =>
    Effect.catchAll(load(path), (error) => Effect.as(process.report(`${error.message}. ${error.hint}\n`), null))
  )
  return loaded.filter((job) => job !== null).sort((a, b) => (a.name < b.name ? -1 : 1))
})

export const unknown = (name: string, known: ReadonlyArray<Job>): UnknownJob =>
  new UnknownJob({
    job: name,
    message: `There is no job '${name}'`,
    hint:
      known.length === 0
        ? "There is none here: a module of actors/ whose default export is a Job is one. `weir init <folder>` makes a project with one."
        : Suggestion.sentence(
            name,
            known.map((job) => job.name)
          )
  })

const modules = Effect.gen(function* () {
  const process = yield* Process
  const files = yield* FileSystem.FileSystem
  const folder = process.modules.actors
  const names = yield* Effect.orElseSucceed(files.readDirectory(folder), () => [])
  return names
    .filter((name) => /\.(ts|js|mjs)$/.test(name) && !/\.(test|d)\.ts$/.test(name))
    .map((name) => `${folder}/${name}`)
})

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1).replace(/\.\w+$/, "")

const load = (path: string) =>
  Effect.gen(function* () {
    const process = yield* Process
    const module = yield* process.importModule(path).pipe(
      Effect.mapError(
        (error) =>
          new InvalidJob({
            job: nameOf(path),
            message: `The file ${nameOf(path)} in ${process.modules.actors} cannot be loaded: ${error instanceof Error ? error.message.split("\n")[0] : String(error)}`,
            hint: "Mend the file; `tsc` and `--log-level debug` say more."
          })
      )
    )
    return isJob(module.default) ? module.default : null
  })

const isJob = (value: unknown): value is Job =>
  typeof value === "object" && value !== null && "isJob" in value && value.isJob === true
