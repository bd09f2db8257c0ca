/** Reads a folder as it is when it is opened: its files in their order, and what comes later not at all. */
import { Effect, type Scope } from "effect"
import type { SourceReader } from "../../flow/Source.ts"
import * as Digest from "../../model/Digest.ts"
import { changed, type FileFailure } from "./FileFailure.ts"
import * as FileFeed from "./FileFeed.ts"
import * as FileSpan from "./FileSpan.ts"
import * as Folder from "./Folder.ts"

export interface FolderReaderOptions extends FileFeed.FeedOptions, Folder.FolderOptions {
  /** Of the source. */
  readonly name: string
  readonly order: Folder.Order
}

/**
 * Every file is read twice: its rows are counted here, before any is handed out. One that changes meanwhile fails the
 * read with `SourceUnavailable`; a folder that is another one when it is opened again has another identity.
 */
export const open = (options: FolderReaderOptions): Effect.Effect<SourceReader, FileFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const { fs, name, order } = options
    const files: Array<FileSpan.SpannedFile> = []
    let latest = 0
    for (const file of Folder.sorted(yield* Folder.list(fs, options), order)) {
      const rows = yield* FileFeed.count(options, file.path)
      files.push({ ...file, first: latest, rows })
      latest += rows
    }
    const { read } = yield* FileSpan.reader({ ...options, files, changed: ({ path }) => changed(name, path) })
    return {
      identity: identityOf(files, latest),
      finite: true,
      partitions: Effect.succeed([{ partition: 0, oldest: 0, latest }]),
      read: (_, offset, recordsMax) => read(offset, recordsMax),
      changed: Effect.never,
      markBefore: (_, offset) => Effect.succeed(FileSpan.markBefore(files, offset))
    } satisfies SourceReader
  })

// Private

/** Other files, or others of the same names, are another folder. */
const identityOf = (files: ReadonlyArray<FileSpan.SpannedFile>, rows: number): string => {
  const digest = Digest.make()
  const encoder = new TextEncoder()
  for (const { inode, modified, path, size } of files) {
    digest.bytes(encoder.encode(path))
    for (const number of [size, modified, inode]) digest.number(Math.floor(number))
  }
  return `folder of ${files.length} files with ${rows} rows, ${digest.result()}`
}
