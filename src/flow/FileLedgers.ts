/**
 * The contract of ledgers of files: which files a source has taken, in which order and with how many rows, so that an
 * offset means the same row for ever. Jobs of one process that read the same files share a ledger.
 */
import { Context, Effect, type Scope } from "effect"
import { StorageFailed } from "../model/Errors.ts"
import type { Offset } from "../model/Event.ts"

/** A file as it was when it was taken: another size, time or inode means another content. */
export interface TakenFile {
  /** Below the folder, with `/` between names. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** When it was written last, in milliseconds; 0 where the file system does not say. */
  readonly modified: number
  /** Its number in the file system; 0 where that has none. */
  readonly inode: number
  /** The offset of its first row. */
  readonly first: Offset
  readonly rows: number
}

export interface FileLedger {
  /** Another one for each ledger that is made. */
  readonly identity: string
  /** All files that were taken, in the order of their offsets. The same array, which grows at its end. */
  readonly files: ReadonlyArray<TakenFile>
  /** The last one that was taken of this path. */
  readonly last: (path: string) => TakenFile | undefined
  /** Puts files behind those that are there; they are durable when it ends. Call it within `inTurn`. */
  readonly take: (files: ReadonlyArray<Omit<TakenFile, "first">>) => Effect.Effect<void, StorageFailed>
  /** One at a time: who looks which files are new, and takes them. */
  readonly inTurn: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** So many of the first files are done with for a job, durably: it reads none of them again. */
  readonly cover: (job: string, files: number) => Effect.Effect<void, StorageFailed>
  /** Until the scope closes, or it is released, somebody may read any file who is not known by a job's name yet. */
  readonly hold: Effect.Effect<{ readonly release: Effect.Effect<void, StorageFailed> }, StorageFailed, Scope.Scope>
  /** How many of the first files are done with for every job that ever read them; the job that has least. */
  readonly covered: Effect.Effect<Coverage, StorageFailed>
}

export interface Coverage {
  readonly files: number
  /** Who holds back the next file; `null`: a job that has no checkpoint yet, or nobody. */
  readonly by: string | null
}

export interface FileLedgersService {
  /** The ledger of this key, which says which files are meant and what a row of theirs is. Made where there is none. */
  readonly open: (key: string) => Effect.Effect<FileLedger, StorageFailed>
  /** What a ledger holds now, for whoever only looks: another process may have it open. `null`: there is none. */
  readonly look: (key: string) => Effect.Effect<LedgerSight | null, StorageFailed>
}

export interface LedgerSight {
  readonly files: ReadonlyArray<TakenFile>
  readonly covered: Coverage
}

/** Where sources of files keep their ledgers. Who hosts jobs says it. */
export class FileLedgers extends Context.Reference<FileLedgers>()("weir/FileLedgers", {
  defaultValue: (): FileLedgersService => ({ open: nowhere, look: nowhere })
}) {}

// Private

const nowhere = (key: string): Effect.Effect<never, StorageFailed> =>
  Effect.suspend(
    () =>
      new StorageFailed({
        path: key,
        message: `Nothing says where to keep which files of ${key} were taken`,
        hint: "Run the job by `weir run` or `weir start`, or provide the ledgers: `Files.layerLedgers`. A source with `watch: false` needs none."
      })
  )
