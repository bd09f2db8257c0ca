/**
 * Appends the rows of epochs to a topic, in the order of their places (origin, partition, offset, row): an order that
 * the same epoch has again when it is computed again, however its batches were cut.
 */
import { Effect, type Scope } from "effect"
import { inOrder } from "../../flow/BatchOrder.ts"
import type { EpochRows, OwnWriter, Prepared, SinkError, SinkOpening } from "../../flow/Sink.ts"
import { type ProducedRecord, Topics, topicPartitionsDefault } from "../../flow/Topics.ts"
import * as Digest from "../../model/Digest.ts"
import type { Invalid } from "../../model/Event.ts"
import { kafkaPartition } from "../../model/Key.ts"
import type { Batch } from "../../model/Message.ts"

/** A row as a record, or why it cannot be one. */
export type Encoded = ProducedRecord | Invalid

/** Encodes value `i` of a batch. Pure: the same value gives the same bytes. */
export type Encode = (batch: Batch, i: number, rows: EpochRows) => Encoded

type Records = ReadonlyMap<number, ReadonlyArray<ProducedRecord>>

/** The partition of a topic of n for a record that was made of a row of partition `place`. */
export type Spread = (record: ProducedRecord, place: number, n: number) => number

/** Partition p mod n for a row of partition p. */
export const byPlace: Spread = (_, place, n) => place % n

/** Where Kafka's own producers put the record's key; without a key by its place. */
export const byKey: Spread = ({ key }, place, n) => (key === null ? place % n : kafkaPartition(key, n))

/** A writer of epochs to a topic. */
export const open = (
  topic: string,
  opening: SinkOpening,
  encode: Encode,
  spread: Spread = byPlace
): Effect.Effect<OwnWriter, SinkError, Topics | Scope.Scope> =>
  Effect.gen(function* () {
    const topics = yield* Topics
    const { job, sink, lineage, generation, manifestEpoch, intentEpochs, position } = opening
    const writer = yield* topics.epochWriter(topic, {
      stamp: { job, sink, lineage, generation, epoch: manifestEpoch },
      intentEpochs,
      position,
      partitions: topicPartitionsDefault
    })
    const waiting = new Map<number, Records>()
    return {
      _tag: "OwnWriter",
      prepare: (rows) =>
        Effect.sync(() => {
          const { records, prepared } = prepare(rows, encode, (record, place) =>
            spread(record, place, writer.partitions)
          )
          waiting.set(prepared.epoch, records)
          return prepared
        }),
      commit: ({ epoch }) =>
        Effect.suspend(() => {
          const records = waiting.get(epoch)
          if (records === undefined) return Effect.dieMessage(`epoch ${epoch} of sink ${sink} was not prepared`)
          return Effect.tap(writer.write(epoch, records), () => Effect.sync(() => waiting.delete(epoch)))
        }),
      position: writer.position
    } satisfies OwnWriter
  })

// Private

const prepare = (
  rows: EpochRows,
  encode: Encode,
  partitionOf: (record: ProducedRecord, place: number) => number
): { readonly records: Records; readonly prepared: Prepared } => {
  const records = new Map<number, Array<ProducedRecord>>()
  const invalid: Array<Invalid> = []
  const digest = Digest.make()
  let bytes = 0
  let count = 0
  for (const [batch, i] of inOrder(rows.batches)) {
    const encoded = encode(batch, i, rows)
    if ("event" in encoded) {
      invalid.push(encoded)
      continue
    }
    const partition = partitionOf(encoded, batch.partition)
    const part = records.get(partition)
    if (part === undefined) records.set(partition, [encoded])
    else part.push(encoded)
    digest.number(partition)
    if (encoded.key !== null) digest.bytes(encoded.key)
    digest.bytes(encoded.value)
    bytes += (encoded.key?.length ?? 0) + encoded.value.length
    count++
  }
  return { records, prepared: { epoch: rows.barrier.epoch, rows: count, bytes, digest: digest.result(), invalid } }
}
