/**
 * Reads a folder as files come into it: each file that stands still is taken, its rows counted and noted in a ledger,
 * and only then read.
 *
 *     new ─► stands still for `settle` ─► rows counted ─► unchanged since? ─► in the ledger, durably ─► read
 */
import { Clock, Effect, type Scope, Stream } from "effect"
import type { FileLedger, TakenFile } from "../../flow/FileLedgers.ts"
import type { SourceReader } from "../../flow/Source.ts"
import { SourceReplaced } from "../../model/Errors.ts"
import * as FileCleaning from "./FileCleaning.ts"
import type { FileFailure } from "./FileFailure.ts"
import type * as FileFeed from "./FileFeed.ts"
import * as FileSpan from "./FileSpan.ts"
import * as Folder from "./Folder.ts"

export interface FolderWatchOptions extends FileFeed.FeedOptions, Folder.FolderOptions {
  /** Of the source. */
  readonly name: string
  readonly order: Folder.Order
  /** Files of which one epoch has rows; `null`: as many as there are. */
  readonly filesPerEpochMax: number | null
  /** Milliseconds for which a file has to stand still. */
  readonly settleMillis: number
  /** Is a file that was taken, and has another content now, taken again? */
  readonly rereads: boolean
  readonly ledger: FileLedger
  /** What becomes of a file when every job is done with it; `null`: nothing. */
  readonly cleaning: FileCleaning.Cleaning | null
}

/** The folder is looked at so often, in milliseconds, whether the file system tells of changes or not. */
const lookMillis = 1_000
/** Between two looks, in milliseconds, however much the file system tells. */
const restMillis = 200
/** Files that one write notes in the ledger. */
const takenAtOnce = 256

/** Ends when the files that are there, and stand still, are taken: a bounded run reads up to them. */
export const open = (options: FolderWatchOptions): Effect.Effect<SourceReader, FileFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const { ledger, name } = options
    const { files } = ledger
    const watch = watchOf(options)
    const stirred = yield* Effect.makeLatch(false)
    let failure: FileFailure | null = null
    /** How many files there were when `changed` ended. */
    let told = 0
    const hold = yield* ledger.hold
    const look = ledger.inTurn(watch.look)
    if (!(yield* look)) {
      yield* Effect.sleep(options.settleMillis)
      yield* look
    }
    const heard = yield* Effect.makeLatch(false)
    yield* Effect.forkScoped(listen(options, heard))
    yield* Effect.gen(function* () {
      yield* Effect.sleep(restMillis)
      yield* Effect.raceFirst(heard.await, Effect.sleep(lookMillis - restMillis))
      yield* heard.close
      yield* look
      if (files.length > told) yield* stirred.open
    }).pipe(
      Effect.forever,
      Effect.catchAll((error: FileFailure) => {
        failure = error
        return stirred.open
      }),
      Effect.forkScoped
    )
    const working = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | FileFailure> =>
      Effect.suspend((): Effect.Effect<A, E | FileFailure> => (failure === null ? effect : Effect.fail(failure)))
    const { read } = yield* FileSpan.reader({ ...options, files, changed: (file) => replaced(name, file) })
    return {
      identity: ledger.identity,
      finite: false,
      partitions: working(
        Effect.sync(() => [
          { partition: 0, oldest: files[watch.gone()]?.first ?? FileSpan.endOf(files), latest: FileSpan.endOf(files) }
        ])
      ),
      read: (_, offset, recordsMax) => working(read(offset, recordsMax)),
      ...FileSpan.bounded(files, options.filesPerEpochMax),
      changed: Effect.gen(function* () {
        if (files.length === told) yield* stirred.await
        yield* stirred.close
        told = files.length
      }),
      markBefore: (_, offset) => Effect.succeed(FileSpan.markBefore(files, offset)),
      acknowledge: acknowledging(options, hold.release)
    } satisfies SourceReader
  })

// Private

const watchOf = (options: FolderWatchOptions) => {
  const { fs, ledger, order, rereads, settleMillis } = options
  /** Files that are not taken, as they were at the last look, and since when they are so. */
  let fresh = new Map<string, { readonly file: Folder.FolderFile; readonly since: number }>()
  /** Files with another content that nobody reads, as they were when that was said. */
  const said = new Map<string, Folder.FolderFile>()
  let gone = 0

  const isKnown = (file: Folder.FolderFile): Effect.Effect<boolean> =>
    Effect.gen(function* () {
      const taken = ledger.last(file.path)
      if (taken === undefined) return false
      if (Folder.isSame(file, taken)) return true
      if (rereads) return false
      if (!Folder.isSame(file, said.get(file.path) ?? null)) yield* ignored(options, file)
      said.set(file.path, file)
      return true
    })
  const settled = (found: ReadonlyArray<Folder.FolderFile>, now: number): ReadonlyArray<Folder.FolderFile> => {
    const before = fresh
    fresh = new Map()
    for (const file of found) {
      const known = before.get(file.path)
      fresh.set(file.path, known !== undefined && Folder.isSame(file, known.file) ? known : { file, since: now })
    }
    return found.filter(({ path }) => now - fresh.get(path)!.since >= settleMillis)
  }
  const take = (files: ReadonlyArray<Folder.FolderFile>) =>
    Effect.gen(function* () {
      const counted = yield* Effect.forEach(files, (file) =>
        Effect.map(FileSpan.rowsOf(options, file), (rows) => (rows === null ? [] : [{ ...file, rows }]))
      )
      if (counted.flat().length > 0) yield* ledger.take(counted.flat())
      for (const { path } of counted.flat()) fresh.delete(path)
    })
  /** Takes what stands still; answers whether nothing is left to take. */
  const look: Effect.Effect<boolean, FileFailure> = Effect.gen(function* () {
    const found = yield* Folder.list(fs, options)
    const unknown = Folder.sorted(yield* Effect.filter(found, (file) => Effect.negate(isKnown(file))), order)
    const still = settled(unknown, yield* Clock.currentTimeMillis)
    for (let i = 0; i < still.length; i += takenAtOnce) yield* take(still.slice(i, i + takenAtOnce))
    const there = new Map(found.map((file) => [file.path, file]))
    while (
      gone < ledger.files.length &&
      !Folder.isSame(ledger.files[gone]!, there.get(ledger.files[gone]!.path) ?? null)
    )
      gone++
    return fresh.size === 0
  })
  return { look, gone: () => gone }
}

/** Notes which files a job is done with, and cleans up those that every job is done with. */
const acknowledging = (
  options: FolderWatchOptions,
  release: Effect.Effect<void, FileFailure>
): NonNullable<SourceReader["acknowledge"]> => {
  const { cleaning, ledger } = options
  let noted = -1
  let cleaned = 0
  return (job, offsets) =>
    Effect.gen(function* () {
      const done = FileSpan.filesBefore(ledger.files, offsets.get(0) ?? 0)
      if (done !== noted) yield* ledger.cover(job, done)
      noted = done
      yield* release
      if (cleaning === null) return
      // In turn: who begins to read holds files back before it looks which are there.
      yield* ledger.inTurn(
        Effect.gen(function* () {
          const { files } = yield* ledger.covered
          yield* FileCleaning.clean(options, ledger.files.slice(cleaned, files), { cleaning })
          cleaned = Math.max(cleaned, files)
        })
      )
    })
}

/** Opens the latch when the file system says that something happened; ends where it says nothing. */
const listen = ({ folder, fs, recursive }: FolderWatchOptions, heard: Effect.Latch): Effect.Effect<void> =>
  Effect.suspend(() => Stream.runForEach(fs.watch(folder, { recursive }), () => heard.open)).pipe(
    Effect.catchAllCause(() => Effect.void)
  )

const ignored = ({ name }: FolderWatchOptions, { path }: Folder.FolderFile): Effect.Effect<void> =>
  Effect.logWarning(
    `Source ${name}: the file ${path} was taken before and has another content now, which nobody reads. Give new content a new name, or say \`changed: "reread"\`.`
  )

const replaced = (source: string, { first, path, rows }: TakenFile) =>
  new SourceReplaced({
    source,
    message: `Source ${source}: the file ${path} is gone or has another content, and its rows (offsets ${first} to ${first + rows}) are to be read`,
    hint: "Put it back as it was, with its time of the last change, or begin a new lineage with `weir reset <job>`. Files may be taken away when a checkpoint covers them: let the source do it, by `clean`."
  })
