import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, FastCheck, Schema, type Scope } from "effect"
import { Topic } from "../../src/connectors/topic/index.ts"
import type { OwnWriter, Sink, SinkOpening } from "../../src/flow/Sink.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Int64 } from "../../src/model/Columns.ts"
import type { Invalid } from "../../src/model/Event.ts"
import type { Barrier, Batch } from "../../src/model/Message.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const utf8 = new TextEncoder()
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

const Row = Schema.Struct({ name: Schema.String, amount: Int64, share: Schema.Number })
type Row = typeof Row.Type
const row = (name: string, amount = 1n, share = 0): Row => ({ name, amount: amount as Int64, share })

const opening = (more: Partial<SinkOpening> = {}): SinkOpening => ({
  job: "job",
  sink: "out",
  lineage: 1,
  generation: 1,
  manifestEpoch: 0,
  intentEpochs: [],
  position: null,
  ...more
})

const barrier = (epoch: number): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: 1_000 * epoch,
  closedAt: 1_000 * epoch + 500,
  final: false,
  partitions: [],
  watermark: 0,
  idle: false
})

const batch = <A>(origin: string, partition: number, from: number, values: ReadonlyArray<A>): Batch<A> => ({
  _tag: "Batch",
  origin,
  partition,
  openedAt: 1_000,
  values,
  offsets: Float64Array.from(values, (_, i) => from + i),
  rows: null,
  eventTimes: null,
  ownWatermarks: null,
  records: null,
  recordIndexes: null
})

const opened = <A, E>(sink: Sink<A, E, Topics, unknown>, from: SinkOpening = opening()) =>
  Effect.map(sink.open(from), (writer) => writer as OwnWriter)

const contents = (topic: string) =>
  Effect.gen(function* () {
    const topics = yield* Topics
    const { partitions } = yield* topics.describe(topic)
    return yield* Effect.forEach(partitions, ({ partition }) => topics.fetch(topic, partition, 0, 1_000))
  })
const valuesOf = (topic: string) =>
  Effect.map(contents(topic), (partitions) => partitions.map((records) => records.map(({ value }) => text(value))))

const withTopics = <A, E>(effect: Effect.Effect<A, E, Topics | Scope.Scope>) =>
  effect.pipe(Effect.scoped, Effect.provide(TopicsMemory.layer()))

describe("a source", () => {
  it.effect("is called as its topic, and reads what was produced to it", () =>
    withTopics(
      Effect.gen(function* () {
        const source = Topic.source("orders")
        expect([source.name, source.label]).toEqual(["orders", "topic orders"])
        const reader = yield* source.open
        yield* (yield* Topics).produce("orders", 2, [{ key: null, value: utf8.encode("a"), headers: [] }])
        expect((yield* reader.partitions).map(({ latest }) => latest)).toEqual([0, 0, 1, 0])
        expect((yield* reader.read(2, 0, 10))?.count).toBe(1)
      })
    )
  )
})

describe("a sink", () => {
  it.effect("writes rows as the JSON of their schema, to the partition that they came from", () =>
    withTopics(
      Effect.gen(function* () {
        const writer = yield* opened(Topic.sink("out", Row))
        const batches = [batch("in", 1, 0, [row("a", 2n ** 62n)]), batch("in", 6, 0, [row("b")])]
        const prepared = yield* writer.prepare({ barrier: barrier(1), batches })
        expect(prepared).toMatchObject({ epoch: 1, rows: 2, invalid: [] })
        expect(yield* valuesOf("out")).toEqual([[], [], [], []])
        expect(yield* writer.commit(prepared)).toBe("written")
        const [, second, third] = yield* valuesOf("out")
        expect(second).toEqual([expect.stringContaining('"a"')])
        expect(second![0]).toContain("4611686018427387904")
        expect(third).toEqual([expect.stringContaining('"b"')])
      })
    )
  )

  it.effect("writes the key and the headers that a job chooses, and keeps records of a key together and in order", () =>
    withTopics(
      Effect.gen(function* () {
        const keyed = Topic.sink("out", Row, {
          key: ({ name }) => (name === "none" ? null : name === "bytes" ? Uint8Array.of(0, 255) : name),
          headers: ({ name }) => (name === "none" ? {} : { kind: "é", raw: Uint8Array.of(1, 2) })
        })
        // The partitions of 4 that Java's partitioner gives: as of its own tests, murmur2("21") is -973932308, for one.
        const partitions = { "21": (-973_932_308 & 0x7fff_ffff) % 4, abc: (479_470_107 & 0x7fff_ffff) % 4 }
        const names = ["21", "abc", "none", "bytes", "21", "abc"]
        const writer = yield* opened(keyed)
        const batches = names.map((name, i) => batch("in", i % 3, i, [row(name, BigInt(i))]))
        yield* writer.commit(yield* writer.prepare({ barrier: barrier(1), batches: batches.toReversed() }))
        const found = yield* contents("out")
        const ofKey = (key: string) =>
          found.flatMap((records, partition) =>
            records.flatMap((record) =>
              record.key !== null && text(record.key) === key
                ? [[partition, JSON.parse(text(record.value)).amount]]
                : []
            )
          )
        expect(ofKey("21")).toEqual([
          [partitions["21"], 0],
          [partitions["21"], 4]
        ])
        expect(ofKey("abc").map(([partition]) => partition)).toEqual([partitions.abc, partitions.abc])
        const rest = found.flat().filter(({ key }) => key === null || key[0] === 0)
        expect(rest.map(({ key, headers }) => [key, headers.length])).toEqual(
          expect.arrayContaining([
            [null, 0],
            [Uint8Array.of(0, 255), 2]
          ])
        )
        // Without a key: by its place, partition 2 of 4.
        expect(found[2]!.some(({ key }) => key === null)).toBe(true)
        expect(found.flat().find(({ key }) => key !== null)!.headers).toEqual([
          { name: "kind", value: utf8.encode("é") },
          { name: "raw", value: Uint8Array.of(1, 2) }
        ])
      })
    )
  )

  it.effect("sets a row aside that JSON has no text for, with what can be shown of it", () =>
    withTopics(
      Effect.gen(function* () {
        const writer = yield* opened(Topic.sink("out", Row))
        const batches = [batch("in", 0, 7, [row("fits"), row("odd", 3n, Number.NaN)])]
        const prepared = yield* writer.prepare({ barrier: barrier(1), batches })
        expect(prepared.rows).toBe(1)
        expect(prepared.invalid).toHaveLength(1)
        expect(prepared.invalid[0]).toMatchObject({ step: "out", reason: "refused row", event: { offset: 8 } })
        expect(prepared.invalid[0]!.cause).toContain("NaN")
        expect(JSON.parse(text(prepared.invalid[0]!.event.value))).toEqual({ name: "odd", amount: "3", share: null })
        yield* writer.commit(prepared)
        expect((yield* valuesOf("out"))[0]).toHaveLength(1)
      })
    )
  )

  it.effect("writes the same records in the same order, however the batches of the epoch were cut and came", () =>
    withTopics(
      Effect.gen(function* () {
        const rows = Array.from({ length: 40 }, (_, i) => ({ origin: i % 2 ? "b" : "a", partition: i % 3, offset: i }))
        const batchOf = (of: (typeof rows)[number]) => batch(of.origin, of.partition, of.offset, [row(`${of.offset}`)])
        const runs = FastCheck.sample(FastCheck.shuffledSubarray(rows, { minLength: 40 }), { numRuns: 20, seed: 1 })
        const seen = new Set<string>()
        for (const [run, shuffled] of runs.entries()) {
          const writer = yield* opened(Topic.sink(`out-${run}`, Row))
          const prepared = yield* writer.prepare({ barrier: barrier(1), batches: shuffled.map(batchOf) })
          yield* writer.commit(prepared)
          seen.add(JSON.stringify([prepared.digest, yield* valuesOf(`out-${run}`)]))
        }
        expect(seen.size).toBe(1)
      })
    )
  )

  it.effect("has another digest for other rows", () =>
    withTopics(
      Effect.gen(function* () {
        const writer = yield* opened(Topic.sink("out", Row))
        const digests = yield* Effect.forEach([row("a"), row("b"), row("a", 2n)], (value) =>
          Effect.map(writer.prepare({ barrier: barrier(1), batches: [batch("in", 0, 0, [value])] }), (p) => p.digest)
        )
        expect(new Set(digests).size).toBe(3)
      })
    )
  )

  it.effect("answers that an epoch is there when it is committed again after a restart", () =>
    withTopics(
      Effect.gen(function* () {
        const rows = { barrier: barrier(1), batches: [batch("in", 0, 0, [row("a")])] }
        const writer = yield* opened(Topic.sink("out", Row))
        yield* writer.commit(yield* writer.prepare(rows))
        const restarted = yield* opened(Topic.sink("out", Row), opening({ generation: 2, intentEpochs: [1] }))
        expect(yield* restarted.commit(yield* restarted.prepare(rows))).toBe("already there")
        const late = yield* Effect.exit(writer.commit(yield* writer.prepare({ ...rows, barrier: barrier(2) })))
        expect(Exit.isFailure(late)).toBe(true)
        expect((yield* valuesOf("out"))[0]).toHaveLength(1)
      })
    )
  )
})

describe("dead letters", () => {
  it.effect("keep bytes and key as they came, and say where they came from and why", () =>
    withTopics(
      Effect.gen(function* () {
        const invalid: Invalid = {
          event: {
            key: utf8.encode("k"),
            value: new Uint8Array([255, 0]),
            partition: 5,
            offset: 77,
            timestamp: 1_234
          },
          step: "decode",
          reason: "undecodable",
          cause: "x".repeat(5_000)
        }
        const writer = yield* opened(Topic.deadLetter("orders.invalid"))
        const rows = { barrier: barrier(3), batches: [batch("orders", 5, 77, [invalid])] }
        yield* writer.commit(yield* writer.prepare(rows))
        const [record] = (yield* contents("orders.invalid"))[1]!
        expect([...record!.value]).toEqual([255, 0])
        expect(text(record!.key!)).toBe("k")
        const headers = Object.fromEntries(record!.headers.map(({ name, value }) => [name, text(value)]))
        expect(headers["weir.cause"]!.length).toBeLessThan(2_100)
        expect({ ...headers, "weir.cause": "" }).toEqual({
          "weir.job": "job",
          "weir.step": "decode",
          "weir.reason": "undecodable",
          "weir.cause": "",
          "weir.source": "orders",
          "weir.partition": "5",
          "weir.offset": "77",
          "weir.timestamp": "1234",
          "weir.epoch": "3",
          "weir.closedAt": "3500"
        })
      })
    )
  )
})
