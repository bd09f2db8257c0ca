/**
 * The contract of a system of topics: a durable log, or Kafka. Which one it is is a Layer's affair.
 */
import { Context, type Effect, type Scope } from "effect"
import type {
  Fenced,
  NotDeterministic,
  OtherLineage,
  RecordTooLarge,
  SinkAhead,
  SinkBehind,
  TopicExists
} from "../model/Errors.ts"
import type { Header, Offset } from "../model/Event.ts"
import type { PartitionRange, SourceError, SourceReader } from "./Source.ts"

/** Partitions of a topic that nobody created before it was used. */
export const topicPartitionsDefault = 4

/** A record to be written. */
export interface ProducedRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array
  readonly headers: ReadonlyArray<Header>
}

/** A record as `tail` shows it. */
export interface StoredRecord extends ProducedRecord {
  readonly partition: number
  readonly offset: Offset
  readonly timestamp: number
}

export interface TopicDescription {
  readonly topic: string
  readonly partitions: ReadonlyArray<PartitionRange>
  /** How long records are kept, in milliseconds; `null`: for ever. */
  readonly retentionMillis: number | null
}

/** Who writes, for the fence: an epoch of a sink is written once, in order, by the newest owner. */
export interface EpochStamp {
  readonly job: string
  readonly sink: string
  readonly lineage: number
  readonly generation: number
  readonly epoch: number
}

/** What a sink's writer found of itself when it was opened. */
export interface EpochWriter {
  /**
   * Partitions over which to spread the records of epochs, until the writer is opened anew. Those of the topic; or, where
   * partitions were added since an epoch was written that no manifest holds, as many as it was spread over, so that it is
   * the same when it is computed again.
   */
  readonly partitions: number
  /**
   * Writes the records of one epoch, given by partition. All of them become visible, or none, after a crash too; if
   * it is there already nothing is written. An epoch without records is never written: `already there`. May be called
   * again with the same epoch after any failure.
   */
  readonly write: (
    epoch: number,
    records: ReadonlyMap<number, ReadonlyArray<ProducedRecord>>
  ) => Effect.Effect<"written" | "already there", TopicsError | Fenced | NotDeterministic>
  /** The last epoch that was written and the end of each partition: what the manifest keeps, as text. */
  readonly position: Effect.Effect<string, TopicsError>
}

export type TopicsError = SourceError | RecordTooLarge

export interface TopicsService {
  /** The log or cluster, for good. */
  readonly identity: string
  readonly list: Effect.Effect<ReadonlyArray<TopicDescription>, TopicsError>
  readonly describe: (topic: string) => Effect.Effect<TopicDescription, TopicsError>
  readonly create: (
    topic: string,
    options: { readonly partitions: number; readonly retentionMillis?: number | null }
  ) => Effect.Effect<void, TopicExists | TopicsError>
  /** Reads a topic for a job. An unknown topic is created with four partitions: an empty topic is no error. */
  readonly reader: (topic: string) => Effect.Effect<SourceReader, TopicsError, Scope.Scope>
  /** Appends records to one partition, durably when it ends; answers the offset of the first. */
  readonly produce: (
    topic: string,
    partition: number,
    records: ReadonlyArray<ProducedRecord>
  ) => Effect.Effect<Offset, TopicsError>
  /** Records of one partition from an offset on, with keys and headers, at most `count`. Empty at the end. */
  readonly fetch: (
    topic: string,
    partition: number,
    offset: Offset,
    count: number
  ) => Effect.Effect<ReadonlyArray<StoredRecord>, TopicsError>
  /** Ends when a record may have come to the topic. */
  readonly changed: (topic: string) => Effect.Effect<void>
  /**
   * Opens a sink's fence on a topic (created with `partitions` if it is unknown): from now on older generations are
   * refused. `manifestEpoch` and `intentEpochs` are what the checkpoint knows; `position` is what its manifest kept.
   */
  readonly epochWriter: (
    topic: string,
    options: {
      readonly stamp: EpochStamp
      readonly intentEpochs: ReadonlyArray<number>
      readonly position: string | null
      readonly partitions: number
    }
  ) => Effect.Effect<EpochWriter, TopicsError | Fenced | SinkAhead | SinkBehind | OtherLineage, Scope.Scope>
}

export class Topics extends Context.Tag("weir/Topics")<Topics, TopicsService>() {}
