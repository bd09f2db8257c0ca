/**
 * The contract of a source: a description that a job holds, and the reader that it opens.
 */
import type { Effect, Scope } from "effect"
import type {
  AccessRefused,
  InvalidTopic,
  LogCorrupted,
  OffsetOutOfRange,
  SourceReplaced,
  SourceUnavailable,
  StorageFailed,
  UnknownTopic
} from "../model/Errors.ts"
import type { Offset, RecordBatch } from "../model/Event.ts"

/** What can go wrong while a source is read. */
export type SourceError =
  | UnknownTopic
  | InvalidTopic
  | OffsetOutOfRange
  | SourceReplaced
  | SourceUnavailable
  | AccessRefused
  | StorageFailed
  | LogCorrupted

/** A description: events of type A, what can fail, what it needs. */
export interface Source<out A, out E, out R> {
  /** Names the source in checkpoints and drawings: unique in a job, and the same for ever. */
  readonly name: string
  /** For the drawing: `topic orders`. */
  readonly label: string
  /**
   * Called once at each start of the job, before anything is read. May wait and may try again. The scope ends with
   * the job; nothing of the reader is used after it.
   */
  readonly open: Effect.Effect<SourceReader, E, R | Scope.Scope>
  /**
   * Takes away input that every job which reads it is done with, for good: `weir clean`. Called beside jobs that run, in
   * their process or another one. Absent: there is nothing that could be taken away.
   */
  readonly clean?: (wanted: {
    /** Only what was written before this moment, in milliseconds. */
    readonly before: number
  }) => Effect.Effect<Cleaned, SourceError, R>
  /** A type only. */
  readonly row?: A
}

/** What was taken away, by name, and who holds back what comes next. */
export interface Cleaned {
  readonly removed: ReadonlyArray<string>
  /** What is there, and a durable epoch of some job does not cover. */
  readonly kept: number
  /** The job that is furthest behind; `null`: one that has no checkpoint yet, or none has ever run. */
  readonly by: string | null
}

/** Reads the partitions of a source, each in the order of its offsets. */
export interface SourceReader {
  /** Names what is read for good: the cluster or log, and the topic in it. A re-created topic has another identity. */
  readonly identity: string
  /** Finite sources end; their partitions finish when they are read to `latest`. */
  readonly finite: boolean
  /**
   * May records in the middle of a partition be gone when it is read again, as after a compaction? Then they are
   * counted, and a job that is to compute an epoch again of fewer is stopped. Absent: no.
   */
  readonly forgets?: boolean
  /** The partitions as they are now; may be called at any time, and more may have come. Never fewer. */
  readonly partitions: Effect.Effect<ReadonlyArray<PartitionRange>, SourceError>
  /**
   * The records of `partition` from `offset` on: at most `recordsMax` of them and about `batchBytesMax` bytes, at
   * least one if one is there. `null`: nothing is there now. Never waits for a record to come; may wait for a disk
   * or a network. Called for one partition at a time, in the order of offsets, from any offset of its range.
   */
  readonly read: (
    partition: number,
    offset: Offset,
    recordsMax: number
  ) => Effect.Effect<RecordBatch | null, SourceError>
  /**
   * Where an epoch ends at the latest that began at `from`: above it, in a source that bounds its epochs by something
   * else than records, as by files. Asked before every `read`, so that it may say more as more comes. Absent: nowhere.
   */
  readonly epochEnd?: (partition: number, from: Offset) => Offset
  /** Ends when a record may have come since the last `read` that answered `null`. May end for no reason. */
  readonly changed: Effect.Effect<void>
  /**
   * How to recognise the record before `offset` again: its append time and a checksum of its value. `null` where
   * none is held any more. Called at every epoch for every partition that moved.
   */
  readonly markBefore: (partition: number, offset: Offset) => Effect.Effect<RecordMark | null, SourceError>
  /**
   * What lies before these offsets, by partition, is done with: a manifest that is durable covers it, and no job of this
   * name reads it again, but for one that goes back to a savepoint. For what follows from that, as showing the lag or
   * moving files away. Called after a manifest with its offsets, and at each start with those of the last one; one call
   * at a time, with the newest offsets, so that not every manifest is told. May wait, and may be cut off after
   * `Limits.acknowledgeMillisMax`; a failure is a warning, and costs the job nothing. Absent: nothing follows.
   */
  readonly acknowledge?: (job: string, offsets: ReadonlyMap<number, Offset>) => Effect.Effect<void, SourceError>
}

/** What a partition holds: `[oldest, latest)`. */
export interface PartitionRange {
  readonly partition: number
  readonly oldest: Offset
  readonly latest: Offset
}

export interface RecordMark {
  readonly timestamp: number
  readonly checksum: number
}
