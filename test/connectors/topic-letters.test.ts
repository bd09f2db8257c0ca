import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { Topic } from "../../src/connectors/topic/index.ts"
import type { OwnWriter, Sink, SinkError, SinkOpening } from "../../src/flow/Sink.ts"
import { Topics } from "../../src/flow/Topics.ts"
import type { Invalid } from "../../src/model/Event.ts"
import type { Batch } from "../../src/model/Message.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"
import { recordsOf } from "../operator/Messages.ts"

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
const opening: SinkOpening = {
  job: "job",
  sink: "aside",
  lineage: 1,
  generation: 1,
  manifestEpoch: 0,
  intentEpochs: [],
  position: null,
  lateOf: "minutes"
}
const barrier = {
  _tag: "Barrier",
  epoch: 4,
  openedAt: 0,
  closedAt: 9,
  final: false,
  partitions: [],
  watermark: 0,
  idle: false
} as const

const records = recordsOf(["one", "two", "three"], ["k"])
const batch = <A>(values: ReadonlyArray<A>, of: Partial<Batch<A>> = {}): Batch<A> => ({
  _tag: "Batch",
  origin: "orders",
  partition: 3,
  openedAt: 77,
  values,
  offsets: Float64Array.from(values, (_, i) => 10 + 2 * i),
  rows: null,
  eventTimes: null,
  ownWatermarks: null,
  records: null,
  recordIndexes: null,
  ...of
})

/** Writes a batch, and reads the letters of partition 3 back. */
const kept = (sink: Sink<never, SinkError, Topics>, of: Batch) =>
  Effect.gen(function* () {
    const letters = sink.letters!
    const reader = yield* letters.open
    expect(yield* reader.partitions).toEqual([])
    const writer = (yield* sink.open(opening)) as OwnWriter
    yield* writer.commit(yield* writer.prepare({ barrier, batches: [of] }))
    expect((yield* reader.partitions).map(({ latest }) => latest)).toEqual([0, 0, 0, of.values.length])
    const read = yield* reader.read(3, 0)
    expect(read.nextOffset).toBe(of.values.length)
    expect(yield* reader.read(3, read.nextOffset)).toEqual({ letters: [], nextOffset: read.nextOffset })
    return read.letters
  }).pipe(Effect.scoped, Effect.provide(TopicsMemory.layer()))

describe("a letter", () => {
  it.effect("of a late event is its record, at its own place, with the step that it was late for", () =>
    Effect.gen(function* () {
      const late = batch(["a", "b"], { records: records.records, recordIndexes: Int32Array.of(0, 2) })
      const letters = yield* kept(Topic.late("orders.late"), late)
      const [first, second] = letters
      expect(first).toMatchObject({
        job: "job",
        source: "orders",
        step: "minutes",
        reason: "late",
        row: null,
        epoch: 4
      })
      expect(letters.map(({ event }) => [text(event!.value), event!.key && text(event!.key)])).toEqual([
        ["one", "k"],
        ["three", null]
      ])
      expect(second!.event).toMatchObject({ partition: 3, offset: 14, timestamp: 1002 })
    })
  )

  it.effect("of a late row whose record is gone is its JSON, and can only be looked at", () =>
    Effect.gen(function* () {
      const [letter] = yield* kept(Topic.late("rows.late"), batch([{ count: 5n }]))
      expect(letter).toMatchObject({ reason: "late", event: null })
    })
  )

  it.effect("of a record that could not be used says which of its rows it was", () =>
    Effect.gen(function* () {
      const invalid: Invalid = {
        event: { key: null, value: new Uint8Array([1, 2]), partition: 3, offset: 12, timestamp: 5 },
        step: "eventTime",
        reason: "far future",
        cause: "too far"
      }
      const [letter] = yield* kept(Topic.deadLetter("aside"), batch([invalid], { rows: Float64Array.of(2) }))
      expect(letter).toMatchObject({ step: "eventTime", source: "orders", row: 2, event: invalid.event })
    })
  )

  it.effect("of a row that a sink refused has its record's place, and cannot be put through again", () =>
    Effect.gen(function* () {
      const refused: Invalid = {
        event: { key: null, value: new Uint8Array([1]), partition: 3, offset: 12, timestamp: 5 },
        step: "orders_table",
        reason: "refused row",
        cause: "too long",
        origin: "orders",
        row: 1
      }
      const aside = batch([refused], { origin: "refused rows", rows: Float64Array.of(0) })
      const [letter] = yield* kept(Topic.deadLetter("aside"), aside)
      expect(letter).toMatchObject({ source: "orders", step: "orders_table", row: 1, event: null })
    })
  )

  it.effect("that somebody else wrote to the topic is of no job", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* topics.create("aside", { partitions: 1 })
      yield* topics.produce("aside", 0, [{ key: null, value: new Uint8Array([1]), headers: [] }])
      const reader = yield* Topic.deadLetter("aside").letters!.open
      const { letters } = yield* reader.read(0, 0)
      expect(letters).toMatchObject([{ job: "", event: null }])
    }).pipe(Effect.scoped, Effect.provide(TopicsMemory.layer()))
  )
})
