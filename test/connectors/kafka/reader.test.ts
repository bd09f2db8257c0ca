import { describe, expect, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { ask } from "../../services/asked.ts"
import {
  type Interceptor,
  numbered,
  peer,
  readAll,
  record,
  topicNamed,
  valuesOf,
  withIntercepted,
  withTopics
} from "./World.ts"

const found = await ask("kafka")
const brokers = "missing" in found ? "" : found.address

const withAdmin = (body: (admin: ReturnType<ReturnType<typeof peer>["admin"]>) => Promise<unknown>) =>
  Effect.promise(async () => {
    const admin = peer(brokers).admin()
    await admin.connect()
    await body(admin).finally(() => admin.disconnect())
  })

describe.skipIf(brokers === "")("a reader of Kafka", () => {
  it.live("finds partitions that come while it reads", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("grown")
        yield* topics.create(topic, { partitions: 2 })
        const reader = yield* topics.reader(topic)
        yield* readAll(reader, 0)
        expect((yield* reader.partitions).length).toBe(2)
        yield* withAdmin((admin) => admin.createPartitions({ topicPartitions: [{ topic, count: 5 }] }))
        // As a job looks: again after each wait for records, of which none come.
        yield* reader.partitions.pipe(
          Effect.zipLeft(reader.changed),
          Effect.repeat({ until: (partitions) => partitions.length === 5 }),
          Effect.timeout("10 seconds")
        )
        yield* topics.produce(topic, 4, [record("new")])
        expect(valuesOf((yield* readAll(reader, 4)).events)).toEqual(["new"])
      })
    )
  )

  it.live("says which offset is gone, and which is the oldest", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("gone")
        yield* topics.create(topic, { partitions: 2 })
        yield* topics.produce(topic, 1, numbered(0, 50))
        yield* withAdmin(async (admin) => {
          // That client wants to have heard of the topic before.
          await admin.fetchTopicOffsets(topic)
          await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: "30" }] })
        })
        const reader = yield* topics.reader(topic)
        const wanted = {
          _tag: "OffsetOutOfRange",
          topic,
          partition: 1,
          wanted: 7,
          oldest: 30,
          latest: 50,
          retry: false
        }
        expect(yield* Effect.flip(reader.read(1, 7, 10))).toMatchObject(wanted)
        expect(yield* Effect.flip(topics.fetch(topic, 1, 7, 10))).toMatchObject(wanted)
        expect((yield* reader.partitions)[1]).toEqual({ partition: 1, oldest: 30, latest: 50 })
        expect(yield* reader.markBefore(1, 7)).toBe(null)
        expect(valuesOf((yield* readAll(reader, 1, 30)).events)[0]).toBe("value 30")
      })
    )
  )

  it.live("refuses a topic that is created again under its name", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("again")
        yield* topics.create(topic, { partitions: 1 })
        const reader = yield* topics.reader(topic)
        yield* withAdmin((admin) => admin.deleteTopics({ topics: [topic] }))
        yield* Effect.retry(topics.create(topic, { partitions: 1 }), { times: 50 })
        expect((yield* topics.reader(topic)).identity).not.toBe(reader.identity)
        yield* Effect.sleep("1100 millis")
        expect(yield* Effect.flip(reader.partitions)).toMatchObject({ _tag: "SourceReplaced" })
      })
    )
  )

  it.live("fetches no further than its job asks, and holds little", () => {
    let fetches = 0
    const intercept: Interceptor = (request, send) => {
      if (request.name === "Fetch") fetches++
      return send
    }
    return withIntercepted(brokers, intercept, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("slow")
        yield* topics.create(topic, { partitions: 2 })
        const large = { ...record("x".repeat(1_000)) }
        for (let n = 0; n < 20; n++)
          for (const partition of [0, 1]) yield* topics.produce(topic, partition, Array(500).fill(large))
        const reader = yield* topics.reader(topic)
        const bytes: Array<number> = []
        for (const partition of [0, 1]) bytes.push((yield* reader.read(partition, 0, 100))!.bytes.length)
        yield* Effect.sleep("300 millis")
        // One for what is read; the next one is asked for when that has been handed out.
        expect(fetches).toBe(2)
        expect(Math.max(...bytes)).toBeLessThan(1_200_000)
        let offset = 100
        while (fetches === 2) offset = (yield* reader.read(0, offset, 100))!.nextOffset
        yield* Effect.sleep("300 millis")
        expect(fetches).toBe(3)
        const all = yield* readAll(reader, 0, offset)
        expect(all.end).toBe(10_000)
        expect(offset + all.events.length).toBe(10_000)
      })
    )
  })

  it.live("asks a broker again that throttles its readers, and answers of nothing", () => {
    let throttled = 0
    const intercept: Interceptor = (request, send) =>
      request.name === "Fetch" && throttled++ < 3 ? Effect.map(send, () => [] as never) : send
    return withIntercepted(brokers, intercept, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("throttled")
        yield* topics.create(topic, { partitions: 1 })
        yield* topics.produce(topic, 0, numbered(0, 10))
        expect(valuesOf((yield* readAll(yield* topics.reader(topic), 0)).events).length).toBe(10)
        expect(throttled).toBeGreaterThan(3)
      })
    )
  })

  it.live("asks an idle broker about twice a second, and hears of a record at once", () => {
    let fetches = 0
    const intercept: Interceptor = (request, send) => {
      if (request.name === "Fetch") fetches++
      return send
    }
    return withIntercepted(brokers, intercept, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("idle")
        yield* topics.create(topic, { partitions: 4 })
        const reader = yield* topics.reader(topic)
        const look = Effect.gen(function* () {
          for (const partition of [0, 1, 2, 3]) {
            const batch = yield* reader.read(partition, 0, 10)
            if (batch !== null) return batch
          }
          yield* reader.changed
          return null
        })
        const timers = vi.spyOn(globalThis, "setTimeout")
        yield* Effect.timeoutOption(Effect.forever(look), "2 seconds")
        expect(fetches).toBeLessThan(20)
        // Nor does the driver wake up by itself, as it would a thousand times a second.
        expect(timers.mock.calls.length).toBeLessThan(400)
        timers.mockRestore()
        const heard = yield* Effect.fork(Effect.repeat(look, { until: (batch) => batch !== null }))
        yield* Effect.sleep("100 millis")
        const at = Date.now()
        yield* topics.produce(topic, 3, [record("news")])
        expect((yield* heard)!.partition).toBe(3)
        expect(Date.now() - at).toBeLessThan(400)
      })
    )
  })
})
