/**
 * Topics in memory: the contract without a disk, for tests. A store outlives its layers, as a log outlives processes.
 */
import { Clock, Deferred, Effect, Either, FiberId, Layer } from "effect"
import * as EpochFence from "../flow/EpochFence.ts"
import type { SourceReader } from "../flow/Source.ts"
import {
  type EpochWriter,
  type ProducedRecord,
  type StoredRecord,
  type TopicDescription,
  Topics,
  type TopicsService,
  topicPartitionsDefault
} from "../flow/Topics.ts"
import * as Digest from "../model/Digest.ts"
import { InvalidTopic, OffsetOutOfRange, RecordTooLarge, TopicExists, UnknownTopic } from "../model/Errors.ts"
import type { RecordBatch } from "../model/Event.ts"
import * as Limits from "../model/Limits.ts"

interface Topic {
  readonly id: number
  readonly retentionMillis: number | null
  readonly partitions: ReadonlyArray<Array<StoredRecord>>
  readonly fences: Map<string, EpochFence.EpochFence>
  version: number
  signal: Deferred.Deferred<void> | null
}

/** What the layers of one store share. */
export interface Store {
  readonly topics: Map<string, Topic>
  /** Topics that were ever created. */
  created: number
}

export const makeStore = (): Store => ({ topics: new Map(), created: 0 })

/** Topics of a store; without one, of a new store for each layer. */
export const layer = (store?: Store): Layer.Layer<Topics> => Layer.sync(Topics, () => serviceOf(store ?? makeStore()))

// Private

const serviceOf = (store: Store): TopicsService => {
  const existing = (topic: string): Effect.Effect<Topic, UnknownTopic> =>
    Effect.flatMap(
      Effect.sync(() => store.topics.get(topic)),
      (found) => (found === undefined ? Effect.fail(unknown(topic)) : Effect.succeed(found))
    )
  const partitionOf = (topic: string, number: number) =>
    Effect.flatMap(existing(topic), (found) => {
      const partition = found.partitions[number]
      return partition === undefined ? Effect.fail(unknown(topic)) : Effect.succeed({ found, partition })
    })
  const create = (
    topic: string,
    partitions: number,
    retentionMillis: number | null
  ): Effect.Effect<Topic, InvalidTopic | TopicExists> =>
    Effect.suspend((): Effect.Effect<Topic, InvalidTopic | TopicExists> => {
      if (!/^[A-Za-z0-9._-]{1,249}$/.test(topic) || topic.endsWith(".")) return Effect.fail(invalid(topic))
      if (!(partitions >= 1 && partitions <= Limits.partitionsMax)) return Effect.fail(invalid(topic))
      if (store.topics.has(topic)) return Effect.fail(exists(topic))
      const lists = Array.from({ length: partitions }, (): Array<StoredRecord> => [])
      const id = ++store.created
      const made: Topic = { id, retentionMillis, partitions: lists, fences: new Map(), version: 0, signal: null }
      store.topics.set(topic, made)
      return Effect.succeed(made)
    })
  const ensured = (topic: string, partitions: number): Effect.Effect<Topic, InvalidTopic | UnknownTopic> =>
    Effect.catchTag(create(topic, partitions, null), "TopicExists", () => existing(topic))
  return {
    identity: "memory",
    list: Effect.sync(() =>
      [...store.topics].sort(([a], [b]) => (a < b ? -1 : 1)).map(([topic, found]) => describe(topic, found))
    ),
    describe: (topic) => Effect.map(existing(topic), (found) => describe(topic, found)),
    create: (topic, { partitions, retentionMillis }) =>
      Effect.asVoid(create(topic, partitions, retentionMillis ?? null)),
    reader: (topic) => Effect.map(ensured(topic, topicPartitionsDefault), (found) => readerOf(topic, found)),
    produce: (topic, number, records) =>
      Effect.gen(function* () {
        const { found, partition } = yield* partitionOf(topic, number)
        yield* checkSizes(topic, records)
        const offset = partition.length
        append(found, number, records, yield* Clock.currentTimeMillis)
        return offset
      }),
    fetch: (topic, number, offset, count) =>
      Effect.flatMap(partitionOf(topic, number), ({ partition }) => slice(topic, number, partition, offset, count)),
    changed: (topic) =>
      Effect.raceFirst(
        Effect.sleep(1_000),
        Effect.suspend(() => {
          const found = store.topics.get(topic)
          return found === undefined ? Effect.never : changedSince(found, found.version)
        })
      ),
    epochWriter: (topic, { partitions, ...opening }) =>
      Effect.flatMap(ensured(topic, partitions), (found) => openWriter(topic, found, opening))
  }
}

const describe = (topic: string, { partitions, retentionMillis }: Topic): TopicDescription => ({
  topic,
  retentionMillis,
  partitions: partitions.map((records, partition) => ({ partition, oldest: 0, latest: records.length }))
})

const openWriter = (topic: string, found: Topic, opening: EpochFence.Opening) =>
  Effect.gen(function* () {
    const { stamp } = opening
    const key = JSON.stringify([stamp.job, stamp.sink])
    const latest = (partition: number) => found.partitions[partition]?.length ?? 0
    found.fences.set(key, yield* EpochFence.open(found.fences.get(key) ?? null, opening, latest))
    return {
      partitions: found.partitions.length,
      write: (epoch, records) =>
        Effect.gen(function* () {
          const time = yield* Clock.currentTimeMillis
          const current = found.fences.get(key)!
          const digest = EpochFence.digestOf(records)
          for (const [partition, part] of records) {
            if (found.partitions[partition] === undefined) return yield* unknown(topic)
            yield* checkSizes(topic, part)
          }
          const verdict = yield* EpochFence.admit(current, stamp, epoch, digest)
          if (verdict === "already there" || digest === null) return "already there"
          for (const [partition, part] of records) append(found, partition, part, time)
          found.fences.set(key, EpochFence.advance(current, epoch, digest))
          return "written"
        }),
      position: Effect.sync(() =>
        EpochFence.formatPosition(
          found.fences.get(key)!,
          found.partitions.flatMap((records, partition) =>
            records.length > 0 ? [[partition, records.length] as const] : []
          )
        )
      )
    } satisfies EpochWriter
  })

const append = (found: Topic, number: number, records: ReadonlyArray<ProducedRecord>, timestamp: number): void => {
  const partition = found.partitions[number]!
  for (const { key, value, headers } of records)
    partition.push({
      partition: number,
      offset: partition.length,
      timestamp,
      // Copies: `slice` of some byte arrays is a view.
      key: key === null ? null : new Uint8Array(key),
      value: new Uint8Array(value),
      headers: [...headers]
    })
  found.version++
  const signal = found.signal
  found.signal = null
  if (signal !== null) Deferred.unsafeDone(signal, Effect.void)
}

const changedSince = (found: Topic, version: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (found.version !== version) return Effect.void
    found.signal ??= Deferred.unsafeMake<void>(FiberId.none)
    return Deferred.await(found.signal)
  })

const readerOf = (topic: string, found: Topic): SourceReader => {
  let version = found.version
  return {
    identity: `memory/${found.id}`,
    finite: false,
    partitions: Effect.sync(() => describe(topic, found).partitions),
    read: (number, offset, recordsMax) =>
      Effect.gen(function* () {
        version = found.version
        const partition = found.partitions[number]
        if (partition === undefined) return yield* unknown(topic)
        const records = yield* slice(topic, number, partition, offset, Math.max(1, recordsMax))
        return records.length === 0 ? null : batchOf(number, records)
      }),
    changed: Effect.suspend(() => changedSince(found, version)),
    markBefore: (number, offset) =>
      Effect.sync(() => {
        const record = found.partitions[number]?.[offset - 1]
        if (record === undefined) return null
        const digest = Digest.make()
        digest.bytes(record.value)
        return { timestamp: record.timestamp, checksum: Number.parseInt(digest.result().slice(0, 8), 16) }
      })
  }
}

const slice = (
  topic: string,
  number: number,
  partition: ReadonlyArray<StoredRecord>,
  offset: number,
  count: number
): Either.Either<ReadonlyArray<StoredRecord>, OffsetOutOfRange> =>
  offset < 0 || offset > partition.length
    ? Either.left(
        new OffsetOutOfRange({
          topic,
          partition: number,
          wanted: offset,
          oldest: 0,
          latest: partition.length,
          message: `Topic ${topic}, partition ${number}: offset ${offset} is wanted, 0 to ${partition.length} are held`,
          hint: "Read from an offset that is held."
        })
      )
    : Either.right(partition.slice(offset, offset + count))

const batchOf = (partition: number, records: ReadonlyArray<StoredRecord>): RecordBatch => {
  const count = records.length
  const batch = {
    partition,
    count,
    offsets: Float64Array.from(records, ({ offset }) => offset),
    timestamps: Float64Array.from(records, ({ timestamp }) => timestamp),
    bytes: new Uint8Array(records.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + value.length, 0)),
    valueStarts: new Int32Array(count),
    valueEnds: new Int32Array(count),
    keyStarts: new Int32Array(count).fill(-1),
    keyEnds: new Int32Array(count).fill(-1),
    nextOffset: records[count - 1]!.offset + 1
  }
  let at = 0
  for (const [i, { key, value }] of records.entries()) {
    if (key !== null) {
      batch.bytes.set(key, at)
      batch.keyStarts[i] = at
      at += key.length
      batch.keyEnds[i] = at
    }
    batch.bytes.set(value, at)
    batch.valueStarts[i] = at
    at += value.length
    batch.valueEnds[i] = at
  }
  return batch
}

const checkSizes = (topic: string, records: ReadonlyArray<ProducedRecord>): Effect.Effect<void, RecordTooLarge> => {
  const bytesMax = Limits.recordBytesMax
  for (const { key, value } of records) {
    const bytes = (key?.length ?? 0) + value.length
    if (bytes > bytesMax)
      return Effect.fail(
        new RecordTooLarge({
          bytes,
          bytesMax,
          message: `Topic ${topic}: a record has ${bytes} bytes, at most ${bytesMax} can be`,
          hint: "Put what is large into a file, and its name into the record."
        })
      )
  }
  return Effect.void
}

const unknown = (topic: string) =>
  new UnknownTopic({ topic, message: `There is no such topic or partition: ${topic}`, hint: "Create it first." })
const invalid = (topic: string) =>
  new InvalidTopic({
    topic,
    message: `Topic '${topic}' cannot be`,
    hint: "Choose another name or number of partitions."
  })
const exists = (topic: string) =>
  new TopicExists({ topic, message: `Topic ${topic} is there already`, hint: "Choose another name." })
