/** Records of partitions as they are fetched: in columns, without what is no record. */
import { Effect } from "effect"
import type { Offset } from "../../model/Event.ts"
import * as Limits from "../../model/Limits.ts"
import { checked, decompress, failureOfCode } from "./KafkaClient.ts"
import { KafkaFailure } from "./KafkaFailure.ts"
import * as KafkaRecords from "./KafkaRecords.ts"
import * as Requests from "./KafkaRequests.ts"
import { type Cluster, find } from "./KafkaTopics.ts"

/** What one request found of a partition: records in the order of their offsets, in as many buffers as they came in. */
export interface Found {
  readonly partition: number
  /** Is there something that did not fit into the answer? Asked for alone it does. */
  readonly isCut: boolean
  readonly error: number
  readonly records: ReadonlyArray<KafkaRecords.Records>
}

const committed = (waitMillis: number): Requests.FetchOptions => ({
  isolation: "read committed",
  waitMillis,
  bytesMax: Limits.batchBytesMax
})

/** Committed records of one partition; `waitMillis`: how long the broker may wait for a first one. */
export const fetchRecords = (
  cluster: Cluster,
  topic: string,
  { offset, partition }: Requests.Wanted
): Effect.Effect<ReadonlyArray<KafkaRecords.Records>, KafkaFailure> =>
  Effect.gen(function* () {
    const leader = yield* leaderOf(cluster, topic, partition)
    const request = Requests.fetch(topic, [{ offset, partition }], committed(0))
    const [found] = yield* cluster.client.send(leader, request)
    return yield* recordsOf(yield* checked(found!), offset)
  })

/** Asks one broker for committed records of partitions that it leads, and lets it wait until there are some. */
export const awaitRecords = (
  cluster: Cluster,
  topic: string,
  leader: number,
  wanted: ReadonlyArray<Requests.Wanted>
): Effect.Effect<ReadonlyArray<Found>, KafkaFailure> =>
  Effect.gen(function* () {
    const found = yield* cluster.client.send(leader, Requests.fetch(topic, wanted, committed(Limits.brokerWaitMillis)))
    return yield* Effect.forEach(found, (one) => {
      const { offset } = wanted.find(({ partition }) => partition === one.partition)!
      const records = one.error === 0 ? recordsOf(one, offset) : Effect.succeed([])
      return Effect.map(records, (records) => ({
        partition: one.partition,
        isCut: records.length === 0 && one.batches.length > 0,
        error: one.error,
        records
      }))
    })
  })

/** Batches of one partition, whatever became of their transactions. */
export const fetchBatches = (
  cluster: Cluster,
  topic: string,
  { offset, partition }: Requests.Wanted,
  bytesMax: number
): Effect.Effect<ReadonlyArray<KafkaRecords.StoredBatch>, KafkaFailure> =>
  Effect.gen(function* () {
    const leader = yield* leaderOf(cluster, topic, partition)
    const options: Requests.FetchOptions = { isolation: "read uncommitted", waitMillis: 0, bytesMax }
    const [found] = yield* cluster.client.send(leader, Requests.fetch(topic, [{ offset, partition }], options))
    return (yield* opened(yield* checked(found!))).filter(({ nextOffset }) => nextOffset > offset)
  })

export const leaderOf = (cluster: Cluster, topic: string, partition: number): Effect.Effect<number, KafkaFailure> =>
  Effect.flatMap(find(cluster, topic), ({ leaders }) => {
    const leader = leaders[partition]
    return leader === undefined
      ? Effect.fail(failureOfCode(3))
      : leader < 0
        ? Effect.fail(failureOfCode(5))
        : Effect.succeed(leader)
  })

// Private

const recordsOf = (
  found: Requests.Fetched,
  offset: Offset
): Effect.Effect<ReadonlyArray<KafkaRecords.Records>, KafkaFailure> =>
  Effect.map(opened(found), (all) => {
    const isShown = KafkaRecords.shown(all, found.aborted)
    const batches = all.filter(({ nextOffset }) => nextOffset > offset)
    const groups: Array<Array<KafkaRecords.StoredBatch>> = []
    for (const batch of batches) {
      const group = groups.at(-1)
      if (group === undefined || group[0]!.bytes !== batch.bytes) groups.push([batch])
      else group.push(batch)
    }
    return groups.map((group) => KafkaRecords.columnsOf(found.partition, group, isShown, offset))
  })

/** The batches of an answer, decompressed. */
const opened = ({ batches }: Requests.Fetched): Effect.Effect<ReadonlyArray<KafkaRecords.StoredBatch>, KafkaFailure> =>
  Effect.try({
    try: () => KafkaRecords.batchesOf(batches),
    catch: (cause) =>
      new KafkaFailure({
        type: "FORMAT",
        message:
          cause instanceof KafkaRecords.OldFormat ? "its records are in a format of before Kafka 0.11" : String(cause),
        retry: false
      })
  }).pipe(
    Effect.flatMap((found) =>
      found.every(({ attributes }) => KafkaRecords.compressionOf(attributes) === 0)
        ? Effect.succeed(found)
        : Effect.forEach(found, (batch) =>
            KafkaRecords.compressionOf(batch.attributes) === 0 ? Effect.succeed(batch) : decompress(batch)
          )
    )
  )
