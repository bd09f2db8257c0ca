/** Rows as records of a topic. */
import { Effect, type Schema } from "effect"
import { type Codec, json, Unencodable, type Write } from "../../flow/Codec.ts"
import type { Refuses } from "../../flow/Flow.ts"
import type { Sink, SinkError } from "../../flow/Sink.ts"
import type { Topics } from "../../flow/Topics.ts"
import type { InvalidSchema } from "../../model/Errors.ts"
import type { Header, Invalid } from "../../model/Event.ts"
import type { Batch } from "../../model/Message.ts"
import * as TopicWriter from "./TopicWriter.ts"

/** What is appended cannot be taken back. */
export interface AppendOnly
  extends Refuses<"changes", "this sink appends: put Flow.emit(onClose) before it or use Sql.upsert"> {}

/** What is written of a row, and beside it. Functions are pure: the same row gives the same, also when it is computed again. */
export interface SinkOptions<in A, out E = never, out R = never, out E2 = never, out R2 = never> {
  /** The form of values. Default: `Codec.json`. */
  readonly codec?: Codec<E, R>
  /**
   * The key of the record; text as UTF-8. Records of one key are in one partition, in order: the one that Kafka's own
   * producers choose, murmur2(key) mod n. `null`: it has none, and goes to a partition by its place. Absent: none has a key.
   * `Topic.key` writes it in another form.
   */
  readonly key?: ((row: A) => string | Uint8Array | null) | SinkKey<A, E2, R2>
  /** Headers of the record, in this order; text as UTF-8. Absent: none. */
  readonly headers?: (row: A) => Readonly<Record<string, string | Uint8Array>>
}

/** A key in a form of its own. */
export interface SinkKey<in A, out E, out R> {
  readonly writer: (topic: string) => Effect.Effect<(row: A) => Uint8Array | null, E | InvalidSchema, R>
}

/**
 * The key of a record by a Schema and a codec; `null`: it has none.
 *
 *     Topic.sink("orders.large", Order, { codec: Avro.codec(), key: Topic.key((order: Order) => order.orderid, Int64, Avro.codec()) })
 */
export const key = <A, K, KI, E, R>(
  of: (row: A) => K | null,
  schema: Schema.Schema<K, KI>,
  codec: Codec<E, R>
): SinkKey<A, E, R> => ({
  writer: (topic) =>
    Effect.map(codec.writer(schema, { topic, part: "key" }), (write) => (row) => {
      const found = of(row)
      return found === null ? null : write(found)
    })
})

/**
 * Appends rows to a topic: as JSON or by another codec, with the key and the headers that `options` say. A row that the
 * codec has no bytes for is a dead letter. A topic that is not there yet is created with four partitions.
 */
export const sink = <A, I, E = never, R = never, E2 = never, R2 = never>(
  topic: string,
  schema: Schema.Schema<A, I>,
  { codec, headers, key }: SinkOptions<A, E, R, E2, R2> = {}
): Sink<A, SinkError | E | E2 | InvalidSchema, Topics | R | R2, AppendOnly> => ({
  name: topic,
  label: codec === undefined ? `topic ${topic}` : `topic ${topic} as ${codec.name}`,
  guarantee: "exactly once",
  replaces: false,
  key: [],
  clear: null,
  open: (opening) =>
    Effect.gen(function* () {
      const write: Write<A> = yield* codecOf(codec).writer(schema, { topic, part: "value" })
      const keyOf = yield* keyWriter(topic, key)
      const record: TopicWriter.Encode = (batch, i) => {
        const row = batch.values[i] as A
        try {
          return { key: keyOf(row), value: write(row), headers: headers === undefined ? [] : headersOf(headers(row)) }
        } catch (error) {
          if (!(error instanceof Unencodable)) throw error
          return refused(opening.sink, batch, i, error)
        }
      }
      return yield* TopicWriter.open(topic, opening, record, TopicWriter.byKey)
    })
})

// Private

const codecOf = <E, R>(codec: Codec<E, R> | undefined): Codec<E, R> => codec ?? json

const keyWriter = <A, E, R>(
  topic: string,
  key: SinkOptions<A, never, never, E, R>["key"]
): Effect.Effect<(row: A) => Uint8Array | null, E | InvalidSchema, R> => {
  if (key === undefined) return Effect.succeed(() => null)
  return typeof key === "function" ? Effect.succeed((row) => bytesOf(key(row))) : key.writer(topic)
}

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
