/**
 * A job whose `allowedLateness` is longer after a restart: what was still kept takes events for longer, what was
 * forgotten stays as it was. Rows are held against loops over all records, wherever the lives of the job end.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Deferred, Effect, Exit, Fiber, Layer, Logger, LogLevel, Schema, Scope } from "effect"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Aggregate, Flow, Instant, InstantFromMillis, Int64, Job, Trigger, Window } from "../../src/index.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"
import * as CrashPoints from "./CrashPoints.ts"

const Event = Schema.Struct({ id: Schema.Int, key: Schema.String, at: InstantFromMillis })
const Row = Schema.Struct({ key: Schema.String, windowStart: Instant, events: Int64, highest: Schema.Int })
const Paired = Schema.Struct({ id: Schema.Int, other: Schema.NullOr(Schema.Int) })
const Late = Schema.Struct({ id: Schema.Int })

const outOfOrder = 1_000
const size = 10_000
const within = { before: 2_000, after: 6_000 }
/** Before the restart and after it. */
const lateness = [2_000, 25_000] as const

const job = Job.make("raised", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () => {
    const timed = (topic: string) =>
      Flow.from(Topic.source(topic)).pipe(
        Flow.decode(Event),
        Flow.eventTime((event) => event.at, { maxOutOfOrderness: "1 second" }),
        Flow.keyBy("key")
      )
    const lefts = timed("lefts")
    const windows = lefts.pipe(Flow.window(Window.tumbling("10 seconds")))
    const aggregates = { events: Aggregate.count, highest: Aggregate.max((event: typeof Event.Type) => event.id) }
    const updated = windows.pipe(Flow.aggregate("by-update", aggregates))
    const closed = windows.pipe(Flow.aggregate("by-close", aggregates), Flow.emit("onClose"))
    const pairs = lefts.pipe(
      Flow.join("pairing", timed("rights"), { within: { before: "2 seconds", after: "6 seconds" }, type: "left" })
    )
    const ids = Flow.map(({ id }: typeof Event.Type) => ({ id }))
    return [
      updated.pipe(Flow.to(Sql.upsert("updated", Row, { key: ["key", "windowStart"] }))),
      closed.pipe(Flow.to(Sql.append("closed", Row))),
      updated.late.pipe(ids, Flow.to(Sql.append("late", Late))),
      pairs.pipe(
        Flow.map(({ left, right }) => ({ id: left.id, other: right?.id ?? null })),
        Flow.to(Sql.append("pairs", Paired))
      ),
      pairs.late.pipe(ids, Flow.to(Sql.append("late_lefts", Late))),
      pairs.lateOther.pipe(ids, Flow.to(Sql.append("late_rights", Late)))
    ]
  }
})

// The records of each topic, in the order in which they came: those of the first life, then those of the second.

interface Came {
  readonly id: number
  readonly key: string
  readonly at: number
  readonly partition: number
  readonly life: 0 | 1
}

const start = Date.UTC(2024, 0, 1)
const spread = (i: number, range: number): number => (i * 7_919) % range
const records = (count: number, shift: number): ReadonlyArray<Came> =>
  Array.from({ length: count }, (_, id) => {
    const delay = id % 4 === 3 ? spread(id + shift, 45_000) : spread(id + shift, 900)
    return {
      id,
      key: "abc"[spread(id + shift, 3)]!,
      at: start + 50_000 + id * 400 - delay,
      partition: spread(id, 2),
      life: id < count / 2 ? 0 : 1
    }
  })
const lefts = records(400, 0)
const rights = records(400, 11)

// The oracle.

/** The watermarks of partitions when the first life ended. */
const watermarksOf = (all: ReadonlyArray<Came>): ReadonlyArray<number> =>
  [0, 1].map((number) => {
    const own = all.filter(({ life, partition }) => life === 0 && partition === number)
    return Math.max(...own.map(({ at }) => at)) - outOfOrder
  })

/** Each record with the watermark of its own partition before it. */
const watched = (all: ReadonlyArray<Came>): ReadonlyArray<Came & { readonly watermark: number }> => {
  const highest = [Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY]
  return all.map((record) => {
    const watermark = highest[record.partition]! - outOfOrder
    highest[record.partition] = Math.max(highest[record.partition]!, record.at)
    return { ...record, watermark }
  })
}

/** What is too late for its windows by the rule of its life, and what is of a window that the first life forgot. */
const judgedForWindows = () => {
  const forgottenUntil = Math.min(...watermarksOf(lefts)) - lateness[0]
  return watched(lefts).map((record) => {
    const windowEnd = record.at - (record.at % size) + size
    return {
      ...record,
      windowStart: windowEnd - size,
      late: windowEnd + lateness[record.life] <= record.watermark,
      forgotten: record.life === 1 && windowEnd <= forgottenUntil
    }
  })
}

const judgedForPairs = (all: ReadonlyArray<Came>) => {
  const forgottenUntil = Math.min(...watermarksOf(lefts), ...watermarksOf(rights)) - lateness[0]
  return watched(all).map((record) => ({
    ...record,
    late: record.at + lateness[record.life] < record.watermark,
    forgotten: record.life === 1 && record.at < forgottenUntil
  }))
}

type Judged = { readonly id: number; readonly late: boolean; readonly forgotten: boolean }
const isIn = ({ forgotten, late }: Judged): boolean => !late && !forgotten
const idsOf = (all: ReadonlyArray<Judged>) => all.flatMap((one) => (isIn(one) ? [] : [{ id: one.id }]))

const expectedRows = () => {
  const windows = new Map<string, { key: string; window_start: number; events: number; highest: number }>()
  for (const event of judgedForWindows().filter(isIn)) {
    const name = `${event.key} ${event.windowStart}`
    const { events, highest } = windows.get(name) ?? { events: 0, highest: 0 }
    const row = { key: event.key, window_start: event.windowStart, events: events + 1 }
    windows.set(name, { ...row, highest: Math.max(highest, event.id) })
  }
  const [left, right] = [judgedForPairs(lefts), judgedForPairs(rights)]
  const pairs = left.filter(isIn).flatMap(({ at, id, key }): ReadonlyArray<object> => {
    const found = right.filter(
      (one) => isIn(one) && one.key === key && one.at >= at - within.before && one.at <= at + within.after
    )
    return found.length === 0 ? [{ id, other: null }] : found.map((one) => ({ id, other: one.id }))
  })
  return {
    updated: [...windows.values()],
    closed: [...windows.values()],
    late: idsOf(judgedForWindows()),
    pairs,
    late_lefts: idsOf(left),
    late_rights: idsOf(right)
  }
}

// The world.

const encoder = new TextEncoder()
const produce = (topic: string, all: ReadonlyArray<Came>) =>
  Effect.flatMap(Topics, (topics) =>
    Effect.forEach([0, 1], (number) =>
      topics.produce(
        topic,
        number,
        all.flatMap(({ at, id, key, partition }) =>
          partition === number
            ? [{ key: null, value: encoder.encode(JSON.stringify({ id, key, at })), headers: [] }]
            : []
        )
      )
    )
  )

/** Brings the records of a life into the topics. */
const bring = (store: TopicsMemory.Store, life: 0 | 1) =>
  Effect.forEach(Object.entries({ lefts, rights }), ([topic, all]) =>
    Effect.gen(function* () {
      if (life === 0) yield* Effect.flatMap(Topics, (topics) => topics.create(topic, { partitions: 2 }))
      yield* produce(
        topic,
        all.filter((record) => record.life === life)
      )
    })
  ).pipe(Effect.provide(TopicsMemory.layer(store)))

const emptyTables = Effect.flatMap(Tables, (tables) =>
  tables.transaction([
    { sql: "drop schema public cascade", parameters: [] },
    { sql: "create schema public", parameters: [] }
  ])
)

/** One start of the job, to its end or to its `crashAt`-th transaction's edge; what it made durable stays. */
const live = (topics: TopicsMemory.Store, life: 0 | 1, crashAt: number) =>
  Effect.gen(function* () {
    const points = yield* CrashPoints.make(crashAt)
    const tables = Layer.effect(Tables, Effect.map(Tables, points.tables))
    const layers = Layer.provideMerge(Layer.merge(SqlCheckpointStore.layer, TopicsMemory.layer(topics)), tables)
    const set = { maxPerEpoch: "70", allowedLateness: `${lateness[life]} millis` }
    const run = Effect.flatMap(
      Runner.start(job, { availableNow: true, final: life === 1, set }, () => Effect.void),
      (running) => running.ended
    ).pipe(Effect.scoped, Effect.provide(layers), Logger.withMinimumLogLevel(LogLevel.Error))
    const fiber = yield* Effect.forkDaemon(run)
    const crashedAt = yield* Effect.raceFirst(Effect.as(Fiber.join(fiber), null), Deferred.await(points.crashed))
    yield* Fiber.interruptFork(fiber)
    return { crashedAt, reached: points.reached.length }
  })

const inOrder = (rows: ReadonlyArray<object>) => rows.map((row) => JSON.stringify(row)).sort()

const check = Effect.gen(function* () {
  const tables = yield* Tables
  for (const [table, expected] of Object.entries(expectedRows())) {
    const columns = Object.keys(expected[0]!)
      .map((name) => (name === "window_start" ? "extract(epoch from window_start) * 1000 as window_start" : name))
      .join(", ")
    const rows = yield* tables.query({ sql: `select ${columns} from ${table}`, parameters: [] })
    const found = rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([name, value]) => [name, value === null || name === "key" ? value : Number(value)])
      )
    )
    expect([table, ...inOrder(found)]).toEqual([table, ...inOrder(expected)])
  }
})

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>
beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const run = <A, E>(effect: Effect.Effect<A, E, Tables>): Promise<A> => Effect.runPromise(Effect.provide(effect, tables))

describe("a longer allowedLateness after a restart", () => {
  let steps = 0

  it("counts what is late by the old one and of what is still kept, and nothing of what was forgotten", () => {
    for (const all of [judgedForWindows(), judgedForPairs(lefts), judgedForPairs(rights)]) {
      const after = all.filter(({ life }) => life === 1)
      const lateByOld = (record: (typeof after)[number]): boolean =>
        "windowStart" in record
          ? Number(record.windowStart) + size + lateness[0] <= record.watermark
          : record.at + lateness[0] < record.watermark
      const counts = [
        after.filter((record) => isIn(record) && lateByOld(record)),
        after.filter(({ forgotten, late }) => forgotten && !late),
        after.filter(({ forgotten, late }) => late && !forgotten),
        all.filter(({ late, life }) => late && life === 0)
      ]
      expect(Math.min(...counts.map(({ length }) => length))).toBeGreaterThan(1)
    }
  })

  it("gives the rows of loops over all records, each once", { timeout: 60_000 }, () =>
    run(
      Effect.gen(function* () {
        const store = TopicsMemory.makeStore()
        yield* emptyTables
        yield* bring(store, 0)
        yield* live(store, 0, 0)
        yield* bring(store, 1)
        steps = (yield* live(store, 1, 0)).reached
        yield* check
        yield* live(store, 1, 0)
        yield* check
      })
    )
  )

  it("gives the same where lives end early on both sides of the restart", { timeout: 120_000 }, () =>
    run(
      Effect.gen(function* () {
        let crashes = 0
        for (let at = 5; at < steps; at += 9) {
          const store = TopicsMemory.makeStore()
          yield* emptyTables
          yield* bring(store, 0)
          if ((yield* live(store, 0, at)).crashedAt !== null) crashes++
          yield* live(store, 0, 0)
          yield* bring(store, 1)
          if ((yield* live(store, 1, at)).crashedAt !== null) crashes++
          yield* live(store, 1, 0)
          yield* check
        }
        expect(crashes).toBeGreaterThan(6)
      })
    )
  )
})
