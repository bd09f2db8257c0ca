/** Takes away files that were read: deletes them, or moves them to an archive. */
import type { FileSystem, Error as PlatformError } from "@effect/platform"
import { Effect } from "effect"
import type { TakenFile } from "../../flow/FileLedgers.ts"
import { StorageFailed } from "../../model/Errors.ts"
import type { FileFailure } from "./FileFailure.ts"
import { find, isSame } from "./Folder.ts"

/** `archive`: a folder on the same file system, where paths below the source's folder stay as they are. */
export type Cleaning = { readonly kind: "delete" } | { readonly kind: "archive"; readonly archive: string }

export interface CleanOptions {
  readonly cleaning: Cleaning
  /** Only what was written before this moment, in milliseconds. Absent: all. */
  readonly before?: number
}

/**
 * Answers the paths of what it took away. A file that is not what was taken stays, whatever its name: nobody has read
 * it. Begun again, it goes on where it was.
 */
export const clean = (
  { folder, fs }: { readonly fs: FileSystem.FileSystem; readonly folder: string },
  files: ReadonlyArray<TakenFile>,
  { before = Number.POSITIVE_INFINITY, cleaning }: CleanOptions
): Effect.Effect<ReadonlyArray<string>, FileFailure> =>
  Effect.gen(function* () {
    const cleaned: Array<string> = []
    for (const file of files) {
      if (file.modified >= before || !isSame(file, yield* find(fs, folder, file.path))) continue
      const path = `${folder}/${file.path}`
      yield* (
        cleaning.kind === "delete"
          ? fs.remove(path, { force: true })
          : move(fs, path, `${cleaning.archive}/${file.path}`)
      ).pipe(Effect.mapError((error) => stays(path, cleaning, error)))
      cleaned.push(file.path)
    }
    return cleaned
  })

// Private

/** Moves a file, in one step, beside what has its name already: `name.1`. */
const move = (fs: FileSystem.FileSystem, from: string, to: string): Effect.Effect<void, PlatformError.PlatformError> =>
  Effect.gen(function* () {
    yield* fs.makeDirectory(to.slice(0, to.lastIndexOf("/")), { recursive: true })
    let free = to
    for (let n = 1; yield* fs.exists(free); n++) free = `${to}.${n}`
    yield* fs.rename(from, free)
  })

const stays = (path: string, { kind }: Cleaning, error: PlatformError.PlatformError) =>
  new StorageFailed({
    path,
    message: `${path} was read and cannot be ${kind === "delete" ? "deleted" : "archived"}: ${error.message}`,
    hint: "See that the process may write to the folder. An archive must be on the same file system."
  })
