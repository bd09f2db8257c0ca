/**
 * Files behind each other as one partition: a row's offset is its number over all of them. How many rows each has is
 * known before any is read, so that an offset means the same row for ever.
 */
import { Effect, Exit, Scope } from "effect"
import type { TakenFile } from "../../flow/FileLedgers.ts"
import type { RecordMark, SourceReader } from "../../flow/Source.ts"
import * as Digest from "../../model/Digest.ts"
import type { Offset, RecordBatch } from "../../model/Event.ts"
import type { FileFailure } from "./FileFailure.ts"
import * as FileFeed from "./FileFeed.ts"
import type { TakenRows } from "./FileFormat.ts"
import { type FolderFile, find, isSame } from "./Folder.ts"

/** Reads such files one after the other; one of them is open at a time, from where reading stopped. */
export interface SpanReader<E> {
  /** Rows of the file that holds `offset`, at least one; `null` at the end of all. Contract: `SourceReader.read`. */
  readonly read: (offset: Offset, recordsMax: number) => Effect.Effect<RecordBatch | null, E | FileFailure>
}

export interface SpanOptions<E> extends FileFeed.FeedOptions {
  /** In the order of their offsets; more may come at the end. */
  readonly files: ReadonlyArray<TakenFile>
  /** What to say of a file that is not what it was when its rows were counted. */
  readonly changed: (file: TakenFile) => E
}

interface Cursor {
  readonly index: number
  readonly feed: FileFeed.FileFeed
  readonly scope: Scope.CloseableScope
  offset: Offset
}

/** The scope closes what is open. */
export const reader = <E>(options: SpanOptions<E>): Effect.Effect<SpanReader<E>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (owner) => {
    const { changed, files, folder, fs } = options
    let cursor: Cursor | null = null
    const close = Effect.suspend(() => {
      const closing = cursor
      cursor = null
      return closing === null ? Effect.void : Scope.close(closing.scope, Exit.void)
    })
    const check = (file: TakenFile): Effect.Effect<void, E | FileFailure> =>
      Effect.flatMap(find(fs, folder, file.path), (found) =>
        isSame(file, found) ? Effect.void : Effect.fail(changed(file))
      )
    const openAt = (index: number, offset: Offset): Effect.Effect<Cursor, E | FileFailure> =>
      Effect.gen(function* () {
        const file = files[index]!
        yield* check(file)
        const scope = yield* Scope.fork(owner, { _tag: "Sequential" })
        const feed = yield* Scope.extend(FileFeed.open(options, file.path), scope).pipe(
          Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
        )
        const opened = { index, feed, scope, offset }
        cursor = opened
        if ((yield* feed.skip(offset - file.first)) < offset - file.first) return yield* Effect.fail(changed(file))
        return opened
      })
    const read = (offset: Offset, recordsMax: number): Effect.Effect<RecordBatch | null, E | FileFailure> =>
      Effect.gen(function* () {
        const index = fileAt(files, offset)
        if (index < 0) return null
        const file = files[index]!
        if (cursor?.offset !== offset || cursor.index !== index) yield* close
        const open = cursor ?? (yield* openAt(index, offset))
        const end = file.first + file.rows
        const taken = yield* open.feed.take(Math.min(Math.max(1, recordsMax), end - offset))
        if (taken === null) return yield* Effect.fail(changed(file))
        open.offset = offset + taken.starts.length
        if (open.offset === end) {
          yield* close
          yield* check(file)
        }
        return batchOf(file, offset, taken)
      }).pipe(Effect.onError(() => close))
    return { read }
  })

/** How many rows a file has; `null`: it is not the same any more. */
export const rowsOf = (options: FileFeed.FeedOptions, file: FolderFile): Effect.Effect<number | null, FileFailure> =>
  Effect.gen(function* () {
    const counted = yield* Effect.either(FileFeed.count(options, file.path))
    // What was read of a file that went or changed says nothing, nor does the failure.
    if (!isSame(file, yield* find(options.fs, options.folder, file.path))) return null
    return yield* counted
  })

/** The offset after the last row. */
export const endOf = (files: ReadonlyArray<TakenFile>): Offset => {
  const last = files[files.length - 1]
  return last === undefined ? 0 : last.first + last.rows
}

/** How many of the files have no row from `offset` on. */
export const filesBefore = (files: ReadonlyArray<TakenFile>, offset: Offset): number => {
  let low = 0
  let high = files.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (files[middle]!.first + files[middle]!.rows <= offset) low = middle + 1
    else high = middle
  }
  return low
}

/** Ends each epoch with the last of so many files of which it has rows; `null`: it ends where it will. */
export const bounded = (
  files: ReadonlyArray<TakenFile>,
  filesPerEpochMax: number | null
): Pick<SourceReader, "epochEnd"> =>
  filesPerEpochMax === null
    ? {}
    : {
        epochEnd: (_, from) => {
          const last = files[filesBefore(files, from) + filesPerEpochMax - 1]
          return last === undefined ? Number.POSITIVE_INFINITY : last.first + last.rows
        }
      }

/** How the row before `offset` is recognised: by its file and its place there. `null`: there is none. */
export const markBefore = (files: ReadonlyArray<TakenFile>, offset: Offset): RecordMark | null => {
  const index = offset > 0 ? fileAt(files, offset - 1) : -1
  if (index < 0) return null
  const { first, path, size } = files[index]!
  const digest = Digest.make()
  digest.bytes(new TextEncoder().encode(path))
  digest.number(size)
  digest.number(offset - first)
  // A file's time is no mark: runtimes round it differently.
  return { timestamp: 0, checksum: Number.parseInt(digest.result().slice(0, 8), 16) }
}

// Private

/** The file with the row of this offset; -1: there is none. */
const fileAt = (files: ReadonlyArray<TakenFile>, offset: Offset): number => {
  const index = filesBefore(files, offset)
  return index === files.length ? -1 : index
}

const batchOf = (file: TakenFile, offset: Offset, { bytes, ends, starts }: TakenRows): RecordBatch => {
  const count = starts.length
  return {
    partition: 0,
    count,
    offsets: Float64Array.from(starts, (_, i) => offset + i),
    timestamps: new Float64Array(count).fill(file.modified),
    bytes,
    valueStarts: Int32Array.from(starts),
    valueEnds: Int32Array.from(ends),
    keyStarts: new Int32Array(count),
    keyEnds: new Int32Array(count).fill(keyBytesOf(file)),
    nextOffset: offset + count
  }
}

const keyBytesOf = ({ path }: FolderFile): number => new TextEncoder().encode(path).length
