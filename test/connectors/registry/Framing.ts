/** What tests of codecs share: bytes behind the number of a schema, made by hand, and a codec at work on a batch. */
import { Effect, type Schema } from "effect"
import { type Codec, type EachEncoded, type Place, Undecodable } from "../../../src/flow/Codec.ts"

/** A zero byte, the number in four bytes, the highest first, and the value. */
export const framed = (id: number, value: Uint8Array): Uint8Array =>
  Uint8Array.of(0, ...[24, 16, 8, 0].map((shift) => (id >>> shift) & 255), ...value)

/** Shows these records to whoever prepares a batch. */
export const each =
  (records: ReadonlyArray<Uint8Array>): EachEncoded =>
  (see) => {
    for (const bytes of records) see(bytes, 0, bytes.length)
  }

/** What a codec reads of the records of one batch, over one buffer: values, and why there are none. */
export const decodeAll = <A, I, E, R>(
  codec: Codec<E, R>,
  schema: Schema.Schema<A, I>,
  records: ReadonlyArray<Uint8Array>
): Effect.Effect<ReadonlyArray<A | Undecodable>, E, R> =>
  Effect.gen(function* () {
    const reader = codec.reader(schema)
    const bytes = Uint8Array.from(records.flatMap((record) => [...record]))
    let end = 0
    const spans = records.map((record): readonly [number, number] => {
      end += record.length
      return [end - record.length, end]
    })
    yield* reader.prepare?.((see) => {
      for (const [start, end] of spans) see(bytes, start, end)
    }) ?? Effect.void
    return spans.map(([start, end]) => {
      try {
        return reader.read(bytes, start, end)
      } catch (error) {
        if (error instanceof Undecodable) return error
        throw error
      }
    })
  })

export const encode = <A, I, E, R>(
  codec: Codec<E, R>,
  schema: Schema.Schema<A, I>,
  place: Place,
  rows: ReadonlyArray<A>
) => Effect.map(codec.writer(schema, place), (write) => rows.map(write))
