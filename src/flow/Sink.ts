/**
 * The contract of a sink: a description that a job holds, and the writer that it opens.
 *
 * A writer first prepares an epoch, then commits it. Rows for a database of tables are committed by whoever holds the
 * checkpoint, together with its manifest where they share a database: such a writer gives statements and never opens
 * a transaction. Every other writer commits by itself, under its own fence.
 */
import type { Effect, Scope } from "effect"
import type { Fenced, NotDeterministic, OtherLineage, SinkAhead, SinkBehind, TableMismatch } from "../model/Errors.ts"
import type { Invalid } from "../model/Event.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"
import type { Letters } from "./Letters.ts"
import type { Statement, TablesError, TablesService } from "./Tables.ts"
import type { TopicsError } from "./Topics.ts"

export type SinkError =
  | TablesError
  | TopicsError
  | TableMismatch
  | Fenced
  | NotDeterministic
  | OtherLineage
  | SinkAhead
  | SinkBehind

/** What a sink promises of the rows that it wrote, after any crash. */
export type Guarantee = "exactly once" | "at least once"

/** Who opens a sink, and from where it goes on. */
export interface SinkOpening {
  readonly job: string
  /** Id of the sink's node. */
  readonly sink: string
  readonly lineage: number
  readonly generation: number
  /** The epoch of the last manifest; 0 before the first. */
  readonly manifestEpoch: number
  /** The intents above it, in order. */
  readonly intentEpochs: ReadonlyArray<number>
  /** What the last manifest kept of `SinkWriter.position`. */
  readonly position: string | null
  /** Did the last manifest know this sink? Then what it wrote must still be there. Absent: no. */
  readonly isKnown?: boolean
  /** Id of the step whose late events it takes; absent: it takes others. */
  readonly lateOf?: string
}

/** A description: rows of type A, what can fail, what it needs, and what it demands of a flow (`takes`). */
export interface Sink<in A, out E, out R, out Takes = unknown> {
  /** Names the sink in fences and drawings: unique in a job, and the same for ever. */
  readonly name: string
  /** For the drawing: `upsert into shop_item_income by region, shopid`. */
  readonly label: string
  readonly guarantee: Guarantee
  /** Does it replace rows by key? Else it appends, and takes no changes. */
  readonly replaces: boolean
  /** The columns that identify a row; empty for a sink that appends. */
  readonly key: ReadonlyArray<string>
  /**
   * Is what it holds after an epoch the rows of that epoch and no others, for every reader from one moment to the next?
   * Such a sink is for a job that recomputes: of any other its epochs would remove each other's rows. Absent: no.
   */
  readonly isWhole?: boolean
  /** The folder that it writes files to; absent: it writes none. */
  readonly folder?: string
  /** Called once at each start of the job, after the checkpoint is claimed and before any row. */
  readonly open: (opening: SinkOpening) => Effect.Effect<SinkWriter, E, R | Scope.Scope>
  /**
   * Removes the rows that a job appended, or, where rows are replaced, every row that is there, for a job that begins
   * anew; `null`: it cannot. Called while the job does not run.
   */
  readonly clear: ((job: string) => Effect.Effect<void, E, R>) | null
  /**
   * Removes the rows that a job appended in later epochs than this one, for a job that goes back to it; absent: it
   * cannot, or it replaces rows. Called while the job does not run.
   */
  readonly clearAfter?: (job: string, epoch: number) => Effect.Effect<void, E, R>
  /** Present where it keeps what steps set aside, so that it can be replayed. */
  readonly letters?: Letters<E, R>
  /** Types only. */
  readonly write?: (row: A) => void
  readonly takes?: Takes
}

/** The rows of one epoch, as its batches came. */
export interface EpochRows {
  readonly barrier: Barrier
  readonly batches: ReadonlyArray<Batch>
}

/** An epoch that needs nothing but its commit. */
export interface Prepared {
  readonly epoch: number
  /** Rows as they will be written: one for each key. */
  readonly rows: number
  readonly bytes: number
  /** Of the rows and their order: the same epoch, computed again, has the same. */
  readonly digest: string
  /** Rows that the sink's columns cannot hold: dead letters of this epoch. */
  readonly invalid: ReadonlyArray<Invalid>
}

interface Writer {
  /**
   * Compacts the rows to one for each key, sorts them by key, encodes and checks every value. Called once for each
   * epoch, in order, while an earlier one may still commit. Touches nothing outside.
   */
  readonly prepare: (rows: EpochRows) => Effect.Effect<Prepared, SinkError>
}

/** Gives statements; the coordinator puts the fence before them and commits. */
export interface TablesWriter extends Writer {
  readonly _tag: "TablesWriter"
  readonly tables: TablesService
  /** Called once or more for a prepared epoch, until it is committed. */
  readonly statements: (prepared: Prepared) => ReadonlyArray<Statement>
  /** The epoch is durable: what was kept for `statements` can go. */
  readonly committed: (prepared: Prepared) => void
}

/** Commits by itself. */
export interface OwnWriter extends Writer {
  readonly _tag: "OwnWriter"
  /**
   * Makes the epoch visible, once. Called after its intent and the manifest before it are durable; again with the
   * same epoch after a failure or a restart: then it answers `already there` if it is.
   */
  readonly commit: (prepared: Prepared) => Effect.Effect<"written" | "already there", SinkError>
  /** Where the sink stands after its last commit, for the manifest; `null` if it keeps nothing. */
  readonly position: Effect.Effect<string | null, SinkError>
  /** When it wants an epoch although no record came: at a trigger from then on there is one. Asked at each. Absent: never. */
  readonly dueAt?: () => Millis
}

export type SinkWriter = TablesWriter | OwnWriter
