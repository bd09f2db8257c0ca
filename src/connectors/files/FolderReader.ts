/** Reads a folder as it is when it is opened: its files in their order, and what comes later not at all. */
import { Effect, type Scope } from "effect"
import type { TakenFile } from "../../flow/FileLedgers.ts"
import type { SourceReader } from "../../flow/Source.ts"
import * as Digest from "../../model/Digest.ts"
import { changed, type FileFailure } from "./FileFailure.ts"
import type * as FileFeed from "./FileFeed.ts"
import * as FileSpan from "./FileSpan.ts"
import * as Folder from "./Folder.ts"

export interface FolderReaderOptions extends FileFeed.FeedOptions, Folder.FolderOptions {
  /** Of the source. */
  readonly name: string
  readonly order: Folder.Order
  /** Files of which one epoch has rows; `null`: as many as there are. */
  readonly filesPerEpochMax: number | null
}

/**
 * Every file is read twice: its rows are counted here, before any is handed out. One that changes meanwhile fails the
 * read with `SourceUnavailable`; a folder that is another one when it is opened again has another identity.
 */
export const open = (options: FolderReaderOptions): Effect.Effect<SourceReader, FileFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const { fs, name, order } = options
    const files: Array<TakenFile> = []
    let latest = 0
    for (const file of Folder.sorted(yield* Folder.list(fs, options), order)) {
      const rows = yield* FileSpan.rowsOf(options, file)
      if (rows === null && (yield* Folder.find(fs, options.folder, file.path)) === null) continue
      if (rows === null) return yield* changed(name, file.path)
      files.push({ ...file, first: latest, rows })
      latest += rows
    }
    const { read } = yield* FileSpan.reader({ ...options, files, changed: ({ path }) => changed(name, path) })
    return {
      identity: identityOf(files, latest),
      finite: true,
      partitions: Effect.succeed([{ partition: 0, oldest: 0, latest }]),
      read: (_, offset, recordsMax) => read(offset, recordsMax),
      ...FileSpan.bounded(files, options.filesPerEpochMax),
      changed: Effect.never,
      markBefore: (_, offset) => Effect.succeed(FileSpan.markBefore(files, offset))
    } satisfies SourceReader
  })

// Private

/** Other files, or others of another size under the same names, are another folder. Of times runtimes say others. */
const identityOf = (files: ReadonlyArray<TakenFile>, rows: number): string => {
  const digest = Digest.make()
  const encoder = new TextEncoder()
  for (const { path, rows, size } of files) {
    digest.bytes(encoder.encode(path))
    digest.number(size)
    digest.number(rows)
  }
  return `folder of ${files.length} files with ${rows} rows, ${digest.result()}`
}
