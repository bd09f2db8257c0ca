/** A source over partitions of numbers: where it cuts, when it falls idle, where it refuses to go on. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, TestClock } from "effect"
import type { Cut } from "../../src/checkpoint/Coordinator.ts"
import type { SourceReader } from "../../src/flow/Source.ts"
import type { RecordBatch } from "../../src/model/Event.ts"
import type { Message, PartitionCut } from "../../src/model/Message.ts"
import * as SourceActor from "../../src/runtime/SourceActor.ts"
import { recordsOf } from "../operator/Messages.ts"

/** Partitions that grow while they are read. */
const readerOf = (
  partitions: Array<Array<string>>,
  oldest = 0
): Effect.Effect<{ reader: SourceReader; stir: Effect.Effect<void> }> =>
  Effect.gen(function* () {
    const latch = yield* Effect.makeLatch(false)
    const reader: SourceReader = {
      identity: "numbers",
      finite: false,
      partitions: Effect.sync(() => partitions.map((all, partition) => ({ partition, oldest, latest: all.length }))),
      read: (partition, offset, recordsMax) =>
        Effect.sync(() => {
          const some = partitions[partition]!.slice(offset, offset + recordsMax)
          return some.length === 0 ? null : batchOf(partition, some, offset)
        }),
      changed: Effect.zipRight(latch.close, latch.await),
      markBefore: (partition, offset) =>
        Effect.sync(() =>
          offset === 0 ? null : { timestamp: 1, checksum: Number(partitions[partition]![offset - 1]) }
        )
    }
    return { reader, stir: latch.open }
  })

const batchOf = (partition: number, values: ReadonlyArray<string>, offset: number): RecordBatch => ({
  ...recordsOf(values).records,
  partition,
  offsets: Float64Array.from(values, (_, i) => offset + i),
  nextOffset: offset + values.length
})

const cutOf = (epoch: number, closedAt: number, partitions: Cut["partitions"] = null): Cut => ({
  epoch,
  openedAt: 0,
  closedAt,
  final: false,
  partitions
})

const start = (reader: SourceReader, options: Partial<SourceActor.SourceOptions> = {}) =>
  Effect.gen(function* () {
    const sent: Array<Message> = []
    const attention = yield* Effect.makeLatch(false)
    const source = yield* SourceActor.make({
      id: "numbers",
      reader,
      startAt: "earliest",
      restored: [],
      mark: null,
      ends: null,
      recordsPerEpochMax: null,
      idleAfterMillis: 30_000,
      attention,
      send: (message) => Effect.sync(() => void sent.push(message)),
      ...options
    })
    yield* Effect.forkScoped(source.run)
    source.opened(0)
    yield* settle
    return { source, sent, attention }
  })

/** Lets the source do what it can without the clock. */
const settle = Effect.repeatN(Effect.yieldNow(), 50)

const records = (sent: ReadonlyArray<Message>): number =>
  sent.reduce((sum, message) => sum + (message._tag === "Records" ? message.records.count : 0), 0)
const states = (cuts: ReadonlyArray<PartitionCut>): string =>
  cuts.map(({ offset, state }) => `${offset} ${state}`).join(", ")

describe("a source", () => {
  it.scoped("cuts where it stands, and sends the barrier after the records", () =>
    Effect.gen(function* () {
      const { reader } = yield* readerOf([["1", "2", "3"], ["4"]])
      const { sent, source } = yield* start(reader)
      expect(states(yield* source.cut(cutOf(1, 5)))).toBe("3 active, 1 active")
      expect(records(sent)).toBe(4)
      expect(sent.at(-1)).toMatchObject({ _tag: "Barrier", epoch: 1, closedAt: 5 })
    })
  )

  it.scoped("takes a partition without a record for idle at once in a bounded run, until a record comes", () =>
    Effect.gen(function* () {
      const partitions = [["1"], [], [], []]
      const { reader } = yield* readerOf(partitions)
      const restored: ReadonlyArray<PartitionCut> = [{ source: "numbers", partition: 2, offset: 0, state: "active" }]
      const ends = new Map([0, 1, 2, 3].map((partition) => [partition, partitions[partition]!.length]))
      const bounded = yield* start(reader, { ends, restored, emptyIsIdle: true })
      expect(states(bounded.source.start)).toBe("0 active, 0 idle, 0 active, 0 idle")
      // One that was cut as active turns: that is an epoch's affair. One that was never cut does not.
      expect(bounded.source.status(0).turned).toBe(true)
      expect(states(yield* bounded.source.cut(cutOf(1, 0)))).toBe("1 active, 0 idle, 0 idle, 0 idle")
      expect(bounded.source.status(0).turned).toBe(false)
      const unbounded = yield* start(reader)
      expect(states(yield* unbounded.source.cut(cutOf(1, 0)))).toBe("1 active, 0 active, 0 active, 0 active")
      partitions[1]!.push("2")
      const cuts = [0, 1, 2, 3].map(
        (partition): PartitionCut => ({ source: "numbers", partition, offset: 0, state: "idle" })
      )
      const next = yield* start(reader, { ends: new Map([[1, 1]]), restored: cuts, emptyIsIdle: true })
      expect(states(yield* next.source.cut(cutOf(2, 0)))).toBe("0 idle, 1 active, 0 idle, 0 idle")
    })
  )

  it.scoped("takes a partition that has been silent for idle, once, until a record comes", () =>
    Effect.gen(function* () {
      const partitions = [["1"], ["2"]]
      const { reader, stir } = yield* readerOf(partitions)
      const { source } = yield* start(reader)
      expect(states(yield* source.cut(cutOf(1, 0)))).toBe("1 active, 1 active")
      yield* TestClock.adjust("20 seconds")
      partitions[0]!.push("3")
      yield* stir
      yield* settle
      expect(source.status(20_000)).toMatchObject({ records: 1, turned: false })
      expect(states(yield* source.cut(cutOf(2, 20_000)))).toBe("2 active, 1 active")
      yield* TestClock.adjust("11 seconds")
      // A topic may stir without a record: the silence goes on.
      yield* stir
      yield* settle
      expect(source.status(31_000)).toMatchObject({ records: 0, turned: true })
      expect(states(yield* source.cut(cutOf(3, 31_000)))).toBe("2 active, 1 idle")
      for (const now of [32_000, 40_000]) {
        yield* TestClock.adjust("1 seconds")
        expect(source.status(now)).toMatchObject({ records: 0, turned: false })
      }
      partitions[1]!.push("4")
      yield* stir
      yield* settle
      expect(states(yield* source.cut(cutOf(4, 41_000)))).toBe("2 active, 2 active")
    })
  )

  it.scoped("takes no partition for idle while something is left to fetch of it", () =>
    Effect.gen(function* () {
      const { reader } = yield* readerOf([["1", "2"]])
      const { source } = yield* start(reader, { recordsPerEpochMax: 1 })
      yield* TestClock.adjust("40 seconds")
      expect(states(yield* source.cut(cutOf(1, 40_000)))).toBe("1 active")
    })
  )

  it.scoped("takes no partition for idle before it was silent for so long since it was assigned", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("60 seconds")
      const { reader } = yield* readerOf([[]])
      const { source } = yield* start(reader)
      expect(states(yield* source.cut(cutOf(1, 89_000)))).toBe("0 active")
      expect(states(yield* source.cut(cutOf(2, 90_000)))).toBe("0 idle")
    })
  )

  it.scoped("reads a partition that it finds while it runs from the beginning, wherever the others began", () =>
    Effect.gen(function* () {
      const partitions = [["1"]]
      const { reader, stir } = yield* readerOf(partitions)
      const { sent, source } = yield* start(reader, { startAt: "latest" })
      partitions.push(["2", "3"])
      yield* source.refresh
      yield* stir
      yield* settle
      expect(states(yield* source.cut(cutOf(1, 0)))).toBe("1 active, 2 active")
      expect(records(sent)).toBe(2)
    })
  )

  it.scoped("goes on with the idle partitions of its checkpoint, without an epoch to say so", () =>
    Effect.gen(function* () {
      const { reader } = yield* readerOf([["1"]])
      const restored: ReadonlyArray<PartitionCut> = [{ source: "numbers", partition: 0, offset: 1, state: "idle" }]
      const { source } = yield* start(reader, { restored })
      expect(source.status(1)).toMatchObject({ records: 0, turned: false })
    })
  )

  it.scoped("replays an intent to its cuts and not a record further", () =>
    Effect.gen(function* () {
      const { reader } = yield* readerOf([
        ["1", "2", "3", "4"],
        ["5", "6"]
      ])
      const sent: Array<Message> = []
      const source = yield* SourceActor.make({
        id: "numbers",
        reader,
        startAt: "earliest",
        restored: [],
        mark: null,
        ends: null,
        recordsPerEpochMax: null,
        idleAfterMillis: 30_000,
        attention: yield* Effect.makeLatch(false),
        send: (message) => Effect.sync(() => void sent.push(message))
      })
      yield* Effect.forkScoped(source.run)
      const partitions: ReadonlyArray<PartitionCut> = [
        { source: "numbers", partition: 0, offset: 3, state: "active" },
        { source: "numbers", partition: 1, offset: 1, state: "idle" }
      ]
      const cut = yield* Effect.fork(source.cut({ ...cutOf(2, 9, partitions), openedAt: 7 }))
      expect(yield* Fiber.join(cut)).toEqual(partitions)
      yield* settle
      expect(records(sent)).toBe(4)
      expect(sent.filter((message) => message._tag === "Records").every((message) => message.openedAt === 7)).toBe(true)
    })
  )

  it.scoped("asks again for what an intent names and the source holds, and refuses what it does not hold", () =>
    Effect.gen(function* () {
      const partitions = [["1", "2", "3"]]
      const { reader } = yield* readerOf(partitions)
      let withheld = 3
      const slow: SourceReader = {
        ...reader,
        read: (...from) => (withheld-- > 0 ? Effect.succeed(null) : reader.read(...from))
      }
      const replay = (offset: number) =>
        Effect.flatMap(start(slow), ({ source }) =>
          source.cut(cutOf(1, 5, [{ source: "numbers", partition: 0, offset, state: "active" }]))
        )
      const patient = yield* Effect.fork(replay(3))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(patient)).toMatchObject([{ offset: 3 }])
      expect(withheld).toBeLessThan(0)
      const refusal = yield* Effect.flip(replay(4))
      expect(refusal).toMatchObject({ _tag: "SourceReplaced", retry: false })
      expect(refusal.message).toContain("partition 0 ends at 3, before offset 4 that an intent names")
    })
  )

  it.scoped("counts the records of a source that forgets some, and refuses to compute an epoch again of fewer", () =>
    Effect.gen(function* () {
      const gone = new Set<number>([1])
      const { reader: whole } = yield* readerOf([["1", "2", "3", "4", "5"]])
      const reader: SourceReader = {
        ...whole,
        forgets: true,
        read: (partition, offset, recordsMax) =>
          Effect.map(whole.read(partition, offset, recordsMax), (batch) => {
            if (batch === null) return null
            const offsets = Array.from(batch.offsets).filter((offset) => !gone.has(offset))
            const left = batchOf(partition, offsets.map(String), offset)
            return { ...left, offsets: Float64Array.from(offsets), nextOffset: batch.nextOffset }
          })
      }
      const first = yield* start(reader)
      const cuts = yield* first.source.cut(cutOf(1, 5))
      expect(cuts).toEqual([{ source: "numbers", partition: 0, offset: 5, state: "active", records: 4 }])
      const replayed = Effect.gen(function* () {
        const source = yield* SourceActor.make({
          id: "numbers",
          reader,
          startAt: "earliest",
          restored: [],
          mark: null,
          ends: null,
          recordsPerEpochMax: null,
          idleAfterMillis: 30_000,
          attention: yield* Effect.makeLatch(false),
          send: () => Effect.void
        })
        yield* Effect.forkScoped(source.run)
        return yield* source.cut(cutOf(1, 5, cuts))
      })
      expect(yield* replayed).toEqual(cuts)
      gone.add(3)
      const refusal = yield* Effect.flip(replayed)
      expect(refusal).toMatchObject({ _tag: "SourceReplaced", retry: false })
      expect(refusal.message).toContain("1 records of partition 0 before offset 5 are gone")
      gone.delete(1)
      gone.delete(3)
      // The next epoch counts from its own beginning.
      expect(yield* first.source.cut(cutOf(2, 6))).toMatchObject([{ offset: 5, records: 0 }])
    })
  )

  it.scoped("reads no more than the job allows in an epoch, in fair shares", () =>
    Effect.gen(function* () {
      const all = Array.from({ length: 100 }, (_, i) => `${i}`)
      const { reader } = yield* readerOf([all, all])
      const { source } = yield* start(reader, { recordsPerEpochMax: 20 })
      expect(source.status(1)).toMatchObject({ records: 20, full: "rate" })
      expect(states(yield* source.cut(cutOf(1, 1)))).toBe("10 active, 10 active")
    })
  )

  it.scoped("ends an epoch where its reader says, as far as that knows, and goes on behind the cut", () =>
    Effect.gen(function* () {
      const partitions = [["1", "2", "3", "4", "5"]]
      const { reader, stir } = yield* readerOf(partitions)
      const epochEnd = (_: number, from: number) =>
        from + 3 <= partitions[0]!.length ? from + 3 : Number.POSITIVE_INFINITY
      const { source } = yield* start({ ...reader, epochEnd })
      expect(source.status(1)).toMatchObject({ records: 3, full: "rate" })
      expect(states(yield* source.cut(cutOf(1, 1)))).toBe("3 active")
      yield* settle
      expect(source.status(2)).toMatchObject({ records: 2, full: null })
      partitions[0]!.push("6", "7", "8")
      yield* stir
      yield* settle
      expect(source.status(3)).toMatchObject({ records: 3, full: "rate" })
      expect(states(yield* source.cut(cutOf(2, 3)))).toBe("6 active")
      yield* settle
      expect(states(yield* source.cut(cutOf(3, 4)))).toBe("8 active")
    })
  )

  it.scoped("ends a bounded run where its partitions ended when it began", () =>
    Effect.gen(function* () {
      const partitions = [["1", "2"]]
      const { reader, stir } = yield* readerOf(partitions)
      const { source } = yield* start(reader, { ends: new Map([[0, 2]]) })
      partitions[0]!.push("3")
      yield* stir
      yield* settle
      expect(source.status(1)).toMatchObject({ records: 2, ended: true })
    })
  )

  it.effect("refuses an offset that is gone, and another log than the checkpoint's", () =>
    Effect.gen(function* () {
      const make = (oldest: number, mark: SourceActor.SourceOptions["mark"]) =>
        Effect.flatMap(readerOf([["1", "2", "3"]], oldest), ({ reader }) =>
          Effect.flip(
            Effect.scoped(
              start(reader, { restored: [{ source: "numbers", partition: 0, offset: 2, state: "active" }], mark })
            )
          )
        )
      const partitions = [{ partition: 0, offset: 2, timestamp: 1, checksum: 2 }]
      expect(yield* make(3, null)).toMatchObject({ _tag: "OffsetOutOfRange", wanted: 2, oldest: 3 })
      expect(yield* make(0, { source: "numbers", identity: "another", partitions })).toMatchObject({
        _tag: "SourceReplaced"
      })
      const changed = [{ ...partitions[0]!, checksum: 7 }]
      expect(yield* make(0, { source: "numbers", identity: "numbers", partitions: changed })).toMatchObject({
        _tag: "SourceReplaced"
      })
    })
  )
})
