/** Rows as JSON records of a topic. */
import type { Schema } from "effect"
import { encodeJson, Unencodable } from "../../flow/Codec.ts"
import type { Refuses } from "../../flow/Flow.ts"
import type { Sink, SinkError } from "../../flow/Sink.ts"
import type { Topics } from "../../flow/Topics.ts"
import type { Invalid } from "../../model/Event.ts"
import type { Batch } from "../../model/Message.ts"
import * as TopicWriter from "./TopicWriter.ts"

/** What is appended cannot be taken back. */
export interface AppendOnly
  extends Refuses<"changes", "this sink appends: put Flow.emit(onClose) before it or use Sql.upsert"> {}

/**
 * Appends rows to a topic: JSON, as the schema encodes it, without a key. A row that JSON has no text for is a
 * dead letter. A topic that is not there yet is created with four partitions.
 */
export const sink = <A, I>(topic: string, schema: Schema.Schema<A, I>): Sink<A, SinkError, Topics, AppendOnly> => ({
  name: topic,
  label: `topic ${topic}`,
  guarantee: "exactly once",
  replaces: false,
  key: [],
  clear: null,
  open: (opening) => {
    const encode = encodeJson(schema)
    return TopicWriter.open(topic, opening, (batch, i) => {
      const row = batch.values[i] as A
      try {
        return { key: null, value: encode(row), headers: [] }
      } catch (error) {
        if (!(error instanceof Unencodable)) throw error
        return refused(opening.sink, batch, i, error)
      }
    })
  }
})

// Private

const utf8 = new TextEncoder()

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
