/**
 * The files of a log: a bounded number of them open, each used by one fiber at a time. Every failure names its path.
 *
 * What has begun on a file is finished before an interrupted fiber goes on: a descriptor is never closed, and bytes
 * are never left half written, under a system call that is still running.
 */
import { FileSystem, Path, type Error as PlatformError } from "@effect/platform"
import { Effect, Exit, Scope } from "effect"
import { StorageFailed } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"

export interface LogFiles {
  readonly join: (...parts: ReadonlyArray<string>) => string
  /** Bytes of a file from `position` on, into `buffer`; answers how many, fewer only at the file's end. */
  readonly readAt: (path: string, position: number, buffer: Uint8Array) => Effect.Effect<number, StorageFailed>
  /** Writes at the end of the file, if it still has `size` bytes, and waits until all is on the disk. `false`: it has not. */
  readonly append: (path: string, size: number, bytes: Uint8Array) => Effect.Effect<boolean, StorageFailed>
  /** Writes over the beginning of a file, or makes it, and does not wait for the disk: half of it may be there later. */
  readonly overwrite: (path: string, bytes: Uint8Array) => Effect.Effect<void, StorageFailed>
  /** Makes the file `size` bytes long, durably. */
  readonly truncate: (path: string, size: number) => Effect.Effect<void, StorageFailed>
  readonly sync: (path: string) => Effect.Effect<void, StorageFailed>
  readonly size: (path: string) => Effect.Effect<number, StorageFailed>
  readonly remove: (path: string) => Effect.Effect<void, StorageFailed>
  /** A small file as a whole; `null` if there is no such file. */
  readonly readText: (path: string) => Effect.Effect<string | null, StorageFailed>
  /** Replaces a small file as a whole, durably: readers see the old text or the new one. */
  readonly replaceText: (path: string, text: string) => Effect.Effect<void, StorageFailed>
  /** Makes a folder and makes its name durable. */
  readonly makeFolder: (path: string) => Effect.Effect<void, StorageFailed>
  /** Names in a folder, sorted; none if there is no such folder. */
  readonly names: (path: string) => Effect.Effect<ReadonlyArray<string>, StorageFailed>
  /** Makes the names in a folder durable. */
  readonly syncFolder: (path: string) => Effect.Effect<void, StorageFailed>
}

interface OpenFile {
  readonly file: FileSystem.File
  readonly scope: Scope.CloseableScope
  readonly turn: Effect.Semaphore
  users: number
}

export const make: Effect.Effect<LogFiles, never, FileSystem.FileSystem | Path.Path | Scope.Scope> = Effect.gen(
  function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const using = yield* openFiles(fs)

    const syncFolder = (folder: string) =>
      Effect.scoped(Effect.flatMap(fs.open(folder, { flag: "r" }), (open) => open.sync)).pipe(
        Effect.uninterruptible,
        failingAt(folder, "sync")
      )

    return {
      join: (...parts) => path.join(...parts),
      readAt: (file, position, buffer) => using.reading(file, (open) => readAll(open, position, buffer), "read"),
      append: (file, size, bytes) =>
        using.writing(
          file,
          (open) =>
            Effect.gen(function* () {
              if (Number((yield* open.stat).size) !== size) return false
              yield* open.writeAll(bytes)
              yield* open.sync
              return true
            }),
          "write to"
        ),
      overwrite: (file, bytes) =>
        using.overwriting(file, (open) => Effect.zipRight(open.seek(0, "start"), open.writeAll(bytes)), "write to"),
      truncate: (file, size) =>
        using.writing(file, (open) => Effect.zipRight(open.truncate(size), open.sync), "truncate"),
      sync: (file) => using.reading(file, (open) => open.sync, "sync"),
      size: (file) => using.reading(file, (open) => Effect.map(open.stat, (stat) => Number(stat.size)), "look at"),
      remove: (file) => Effect.zipRight(using.forget(file), fs.remove(file)).pipe(failingAt(file, "remove")),
      readText: (file) =>
        fs.readFileString(file).pipe(
          Effect.catchIf(isAbsent, () => Effect.succeed(null)),
          failingAt(file, "read")
        ),
      replaceText: (file, text) =>
        Effect.gen(function* () {
          const temporary = `${file}.new`
          yield* Effect.scoped(
            Effect.flatMap(fs.open(temporary, { flag: "w" }), (open) =>
              Effect.zipRight(open.writeAll(new TextEncoder().encode(text)), open.sync)
            )
          )
          yield* fs.rename(temporary, file)
        }).pipe(Effect.uninterruptible, failingAt(file, "write"), Effect.zipRight(syncFolder(path.dirname(file)))),
      makeFolder: (folder) =>
        fs
          .makeDirectory(folder, { recursive: true })
          .pipe(failingAt(folder, "make"), Effect.zipRight(syncFolder(path.dirname(folder)))),
      names: (folder) =>
        fs.readDirectory(folder).pipe(
          Effect.map((names) => [...names].sort()),
          Effect.catchIf(isAbsent, () => Effect.succeed([])),
          failingAt(folder, "list")
        ),
      syncFolder
    } satisfies LogFiles
  }
)

// Private

const openFiles = (fs: FileSystem.FileSystem) =>
  Effect.gen(function* () {
    const open = new Map<string, OpenFile>()
    const opening = yield* Effect.makeSemaphore(1)
    // Who uses a file holds a place, so that among as many open files as there are places one is always unused.
    const places = yield* Effect.makeSemaphore(Limits.logFilesMax)

    const close = (key: string) =>
      Effect.suspend(() => {
        const file = open.get(key)
        open.delete(key)
        return file === undefined ? Effect.void : Scope.close(file.scope, Exit.void)
      })
    /** An open file for one more user; the least recently used comes first in the map. */
    const borrow = (key: string): OpenFile | undefined => {
      const file = open.get(key)
      if (file === undefined) return undefined
      open.delete(key)
      open.set(key, file)
      file.users++
      return file
    }
    const opened = (key: string, path: string, flag: FileSystem.OpenFlag) =>
      Effect.gen(function* () {
        const other = borrow(key)
        if (other !== undefined) return other
        if (open.size >= Limits.logFilesMax) {
          const unused = [...open].find(([, file]) => file.users === 0)
          if (unused !== undefined) yield* close(unused[0])
        }
        const scope = yield* Scope.make()
        const file = yield* Scope.extend(fs.open(path, { flag }), scope)
        const made: OpenFile = { file, scope, turn: Effect.unsafeMakeSemaphore(1), users: 1 }
        open.set(key, made)
        return made
      }).pipe(opening.withPermits(1))

    const use =
      (flag: FileSystem.OpenFlag) =>
      <A>(path: string, f: (file: FileSystem.File) => Effect.Effect<A, PlatformError.PlatformError>, doing: string) =>
        Effect.suspend(() => {
          const key = `${flag} ${path}`
          const file = borrow(key)
          return Effect.flatMap(file === undefined ? opened(key, path, flag) : Effect.succeed(file), (file) =>
            Effect.ensuring(
              file.turn.withPermits(1)(f(file.file)),
              Effect.sync(() => file.users--)
            )
          )
        }).pipe(places.withPermits(1), Effect.uninterruptible, failingAt(path, doing))

    yield* Effect.addFinalizer(() => Effect.forEach([...open.keys()], close, { discard: true }))
    return {
      reading: use("r"),
      writing: use("a"),
      overwriting: use("w"),
      forget: (path: string) => Effect.zipRight(close(`r ${path}`), close(`a ${path}`))
    }
  })

const readAll = (file: FileSystem.File, position: number, buffer: Uint8Array) =>
  Effect.gen(function* () {
    yield* file.seek(position, "start")
    let length = 0
    while (length < buffer.length) {
      const more = Number(yield* file.read(length === 0 ? buffer : buffer.subarray(length)))
      if (more === 0) break
      length += more
    }
    return length
  })

/** Nothing is there, or a file where a folder was meant. */
const isAbsent = (error: PlatformError.PlatformError): boolean =>
  error._tag === "SystemError" && (error.reason === "NotFound" || error.reason === "BadResource")

const failingAt = (path: string, doing: string) =>
  Effect.mapError(
    (error: PlatformError.PlatformError) =>
      new StorageFailed({
        path,
        message: `Cannot ${doing} ${path}: ${error.message}`,
        hint: "Look at the disk: is it full, read-only or gone? Nothing was kept of what could not be written as a whole."
      })
  )
