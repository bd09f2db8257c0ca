/**
 * What a node decides: plain, synchronous, without fibers, clock, dice or I/O.
 *
 * An operator sees batches, then a barrier, then again batches. Rows of windows leave at barriers only. After every
 * barrier it hands over what changed in its state, so an epoch writes what changed and not the whole.
 */
import type { Preparation } from "../flow/Codec.ts"
import type { Migration } from "../flow/Migration.ts"
import type { Port } from "../flow/Topology.ts"
import type { Barrier, Batch, Records } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"
import type { Snapshot, StatePart } from "../state/StatePart.ts"
import type { Waiting } from "./Waiting.ts"

/** Where an operator puts what it makes: `out` goes on, all other ports are side outputs. */
export interface Collector {
  readonly emit: (port: Port, batch: Batch) => void
}

export type { Port }

/** A way from what was kept to what an operator keeps now. */
export interface Migrating {
  /** For a person: what it does. */
  readonly says: string
  /** Called in the stead of `restore`; the next snapshot says every key group as a base. */
  readonly restore: (parts: ReadonlyArray<StatePart>) => void
}

export interface Operator {
  /** The node's id: names its state, its metrics and its errors. */
  readonly id: string
  /**
   * What has to be at hand before `onBatch` gets this batch, as whoever hosts the operator is to fetch it; `null`: all is.
   * Such an operator is the first of its chain. Absent: nothing ever has to be fetched.
   */
  readonly prepare?: ((batch: Batch | Records) => Preparation | null) | undefined
  /**
   * Called for each batch of an epoch, in order within a partition, in any order between partitions and inputs. May
   * emit. `input`: by which of the node's inputs it came, from 0. Throws only what `model/Errors` holds; a function of
   * the user's that throws is `StepFailed`.
   */
  readonly onBatch: (batch: Batch | Records, out: Collector, input: number) => void
  /**
   * Called once at the end of each epoch, after its batches, when all inputs have ended it. May emit. Returns the
   * barrier as it goes on: the step that assigns event time puts the watermark on it, one that holds rows back lowers
   * it by how long, all others return it as it came.
   */
  readonly onBarrier: (barrier: Barrier, out: Collector) => Barrier
  /** Absent: the operator keeps nothing between batches. */
  readonly state?: {
    /** What is kept and how; a change of it makes old state unreadable. */
    readonly fingerprint: string
    /** Called once after each `onBarrier`. What it returns is not touched any more. */
    readonly snapshot: (epoch: number) => Snapshot
    /** Called once, before the first batch: for each key group its base, then its deltas in the order of epochs. */
    readonly restore: (parts: ReadonlyArray<StatePart>) => void
    /**
     * How what was kept under another fingerprint is restored by these migrations, the oldest first; `null`: they do not
     * lead from there to what it keeps. Decides only. Absent: it has no migrations.
     */
    readonly migrate?: (was: string, migrations: ReadonlyArray<Migration>) => Migrating | null
  }
  /** Counts since it was made, by name: `late`, `deadLetters`, `windowsOpen`. Read between batches. */
  readonly counts?: () => Readonly<Record<string, number>>
  /**
   * From when on it wants a barrier even if no record comes: it has a timer of processing time. Infinity: it wants
   * none. Read between batches, at every trigger.
   */
  readonly dueAt?: () => Millis
  /** What it waits for. Read between batches, seldom; costs at most what is told. */
  readonly waiting?: () => Waiting
}
