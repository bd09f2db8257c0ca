/** Reads the rows of one file from its beginning, as much of it at a time as one read brings. */
import type { FileSystem } from "@effect/platform"
import { Effect, type Scope } from "effect"
import { type FileFailure, unreadable } from "./FileFailure.ts"
import type { FileRows, Format, TakenRows } from "./FileFormat.ts"
import * as FileText from "./FileText.ts"

export interface FileFeed {
  /** Passes over so many rows; answers how many there were, fewer at the file's end. */
  readonly skip: (count: number) => Effect.Effect<number, FileFailure>
  /** At most so many of the next rows; `null` at the file's end. */
  readonly take: (count: number) => Effect.Effect<TakenRows | null, FileFailure>
}

export interface FeedOptions {
  readonly fs: FileSystem.FileSystem
  readonly folder: string
  readonly format: Format
  readonly encoding: FileText.Encoding
}

/** The rows of the file of this path below the folder. The scope holds it open. */
export const open = (
  { encoding, folder, format, fs }: FeedOptions,
  path: string
): Effect.Effect<FileFeed, FileFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const at = `${folder}/${path}`
    const refused = Effect.mapError((error: FileText.TextError) => unreadable(at, error))
    const pieces = refused(yield* refused(FileText.open(fs, at, { encoding, isPacked: path.endsWith(".gz") })))
    const rows = format(new TextEncoder().encode(path))
    return {
      skip: (count) => skip(rows, pieces, count),
      take: (count) => take(rows, pieces, count)
    }
  })

/** How many rows there are. */
export const count = (options: FeedOptions, path: string): Effect.Effect<number, FileFailure> =>
  Effect.scoped(Effect.flatMap(open(options, path), ({ skip }) => skip(Number.POSITIVE_INFINITY)))

// Private

type Pieces = FileText.Pieces<FileFailure>

const skip = (rows: FileRows, pieces: Pieces, count: number): Effect.Effect<number, FileFailure> =>
  Effect.gen(function* () {
    let skipped = rows.skip(count)
    for (let isOver = false; skipped < count && !isOver; ) {
      const bytes = yield* pieces
      isOver = bytes === null
      rows.push(bytes)
      skipped += rows.skip(count - skipped)
    }
    return skipped
  })

const take = (rows: FileRows, pieces: Pieces, count: number): Effect.Effect<TakenRows | null, FileFailure> =>
  Effect.gen(function* () {
    let taken = rows.take(count)
    for (let isOver = false; taken === null && !isOver; ) {
      const bytes = yield* pieces
      isOver = bytes === null
      rows.push(bytes)
      taken = rows.take(count)
    }
    return taken
  })
