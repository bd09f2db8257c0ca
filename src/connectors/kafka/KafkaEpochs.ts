/**
 * The epochs that sinks have committed, as topic `weir.epochs` keeps them: the newest fence of each sink and topic.
 *
 * A fence is written in the transaction of its records, so one is there with the other. What becomes of a transaction
 * is read from its marker in the same partition, and not left to the broker: that shows committed records only up to
 * the first transaction that is open, whoever's it is, and a process that was killed leaves one open for a minute.
 */
import { Effect, Schema } from "effect"
import type { EpochFence } from "../../flow/EpochFence.ts"
import type { EpochStamp, ProducedRecord } from "../../flow/Topics.ts"
import type { Offset } from "../../model/Event.ts"
import * as Limits from "../../model/Limits.ts"
import { patiently } from "./KafkaClient.ts"
import { epochsTopic, KafkaFailure } from "./KafkaFailure.ts"
import { fetchBatches } from "./KafkaFetch.ts"
import * as KafkaRecords from "./KafkaRecords.ts"
import { type Cluster, ensureEpochs, offsets } from "./KafkaTopics.ts"

export interface Epochs {
  /** The fence of a sink on a topic, as it is when this is called, or later; `null`: there is none. */
  readonly fenceOf: (topic: string, stamp: EpochStamp) => Effect.Effect<EpochFence | null, KafkaFailure>
}

export const make = (cluster: Cluster): Effect.Effect<Epochs> =>
  Effect.map(Effect.makeSemaphore(1), (turn): Epochs => {
    let seen: Seen = unread
    const refresh = Effect.gen(function* () {
      const { id } = yield* ensureEpochs(cluster)
      if (seen.topicId !== id) seen = { ...unread, topicId: id, fences: new Map(), open: new Map() }
      const oldest = (yield* offsets(cluster, [epochsTopic], "oldest", "read uncommitted")).get(epochsTopic)![0]!
      const latest = (yield* offsets(cluster, [epochsTopic], "latest", "read uncommitted")).get(epochsTopic)![0]!
      let next = Math.max(seen.next, oldest)
      while (next < latest) {
        const place = { partition: 0, offset: next }
        const batches = yield* patiently(cluster.client)(
          fetchBatches(cluster, epochsTopic, place, Limits.batchBytesMax)
        )
        for (const batch of batches) {
          yield* see(seen, batch)
          next = batch.nextOffset
        }
        // What compaction has emptied at the end is there no more.
        if (batches.length === 0) next = latest
      }
      seen = { ...seen, next }
    })
    return {
      fenceOf: (topic, stamp) =>
        turn.withPermits(1)(Effect.map(refresh, () => seen.fences.get(keyOf(topic, stamp)) ?? null))
    }
  })

/** The record that makes `fence` the newest of its sink on a topic. */
export const recordOf = (topic: string, fence: EpochFence): ProducedRecord => ({
  key: utf8.encode(keyOf(topic, fence)),
  value: utf8.encode(JSON.stringify(fence)),
  headers: []
})

/** A sink on a topic, for good; the number is its slot: one process has the first alone. */
export const keyOf = (topic: string, { job, sink }: { readonly job: string; readonly sink: string }): string =>
  JSON.stringify([job, sink, topic, 0])

// Private

const utf8 = new TextEncoder()
const text = new TextDecoder()

interface Seen {
  readonly topicId: string
  readonly next: Offset
  readonly fences: Map<string, EpochFence>
  /** Fences of transactions that have not ended, by their producer. */
  readonly open: Map<number, Map<string, EpochFence>>
}

const unread: Seen = { topicId: "", next: 0, fences: new Map(), open: new Map() }

const Fence = Schema.parseJson(
  Schema.Struct({
    job: Schema.String,
    sink: Schema.String,
    lineage: Schema.Number,
    generation: Schema.Number,
    epoch: Schema.Number,
    partitions: Schema.optionalWith(Schema.Number, { exact: true }),
    written: Schema.Array(Schema.Tuple(Schema.Number, Schema.String))
  })
)

const see = ({ fences, open }: Seen, batch: KafkaRecords.StoredBatch): Effect.Effect<void, KafkaFailure> =>
  Effect.gen(function* () {
    const { producerId } = batch
    if (batch.isControl) {
      if (KafkaRecords.commits(batch)) for (const [key, fence] of open.get(producerId) ?? []) fences.set(key, fence)
      open.delete(producerId)
      return
    }
    const records = KafkaRecords.columnsOf(0, [batch], () => true, batch.base)
    for (let i = 0; i < records.count; i++) {
      const key = text.decode(records.bytes.subarray(records.keyStarts[i], records.keyEnds[i]))
      const value = records.bytes.subarray(records.valueStarts[i], records.valueEnds[i])
      const fence = yield* Effect.mapError(Schema.decode(Fence)(text.decode(value)), () =>
        unreadable(records.offsets[i]!)
      )
      if (!batch.isTransactional) fences.set(key, fence)
      else open.set(producerId, (open.get(producerId) ?? new Map<string, EpochFence>()).set(key, fence))
    }
  })

const unreadable = (offset: Offset) =>
  new KafkaFailure({
    type: "FORMAT",
    message: `record ${offset} of topic ${epochsTopic} was not written by Weir`,
    retry: false
  })
