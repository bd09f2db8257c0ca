/**
 * What sources read and operators pass on: records as they came, events after decoding, changes of rows.
 *
 * All travel in columns. A batch belongs to one partition of one origin; value `i` has its place in
 * `offsets[i]` and `rows[i]`, and, once event time is assigned, its time in `eventTimes[i]`.
 */

/** Offsets are the next to read, as Kafka's: integers below 2^53. */
export type Offset = number

/** One record as a topic holds it, for a step that looks at raw records. `offset` is its own; `timestamp` the append time. */
export interface RawEvent {
  readonly key: Uint8Array | null
  readonly value: Uint8Array
  readonly partition: number
  readonly offset: Offset
  readonly timestamp: number
}

/** A name and a value that travel beside a record. */
export interface Header {
  readonly name: string
  readonly value: Uint8Array
}

/** Records of one partition, in the order of their offsets, over one buffer. */
export interface RecordBatch {
  readonly partition: number
  readonly count: number
  readonly offsets: Float64Array
  /** Append time, in milliseconds. */
  readonly timestamps: Float64Array
  readonly bytes: Uint8Array
  /** Record i's value is `bytes[valueStarts[i], valueEnds[i])`. */
  readonly valueStarts: Int32Array
  readonly valueEnds: Int32Array
  /** The same for its key; a start of -1 says that it has none. */
  readonly keyStarts: Int32Array
  readonly keyEnds: Int32Array
  /** The offset after the last record that was passed over to make this batch: the next to read. */
  readonly nextOffset: Offset
}

/** The record at index i as a value of its own: views, not copies. */
export const rawEventAt = (records: RecordBatch, i: number): RawEvent => ({
  key: records.keyStarts[i]! < 0 ? null : records.bytes.subarray(records.keyStarts[i], records.keyEnds[i]),
  value: records.bytes.subarray(records.valueStarts[i], records.valueEnds[i]),
  partition: records.partition,
  offset: records.offsets[i]!,
  timestamp: records.timestamps[i]!
})

/** A row that replaces another. `before` is absent for a new row, `after` for a removed one. */
export interface Change<out Key = unknown, out A = unknown> {
  readonly key: Key
  readonly before?: A
  readonly after?: A
}

/** An event that could not be used: what it was, where it came from, and why. */
export interface Invalid {
  /** The raw record; for a row that a sink refused, `value` is the row as JSON. */
  readonly event: RawEvent
  /** The id of the node that refused it. */
  readonly step: string
  readonly reason: "undecodable" | "far future" | "refused row"
  /** One sentence, for a person. */
  readonly cause: string
  /** Of a refused row: who gave it its place, a source or the stateful step that made it. */
  readonly origin?: string
  /** Of a refused row: which of its record's rows it is. */
  readonly row?: number
}
