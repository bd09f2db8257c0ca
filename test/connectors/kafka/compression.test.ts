/**
 * Records that are packed: those that a broker packs itself, by Java's libraries, are read; those that are packed here
 * are unpacked by a broker, and found as they were.
 */
import { gzipSync } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Random } from "effect"
import { layerKafka } from "../../../src/connectors/kafka/index.ts"
import { make } from "../../../src/connectors/kafka/KafkaClient.ts"
import * as KafkaCompression from "../../../src/connectors/kafka/KafkaCompression.ts"
import { resolve } from "../../../src/connectors/kafka/KafkaConfig.ts"
import * as KafkaRecords from "../../../src/connectors/kafka/KafkaRecords.ts"
import { produce } from "../../../src/connectors/kafka/KafkaRequests.ts"
import { TooLarge } from "../../../src/connectors/kafka/Unpacked.ts"
import { type ProducedRecord, Topics } from "../../../src/flow/Topics.ts"
import * as Limits from "../../../src/model/Limits.ts"
import { ask } from "../../services/asked.ts"
import { type Interceptor, peer, readAll, record, topicNamed, valuesOf, withIntercepted, withTopics } from "./World.ts"

const found = await ask("kafka")
const brokers = "missing" in found ? "" : found.address

const methods = ["none", "gzip", "snappy", "lz4", "zstd"]

/** Bytes of many kinds: that repeat soon and late, that never do, of all lengths around those of blocks. */
const samples = Effect.gen(function* () {
  const random = function* (bytes: number) {
    return Uint8Array.from(yield* Effect.replicateEffect(Random.nextIntBetween(0, 256), bytes))
  }
  const noise = yield* Effect.gen(() => random(70_000))
  const repeated = (times: number, piece: Uint8Array) => Buffer.concat(Array(times).fill(piece))
  return [
    ...[0, 1, 4, 5, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 33, 64].map((bytes) => new Uint8Array(bytes).fill(7)),
    ...[1, 13, 300, 65_535, 65_536, 65_537].map((bytes) => noise.subarray(0, bytes)),
    ...[65_535, 65_536, 65_537, 65_540, 65_548, 200_000].map((bytes) => new Uint8Array(bytes)),
    repeated(3, noise.subarray(0, 40_000)),
    repeated(9_000, noise.subarray(0, 19)),
    Buffer.concat([noise, new Uint8Array(70_000), noise.subarray(0, 269), new Uint8Array(300)]),
    new TextEncoder().encode(Array.from({ length: 9_000 }, (_, i) => `{"order":${i},"shop":${i % 97}}`).join("\n"))
  ]
}).pipe(Effect.withRandom(Random.make("packed")))

/** A Zstandard frame of blocks that are runs of one byte, with this window descriptor. */
const runs = (blocks: number, window: number): Uint8Array =>
  Uint8Array.from([
    ...[0x28, 0xb5, 0x2f, 0xfd, 0, window],
    // 131,072 bytes: three bytes of head, the byte.
    ...Array.from({ length: blocks }, (_, i) => [2 | (i === blocks - 1 ? 1 : 0), 0, 0x10, 65]).flat()
  ])

describe("packed bytes", () => {
  it.effect("come back as they were", () =>
    Effect.gen(function* () {
      for (const bytes of yield* samples)
        for (const method of ["gzip", "lz4"] as const) {
          const packed = KafkaCompression.pack(method, bytes)
          const back = KafkaCompression.unpack(packed.method, packed.bytes, bytes.length)
          expect(Buffer.compare(back, bytes), `${bytes.length} bytes by ${method}`).toBe(0)
        }
    })
  )

  it("are unpacked by the letter of their formats", () => {
    const unpacked = (method: number, ...bytes: ReadonlyArray<number>) =>
      Buffer.from(KafkaCompression.unpack(method, Uint8Array.from(bytes), 1_000)).toString("latin1")
    const a = 97
    // Snappy, one block: bytes as they are, then a reference of each of the three kinds, the last into itself.
    const pieces = [
      [3 << 2, a, a + 1, a + 2, a + 3],
      [(0 << 2) | 1, 4],
      [(3 << 2) | 2, 2, 0],
      [(2 << 2) | 3, 1, 0, 0, 0]
    ]
    expect(unpacked(2, 15, ...pieces.flat())).toBe("abcdabcdcdcdddd")
    // In Java's frame: two blocks.
    const frame = [0x82, ...Buffer.from("SNAPPY\0"), 0, 0, 0, 1, 0, 0, 0, 1]
    expect(unpacked(2, ...frame, 0, 0, 0, 3, 1, 0, a, 0, 0, 0, 4, 2, 4, a + 1, a + 2)).toBe("abc")
    // LZ4 that says how long it is, of blocks with checksums: one is packed, one as it is.
    const head = [4, 0x22, 0x4d, 0x18, 0x78, 0x40, 10, 0, 0, 0, 0, 0, 0, 0, 0]
    const packed = [7, 0, 0, 0, 0x21, a, a + 1, 2, 0, 0x10, a + 2, 9, 9, 9, 9]
    expect(unpacked(3, ...head, ...packed, 2, 0, 0, 0x80, a, a, 9, 9, 9, 9, 0, 0, 0, 0)).toBe("abababacaa")
  })

  it("are refused where more comes of them than may", () => {
    const zeros = gzipSync(Buffer.alloc(1_000_001))
    const lz4 = Uint8Array.of(4, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 0, 0, 0, 0, 0x1f, 65, 1, 0)
    const bomb = Buffer.concat([lz4, Buffer.alloc(4_000, 255), Buffer.from([0, 0, 0, 0, 0])])
    bomb.writeUInt32LE(bomb.length - 15, 7)
    const packets: ReadonlyArray<readonly [number, Uint8Array]> = [
      [1, zeros],
      // It says of itself that it has 2^32 - 1 bytes, and has none.
      [2, Uint8Array.of(255, 255, 255, 255, 15)],
      [3, bomb],
      [4, runs(8, 80)],
      // Its window alone is a terabyte.
      [4, runs(1, 30 << 3)]
    ]
    for (const [method, packet] of packets)
      expect(() => KafkaCompression.unpack(method, packet, 1_000_000), methods[method]!).toThrow(TooLarge)
    expect(KafkaCompression.unpack(1, zeros, 1_000_001).length).toBe(1_000_001)
    expect(KafkaCompression.unpack(3, bomb, 1_100_000).length).toBe(1 + 4 + 15 + 4_000 * 255)
    expect(KafkaCompression.unpack(4, runs(8, 80), 1_048_576).every((byte) => byte === 65)).toBe(true)
  })

  it.effect("are refused where they are cut off or changed", () =>
    Effect.gen(function* () {
      const text = (yield* samples).at(-1)!
      for (const [method, packed] of [
        [1, KafkaCompression.pack("gzip", text).bytes],
        [2, Uint8Array.of(9, 8 << 2, 1, 2, 3, 4, 5, 6, 7, 8, 9)],
        [3, KafkaCompression.pack("lz4", text).bytes],
        [4, runs(8, 80)]
      ] as const)
        for (const end of [0, 1, 3, 6, Math.floor(packed.length / 2), packed.length - 1])
          expect(
            () => KafkaCompression.unpack(method, packed.subarray(0, end), 1_000_000).slice(),
            `${methods[method]} to ${end}`
          ).toThrow()
      expect(() => KafkaCompression.unpack(5, text, 1_000_000)).toThrow("none that Kafka 4 knows")
    })
  )
})

/** A topic whose broker packs what it is given. */
const packingTopic = (method: string) =>
  Effect.promise(async () => {
    const topic = topicNamed(`packed.${method}`)
    const admin = peer(brokers).admin()
    await admin.createTopics({
      topics: [{ topic, numPartitions: 1, configEntries: [{ name: "compression.type", value: method }] }]
    })
    await admin.disconnect()
    return topic
  })

/** Sees how the batches are packed that the brokers answer with. */
const seeing =
  (seen: Set<string>): Interceptor =>
  (request, send) =>
    request.name !== "Fetch"
      ? send
      : Effect.tap(send, (answer) => {
          for (const { batches } of answer as ReadonlyArray<{ readonly batches: Uint8Array }>)
            for (const { attributes } of KafkaRecords.batchesOf(batches))
              seen.add(methods[KafkaRecords.compressionOf(attributes)]!)
        })

/** Some records of some bytes each, that look like those of a job. */
const orders: ReadonlyArray<ProducedRecord> = Array.from({ length: 8_000 }, (_, i) => ({
  ...record(`{"ordersn":"${i * 7_919}","shopid":${i % 97},"name":"é${"x".repeat(i % 50)}"}`, `${i % 10}`),
  headers: i % 100 === 0 ? [{ name: "h", value: Uint8Array.of(i % 256, 0, 255) }] : []
}))
const values = orders.map(({ value }) => new TextDecoder().decode(value))

describe.skipIf(brokers === "")("packed records of Kafka", () => {
  for (const method of methods.slice(1))
    it.live(`reads what a broker has packed by ${method}, from any offset`, () => {
      const seen = new Set<string>()
      return withIntercepted(brokers, seeing(seen), (topics) =>
        Effect.gen(function* () {
          const topic = yield* packingTopic(method)
          for (let from = 0; from < orders.length; from += 2_000)
            yield* topics.produce(topic, 0, orders.slice(from, from + 2_000))
          const large = { ...record("z".repeat(300_000), null) }
          yield* topics.produce(topic, 0, [large])
          const reader = yield* topics.reader(topic)
          for (const offset of [0, 1, 1_999, 7_345]) {
            const { events } = yield* readAll(reader, 0, offset, 1_000)
            expect(valuesOf(events)).toEqual([...values.slice(offset), "z".repeat(300_000)])
          }
          const [stored] = yield* topics.fetch(topic, 0, 300, 1)
          expect(stored!.headers).toEqual(orders[300]!.headers)
          expect(yield* reader.markBefore(0, 7_345)).toEqual(yield* (yield* topics.reader(topic)).markBefore(0, 7_345))
          expect([...seen]).toEqual([method])
        })
      )
    })

  for (const compression of ["none", "gzip", "lz4"] as const)
    it.live(`writes by ${compression}, as a broker unpacks it`, () => {
      const seen = new Set<string>()
      return Effect.gen(function* () {
        const kept = yield* packingTopic("producer")
        const unpacked = yield* packingTopic("uncompressed")
        yield* Effect.gen(function* () {
          const topics = yield* Topics
          const noise = { ...record(""), value: crypto.getRandomValues(new Uint8Array(60_000)) }
          for (const topic of [kept, unpacked]) {
            yield* topics.produce(topic, 0, orders)
            yield* topics.produce(topic, 0, [noise, record("last")])
            const writer = yield* topics.epochWriter(topic, {
              stamp: { job: topic, sink: "out", lineage: 1, generation: 1, epoch: 0 },
              intentEpochs: [],
              position: null,
              partitions: 1
            })
            yield* writer.write(1, new Map([[0, orders]]))
          }
        }).pipe(Effect.scoped, Effect.provide(layerKafka({ brokers: brokers.split(","), compression })))
        yield* withIntercepted(brokers, seeing(seen), (topics) =>
          Effect.gen(function* () {
            for (const topic of [kept, unpacked]) {
              seen.clear()
              const { events } = yield* readAll(yield* topics.reader(topic), 0)
              const read = valuesOf(events)
              expect(read.slice(0, 8_000)).toEqual(values)
              expect(read[8_001]).toBe("last")
              expect(read.slice(8_002)).toEqual(values)
              // What packing makes no smaller is written as it is, and a broker packs no marker.
              expect(seen).toEqual(new Set(topic === kept ? [compression, "none"] : ["none"]))
            }
          })
        )
      })
    })

  it.live("refuses a batch that comes to more than may be unpacked, and says where it lies", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("bomb")
        yield* topics.create(topic, { partitions: 1 })
        yield* topics.produce(topic, 0, [record("before")])
        const config = yield* resolve({ brokers: brokers.split(",") })
        const client = yield* make(config)
        const origin = { producerId: -1, producerEpoch: -1, sequence: -1, isTransactional: false, timestamp: 0 }
        const zeros = { ...record(""), value: new Uint8Array(Limits.unpackedBatchBytesMax) }
        const batch = KafkaRecords.encode([zeros], { ...origin, compression: "gzip" })
        expect(batch.length).toBeLessThan(100_000)
        yield* client.send(1, produce({ topic, partition: 0 }, batch, null))
        const reader = yield* topics.reader(topic)
        const outcome = yield* Effect.flip(readAll(reader, 0))
        expect(outcome).toMatchObject({ _tag: "InvalidTopic" })
        expect(String((outcome as Error).message)).toContain(
          `from offset 1 to 1 of partition 0 are one batch that is packed by gzip and holds more than ${Limits.unpackedBatchBytesMax} bytes`
        )
      })
    )
  )

  it.live("unpacks of an answer no more than it may hold, and asks again for what is left", () => {
    let fetches = 0
    const intercept: Interceptor = (request, send) => {
      if (request.name === "Fetch") fetches++
      return send
    }
    return withIntercepted(brokers, intercept, (topics) =>
      Effect.gen(function* () {
        const topic = yield* packingTopic("gzip")
        const zeros = { ...record(""), value: new Uint8Array(900_000) }
        const count = Math.ceil((4 * Limits.unpackedBytes) / zeros.value.length)
        for (let i = 0; i < count; i++) yield* topics.produce(topic, 0, [zeros])
        const { end, events } = yield* readAll(yield* topics.reader(topic), 0)
        expect(end).toBe(count)
        expect(events.length).toBe(count)
        // All of it is packed into a few kilobytes, which one answer would hold.
        expect(fetches).toBeGreaterThanOrEqual(4)
      })
    )
  })
})
