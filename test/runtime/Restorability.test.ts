/** Changes of a job's code over a checkpoint: what the check says of each, and what the start does. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Logger, LogLevel, Schema } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Job from "../../src/flow/Job.ts"
import * as Migration from "../../src/flow/Migration.ts"
import type { Sink } from "../../src/flow/Sink.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import * as Window from "../../src/flow/Window.ts"
import { Decimal, InstantFromMillis, Int64 } from "../../src/model/Columns.ts"
import type { Change } from "../../src/model/Event.ts"
import * as Restorability from "../../src/runtime/Restorability.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const Sale = Schema.Struct({ shop: Schema.String, price: Schema.Int, at: InstantFromMillis })
type Sale = typeof Sale.Type
type Row = Readonly<Record<string, unknown>>

/** A table in memory: the last row of each key. */
const table = (name: string, rows: Map<string, Row>): Sink<any, never, never> => ({
  name,
  label: name,
  guarantee: "exactly once",
  replaces: true,
  key: ["shop", "price", "windowStart"],
  clear: null,
  open: () => {
    const prepared = new Map<number, ReadonlyArray<Row>>()
    return Effect.succeed({
      _tag: "OwnWriter",
      prepare: ({ barrier, batches }) =>
        Effect.sync(() => {
          const all = batches.flatMap(
            ({ values }) => values.map((value) => (value as Change).after ?? value) as Array<Row>
          )
          prepared.set(barrier.epoch, all)
          return { epoch: barrier.epoch, rows: all.length, bytes: 0, digest: "", invalid: [] }
        }),
      commit: ({ epoch }) =>
        Effect.sync(() => {
          for (const row of prepared.get(epoch) ?? []) rows.set(`${row.shop} ${row.windowStart ?? ""}`, row)
          return "written" as const
        }),
      position: Effect.succeed(null)
    })
  }
})

interface Parts {
  readonly source?: string
  readonly step?: string
  readonly window?: Window.DurationInput
  readonly key?: "shop" | "price"
  readonly aggregates?: Readonly<Record<string, Aggregate.Aggregate<Sale, any, any>>>
  readonly migrations?: Migration.Migrations
  readonly audit?: boolean
  readonly process?: (rows: Map<string, Row>) => Flow.Output<unknown, unknown>
  readonly auditFirst?: boolean
}

const standard = { income: Aggregate.sum((sale: Sale) => sale.price), sales: Aggregate.count }

const sales = (rows: Map<string, Row>, parts: Parts) =>
  Job.make("sales", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    migrations: parts.migrations ?? {},
    outputs: () => {
      const read = Flow.from(Topic.source(parts.source ?? "sales")).pipe(
        Flow.decode(Sale),
        Flow.eventTime((sale) => sale.at, { maxOutOfOrderness: "0 seconds" })
      )
      const main = read.pipe(
        Flow.keyBy(parts.key ?? "shop"),
        Flow.window(Window.tumbling(parts.window ?? "1 minute")),
        Flow.aggregate(parts.step ?? "income", parts.aggregates ?? standard),
        Flow.to(table("incomes", rows))
      )
      const audit = read.pipe(
        Flow.keyBy("shop"),
        Flow.aggregate("audit", { sales: Aggregate.count }),
        Flow.to(table("audits", new Map()))
      )
      const all = [main, ...(parts.audit === false ? [] : [audit])]
      return (parts.auditFirst === true ? all.reverse() : all) as ReadonlyArray<Flow.Output<unknown, unknown>>
    }
  })

/** A step of a user's own with a state of a Schema. */
const counting = <S, I>(
  rows: Map<string, Row>,
  state: Schema.Schema<S, I>,
  of: { readonly add: (state: S | undefined) => S; readonly show: (state: S) => number },
  migrations: Migration.Migrations = {}
) =>
  Job.make("sales", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    migrations,
    outputs: () =>
      Flow.from(Topic.source("sales")).pipe(
        Flow.decode(Sale),
        Flow.keyBy("shop"),
        Flow.process("visits", {
          state,
          onEvent: (sale: Sale, context) => {
            const next = of.add(context.state)
            context.keep(next)
            return [{ shop: sale.shop, visits: of.show(next) }]
          }
        }),
        Flow.to(table("visit_counts", rows))
      )
  })

/** Two flows, each with its event time: which of them is `eventTime` and which `eventTime-2` is by their order. */
const twoTopics = (order: ReadonlyArray<string>) =>
  Job.make("sales", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () =>
      order.map((topic) =>
        Flow.from(Topic.source(topic)).pipe(
          Flow.decode(Sale),
          Flow.eventTime((sale) => sale.at, { maxOutOfOrderness: "0 seconds" }),
          Flow.keyBy("shop"),
          Flow.aggregate(`of ${topic}`, standard),
          Flow.to(table(`table of ${topic}`, new Map()))
        )
      )
  })

const makeWorld = Effect.gen(function* () {
  const store = yield* MemoryCheckpointStore.make
  const topics = TopicsMemory.makeStore()
  const layers = Layer.merge(Layer.succeed(CheckpointStore, store), TopicsMemory.layer(topics))
  const produce = (prices: ReadonlyArray<number>, shop = "a") =>
    Effect.flatMap(Topics, (all) =>
      all.produce(
        "sales",
        0,
        prices.map((price) => ({
          key: null,
          value: new TextEncoder().encode(JSON.stringify({ shop, price, at: 1_600_000_000_000 })),
          headers: []
        }))
      )
    ).pipe(Effect.provide(layers))
  yield* Effect.flatMap(Topics, (all) =>
    Effect.zipRight(all.create("sales", { partitions: 1 }), all.create("sales-2", { partitions: 1 }))
  ).pipe(Effect.provide(layers))
  /** Runs the job over what is there; why it failed, or `null`. */
  const run = (job: Job.Job, options: Runner.RunOptions = {}) =>
    Effect.gen(function* () {
      const running = yield* Runner.start(
        job as Job.Job<never, Topics>,
        { availableNow: true, ...options },
        () => Effect.void
      )
      return yield* Effect.match(running.ended, { onFailure: (error) => error, onSuccess: () => null })
    }).pipe(Effect.scoped, Effect.provide(layers), Logger.withMinimumLogLevel(LogLevel.None))
  const check = (job: Job.Job, dropState: ReadonlyArray<string> = []) =>
    Effect.map(store.lookUp("sales"), (record) =>
      Restorability.judge(
        record?.manifest ?? null,
        Restorability.codeOf(job, Either.getOrThrow(job.configure({}))),
        dropState
      )
    )
  return { store, produce, run, check }
})

interface Change_ {
  readonly name: string
  readonly parts: Parts
  /** What the check says of a part: `id fate`. */
  readonly says: ReadonlyArray<string>
  /** What the refusal says; `null`: the start goes on. */
  readonly refused: ReadonlyArray<string> | null
  /** The row of the shop after a third sale of 5, where it goes on. */
  readonly row?: Row
  readonly dropState?: ReadonlyArray<string>
}

const lowest = Aggregate.min((sale: Sale) => sale.price)
const changes: ReadonlyArray<Change_> = [
  {
    name: "nothing",
    parts: {},
    says: ["income kept", "eventTime kept", "sales kept", "incomes kept"],
    refused: null,
    row: { income: 35, sales: 3n }
  },
  {
    name: "a renamed step",
    parts: { step: "incomes-by-shop" },
    says: ["income dropped", "incomes-by-shop new"],
    refused: [
      "'income'",
      "'incomes-by-shop' is new and keeps the same: give it the id 'income' again",
      "--drop-state income"
    ]
  },
  {
    name: "a renamed step whose state may be dropped",
    parts: { step: "incomes-by-shop" },
    dropState: ["income"],
    says: ["income dropped", "incomes-by-shop new"],
    refused: null,
    row: { income: 5, sales: 1n }
  },
  {
    name: "a changed window",
    parts: { window: "2 minutes" },
    says: ["income changed"],
    refused: ["'income'", "60000", "120000"]
  },
  {
    name: "a changed window whose state may be dropped",
    parts: { window: "2 minutes" },
    dropState: ["income"],
    says: ["income changed"],
    refused: null,
    row: { income: 5, sales: 1n }
  },
  { name: "a changed key", parts: { key: "price" }, says: ["income changed"], refused: ["by shop", "by price"] },
  {
    name: "an added aggregate",
    parts: { aggregates: { ...standard, lowest } },
    says: ["income changed"],
    refused: ["'income'", '"lowest":"min"', "`migrations` of the job"]
  },
  {
    name: "an added aggregate with its migration",
    parts: { aggregates: { lowest, ...standard }, migrations: { income: [Migration.added("lowest")] } },
    says: ["income migrated"],
    refused: null,
    row: { income: 35, sales: 3n, lowest: 5 }
  },
  {
    name: "a removed aggregate",
    parts: { aggregates: { sales: Aggregate.count } },
    says: ["income changed"],
    refused: ['"income":"sum"']
  },
  {
    name: "a removed aggregate with its migration",
    parts: { aggregates: { sales: Aggregate.count }, migrations: { income: [Migration.removed("income")] } },
    says: ["income migrated"],
    refused: null,
    row: { sales: 3n }
  },
  {
    name: "an aggregate that became another of the same name",
    parts: { aggregates: { ...standard, sales: lowest } },
    says: ["income changed"],
    refused: ['"sales":"count"', '"sales":"min"']
  },
  {
    name: "a renamed aggregate with its migration, behind one that was taken long ago",
    parts: {
      aggregates: { total: standard.income, sales: Aggregate.count },
      migrations: { income: [Migration.added("sales"), Migration.renamed("income", "total")] }
    },
    says: ["income migrated"],
    refused: null,
    row: { total: 35, sales: 3n }
  },
  {
    name: "aggregates in another order",
    parts: { aggregates: { sales: standard.sales, income: standard.income } },
    says: ["income migrated"],
    refused: null,
    row: { income: 35, sales: 3n }
  },
  {
    name: "steps in another order",
    parts: { auditFirst: true },
    says: ["income kept", "audit kept"],
    refused: null,
    row: { income: 35, sales: 3n }
  },
  {
    name: "a removed sink and its step",
    parts: { audit: false },
    says: ["audit dropped", "audits dropped"],
    refused: ["step 'audit'", "--drop-state audit"]
  },
  {
    name: "a removed sink whose step may be dropped",
    parts: { audit: false },
    dropState: ["audit"],
    says: ["audits dropped", "income kept"],
    refused: null,
    row: { income: 35, sales: 3n }
  },
  {
    name: "another topic",
    parts: { source: "sales-2" },
    says: ["sales dropped", "sales-2 new"],
    refused: ["'sales-2' would begin anew"]
  }
]

describe("A start over a checkpoint with", () => {
  it.live.each(changes)("$name", ({ dropState = [], parts, refused, row, says }) =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const rows = new Map<string, Row>()
      const last = (shop: string) => [...rows.values()].filter((row) => row.shop === shop).at(-1)
      yield* world.produce([8], "b")
      yield* world.produce([10, 20])
      expect(yield* world.run(sales(rows, {}))).toBeNull()
      const job = sales(rows, parts)
      const verdict = yield* world.check(job, dropState)
      expect(verdict.parts.map(({ fate, id }) => `${id} ${fate}`)).toEqual(expect.arrayContaining([...says]))
      const before = (yield* world.store.lookUp("sales"))?.manifest
      yield* world.produce([5])
      const failure = yield* world.run(job, { dropState })
      if (refused !== null) {
        for (const words of refused) expect(`${verdict.refusal?.message} ${verdict.refusal?.hint}`).toContain(words)
        expect(failure?._tag).toBe("StateMismatch")
        expect(failure?.message).toBe(verdict.refusal?.message)
        expect((yield* world.store.lookUp("sales"))?.manifest).toEqual(before)
        // The code that made the checkpoint finds everything as it was.
        expect(yield* world.run(sales(rows, {}))).toBeNull()
        expect(last("a")).toMatchObject({ income: 35, sales: 3n })
        return
      }
      expect([verdict.refusal, failure]).toEqual([null, null])
      expect(last("a")).toMatchObject(row ?? {})
      expect((yield* world.check(job)).parts.map(({ fate }) => fate).filter((fate) => fate !== "kept")).toEqual([])
      // What was written goes on as any state does, that of keys that were not touched since, too.
      yield* world.produce([1], "b")
      expect(yield* world.run(job)).toBeNull()
      expect(last("b")?.sales).toBe(row?.sales === 3n ? 2n : 1n)
    })
  )

  it.live("steps without an id of their own in each other's place is refused, and says so", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      yield* world.produce([10, 20])
      expect(yield* world.run(twoTopics(["sales", "sales-2"]))).toBeNull()
      expect((yield* world.check(twoTopics(["sales", "sales-2"]))).refusal).toBeNull()
      const { refusal } = yield* world.check(twoTopics(["sales-2", "sales"]))
      for (const words of ["'eventTime'", "of sales,", "of sales-2", "have changed places"])
        expect(refusal?.message).toContain(words)
    })
  )

  it.live("a step that comes back after it was dropped begins empty", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const rows = new Map<string, Row>()
      yield* world.produce([10, 20])
      yield* world.run(sales(rows, {}))
      yield* world.produce([5])
      expect(yield* world.run(sales(rows, { step: "other" }), { dropState: ["income"] })).toBeNull()
      yield* world.produce([7])
      expect(yield* world.run(sales(rows, {}), { dropState: ["other"] })).toBeNull()
      expect([...rows.values()].at(-1)).toMatchObject({ income: 7, sales: 1n })
    })
  )
})

/** The cost of each shop, and how many shops have cost so much: a step over rows that replace each other. */
const costs = (price: Schema.Schema<any, any>, parts: { readonly second: boolean; readonly only?: "count" }) =>
  Job.make("sales", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => {
      const read = Flow.from(Topic.source("sales")).pipe(
        Flow.decode(Schema.Struct({ shop: Schema.String, price })),
        Flow.keyBy("shop"),
        Flow.aggregate("costs", {
          sales: Aggregate.count,
          ...(parts.only === "count" ? {} : { cost: Aggregate.sum((sale: { readonly price: Int64 }) => sale.price) })
        })
      )
      const many = read.pipe(
        Flow.filter(() => true),
        Flow.keyBy(),
        Flow.aggregate("shops", { shops: Aggregate.count })
      )
      return [
        read.pipe(Flow.to(table("costs of shops", new Map()))),
        ...(parts.second ? [many.pipe(Flow.to(table("number of shops", new Map())))] : [])
      ]
    }
  })

describe("A start is refused, for its rows would be wrong,", () => {
  it.live.each([
    {
      name: "digits behind the point",
      is: Decimal(12, 3),
      says: "price as decimal 2, and this code reads price as decimal 3"
    },
    { name: "a whole number", is: Int64, says: "price as decimal 2, and this code reads price as bigint" },
    {
      name: "a double",
      is: Schema.NullOr(Schema.Number),
      says: "price as decimal 2, and this code reads price as number"
    }
  ])("where a column that was summed up is $name now", ({ is, says }) =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      yield* world.produce([10, 20])
      expect(yield* world.run(costs(Decimal(12, 2), { second: false }))).toBeNull()
      expect((yield* world.check(costs(is, { second: false }))).refusal?.message).toContain(says)
      expect((yield* world.run(costs(is, { second: false })))?._tag).toBe("StateMismatch")
      // Of more digits before the point the numbers are the same.
      expect(yield* world.run(costs(Decimal(18, 2), { second: false }))).toBeNull()
    })
  )

  it.live("but not where such a column was only counted", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      yield* world.produce([10, 20])
      expect(yield* world.run(costs(Decimal(12, 2), { second: false, only: "count" }))).toBeNull()
      expect(yield* world.run(costs(Decimal(12, 3), { second: false, only: "count" }))).toBeNull()
    })
  )

  it.live("where a new step would take back rows that it never saw, until all of them begin empty", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const job = costs(Decimal(12, 2), { second: true })
      yield* world.produce([10, 20])
      expect(yield* world.run(costs(Decimal(12, 2), { second: false }))).toBeNull()
      yield* world.produce([5])
      for (const dropState of [[], ["shops"]]) {
        const { refusal } = yield* world.check(job, dropState)
        expect(refusal?.message).toContain("step 'shops' cannot go on after epoch 2")
        expect(refusal?.message).toContain("take back rows of 'costs'")
        expect(refusal?.hint).toContain("--drop-state costs --drop-state shops")
        expect((yield* world.run(job, { dropState }))?._tag).toBe("StateMismatch")
      }
      expect(yield* world.run(job, { dropState: ["costs", "shops"] })).toBeNull()
      expect((yield* world.check(job)).parts.map(({ fate }) => fate).filter((fate) => fate !== "kept")).toEqual([])
      yield* world.produce([5])
      expect(yield* world.run(job)).toBeNull()
    })
  )

  it.live("where a step would keep rows of one that begins empty", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const job = costs(Decimal(12, 2), { second: true })
      yield* world.produce([10, 20])
      expect(yield* world.run(job)).toBeNull()
      const { refusal } = yield* world.check(job, ["costs"])
      expect(refusal?.message).toContain("step 'shops' cannot go on after epoch 2: it would keep rows of 'costs'")
      expect((yield* world.run(job, { dropState: ["costs"] }))?._tag).toBe("StateMismatch")
      expect((yield* world.check(job, ["costs", "shops"])).refusal).toBeNull()
    })
  )
})

/** Visits of each shop, in the order of time: the newest event always waits. */
const visits = (event: Schema.Schema<any, any>, timed: boolean) =>
  Job.make("sales", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => {
      const read = Flow.from(Topic.source("sales")).pipe(Flow.decode(event))
      const process = Flow.process("visits", {
        state: Schema.Struct({ count: Schema.Number }),
        onEvent: (sale: Sale, context) => {
          context.keep({ count: (context.state?.count ?? 0) + 1 })
          return [{ shop: sale.shop, price: sale.price }]
        }
      })
      return timed
        ? [
            read.pipe(
              Flow.eventTime((sale: Sale) => sale.at, { maxOutOfOrderness: "0 seconds" }),
              Flow.keyBy("shop"),
              process,
              Flow.to(table("visit_counts", new Map()))
            )
          ]
        : [read.pipe(Flow.keyBy("shop"), process, Flow.to(table("visit_counts", new Map())))]
    }
  }) as never as Job.Job

describe("Events that wait in a user's own operator", () => {
  const renamed = Schema.Struct({ ...Sale.fields, cost: Schema.optional(Schema.Int) })

  it.live("refuse a start under another Schema, until the code of before has handed them in", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const [old, now] = [visits(Sale, true), visits(renamed, true)]
      yield* world.produce([1, 2])
      expect(yield* world.run(old)).toBeNull()
      expect((yield* world.check(old)).refusal).toBeNull()
      const { refusal } = yield* world.check(now)
      for (const words of ["'visits'", "events wait in it", "cost?", "`weir run sales --available-now --final`"])
        expect(refusal?.message).toContain(words)
      expect((yield* world.run(now))?._tag).toBe("StateMismatch")
      expect(yield* world.run(old, { final: true })).toBeNull()
      expect((yield* world.check(now)).refusal).toBeNull()
      yield* world.produce([3])
      expect(yield* world.run(now)).toBeNull()
      expect((yield* world.check(now)).parts.find(({ id }) => id === "visits")?.fate).toBe("kept")
    })
  )

  it.live("are none where events have no time, or none has come", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      expect(yield* world.run(visits(Sale, true))).toBeNull()
      expect((yield* world.check(visits(renamed, true))).refusal).toBeNull()
      const other = yield* makeWorld
      yield* other.produce([1, 2])
      expect(yield* other.run(visits(Sale, false))).toBeNull()
      expect((yield* other.check(visits(renamed, false))).refusal).toBeNull()
    })
  )
})

describe("The state of a user's own operator under another Schema", () => {
  const Old = Schema.Struct({ count: Schema.Number })
  const New = Schema.Struct({ visits: Schema.BigInt, since: Schema.String })
  const old = (rows: Map<string, Row>) =>
    counting(rows, Old, { add: (state) => ({ count: (state?.count ?? 0) + 1 }), show: (state) => state.count })
  const now = (rows: Map<string, Row>, migrations: Migration.Migrations) =>
    counting(
      rows,
      New,
      {
        add: (state) => ({ visits: (state?.visits ?? 0n) + 1n, since: state?.since ?? "now" }),
        show: (state) => Number(state.visits)
      },
      migrations
    )
  const migrations = { visits: [Migration.from(Old, ({ count }) => ({ visits: BigInt(count), since: "before" }))] }

  it.live("is refused without a migration, and says both forms", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const rows = new Map<string, Row>()
      yield* world.produce([1, 2])
      expect(yield* world.run(old(rows))).toBeNull()
      const { refusal } = yield* world.check(now(rows, {}))
      for (const words of ["'visits'", "count: number", "since: string"]) expect(refusal?.message).toContain(words)
      expect((yield* world.run(now(rows, {})))?._tag).toBe("StateMismatch")
    })
  )

  it.live("is what the migration makes of it, and is migrated once", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const rows = new Map<string, Row>()
      yield* world.produce([1, 2])
      expect(yield* world.run(old(rows))).toBeNull()
      // Nothing came: nothing is written, and the old code still finds its own.
      expect(yield* world.run(now(rows, migrations))).toBeNull()
      expect((yield* world.check(old(rows))).refusal).toBeNull()
      yield* world.produce([3])
      expect(yield* world.run(now(rows, migrations))).toBeNull()
      expect([...rows.values()]).toEqual([{ shop: "a", visits: 3 }])
      expect((yield* world.check(old(rows))).refusal?._tag).toBe("StateMismatch")
      yield* world.produce([4])
      expect(yield* world.run(now(rows, migrations))).toBeNull()
      expect([...rows.values()]).toEqual([{ shop: "a", visits: 4 }])
    })
  )

  it.live("stays as it was if the migration fails", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      const rows = new Map<string, Row>()
      yield* world.produce([1, 2])
      expect(yield* world.run(old(rows))).toBeNull()
      yield* world.produce([3])
      const broken = {
        visits: [
          Migration.from(Old, () => {
            throw new Error("not yet")
          })
        ]
      }
      const failure = yield* world.run(now(rows, broken))
      expect([failure?._tag, failure?.message]).toEqual(["StepFailed", expect.stringContaining("not yet")])
      expect(yield* world.run(now(rows, migrations))).toBeNull()
      expect([...rows.values()]).toEqual([{ shop: "a", visits: 3 }])
    })
  )
})
