/**
 * A dashboard as a file: small, readable, safe to copy into another folder.
 *
 * It is written beside its place and renamed, so that a reader, or a machine that dies, sees the old one or the new
 * one. What a person changed by hand into no dashboard is refused when it is read.
 */
import { FileSystem, Path } from "@effect/platform"
import { Effect, Either, ParseResult, Schema } from "effect"
import { StorageFailed } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import { Dashboard } from "./DashboardSchemas.ts"

export interface DashboardFiles {
  /** `null`: there is none. */
  readonly read: (file: string) => Effect.Effect<Dashboard | null, StorageFailed>
  /** Durable when it ends; its folder is made if it is not there. */
  readonly write: (file: string, dashboard: Dashboard) => Effect.Effect<void, StorageFailed>
  /** Was it there? */
  readonly remove: (file: string) => Effect.Effect<boolean, StorageFailed>
  readonly has: (file: string) => Effect.Effect<boolean>
  /** What lies in a folder; nothing in one that is not there. */
  readonly namesIn: (folder: string) => Effect.Effect<ReadonlyArray<string>, StorageFailed>
}

export const make: Effect.Effect<DashboardFiles, never, FileSystem.FileSystem | Path.Path> = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return {
    read: (file) =>
      bounded(files, file).pipe(
        Effect.catchIf(isMissing, () => Effect.succeed(null)),
        Effect.mapError(failed(file)),
        Effect.flatMap((bytes) =>
          bytes === null ? Effect.succeed(null) : Either.mapLeft(decode(bytes), (error) => damaged(file, error))
        )
      ),
    write: (file, dashboard) =>
      Effect.mapError(replace(files, path.dirname(file), file, encode(dashboard)), failed(file)),
    remove: (file) =>
      files.remove(file).pipe(
        Effect.as(true),
        Effect.catchIf(isMissing, () => Effect.succeed(false)),
        Effect.mapError(failed(file))
      ),
    has: (file) => Effect.orElseSucceed(files.exists(file), () => false),
    namesIn: (folder) =>
      files.readDirectory(folder).pipe(
        Effect.catchIf(isMissing, () => Effect.succeed<Array<string>>([])),
        Effect.mapError(failed(folder))
      )
  }
})

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
