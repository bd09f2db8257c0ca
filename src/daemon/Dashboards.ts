/**
 * Dashboards as files `<folder>/<name>.json`: small, readable, safe to copy into another data folder.
 *
 * A file is written beside its place and renamed, so that a reader, or a machine that dies, sees the old one or the new
 * one. What a person changed by hand into no dashboard is refused when it is asked for, and left out of the list.
 */
import { FileSystem, Path } from "@effect/platform"
import { Effect, Either, ParseResult, Schema } from "effect"
import { DashboardsFull, InvalidRequest, StorageFailed, UnknownDashboard } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import { Dashboard, DashboardName, type DashboardSummary } from "./DashboardSchemas.ts"

type Summary = typeof DashboardSummary.Type
type Failure = StorageFailed | InvalidRequest | UnknownDashboard

export interface DashboardsService {
  /** By name. */
  readonly list: Effect.Effect<ReadonlyArray<Summary>, StorageFailed>
  readonly read: (name: string) => Effect.Effect<Dashboard, Failure>
  /** Makes it or replaces it; durable when it ends. */
  readonly write: (name: string, dashboard: Dashboard) => Effect.Effect<Dashboard, Failure | DashboardsFull>
  readonly remove: (name: string) => Effect.Effect<void, Failure>
}

/** Opens the folder, which is made when the first dashboard is written. */
export const make = (folder: string): Effect.Effect<DashboardsService, never, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const turn = yield* Effect.makeSemaphore(1)
    const place = (name: string) => path.join(folder, `${name}${ending}`)

    const names = files.readDirectory(folder).pipe(
      Effect.catchIf(isMissing, () => Effect.succeed<Array<string>>([])),
      Effect.mapError(failed(folder)),
      Effect.map((found) =>
        found
          .filter((file) => file.endsWith(ending))
          .map((file) => file.slice(0, -ending.length))
          .filter(isName)
          .sort()
      )
    )
    const read = (name: string): Effect.Effect<Dashboard, Failure> =>
      Effect.gen(function* () {
        yield* refuseName(name)
        const bytes = yield* Effect.mapError(bounded(files, place(name)), (error) =>
          isMissing(error) ? unknown(name) : failed(place(name))(error)
        )
        return yield* Either.match(decode(bytes), {
          onLeft: (error) => damaged(place(name), error),
          onRight: Effect.succeed
        })
      })
    const summary = (name: string): Effect.Effect<ReadonlyArray<Summary>> =>
      read(name).pipe(
        Effect.map(({ tiles, title }) => [{ name, title, tiles: tiles.length }]),
        Effect.catchAll((error) => Effect.as(Effect.logWarning(error.message), []))
      )
    const write = (name: string, dashboard: Dashboard) =>
      Effect.gen(function* () {
        yield* refuseName(name)
        const known = yield* names
        if (!known.includes(name) && known.length >= Limits.dashboardsMax) return yield* full(folder)
        yield* Effect.mapError(replace(files, folder, place(name), encode(dashboard)), failed(place(name)))
        return dashboard
      }).pipe(turn.withPermits(1), Effect.uninterruptible)
    return {
      list: Effect.map(Effect.flatMap(names, Effect.forEach(summary)), (found) => found.flat()),
      read,
      write,
      remove: (name) =>
        Effect.zipRight(
          refuseName(name),
          Effect.mapError(files.remove(place(name)), (error) =>
            isMissing(error) ? unknown(name) : failed(place(name))(error)
          )
        ).pipe(turn.withPermits(1))
    }
  })

const ending = ".json"

const isName: (text: string) => boolean = Schema.is(DashboardName)

/** Readable for a person who opens the file. */
const encode = (dashboard: Dashboard): Uint8Array =>
  new TextEncoder().encode(`${JSON.stringify(Schema.encodeSync(Dashboard)(dashboard), null, 2)}\n`)

const decode = (bytes: Uint8Array): Either.Either<Dashboard, ParseResult.ParseError> =>
  Schema.decodeUnknownEither(Schema.parseJson(Dashboard))(new TextDecoder().decode(bytes))

/** The bytes of a file; of a file that is too large to be a dashboard one byte more than allowed, which is no JSON. */
const bounded = (files: FileSystem.FileSystem, file: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const handle = yield* files.open(file, { flag: "r" })
      const { size } = yield* handle.stat
      const bytes = new Uint8Array(Math.min(Number(size), Limits.dashboardBytesMax * 2))
      let length = 0
      while (length < bytes.length) {
        const count = Number(yield* handle.read(bytes.subarray(length)))
        if (count === 0) break
        length += count
      }
      return bytes.subarray(0, length)
    })
  )

/** Written beside its place, made durable, and renamed into it. */
const replace = (files: FileSystem.FileSystem, folder: string, file: string, bytes: Uint8Array) =>
  Effect.gen(function* () {
    yield* files.makeDirectory(folder, { recursive: true, mode: 0o700 })
    const beside = `${file}.new`
    yield* Effect.scoped(
      Effect.gen(function* () {
        const handle = yield* files.open(beside, { flag: "w", mode: 0o600 })
        yield* handle.writeAll(bytes)
        yield* handle.sync
      })
    )
    yield* files.rename(beside, file)
  })

const isMissing = (error: { readonly _tag: string }): boolean =>
  error._tag === "SystemError" && "reason" in error && error.reason === "NotFound"

const refuseName = (name: string): Effect.Effect<void, InvalidRequest> =>
  isName(name)
    ? Effect.void
    : new InvalidRequest({
        message: `'${name.slice(0, 80)}' is no name of a dashboard`,
        hint: "Use up to 64 lower-case letters and digits, in words joined by '-'; the title may be any text."
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

const damaged = (file: string, error: ParseResult.ParseError) =>
  new StorageFailed({
    path: file,
    message: `${file} holds no dashboard: ${ParseResult.ArrayFormatter.formatErrorSync(error)[0]?.message.split("\n", 1)[0]}`,
    hint: "Mend the file, or remove it."
  })

const failed = (path: string) => (error: { readonly message: string }) =>
  new StorageFailed({
    path,
    message: `The dashboards in ${path} cannot be read or written: ${error.message.split("\n", 1)[0]}`,
    hint: "Check that the data folder can be written and that the disk is not full."
  })
