/**
 * Writes batches of records: as a producer whose repeated requests the brokers recognise, so that a lost answer
 * doubles nothing.
 *
 * A producer that failed is not used again: what it sent last may be there or not, and the next batch under the same
 * number would be taken for it.
 */
import { Clock, Effect } from "effect"
import type { ProducedRecord } from "../../flow/Topics.ts"
import { RecordTooLarge } from "../../model/Errors.ts"
import type { Offset } from "../../model/Event.ts"
import * as Limits from "../../model/Limits.ts"
import { checked, patiently } from "./KafkaClient.ts"
import type { KafkaFailure } from "./KafkaFailure.ts"
import * as KafkaRecords from "./KafkaRecords.ts"
import * as Requests from "./KafkaRequests.ts"
import { type Cluster, onLeader, settings } from "./KafkaTopics.ts"
import * as TransactionRequests from "./KafkaTransactionRequests.ts"

/** Bytes of one batch, where the topic allows as many. */
const batchBytes = 524_288

export interface Producer extends TransactionRequests.ProducerId {
  /** The owner of a transactional id; `null`: what is written is there at once. */
  readonly transactionalId: string | null
  /** The next number of each partition. */
  readonly sequences: Map<string, number>
}

/** A producer of nobody. */
export const make = (cluster: Cluster): Effect.Effect<Producer, KafkaFailure> =>
  cluster.client.send(null, TransactionRequests.initProducerId(null, Limits.transactionMillisMax)).pipe(
    Effect.flatMap(checked),
    patiently(cluster.client),
    Effect.map(({ producerEpoch, producerId }) => ({
      producerId,
      producerEpoch,
      transactionalId: null,
      sequences: new Map()
    }))
  )

/** Appends records to a partition, in order; answers the offset of the first. */
export const append = (
  cluster: Cluster,
  producer: Producer,
  place: { readonly topic: string; readonly partition: number },
  records: ReadonlyArray<ProducedRecord>
): Effect.Effect<Offset, KafkaFailure> =>
  Effect.gen(function* () {
    const { producerEpoch, producerId, sequences, transactionalId } = producer
    const key = `${place.topic}/${place.partition}`
    let first = -1
    for (const part of batches(records)) {
      const sequence = sequences.get(key) ?? 0
      const timestamp = yield* Clock.currentTimeMillis
      const isTransactional = transactionalId !== null
      const batch = KafkaRecords.encode(part, {
        producerId,
        producerEpoch,
        sequence,
        isTransactional,
        timestamp,
        compression: cluster.compression
      })
      const request = Requests.produce(place, batch, transactionalId)
      const { offset } = yield* onLeader(cluster, place.topic, place.partition, request)
      if (first < 0) first = offset
      sequences.set(key, (sequence + part.length) % 0x8000_0000)
    }
    return first
  })

/** Fails for the first record that the topic does not take: before anything is written. */
export const checkSizes = (
  topic: string,
  bytesMax: number,
  records: ReadonlyArray<ProducedRecord>
): Effect.Effect<void, RecordTooLarge> => {
  for (const record of records) {
    const bytes = KafkaRecords.recordBytes(record)
    if (bytes > bytesMax)
      return Effect.fail(
        new RecordTooLarge({
          bytes,
          bytesMax,
          message: `Topic ${topic}: a record has ${bytes} bytes with its key and headers, at most ${bytesMax} can be`,
          hint: "Raise `max.message.bytes` of the topic, or put what is large into a file, and its name into the record."
        })
      )
  }
  return Effect.void
}

/** Bytes of the largest record that a topic takes. */
export const recordBytesMax = (cluster: Cluster, topic: string): Effect.Effect<number, KafkaFailure> =>
  Effect.map(settings(cluster, topic, ["max.message.bytes"]), (found) =>
    Math.min(Limits.recordBytesMax, Number(found.get("max.message.bytes") ?? 1_048_588) - 128)
  )

// Private

/** Records in as many batches as they need, each of one record or of `batchBytes`. */
const batches = (records: ReadonlyArray<ProducedRecord>): ReadonlyArray<ReadonlyArray<ProducedRecord>> => {
  const found: Array<ReadonlyArray<ProducedRecord>> = []
  let from = 0
  let bytes = 0
  for (const [i, record] of records.entries()) {
    const more = KafkaRecords.recordBytes(record)
    if (i > from && bytes + more > batchBytes) {
      found.push(records.slice(from, i))
      from = i
      bytes = 0
    }
    bytes += more
  }
  if (from < records.length) found.push(records.slice(from))
  return found
}
