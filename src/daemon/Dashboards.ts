/**
 * The dashboards of a daemon: files `<folder>/<name>.json` of its data folder, and those that the project brings,
 * `<systems>/<name>/dashboard.json`, which are shown as they are until somebody changes one: then the data folder has
 * one of its name, and that is shown.
 *
 * What is no dashboard is refused when it is asked for, and left out of the list.
 */
import { type FileSystem, Path } from "@effect/platform"
import { Effect, Schema } from "effect"
import { DashboardsFull, InvalidRequest, type StorageFailed, UnknownDashboard } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import * as DashboardFile from "./DashboardFile.ts"
import { type Dashboard, DashboardName, type DashboardSummary } from "./DashboardSchemas.ts"

type Summary = typeof DashboardSummary.Type
type Failure = StorageFailed | InvalidRequest | UnknownDashboard

export interface DashboardsService {
  /** By name. */
  readonly list: Effect.Effect<ReadonlyArray<Summary>, StorageFailed>
  readonly read: (name: string) => Effect.Effect<Dashboard, Failure>
  /** Makes it or replaces it; durable when it ends. */
  readonly write: (name: string, dashboard: Dashboard) => Effect.Effect<Dashboard, Failure | DashboardsFull>
  /** One that the project brings is shown as it came again; that itself cannot be removed. */
  readonly remove: (name: string) => Effect.Effect<void, Failure>
}

/** Opens both folders; the one of the data folder is made when the first dashboard is written. */
export const make = ({
  folder,
  systems
}: {
  readonly folder: string
  readonly systems: string
}): Effect.Effect<DashboardsService, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* DashboardFile.make
    const path = yield* Path.Path
    const turn = yield* Effect.makeSemaphore(1)
    const place = (name: string) => path.join(folder, `${name}${ending}`)
    const placeBrought = (name: string) => path.join(systems, name, `dashboard${ending}`)

    const kept = Effect.map(files.namesIn(folder), (found) =>
      found
        .filter((file) => file.endsWith(ending))
        .map((file) => file.slice(0, -ending.length))
        .filter(isName)
    )
    const brought = Effect.flatMap(files.namesIn(systems), (found) =>
      Effect.filter(found.filter(isName), (name) => files.has(placeBrought(name)))
    )
    const read = (name: string): Effect.Effect<Dashboard, Failure> =>
      Effect.gen(function* () {
        yield* refuseName(name)
        const found = (yield* files.read(place(name))) ?? (yield* files.read(placeBrought(name)))
        return found ?? (yield* unknown(name))
      })
    const summary = (name: string, origin: Summary["origin"]): Effect.Effect<ReadonlyArray<Summary>> =>
      read(name).pipe(
        Effect.map(({ tiles, title }) => [{ name, title, tiles: tiles.length, origin }]),
        Effect.catchAll((error) => Effect.as(Effect.logWarning(error.message), []))
      )
    const list = Effect.gen(function* () {
      const [own, project] = yield* Effect.all([kept, brought])
      const names = [...new Set([...own, ...project])].sort()
      const originOf = (name: string) =>
        !project.includes(name) ? "own" : own.includes(name) ? "changed" : ("project" as const)
      return (yield* Effect.forEach(names, (name) => summary(name, originOf(name)))).flat()
    })
    const write = (name: string, dashboard: Dashboard) =>
      Effect.gen(function* () {
        yield* refuseName(name)
        const known = yield* kept
        if (!known.includes(name) && known.length >= Limits.dashboardsMax) return yield* full(folder)
        yield* files.write(place(name), dashboard)
        return dashboard
      }).pipe(turn.withPermits(1), Effect.uninterruptible)
    const remove = (name: string) =>
      Effect.gen(function* () {
        yield* refuseName(name)
        if (yield* files.remove(place(name))) return
        return yield* (yield* brought).includes(name) ? ofTheProject(name) : unknown(name)
      }).pipe(turn.withPermits(1))
    return { list, read, write, remove }
  })

const ending = ".json"

const isName: (text: string) => boolean = Schema.is(DashboardName)

const refuseName = (name: string): Effect.Effect<void, InvalidRequest> =>
  isName(name)
    ? Effect.void
    : new InvalidRequest({
        message: `'${name.slice(0, 80)}' is no name of a dashboard`,
        hint: "Use up to 64 lower-case letters and digits, in words joined by '-'; the title may be any text."
      })

const ofTheProject = (name: string) =>
  new InvalidRequest({
    message: `Dashboard '${name}' comes with the project, and nothing of it was changed here`,
    hint: `It is the file ${name}/dashboard.json of the project's actors.`
  })

const unknown = (name: string) =>
  new UnknownDashboard({
    dashboard: name,
    message: `There is no dashboard '${name}'`,
    hint: "GET /api/dashboards lists all; PUT makes one."
  })

const full = (folder: string) =>
  new DashboardsFull({
    message: `There are ${Limits.dashboardsMax} dashboards in ${folder}, and no more are kept`,
    hint: "Remove one that nobody looks at."
  })
