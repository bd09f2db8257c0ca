/** What ledgers do on a disk: each step is durable when it ends, and every failure names its path. */
import type { FileSystem, Error as PlatformError } from "@effect/platform"
import { Effect } from "effect"
import { StorageFailed } from "../../model/Errors.ts"

/** Makes a folder, and its name durable; those above it are there. */
export const makeFolder = (fs: FileSystem.FileSystem, folder: string): Effect.Effect<void, StorageFailed> =>
  fs
    .makeDirectory(folder, { recursive: true })
    .pipe(Effect.zipRight(syncFolder(fs, folder.slice(0, folder.lastIndexOf("/")) || "/")), failing(folder, "make"))

/** Names in a folder, sorted, without those that a write left behind. */
export const names = (fs: FileSystem.FileSystem, folder: string): Effect.Effect<ReadonlyArray<string>, StorageFailed> =>
  fs.readDirectory(folder).pipe(
    Effect.map((names) => names.filter((name) => !name.endsWith(".new")).sort()),
    failing(folder, "list")
  )

/** No error if it is gone. */
export const remove = (fs: FileSystem.FileSystem, path: string): Effect.Effect<void, StorageFailed> =>
  fs.remove(path, { force: true }).pipe(failing(path, "remove"))

/** `null`: there is no such file. */
export const readText = (fs: FileSystem.FileSystem, path: string): Effect.Effect<string | null, StorageFailed> =>
  fs.readFileString(path).pipe(
    Effect.catchIf(isAbsent, () => Effect.succeed(null)),
    failing(path, "read")
  )

/** Writes at the end of a file, if it has `size` bytes, and waits for the disk. `false`: it has not. */
export const append = (
  fs: FileSystem.FileSystem,
  path: string,
  size: number,
  bytes: Uint8Array
): Effect.Effect<boolean, StorageFailed> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* fs.open(path, { flag: "a" })
      if (Number((yield* file.stat).size) !== size) return false
      yield* file.writeAll(bytes)
      yield* file.sync
      return true
    })
  ).pipe(Effect.uninterruptible, failing(path, "write to"))

/** Leaves a file its first `size` bytes. */
export const cut = (fs: FileSystem.FileSystem, path: string, size: number): Effect.Effect<void, StorageFailed> =>
  Effect.scoped(
    Effect.flatMap(fs.open(path, { flag: "r+" }), (file) => Effect.zipRight(file.truncate(size), file.sync))
  ).pipe(Effect.uninterruptible, failing(path, "cut"))

/** Readers see the old text or the new one, which is durable when it ends. */
export const replace = (
  fs: FileSystem.FileSystem,
  folder: string,
  name: string,
  text: string
): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    const path = `${folder}/${name}`
    yield* Effect.scoped(
      Effect.flatMap(fs.open(`${path}.new`, { flag: "w" }), (file) =>
        Effect.zipRight(file.writeAll(encoder.encode(text)), file.sync)
      )
    )
    yield* fs.rename(`${path}.new`, path)
    yield* syncFolder(fs, folder)
  }).pipe(Effect.uninterruptible, failing(`${folder}/${name}`, "write"))

// Private

const encoder = new TextEncoder()

const isAbsent = (error: PlatformError.PlatformError): boolean =>
  error._tag === "SystemError" && error.reason === "NotFound"

const failing = (path: string, doing: string) =>
  Effect.mapError(
    (error: PlatformError.PlatformError) =>
      new StorageFailed({
        path,
        message: `Cannot ${doing} ${path}: ${error.message}`,
        hint: "Look at the disk of the data folder: is it full, read-only or gone? No row of a file is handed out before the file is noted there."
      })
  )

const syncFolder = (fs: FileSystem.FileSystem, folder: string) =>
  Effect.scoped(Effect.flatMap(fs.open(folder, { flag: "r" }), (open) => open.sync))
