/**
 * The door for who writes a connector: the contracts of a system of topics, of a database with tables, and of a
 * checkpoint store, with what they speak of and how they may fail. The suites that each must pass are in
 * `weir/testing`.
 */
export type * from "../checkpoint/Checkpoint.ts"
export * from "../checkpoint/CheckpointStore.ts"
export type { Savepoint } from "../checkpoint/Savepoint.ts"
/** What every epoch writer of a topic decides: may this owner open the sink, is this epoch there already? */
export * as EpochFence from "../flow/EpochFence.ts"
export type { PartitionRange, RecordMark, SourceError, SourceReader } from "../flow/Source.ts"
export * from "../flow/Tables.ts"
export * from "../flow/Topics.ts"
export type { ColumnType } from "../model/Columns.ts"
export {
  CheckpointCorrupted,
  Defect,
  Fenced,
  InvalidTopic,
  LogCorrupted,
  NotDeterministic,
  OffsetOutOfRange,
  OtherLineage,
  RecordTooLarge,
  RowsUnexpected,
  SavepointExists,
  SinkAhead,
  SinkBehind,
  SourceReplaced,
  SourceUnavailable,
  StatementRefused,
  StorageFailed,
  TablesUnavailable,
  TopicExists,
  UnknownTopic
} from "../model/Errors.ts"
export type { Header, Offset, RecordBatch } from "../model/Event.ts"
export type { StatePart } from "../state/StatePart.ts"
