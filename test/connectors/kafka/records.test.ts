import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { CompressionTypes } from "kafkajs"
import { crc32c } from "../../../src/connectors/kafka/KafkaChecksum.ts"
import { ask } from "../../services/asked.ts"
import { numbered, peer, readAll, record, textOf, topicNamed, valuesOf, withProducer, withTopics } from "./World.ts"

const found = await ask("kafka")
const brokers = "missing" in found ? "" : found.address

describe("the checksum of a batch", () => {
  it("is that of the standard's example", () => {
    const bytes = new TextEncoder().encode("..123456789.")
    expect(crc32c(bytes, 2, 11)).toBe(0xe3069283)
    // RFC 3720, B.4: 32 bytes of zeros, of ones, and rising.
    expect(crc32c(new Uint8Array(32), 0, 32)).toBe(0x8a9136aa)
    expect(crc32c(new Uint8Array(32).fill(255), 0, 32)).toBe(0x62a8ab43)
    expect(
      crc32c(
        Uint8Array.from({ length: 32 }, (_, i) => i),
        0,
        32
      )
    ).toBe(0x46dd794e)
  })
})

describe.skipIf(brokers === "")("records of Kafka, against another client", () => {
  it.live("reads what it wrote: keys, empty and missing values, headers, compressed batches, times", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("written")
        yield* Effect.promise(async () => {
          const admin = peer(brokers).admin()
          await admin.createTopics({ topics: [{ topic, numPartitions: 1 }] })
          await admin.disconnect()
        })
        const messages = [
          { key: "a", value: "one", timestamp: "1600000000123", headers: { x: "1", y: ["2", "3"] } },
          { key: null, value: "", timestamp: "1600000009999" },
          { key: "", value: null, timestamp: "1500000000001" }
        ]
        const many = Array.from({ length: 20_000 }, (_, i) => ({ value: `value ${i} ${"é".repeat(i % 50)}` }))
        yield* withProducer(brokers, null, async (producer) => {
          await producer.send({ topic, messages })
          await producer.send({ topic, messages: many, compression: CompressionTypes.GZIP })
          await producer.send({ topic, messages: [{ value: "last" }] })
        })
        const reader = yield* topics.reader(topic)
        for (const stepMax of [3, 8_192]) {
          const { end, events } = yield* readAll(reader, 0, 0, stepMax)
          expect(end).toBe(20_004)
          expect(events.slice(0, 3).map(({ key }) => key && textOf(key))).toEqual(["a", null, ""])
          expect(events.slice(0, 3).map(({ timestamp }) => timestamp)).toEqual([
            1_600_000_000_123, 1_600_000_009_999, 1_500_000_000_001
          ])
          expect(valuesOf(events)).toEqual(["one", "", "", ...many.map(({ value }) => value), "last"])
          expect(events.map(({ offset }) => offset)).toEqual(Array.from({ length: 20_004 }, (_, i) => i))
        }
        const [first] = yield* topics.fetch(topic, 0, 0, 1)
        expect(first!.headers.map(({ name, value }) => [name, textOf(value)])).toEqual([
          ["x", "1"],
          ["y", "2"],
          ["y", "3"]
        ])
        // Out of the middle of the compressed batch.
        expect(valuesOf((yield* readAll(reader, 0, 10_003)).events)[0]).toBe(many[10_000]!.value)
      })
    )
  )

  it.live("passes over markers, aborted transactions, and waits before one that is open", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("transactions")
        yield* topics.create(topic, { partitions: 1 })
        const reader = yield* topics.reader(topic)
        const send = (
          transactionalId: string,
          values: ReadonlyArray<string>,
          end: "commit" | "abort",
          latest: number
        ) =>
          withProducer(brokers, transactionalId, async (producer) => {
            const transaction = await producer.transaction()
            // Several batches of one transaction.
            for (const value of values) await transaction.send({ topic, messages: [{ value }] })
            await transaction[end]()
          }).pipe(
            // Its marker is written a little later.
            Effect.zipRight(
              Effect.repeat(topics.describe(topic), { until: ({ partitions }) => partitions[0]!.latest === latest })
            )
          )
        yield* topics.produce(topic, 0, [record("plain 1")])
        yield* send(topicNamed("a"), ["a1", "a2"], "commit", 4)
        yield* send(topicNamed("b"), ["b1", "b2", "b3"], "abort", 8)
        yield* topics.produce(topic, 0, [record("plain 2")])
        yield* send(topicNamed("c"), ["c1"], "abort", 11)
        // plain 1 | a1 a2 commit | b1 b2 b3 abort | plain 2 | c1 abort
        const values = ["plain 1", "a1", "a2", "plain 2"]
        for (const stepMax of [1, 2, 3, 100]) {
          const { end, events } = yield* readAll(reader, 0, 0, stepMax)
          expect(valuesOf(events)).toEqual(values)
          expect(events.map(({ offset }) => offset)).toEqual([0, 1, 2, 8])
          expect(end).toBe(11)
        }
        expect((yield* reader.partitions)[0]).toEqual({ partition: 0, oldest: 0, latest: 11 })
        // A cut is reached, and never passed, wherever it lies.
        for (let cut = 1; cut <= 11; cut++) {
          const offsets: Array<number> = []
          let position = 0
          while (position < cut) {
            const batch = yield* reader.read(0, position, cut - position)
            if (batch === null) throw new Error(`nothing is there at ${position}, before the cut at ${cut}`)
            offsets.push(...batch.offsets)
            position = batch.nextOffset
          }
          expect(position).toBe(cut)
          expect(offsets).toEqual([0, 1, 2, 8].filter((offset) => offset < cut))
        }
        // Whatever stands before an offset is recognised: also when it is read anew.
        const marks = yield* Effect.forEach([1, 3, 4, 7, 8, 9, 11], (offset) => reader.markBefore(0, offset))
        expect(marks.every((mark) => mark !== null)).toBe(true)
        yield* readAll(reader, 0)
        expect(yield* reader.markBefore(0, 11)).toEqual(marks[6])
        expect(yield* (yield* topics.reader(topic)).markBefore(0, 4)).toEqual(marks[2])

        const open = yield* Effect.promise(async () => {
          const producer = peer(brokers).producer({ transactionalId: topicNamed("d"), maxInFlightRequests: 1 })
          await producer.connect()
          const transaction = await producer.transaction()
          await transaction.send({ topic, messages: [{ value: "d1" }] })
          return { commit: () => transaction.commit().finally(() => producer.disconnect()) }
        })
        yield* topics.produce(topic, 0, [record("behind")])
        expect(yield* readAll(reader, 0, 11)).toEqual({ events: [], end: 11 })
        expect((yield* reader.partitions)[0]!.latest).toBe(11)
        yield* Effect.promise(open.commit)
        const later: Array<string> = []
        let position = 11
        while (later.length < 2) {
          const { end, events } = yield* readAll(reader, 0, position)
          later.push(...valuesOf(events))
          position = end
          if (later.length < 2) yield* reader.changed
        }
        expect(later).toEqual(["d1", "behind"])
      })
    )
  )

  it.live("passes over what compaction has emptied, and reaches every cut in it", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("compacted")
        const admin = peer(brokers).admin()
        yield* Effect.promise(() =>
          admin.createTopics({
            topics: [
              {
                topic,
                numPartitions: 1,
                configEntries: [
                  { name: "cleanup.policy", value: "compact" },
                  { name: "segment.ms", value: "1" },
                  { name: "min.cleanable.dirty.ratio", value: "0.01" },
                  { name: "max.compaction.lag.ms", value: "1" }
                ]
              }
            ]
          })
        )
        for (let i = 0; i < 5; i++) {
          yield* topics.produce(topic, 0, [record(`${i}`, "same key")])
          yield* Effect.sleep(20)
        }
        const values = Effect.map(topics.fetch(topic, 0, 0, 100), (all) => all.map(({ value }) => textOf(value)))
        // The last record is kept, and one more that a segment may still hold.
        yield* values.pipe(Effect.repeat({ until: (found) => found.length <= 2 }), Effect.timeout("25 seconds"))
        expect((yield* values).at(-1)).toBe("4")
        expect((yield* topics.describe(topic)).partitions[0]!.latest).toBe(5)
        const reader = yield* topics.reader(topic)
        expect(reader.forgets).toBe(true)
        const left = (yield* readAll(reader, 0)).events.map(({ offset }) => offset)
        expect(left.at(-1)).toBe(4)
        for (let cut = 1; cut <= 5; cut++) {
          const offsets: Array<number> = []
          let position = 0
          while (position < cut) {
            const batch = yield* reader.read(0, position, cut - position)
            if (batch === null) throw new Error(`nothing is there at ${position}, before the cut at ${cut}`)
            offsets.push(...batch.offsets)
            position = batch.nextOffset
          }
          expect(position).toBe(cut)
          expect(offsets).toEqual(left.filter((offset) => offset < cut))
        }
        yield* readAll(reader, 0)
        expect(yield* reader.markBefore(0, 2)).toBe(null)
        yield* Effect.promise(() => admin.disconnect())
      })
    )
  )

  it.live("is read by another client as it was written", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("read")
        yield* topics.create(topic, { partitions: 1 })
        const headers = [{ name: "grüße", value: new TextEncoder().encode("né") }]
        yield* topics.produce(topic, 0, [{ ...record("first", "key"), headers }, ...numbered(0, 30_000)])
        const writer = yield* topics.epochWriter(topic, {
          stamp: { job: topic, sink: "out", lineage: 1, generation: 1, epoch: 0 },
          intentEpochs: [],
          position: null,
          partitions: 1
        })
        yield* writer.write(1, new Map([[0, [record("of an epoch")]]]))
        const messages = yield* Effect.promise(async () => {
          const consumer = peer(brokers).consumer({ groupId: topicNamed("group") })
          await consumer.subscribe({ topic, fromBeginning: true })
          const found: Array<{ key: string | null; value: string; offset: string; headers: object }> = []
          await new Promise<void>((resolve) =>
            consumer.run({
              eachMessage: async ({ message: { headers, key, offset, value } }) => {
                found.push({
                  key: key === null ? null : String(key),
                  value: String(value),
                  offset,
                  headers: headers ?? {}
                })
                if (String(value) === "of an epoch") resolve()
              }
            })
          )
          await consumer.disconnect()
          return found
        })
        expect(messages[0]).toEqual({ key: "key", value: "first", offset: "0", headers: { grüße: Buffer.from("né") } })
        expect(messages.slice(1, -1).map(({ value }) => value)).toEqual(
          Array.from({ length: 30_000 }, (_, i) => `value ${i}`)
        )
        expect(messages.map(({ offset }) => Number(offset))).toEqual(Array.from({ length: 30_002 }, (_, i) => i))
      })
    )
  )
})
