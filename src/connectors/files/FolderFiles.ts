/**
 * What a sink of files wants of a disk: whole files that are durable when it is answered, and names that are.
 *
 * Nothing here trusts a name that was not synced: after a power cut a file that was made, moved or removed may stand as it
 * stood before.
 */
import { FileSystem, Path, type Error as PlatformError } from "@effect/platform"
import { Effect } from "effect"
import { StorageFailed } from "../../model/Errors.ts"

export interface FolderFiles {
  readonly join: (...parts: ReadonlyArray<string>) => string
  /** A path as seen from a folder: an absolute one is as it is. */
  readonly resolve: (folder: string, path: string) => string
  readonly parentOf: (path: string) => string
  readonly nameOf: (path: string) => string
  /** Names in a folder, sorted; `null`: there is no such folder. */
  readonly names: (path: string) => Effect.Effect<ReadonlyArray<string> | null, StorageFailed>
  /** The same, with which of them are folders. */
  readonly entries: (path: string) => Effect.Effect<ReadonlyArray<Entry>, StorageFailed>
  readonly exists: (path: string) => Effect.Effect<boolean, StorageFailed>
  readonly size: (path: string) => Effect.Effect<number, StorageFailed>
  /** The whole file, or its bytes from `start` to `end`. */
  readonly read: (path: string, start?: number, end?: number) => Effect.Effect<Uint8Array, StorageFailed>
  /** Makes a file of chunks, anew if it is there, and waits until it is on the disk; its name is not yet durable. */
  readonly write: <E>(
    path: string,
    chunks: (put: (bytes: Uint8Array) => Effect.Effect<void, StorageFailed>) => Effect.Effect<void, E>
  ) => Effect.Effect<void, E | StorageFailed>
  /** Makes a file durable that another may have written. */
  readonly sync: (path: string) => Effect.Effect<void, StorageFailed>
  /** Makes the names in a folder durable. */
  readonly syncFolder: (path: string) => Effect.Effect<void, StorageFailed>
  /** Makes a folder and those above it; their names are durable then, whoever made them. */
  readonly makeFolder: (path: string) => Effect.Effect<void, StorageFailed>
  /** Makes a folder in one that must be there: what another has moved away is not made again. Its name is not yet durable. */
  readonly makeFolderIn: (path: string) => Effect.Effect<void, StorageFailed>
  /** `false`: nothing is there under the old name. Its new name is not yet durable. */
  readonly move: (from: string, to: string) => Effect.Effect<boolean, StorageFailed>
  /** Removes a file, or a folder with all that is in it; it is no failure if nothing is there. */
  readonly remove: (path: string) => Effect.Effect<void, StorageFailed>
  /** Makes a symbolic link. */
  readonly link: (target: string, path: string) => Effect.Effect<void, StorageFailed>
  /** Where a symbolic link leads; `null`: there is none, but maybe something else. */
  readonly linkAt: (path: string) => Effect.Effect<string | null, StorageFailed>
}

export interface Entry {
  readonly name: string
  readonly isFolder: boolean
}

export const make: Effect.Effect<FolderFiles, never, FileSystem.FileSystem | Path.Path> = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  /** Folders that are there, and all above them; their names are durable, or are not to stay. */
  const made = new Set<string>()

  const syncFolder = (folder: string) =>
    Effect.scoped(Effect.flatMap(fs.open(folder, { flag: "r" }), (open) => open.sync)).pipe(
      Effect.uninterruptible,
      failingAt(folder, "sync")
    )
  const names = (folder: string) =>
    fs.readDirectory(folder).pipe(
      Effect.map((found): ReadonlyArray<string> | null => [...found].sort()),
      Effect.catchIf(isAbsent, () => Effect.succeed(null)),
      failingAt(folder, "list")
    )
  const isFolder = (name: string) =>
    fs.stat(name).pipe(
      Effect.map(({ type }) => type === "Directory"),
      // Removed since it was listed.
      Effect.catchIf(isAbsent, () => Effect.succeed(false)),
      failingAt(name, "look at")
    )
  const makeOne = (folder: string) =>
    fs.makeDirectory(folder).pipe(
      Effect.catchIf(
        (error) => error._tag === "SystemError" && error.reason === "AlreadyExists",
        () => Effect.void
      ),
      failingAt(folder, "make")
    )
  const makeFolder = (folder: string): Effect.Effect<void, StorageFailed> =>
    Effect.suspend(() => {
      const parent = path.dirname(folder)
      if (made.has(folder) || parent === folder || folder === ".") return Effect.void
      return Effect.gen(function* () {
        yield* makeFolder(parent)
        const isThere = yield* isFolder(folder)
        if (!isThere) yield* makeOne(folder)
        // Of a folder far above nothing may be known but that it is there.
        yield* isThere ? Effect.ignore(syncFolder(parent)) : syncFolder(parent)
        made.add(folder)
      })
    })

  return {
    join: (...parts) => path.join(...parts),
    resolve: (folder, below) => (path.isAbsolute(below) ? below : path.join(folder, below)),
    parentOf: path.dirname,
    nameOf: (file) => path.basename(file),
    names,
    entries: (folder) =>
      Effect.flatMap(names(folder), (found) =>
        Effect.forEach(found ?? [], (name) =>
          Effect.map(isFolder(path.join(folder, name)), (isFolder): Entry => ({ name, isFolder }))
        )
      ),
    exists: (file) =>
      fs.stat(file).pipe(
        Effect.as(true),
        Effect.catchIf(isAbsent, () => Effect.succeed(false)),
        failingAt(file, "look at")
      ),
    size: (file) =>
      fs.stat(file).pipe(
        Effect.map(({ size }) => Number(size)),
        failingAt(file, "look at")
      ),
    read: (file, start, end) =>
      (start === undefined || end === undefined
        ? fs.readFile(file)
        : Effect.scoped(Effect.flatMap(fs.open(file, { flag: "r" }), (open) => readPart(open, start, end)))
      ).pipe(failingAt(file, "read")),
    write: (file, chunks) =>
      Effect.scoped(
        Effect.gen(function* () {
          const open = yield* fs.open(file, { flag: "w" }).pipe(failingAt(file, "make"))
          yield* chunks((bytes) => open.writeAll(bytes).pipe(failingAt(file, "write to")))
          yield* open.sync.pipe(failingAt(file, "sync"))
        })
      ),
    sync: (file) =>
      Effect.scoped(Effect.flatMap(fs.open(file, { flag: "r" }), (open) => open.sync)).pipe(failingAt(file, "sync")),
    syncFolder,
    makeFolder,
    makeFolderIn: (folder) => Effect.tap(makeOne(folder), () => made.add(folder)),
    move: (from, to) =>
      fs.rename(from, to).pipe(
        Effect.as(true),
        Effect.catchIf(isAbsent, () => Effect.succeed(false)),
        failingAt(from, "rename")
      ),
    remove: (file) => fs.remove(file, { recursive: true, force: true }).pipe(failingAt(file, "remove")),
    link: (target, file) => fs.symlink(target, file).pipe(failingAt(file, "make")),
    linkAt: (file) => Effect.orElseSucceed(fs.readLink(file), () => null)
  } satisfies FolderFiles
})

// Private

const readPart = (file: FileSystem.File, start: number, end: number) =>
  Effect.gen(function* () {
    const bytes = new Uint8Array(end - start)
    yield* file.seek(start, "start")
    let length = 0
    while (length < bytes.length) {
      const more = Number(yield* file.read(bytes.subarray(length)))
      if (more === 0) break
      length += more
    }
    return bytes.subarray(0, length)
  })

const isAbsent = (error: PlatformError.PlatformError): boolean =>
  error._tag === "SystemError" && error.reason === "NotFound"

const failingAt = (path: string, doing: string) =>
  Effect.mapError(
    (error: PlatformError.PlatformError) =>
      new StorageFailed({
        path,
        message: `Cannot ${doing} ${path}: ${error.message}`,
        hint: "Look at the disk: is it full, read-only or gone? May this process write there?"
      })
  )
