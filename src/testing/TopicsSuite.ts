/**
 * What every system of topics must hold, and each epoch writer of one, as cases that any test runner can run. A case
 * creates topics of its own, and leaves them. It fails with what was found and what was expected.
 */
import { Effect, Fiber } from "effect"
import type { ProducedRecord, TopicsService } from "../flow/Topics.ts"
import { type RecordBatch, rawEventAt } from "../model/Event.ts"
import type { Case } from "./Case.ts"
import * as EpochWriterSuite from "./EpochWriterSuite.ts"
import { equal, failsWith, holds, record, type Story, story, textOf, type World } from "./TopicsCase.ts"

export type { World } from "./TopicsCase.ts"

export const cases = (world: World): ReadonlyArray<Case> =>
  [...stories, ...EpochWriterSuite.stories].map((story) => story(world))

const stories: ReadonlyArray<Story> = [
  story("creates a topic with its partitions, empty", (topics, topic) =>
    Effect.gen(function* () {
      yield* topics.create(topic("made"), { partitions: 3 })
      const made = {
        topic: topic("made"),
        partitions: [0, 1, 2].map((partition) => ({ partition, oldest: 0, latest: 0 })),
        retentionMillis: null
      }
      const { partitions, retentionMillis, topic: name } = yield* topics.describe(topic("made"))
      equal({ topic: name, partitions, retentionMillis }, made)
      equal((yield* topics.list).filter((found) => found.topic === topic("made")).length, 1)
    })
  ),
  story("refuses to create a topic twice, an impossible name, an impossible number of partitions", (topics, topic) =>
    Effect.gen(function* () {
      yield* topics.create(topic("twice"), { partitions: 1 })
      yield* failsWith("TopicExists", topics.create(topic("twice"), { partitions: 1 }))
      for (const name of ["", ".", "..", "a/b", "a b", "ä", "x".repeat(250), "../up", "a\\b", "a\0b"])
        yield* failsWith("InvalidTopic", topics.create(name, { partitions: 1 }))
      for (const partitions of [0, -1, 100_000])
        yield* failsWith("InvalidTopic", topics.create(topic("many"), { partitions }))
    })
  ),
  story("knows no topic that nobody created", (topics, topic) =>
    Effect.gen(function* () {
      yield* failsWith("UnknownTopic", topics.describe(topic("none")))
      yield* failsWith("UnknownTopic", topics.produce(topic("none"), 0, [record("a")]))
      yield* failsWith("UnknownTopic", topics.fetch(topic("none"), 0, 0, 1))
      yield* topics.create(topic("one"), { partitions: 1 })
      yield* failsWith("UnknownTopic", topics.produce(topic("one"), 1, [record("a")]))
      yield* failsWith("UnknownTopic", topics.fetch(topic("one"), 1, 0, 1))
    })
  ),
  story("creates a topic with four partitions when a job first reads it", (topics, topic) =>
    Effect.gen(function* () {
      const reader = yield* topics.reader(topic("read"))
      equal((yield* reader.partitions).length, 4)
      equal(yield* reader.read(0, 0, 10), null)
      equal(reader.finite, false)
      equal((yield* topics.reader(topic("read"))).identity, reader.identity)
    })
  ),
  story("gives each record of a partition the next offset, and reads from any of them", (topics, topic) =>
    Effect.gen(function* () {
      yield* topics.create(topic("offsets"), { partitions: 2 })
      equal(yield* topics.produce(topic("offsets"), 1, numbered(0, 3)), 0)
      equal(yield* topics.produce(topic("offsets"), 1, numbered(3, 10)), 3)
      equal(yield* topics.produce(topic("offsets"), 1, []), 10)
      equal((yield* topics.describe(topic("offsets"))).partitions[0]!.latest, 0)
      const reader = yield* topics.reader(topic("offsets"))
      for (let offset = 0; offset <= 10; offset++) {
        const fetched = yield* topics.fetch(topic("offsets"), 1, offset, 4)
        equal(
          fetched.map((found) => [found.partition, found.offset, textOf(found.value)]),
          sequence(offset, Math.min(10, offset + 4)).map((n) => [1, n, `value ${n}`])
        )
        const read = yield* reader.read(1, offset, 4)
        if (offset === 10) equal(read, null)
        else equal(valuesOf(read)[0], `value ${offset}`)
      }
      yield* failsWith("OffsetOutOfRange", topics.fetch(topic("offsets"), 1, 11, 1))
      yield* failsWith("OffsetOutOfRange", reader.read(1, 11, 1))
    })
  ),
  story("reads everything once, in order, whatever the size of the steps", (topics, topic) =>
    Effect.gen(function* () {
      yield* topics.create(topic("steps"), { partitions: 1 })
      for (let from = 0; from < 2_000; from += 250) yield* topics.produce(topic("steps"), 0, numbered(from, from + 250))
      for (const recordsMax of [1, 7, 249, 250, 251, 8_192]) {
        const reader = yield* topics.reader(topic("steps"))
        const values: Array<string> = []
        let offset = 0
        while (true) {
          const batch = yield* reader.read(0, offset, recordsMax)
          if (batch === null) break
          holds(batch.count >= 1 && batch.count <= recordsMax, `a batch of ${batch.count} records`)
          equal([...batch.offsets], sequence(offset, offset + batch.count))
          values.push(...valuesOf(batch))
          offset = batch.nextOffset
        }
        equal(
          values,
          sequence(0, 2_000).map((n) => `value ${n}`)
        )
      }
    })
  ),
  story(
    "keeps keys, empty keys, empty values, headers and append times",
    (topics, topic) =>
      Effect.gen(function* () {
        yield* topics.create(topic("bytes"), { partitions: 1 })
        yield* topics.produce(topic("bytes"), 0, peculiar)
        yield* checkPeculiar(topics, topic("bytes"))
      }),
    (topics, topic) => checkPeculiar(topics, topic("bytes"))
  ),
  story(
    "keeps everything when it is opened again, and goes on behind it",
    (topics, topic) =>
      Effect.gen(function* () {
        yield* topics.create(topic("kept"), { partitions: 2, retentionMillis: 86_400_000 })
        yield* topics.produce(topic("kept"), 0, numbered(0, 100))
      }),
    (topics, topic) =>
      Effect.gen(function* () {
        const { partitions, retentionMillis } = yield* topics.describe(topic("kept"))
        equal(
          partitions.map(({ latest }) => latest),
          [100, 0]
        )
        equal(retentionMillis, 86_400_000)
        equal(yield* topics.produce(topic("kept"), 0, numbered(100, 101)), 100)
        equal(
          (yield* topics.fetch(topic("kept"), 0, 0, 1_000)).map(({ value }) => textOf(value)),
          sequence(0, 101).map((n) => `value ${n}`)
        )
      })
  ),
  story("stores a record of a megabyte, and refuses one that is too large without a trace", (topics, topic) =>
    Effect.gen(function* () {
      yield* topics.create(topic("large"), { partitions: 1 })
      const value = new Uint8Array(900_000).map((_, i) => i * 7)
      yield* topics.produce(topic("large"), 0, [record("small"), { key: null, value, headers: [] }, record("after")])
      yield* failsWith(
        "RecordTooLarge",
        topics.produce(topic("large"), 0, [record("x"), { key: null, value: new Uint8Array(33_554_433), headers: [] }])
      )
      const fetched = yield* topics.fetch(topic("large"), 0, 0, 10)
      equal(fetched.length, 3)
      holds(
        fetched[1]!.value.every((byte, i) => byte === value[i]),
        "the large value came back as it was"
      )
      const reader = yield* topics.reader(topic("large"))
      equal(valuesOf(yield* reader.read(0, 2, 1)), ["after"])
    })
  ),
  story("tells a reader that records may have come, also between its read and its question", (topics, topic) =>
    Effect.gen(function* () {
      yield* topics.create(topic("signals"), { partitions: 1 })
      const reader = yield* topics.reader(topic("signals"))
      equal(yield* reader.read(0, 0, 1), null)
      yield* topics.produce(topic("signals"), 0, [record("between")])
      yield* reader.changed
      equal(valuesOf(yield* reader.read(0, 0, 1)), ["between"])
      equal(yield* reader.read(0, 1, 1), null)
      const waiting = yield* Effect.fork(
        Effect.all([reader.changed, topics.changed(topic("signals"))], { concurrency: 2 })
      )
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      yield* topics.produce(topic("signals"), 0, [record("later")])
      yield* Fiber.join(waiting)
      equal(valuesOf(yield* reader.read(0, 1, 1)), ["later"])
    })
  ),
  story("takes records of many producers at once, each call's together and in order", (topics, topic) =>
    Effect.gen(function* () {
      yield* topics.create(topic("crowd"), { partitions: 1 })
      const offsets = yield* Effect.forEach(
        sequence(0, 200),
        (n) => topics.produce(topic("crowd"), 0, [record(`${n} a`), record(`${n} b`)]),
        { concurrency: "unbounded" }
      )
      const values = (yield* topics.fetch(topic("crowd"), 0, 0, 1_000)).map(({ value }) => textOf(value))
      equal(values.length, 400)
      for (const [n, offset] of offsets.entries()) equal(values.slice(offset, offset + 2), [`${n} a`, `${n} b`])
    })
  ),
  story("recognises the record before an offset again, and another one not", (topics, topic) =>
    Effect.gen(function* () {
      yield* topics.create(topic("marks"), { partitions: 1 })
      yield* topics.produce(topic("marks"), 0, [record("a"), record("b"), record("a")])
      const reader = yield* topics.reader(topic("marks"))
      equal(yield* reader.markBefore(0, 0), null)
      const first = yield* reader.markBefore(0, 1)
      holds(first !== null && first.timestamp >= 0, "a mark of the first record")
      equal(yield* (yield* topics.reader(topic("marks"))).markBefore(0, 1), first)
      holds((yield* reader.markBefore(0, 2))?.checksum !== first?.checksum, "other values have other checksums")
      equal((yield* reader.markBefore(0, 3))?.checksum, first?.checksum)
    })
  )
]

// Private

const utf8 = new TextEncoder()
const sequence = (from: number, to: number): Array<number> => Array.from({ length: to - from }, (_, i) => from + i)
const numbered = (from: number, to: number) => sequence(from, to).map((n) => record(`value ${n}`))
const valuesOf = (batch: RecordBatch | null): Array<string> =>
  batch === null ? [] : sequence(0, batch.count).map((i) => textOf(rawEventAt(batch, i).value))

const peculiar: ReadonlyArray<ProducedRecord> = [
  { key: null, value: new Uint8Array(0), headers: [] },
  { key: new Uint8Array(0), value: new Uint8Array([0]), headers: [] },
  { key: new Uint8Array([0, 255]), value: utf8.encode("né"), headers: [{ name: "a", value: new Uint8Array(0) }] },
  {
    key: null,
    value: utf8.encode("x"),
    headers: [
      { name: "weir.grüße", value: new Uint8Array([1, 2, 3]) },
      { name: "twice", value: utf8.encode("1") },
      { name: "twice", value: utf8.encode("2") }
    ]
  }
]
const checkPeculiar = (topics: TopicsService, topic: string) =>
  Effect.gen(function* () {
    const fetched = yield* topics.fetch(topic, 0, 0, 10)
    equal(
      fetched.map(({ key, value, headers }) => ({ key, value, headers })),
      peculiar
    )
    const times = fetched.map(({ timestamp }) => timestamp)
    holds(
      times.every((time) => Number.isSafeInteger(time) && time === times[0]),
      "append times are milliseconds"
    )
    const batch = yield* (yield* topics.reader(topic)).read(0, 0, 10)
    equal(
      sequence(0, 4).map((i) => [rawEventAt(batch!, i).key, rawEventAt(batch!, i).value]),
      peculiar.map(({ key, value }) => [key, value])
    )
    equal([...batch!.timestamps], times)
  })
