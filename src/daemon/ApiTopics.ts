/** What the API does with topics: read any range of one, append lines or records to one. */
import { Effect, Ref } from "effect"
import type { PartitionRange } from "../flow/Source.ts"
import type { StoredRecord, TopicDescription, TopicsError, TopicsService } from "../flow/Topics.ts"
import { InvalidRequest } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import * as ApiRecords from "./ApiRecords.ts"
import type * as ApiSchemas from "./ApiSchemas.ts"
import { recordsOf } from "./ProducedLines.ts"

/** Partitions of a topic that is created by writing to it. */
export const partitionsDefault = 4
/** Records that a read answers with if it asks for no count. */
const countDefault = 100
/** Records of one step of a read: bounds what is held beyond `Limits.fetchBytesMax`. */
const stepRecordsMax = 64

export interface Range {
  readonly partition?: number | undefined
  /** From the end of each partition if negative; the oldest record if absent. */
  readonly offset?: number | undefined
  readonly count?: number | undefined
}

/** Records of one partition, or of all, one after the other. Offsets outside a partition are moved into it. */
export const read = (
  topics: TopicsService,
  topic: string,
  range: Range
): Effect.Effect<ReadonlyArray<StoredRecord>, TopicsError | InvalidRequest> =>
  Effect.gen(function* () {
    const { partitions } = yield* topics.describe(topic)
    const wanted = partitions.filter((of) => range.partition === undefined || of.partition === range.partition)
    if (wanted.length === 0) return yield* noPartition(topic, range.partition ?? 0, partitions.length)
    const found: Array<StoredRecord> = []
    const room = { records: range.count ?? countDefault, bytes: Limits.fetchBytesMax }
    for (const of of wanted) yield* readPartition(topics, topic, of, firstOffset(of, range.offset), room, found)
    return found
  })

/** What `produce` was asked. */
export interface Produce {
  readonly topic: string
  readonly lines: Uint8Array
  readonly key?: string | undefined
  readonly partition?: number | undefined
  /** Of the topic if it is created. */
  readonly partitions?: number | undefined
}

/** Appends JSON lines; creates an unknown topic. `turns` counts batches, for those without a key. */
export const produce = (topics: TopicsService, turns: Ref.Ref<number>, asked: Produce) =>
  Effect.gen(function* () {
    const { partitions } = yield* describeOrCreate(topics, asked.topic, asked.partitions ?? partitionsDefault)
    if (asked.partition !== undefined && asked.partition >= partitions.length)
      return yield* noPartition(asked.topic, asked.partition, partitions.length)
    const turn = yield* Ref.getAndUpdate(turns, (count) => count + 1)
    const records = recordsOf(asked.lines, {
      key: asked.key,
      partition: asked.partition,
      partitions: partitions.length,
      keyless: turn % partitions.length
    })
    const written = yield* Effect.forEach(records, ([partition, ofPartition]) =>
      Effect.map(topics.produce(asked.topic, partition, ofPartition), (offset) => ({
        partition,
        offset,
        records: ofPartition.length
      }))
    )
    const produced = written.reduce((sum, of) => sum + of.records, 0)
    return { topic: asked.topic, produced, partitions: written }
  })

/** What `append` was asked. */
export interface Append {
  readonly topic: string
  readonly records: ReadonlyArray<typeof ApiSchemas.ProducedRecord.Type>
  readonly partition: number
  /** Of the topic if it is created. */
  readonly partitions?: number | undefined
}

/** Appends whole records to one partition; creates an unknown topic. */
export const append = (topics: TopicsService, asked: Append) =>
  Effect.gen(function* () {
    const { partition, topic } = asked
    const { partitions } = yield* describeOrCreate(topics, topic, asked.partitions ?? partitionsDefault)
    if (partition >= partitions.length) return yield* noPartition(topic, partition, partitions.length)
    const records = yield* Effect.forEach(asked.records, (record, i) =>
      Effect.mapError(ApiRecords.producedOf(record), (why) => noBase64(i, why))
    )
    if (records.length === 0) return { topic, produced: 0, partitions: [] }
    const offset = yield* topics.produce(topic, partition, records)
    return { topic, produced: records.length, partitions: [{ partition, offset, records: records.length }] }
  })

const noBase64 = (index: number, why: string): InvalidRequest =>
  new InvalidRequest({
    message: `record ${index} of the body has bytes that are no base64: ${why}`,
    hint: 'Write bytes as text, or as { "base64": "AAECAw==" }.'
  })

const describeOrCreate = (
  topics: TopicsService,
  topic: string,
  partitions: number
): Effect.Effect<TopicDescription, TopicsError> =>
  topics.describe(topic).pipe(
    Effect.catchTag("UnknownTopic", () =>
      topics.create(topic, { partitions }).pipe(
        // Two may create it at once: what counts is that it is there.
        Effect.catchTag("TopicExists", () => Effect.void),
        Effect.zipRight(topics.describe(topic))
      )
    )
  )

const firstOffset = (range: PartitionRange, offset: number | undefined): number => {
  if (offset === undefined) return range.oldest
  return Math.max(range.oldest, offset < 0 ? range.latest + offset : offset)
}

const readPartition = (
  topics: TopicsService,
  topic: string,
  range: PartitionRange,
  from: number,
  room: { records: number; bytes: number },
  found: Array<StoredRecord>
): Effect.Effect<void, TopicsError> =>
  Effect.gen(function* () {
    let next = from
    while (next < range.latest && room.records > 0 && room.bytes > 0) {
      const records = yield* topics.fetch(topic, range.partition, next, Math.min(stepRecordsMax, room.records))
      if (records.length === 0) return
      for (const record of records) {
        found.push(record)
        room.bytes -= record.value.length + (record.key?.length ?? 0)
      }
      room.records -= records.length
      next = records.at(-1)!.offset + 1
    }
  })

const noPartition = (topic: string, partition: number, partitions: number) =>
  new InvalidRequest({
    message: `Topic ${topic} has no partition ${partition}`,
    hint: `It has ${partitions}: 0 to ${partitions - 1}.`
  })
