/** The files of a folder that a source is about: those whose name it wants, and how each is recognised again. */
import type { FileSystem, Error as PlatformError } from "@effect/platform"
import { Effect, Option } from "effect"
import { StorageFailed } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import { type FileFailure, unreadable } from "./FileFailure.ts"

/** A file as it was when it was looked at: another size, time or inode means another content. */
export interface FolderFile {
  /** Below the folder, with `/` between names. */
  readonly path: string
  readonly size: number
  /** When it was written last, in milliseconds; 0 where the file system does not say. */
  readonly modified: number
  /** Its number in the file system; 0 where that has none. */
  readonly inode: number
}

export interface FolderOptions {
  readonly folder: string
  /** Of names, without the folders they are in. */
  readonly matches: (name: string) => boolean
  readonly recursive: boolean
}

/** In what order files are read: by path, or by the time they were written last and then by path. */
export type Order = "name" | "modified"

/**
 * All files, in no order. What is hidden, or still being written by its name (`.tmp`, `.part`), is not among them, nor
 * what is gone before it was looked at. Links are followed, but not to a folder that they are in.
 */
export const list = (
  fs: FileSystem.FileSystem,
  { folder, matches, recursive }: FolderOptions
): Effect.Effect<ReadonlyArray<FolderFile>, FileFailure> =>
  Effect.gen(function* () {
    const found: Array<FolderFile> = []
    const walk = (below: string, above: ReadonlyArray<string>): Effect.Effect<void, FileFailure> =>
      Effect.gen(function* () {
        const at = below === "" ? folder : `${folder}/${below}`
        const names = yield* fs.readDirectory(at).pipe(
          Effect.catchIf(
            (error) => below !== "" && isGone(error),
            () => Effect.succeed([])
          ),
          Effect.mapError((error) => (isGone(error) ? noFolder(folder) : unreadable(at, error)))
        )
        const wanted = names.filter((name) => !isPassedOver(name) && (recursive || matches(name)))
        const looks = yield* Effect.forEach(wanted, (name) => look(fs, `${at}/${name}`), { concurrency: looksAtOnce })
        for (const [i, info] of looks.entries()) {
          const path = below === "" ? wanted[i]! : `${below}/${wanted[i]}`
          if (info?.type === "File" && matches(wanted[i]!)) found.push(fileOf(path, info))
          if (found.length > Limits.folderFilesMax) return yield* tooMany(folder)
          const own = info === null ? null : placeOf(info)
          if (recursive && info?.type === "Directory" && (own === null || !above.includes(own)))
            yield* walk(path, own === null ? above : [...above, own])
        }
      })
    const own = yield* look(fs, folder)
    const place = own === null ? null : placeOf(own)
    yield* walk("", place === null ? [] : [place])
    return found
  })

/** A file as it is now; `null`: it is gone, or is none. */
export const find = (
  fs: FileSystem.FileSystem,
  folder: string,
  path: string
): Effect.Effect<FolderFile | null, FileFailure> =>
  Effect.map(look(fs, `${folder}/${path}`), (info) => (info?.type === "File" ? fileOf(path, info) : null))

/** Runtimes round a time to the milliseconds before it or after it. */
export const isSame = (one: FolderFile, other: FolderFile | null): boolean =>
  other !== null &&
  one.path === other.path &&
  one.size === other.size &&
  Math.abs(one.modified - other.modified) <= 1 &&
  one.inode === other.inode

export const sorted = <A extends FolderFile>(files: ReadonlyArray<A>, order: Order): ReadonlyArray<A> =>
  [...files].sort((a, b) => (order === "modified" ? a.modified - b.modified : 0) || (a.path < b.path ? -1 : 1))

// Private

const looksAtOnce = 16

const look = (fs: FileSystem.FileSystem, path: string): Effect.Effect<FileSystem.File.Info | null, FileFailure> =>
  fs.stat(path).pipe(
    Effect.catchIf(isGone, () => Effect.succeed(null)),
    Effect.mapError((error) => unreadable(path, error))
  )

const fileOf = (path: string, { ino, mtime, size }: FileSystem.File.Info): FolderFile => ({
  path,
  size: Number(size),
  modified: Option.match(mtime, { onNone: () => 0, onSome: (time) => time.getTime() }),
  inode: Option.getOrElse(ino, () => 0)
})

/** Which folder it is, by whatever path; `null` where the file system does not say. */
const placeOf = ({ dev, ino }: FileSystem.File.Info): string | null =>
  Option.match(ino, { onNone: () => null, onSome: (inode) => `${dev} ${inode}` })

const isPassedOver = (name: string): boolean => name.startsWith(".") || /\.(?:tmp|part)$/.test(name)

/** Nothing is there, or a link that leads nowhere. */
const isGone = (error: PlatformError.PlatformError): boolean =>
  error._tag === "SystemError" && error.reason === "NotFound"

const noFolder = (folder: string) =>
  new StorageFailed({
    path: folder,
    message: `There is no folder ${folder}`,
    hint: "Make it, or say where it is: a path that does not begin at the root begins at the process's own folder."
  })

const tooMany = (folder: string) =>
  new StorageFailed({
    path: folder,
    message: `The folder ${folder} holds more than ${Limits.folderFilesMax} files that are to be read`,
    hint: "Take some of them away, or name fewer of them by the `pattern` of the source."
  })
