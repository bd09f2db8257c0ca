/** Rows as JSON records of a topic. */
import type { Schema } from "effect"
import { encodeJson, Unencodable } from "../../flow/Codec.ts"
import type { Refuses } from "../../flow/Flow.ts"
import type { Sink, SinkError } from "../../flow/Sink.ts"
import type { Topics } from "../../flow/Topics.ts"
import type { Header, Invalid } from "../../model/Event.ts"
import type { Batch } from "../../model/Message.ts"
import * as TopicWriter from "./TopicWriter.ts"

/** What is appended cannot be taken back. */
export interface AppendOnly
  extends Refuses<"changes", "this sink appends: put Flow.emit(onClose) before it or use Sql.upsert"> {}

/** What is written beside a row. Each is a pure function: the same row gives the same, also when it is computed again. */
export interface SinkOptions<in A> {
  /**
   * The key of the record; text as UTF-8. Records of one key are in one partition, in order: the one that Kafka's own
   * producers choose, murmur2(key) mod n. `null`: it has none, and goes to a partition by its place. Absent: none has a key.
   */
  readonly key?: (row: A) => string | Uint8Array | null
  /** Headers of the record, in this order; text as UTF-8. Absent: none. */
  readonly headers?: (row: A) => Readonly<Record<string, string | Uint8Array>>
}

/**
 * Appends rows to a topic: JSON, as the schema encodes it, with the key and the headers that `options` say. A row that
 * JSON has no text for is a dead letter. A topic that is not there yet is created with four partitions.
 */
export const sink = <A, I>(
  topic: string,
  schema: Schema.Schema<A, I>,
  { headers, key }: SinkOptions<A> = {}
): Sink<A, SinkError, Topics, AppendOnly> => ({
  name: topic,
  label: `topic ${topic}`,
  guarantee: "exactly once",
  replaces: false,
  key: [],
  clear: null,
  open: (opening) => {
    const encode = encodeJson(schema)
    const record: TopicWriter.Encode = (batch, i) => {
      const row = batch.values[i] as A
      try {
        return {
          key: key === undefined ? null : bytesOf(key(row)),
          value: encode(row),
          headers: headers === undefined ? [] : headersOf(headers(row))
        }
      } catch (error) {
        if (!(error instanceof Unencodable)) throw error
        return refused(opening.sink, batch, i, error)
      }
    }
    return TopicWriter.open(topic, opening, record, TopicWriter.byKey)
  }
})

// Private

const utf8 = new TextEncoder()

const bytesOf = <B extends string | Uint8Array | null>(text: B): Uint8Array | Extract<B, null> =>
  typeof text === "string" ? utf8.encode(text) : (text as Uint8Array | Extract<B, null>)

const headersOf = (headers: Readonly<Record<string, string | Uint8Array>>): ReadonlyArray<Header> =>
  Object.entries(headers).map(([name, value]) => ({ name, value: bytesOf(value) }))

const refused = (step: string, batch: Batch, i: number, error: Unencodable): Invalid => ({
  event: {
    key: null,
    value: utf8.encode(shown(batch.values[i])),
    partition: batch.partition,
    offset: batch.offsets[i]!,
    timestamp: batch.openedAt
  },
  step,
  reason: "refused row",
  cause: error.message,
  origin: batch.origin,
  ...(batch.rows === null ? {} : { row: batch.rows[i]! })
})

const shown = (row: unknown): string =>
  JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value)) ?? "null"
