/**
 * Where a job's past is kept: who owns it, what it intends, what it has done.
 *
 * One row of truth for each job, its claim (lineage and generation), is taken by compare-and-set; everything that is
 * written afterwards checks in its own transaction that the claim is still the current one.
 */
import { Context, type Effect } from "effect"
import type { Statement, TablesService } from "../flow/Tables.ts"
import type {
  AccessRefused,
  CheckpointCorrupted,
  Defect,
  Fenced,
  RowsUnexpected,
  SavepointExists,
  StatementRefused,
  StorageFailed,
  TablesUnavailable
} from "../model/Errors.ts"
import type { Offset } from "../model/Event.ts"
import type { Millis } from "../model/Time.ts"
import type { StatePart } from "../state/StatePart.ts"
import type { Intent, Manifest } from "./Checkpoint.ts"
import type { Savepoint } from "./Savepoint.ts"

export type StoreError = StorageFailed | TablesUnavailable | AccessRefused | StatementRefused | CheckpointCorrupted

/** What an owner finds when it takes a job over. */
export interface Claim {
  readonly job: string
  /** Survives restarts and owners; made at the first claim. */
  readonly jobId: string
  readonly lineage: number
  /** This owner's: one more than any before it. */
  readonly generation: number
  /** The last epoch that is durable, if any in this lineage. */
  readonly manifest: Manifest | null
  /** Every intent above it, in order. */
  readonly intents: ReadonlyArray<Intent>
  /** Epochs at and below this number have been used by an older lineage: the next is one above. */
  readonly epochFloor: number
}

/** The state of one step, as an epoch left it. */
export interface StepState {
  readonly step: string
  readonly parts: ReadonlyArray<StatePart>
}

/** A version of a lookup: equal rows have equal versions. */
export interface LookupPlace {
  readonly lookup: string
  readonly version: string
}

/** The rows of a version, as bytes that only who wrote them understands. */
export interface LookupRows extends LookupPlace {
  readonly bytes: Uint8Array
}

/** What one epoch makes durable at once. */
export interface EpochCommit {
  readonly manifest: Manifest
  readonly state: ReadonlyArray<StepState>
  /** Rows and fences of sinks in the store's own database; empty for a store that has none. */
  readonly statements: ReadonlyArray<Statement>
  /** The report of the epoch, as JSON text. */
  readonly progress: string
}

/** A job that was paused: with what it is to go on. */
export interface Pause {
  readonly pausedAt: Millis
  /** The options of the run, as JSON text. */
  readonly options: string
}

/** A job as the store knows it, without owning it. */
export interface JobRecord {
  /** Absent: it is not paused. */
  readonly paused?: Pause
  readonly job: string
  readonly jobId: string
  readonly lineage: number
  readonly generation: number
  readonly manifest: Manifest | null
  readonly intents: ReadonlyArray<Intent>
}

export interface CheckpointStoreService {
  /** The database that can carry a sink's rows in the manifest's own transaction; `null` if it is none. */
  readonly tables: TablesService | null
  /** For a person: `embedded Postgres`, `file:/data/checkpoints`. */
  readonly label: string
  /**
   * Takes the job over: a new generation by compare-and-set. `jobId` is used at the first claim of all. Fails with
   * `CheckpointCorrupted` if the last manifest cannot be read as it was written: it never falls back by itself. Fails
   * with `Fenced` if a newer owner has taken the job over before all was read.
   */
  readonly claim: (job: string, jobId: string) => Effect.Effect<Claim, StoreError | Fenced>
  /** Creates the intent: once for (job, lineage, epoch), never overwritten, only while the claim is current. */
  readonly writeIntent: (claim: Claim, intent: Intent) => Effect.Effect<void, StoreError | Fenced | Defect>
  /**
   * Makes the epoch durable, wholly or not at all, only while the claim is current; `RowsUnexpected` and
   * `StatementRefused` speak of `statements` by their index. After `TablesUnavailable` the outcome is unknown: read
   * `lookUp` before trying again. Collects what no kept manifest needs: older manifests, their intents and state.
   */
  readonly commit: (claim: Claim, epoch: EpochCommit) => Effect.Effect<void, StoreError | Fenced | RowsUnexpected>
  /** The state that the manifest names: for each step its bases, then deltas in the order of epochs. Checked against what was written. */
  readonly readState: (manifest: Manifest) => Effect.Effect<ReadonlyArray<StepState>, StoreError>
  /**
   * Stores the rows of a version of a lookup, durable when it ends, only while the claim is current; the same version
   * again changes nothing. Called before the intent that names it. Removes versions that neither a kept manifest nor an
   * intent names, but for those `inUse`: an intent may be about to name them.
   */
  readonly writeLookup: (
    claim: Claim,
    rows: LookupRows,
    inUse: ReadonlyArray<LookupPlace>
  ) => Effect.Effect<void, StoreError | Fenced>
  /** The rows of a version as they were stored, of the claim's lineage. Checked against what was written. */
  readonly readLookup: (claim: Claim, place: LookupPlace) => Effect.Effect<Uint8Array, StoreError>
  /** What is known of a job; `null` if it never ran. Needs no claim. */
  readonly lookUp: (job: string) => Effect.Effect<JobRecord | null, StoreError>
  readonly list: Effect.Effect<ReadonlyArray<JobRecord>, StoreError>
  /** Reports of the last epochs, newest last, at most `Limits.progressKept`. */
  readonly progress: (job: string, last: number) => Effect.Effect<ReadonlyArray<string>, StoreError>
  /** The oldest offset that any kept manifest of any job needs of each source identity and partition: below it a log may forget. */
  readonly neededOffsets: Effect.Effect<
    ReadonlyArray<{ readonly identity: string; readonly partition: number; readonly offset: Offset }>,
    StoreError
  >
  /**
   * A new lineage, which begins above every epoch ever seen in manifests and intents, and above `epochsSeen` (of
   * fences): the next claim starts anew, or, with a savepoint, finds its manifest as the first one of the lineage, and
   * its state and lookups. Wholly or not at all. Fences older owners. Savepoints stay.
   */
  readonly reset: (
    job: string,
    epochsSeen: number,
    savepoint?: Savepoint
  ) => Effect.Effect<{ readonly lineage: number; readonly epochFloor: number }, StoreError>
  /**
   * Keeps a copy of the last manifest, its state and its lookups under a name, wholly or not at all; `null` if the job
   * has none. Needs no claim: the job may run.
   */
  readonly savepoint: (
    job: string,
    name: string,
    takenAt: Millis
  ) => Effect.Effect<Savepoint | null, StoreError | SavepointExists>
  /** The savepoints of a job, oldest first. */
  readonly savepoints: (job: string) => Effect.Effect<ReadonlyArray<Savepoint>, StoreError>
  /** Removes a savepoint and what it keeps; one that is not there changes nothing. */
  readonly removeSavepoint: (job: string, name: string) => Effect.Effect<void, StoreError>
  /** Keeps that a job is paused, or, with `null`, that it is not, durably. Needs no claim; survives `reset`. */
  readonly setPause: (job: string, pause: Pause | null) => Effect.Effect<void, StoreError>
}

export class CheckpointStore extends Context.Tag("weir/CheckpointStore")<CheckpointStore, CheckpointStoreService>() {}
