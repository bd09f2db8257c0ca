/**
 * What travels along an edge of a running job: `Batch | Barrier | End`, in this order for every epoch.
 *
 * The watermark has no message of its own: it takes effect at barriers only, so the barrier carries it.
 */
import type { Offset, RecordBatch } from "./Event.ts"
import type { Millis } from "./Time.ts"

/** Raw records, straight from a source. */
export interface Records {
  readonly _tag: "Records"
  /** Id of the source node. */
  readonly origin: string
  /** When the epoch of these records was opened: a choice that the intent records. */
  readonly openedAt: Millis
  readonly records: RecordBatch
  /** These records were set aside before and come again; absent: they come for the first time. */
  readonly again?: Again | undefined
}

/**
 * What is known of records that a step set aside and that come through the job again. They move no watermark, and
 * until they have come to that step they take no way but the one to it: what else they led to has happened before.
 */
export interface Again {
  /** The step that set them aside; `null`: they have passed it. */
  readonly step: string | null
  /** Which row of its record was set aside there; `null`: the record. */
  readonly row: number | null
}

/** Events, or changes of rows, of one partition of one origin. */
export interface Batch<out A = unknown> {
  readonly _tag: "Batch"
  /** Id of the source node, or of the stateful step, that gave the rows their places. */
  readonly origin: string
  readonly partition: number
  readonly openedAt: Millis
  /** Are they all the rows there are, and not only those that changed in this epoch? Absent: no. */
  readonly isComplete?: boolean | undefined
  readonly values: ReadonlyArray<A>
  /** The offset of the record that each value came from. */
  readonly offsets: Float64Array
  /**
   * Which of its record's rows each value is: a whole number below 2^53, the same however batches are cut, and no two
   * rows of a record have one, by whatever ways they came together. `null`: every record has one row.
   */
  readonly rows: Float64Array | null
  /** Event time of each value; `null` before it is assigned. */
  readonly eventTimes: Float64Array | null
  /** The watermark of the value's own partition over the events before it; `null` before event time is assigned. */
  readonly ownWatermarks: Float64Array | null
  /** The raw records that the values came from, where a step may still have to set one aside. */
  readonly records: RecordBatch | null
  /** Value i came from record `recordIndexes[i]` of `records`. */
  readonly recordIndexes: Int32Array | null
  /** These events were set aside before and come again; absent: they come for the first time. */
  readonly again?: Again | undefined
}

export type PartitionState = "active" | "idle" | "finished"

/** Where a partition was cut, and how it stood then. */
export interface PartitionCut {
  /** Id of the source node. */
  readonly source: string
  readonly partition: number
  /** The next to read. */
  readonly offset: Offset
  readonly state: PartitionState
  /** Records since the cut before, of a source that may lose some of them; absent: it loses none. */
  readonly records?: number
}

/** How far the records that one sink keeps of a source's have been replayed, by partition of what the sink writes. */
export interface ReplayCut {
  /** Id of the source node whose records they were. */
  readonly source: string
  /** Id of the sink that keeps them. */
  readonly sink: string
  readonly partition: number
  /** Where the epoch began to read: further on than the epoch before ended, if what was between is no longer kept. */
  readonly from: Offset
  /** The next to read. */
  readonly offset: Offset
  /** Where the replay that was asked for ends; `offset`: none is under way. */
  readonly until: Offset
}

/** Which version of each lookup, by its name. */
export type LookupVersions = Readonly<Record<string, string>>

/** Ends epoch `epoch`. Carries every choice that is not in the input. */
export interface Barrier {
  readonly _tag: "Barrier"
  readonly epoch: number
  readonly openedAt: Millis
  readonly closedAt: Millis
  /** Emit every open window as if closed, but keep its state. */
  readonly final: boolean
  /** The cut of every partition of the source that this barrier came from. */
  readonly partitions: ReadonlyArray<PartitionCut>
  /** Nothing with `eventTime < watermark` is expected; set by the step that assigns event time. */
  readonly watermark: Millis
  /** Is no partition behind the watermark active? Then it holds back no other, where flows meet. */
  readonly idle: boolean
  /** The versions of lookups, by name, for the events after it; absent: the job has none. */
  readonly lookups?: LookupVersions
}

/** Nothing follows. Sent after the last barrier, so that what is queued is drained before a mailbox closes. */
export interface End {
  readonly _tag: "End"
}

export type Message = Records | Batch | Barrier | End
