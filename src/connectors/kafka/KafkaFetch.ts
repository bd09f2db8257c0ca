/** Records of partitions as they are fetched: in columns, without what is no record. */
import { Effect } from "effect"
import type { Offset } from "../../model/Event.ts"
import * as Limits from "../../model/Limits.ts"
import { checked, failureOfCode } from "./KafkaClient.ts"
import * as KafkaCompression from "./KafkaCompression.ts"
import { KafkaFailure } from "./KafkaFailure.ts"
import * as KafkaRecords from "./KafkaRecords.ts"
import * as Requests from "./KafkaRequests.ts"
import { type Cluster, find } from "./KafkaTopics.ts"
import { TooLarge } from "./Unpacked.ts"

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
    return yield* recordsOf(yield* answered(found), offset)
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
    return (yield* opened(yield* answered(found))).filter(({ nextOffset }) => nextOffset > offset)
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

/** A broker that throttles its readers answers of no partition at all. */
const answered = (found: Requests.Fetched | undefined): Effect.Effect<Requests.Fetched, KafkaFailure> =>
  found === undefined
    ? Effect.fail(
        new KafkaFailure({ type: "THROTTLING_QUOTA_EXCEEDED", message: "it throttles this reader", retry: true })
      )
    : checked(found)

const recordsOf = (
  found: Requests.Fetched,
  offset: Offset
): Effect.Effect<ReadonlyArray<KafkaRecords.Records>, KafkaFailure> =>
  Effect.flatMap(opened(found), (all) =>
    Effect.try({
      try: () => {
        const isShown = KafkaRecords.shown(all, found.aborted)
        const batches = all.filter(({ nextOffset }) => nextOffset > offset)
        const groups: Array<Array<KafkaRecords.StoredBatch>> = []
        for (const batch of batches) {
          const group = groups.at(-1)
          if (group === undefined || group[0]!.bytes !== batch.bytes) groups.push([batch])
          else group.push(batch)
        }
        return groups.map((group) => KafkaRecords.columnsOf(found.partition, group, isShown, offset))
      },
      catch: unreadable
    })
  )

/**
 * The batches of an answer, unpacked: those whose records come to `Limits.unpackedBytes` together, and at least one. The
 * others are asked for again, after these.
 */
const opened = ({
  batches,
  partition
}: Requests.Fetched): Effect.Effect<ReadonlyArray<KafkaRecords.StoredBatch>, KafkaFailure> =>
  Effect.gen(function* () {
    const found = yield* Effect.try({ try: () => KafkaRecords.batchesOf(batches), catch: unreadable })
    const all: Array<KafkaRecords.StoredBatch> = []
    let bytes = 0
    for (const batch of found) {
      if (bytes >= Limits.unpackedBytes) break
      const method = KafkaRecords.compressionOf(batch.attributes)
      const open =
        method === 0
          ? batch
          : yield* Effect.try({ try: () => unpacked(batch), catch: unpackable(partition, batch, method) })
      if (method !== 0) bytes += open.bytes.length
      all.push(open)
    }
    return all
  })

const unpacked = (batch: KafkaRecords.StoredBatch): KafkaRecords.StoredBatch => {
  const { attributes, bytes, end, start } = batch
  const method = KafkaRecords.compressionOf(attributes)
  const packed = bytes.subarray(start, end)
  return KafkaRecords.unpacked(batch, KafkaCompression.unpack(method, packed, Limits.unpackedBatchBytesMax))
}

const unreadable = (cause: unknown) =>
  new KafkaFailure({
    type: "FORMAT",
    message: cause instanceof KafkaRecords.Malformed ? cause.message : String(cause),
    retry: false
  })

const unpackable = (partition: number, { base, nextOffset }: KafkaRecords.StoredBatch, method: number) => {
  const place = `the records from offset ${base} to ${nextOffset - 1} of partition ${partition}`
  const name = KafkaCompression.nameOf(method)
  return (cause: unknown) =>
    new KafkaFailure({
      type: "COMPRESSION",
      message:
        cause instanceof TooLarge
          ? `${place} are one batch that is packed by ${name} and holds more than ${Limits.unpackedBatchBytesMax} bytes, the most that is unpacked at once`
          : `${place} are packed by ${name} and cannot be unpacked: ${cause instanceof Error ? cause.message : cause}`,
      retry: false
    })
}
