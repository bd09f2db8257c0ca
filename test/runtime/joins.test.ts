/**
 * A job that joins: orders with their payments, and with the rate of their time, over topics into tables. Wherever a
 * life of it ends, its tables hold what nested loops over all records say.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Job from "../../src/flow/Job.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Topology from "../../src/flow/Topology.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import { InstantFromMillis } from "../../src/model/Columns.ts"
import { InvalidJob } from "../../src/model/Errors.ts"
import type { EpochProgress } from "../../src/observe/Progress.ts"
import * as Plan from "../../src/runtime/Plan.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"
import { append } from "../flow/Connectors.ts"
import { Run } from "../operator/Epochs.ts"
import * as Life from "./Life.ts"

class Order extends Schema.Class<Order>("Order")({
  id: Schema.Int,
  currency: Schema.String,
  amount: Schema.Int,
  at: InstantFromMillis
}) {
  in(rate: Rate | null): number | null {
    return rate === null ? null : this.amount * rate.rate
  }
}
class Payment extends Schema.Class<Payment>("Payment")({
  order: Schema.Int,
  paid: Schema.Int,
  at: InstantFromMillis
}) {}
class Rate extends Schema.Class<Rate>("Rate")({ currency: Schema.String, rate: Schema.Int, at: InstantFromMillis }) {}

const Paid = Schema.Struct({ id: Schema.Int, amount: Schema.Int, paid: Schema.NullOr(Schema.Int) })
const Rated = Schema.Struct({ id: Schema.Int, value: Schema.NullOr(Schema.Int) })
const Late = Schema.Struct({ id: Schema.Int })

const outOfOrder = 5_000
const allowedLateness = 2_000
const within = { before: 1_000, after: 20_000 }
const timing = { maxOutOfOrderness: "5 seconds" } as const

const job = Job.make("joins", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () => {
    const orders = Flow.from(Topic.source("orders")).pipe(
      Flow.decode(Order),
      Flow.eventTime((order) => order.at, timing)
    )
    const payments = Flow.from(Topic.source("payments")).pipe(
      Flow.decode(Payment),
      Flow.eventTime((payment) => payment.at, timing),
      Flow.keyBy({ id: (payment) => payment.order })
    )
    const rates = Flow.from(Topic.source("rates")).pipe(
      Flow.decode(Rate),
      Flow.eventTime((rate) => rate.at, timing),
      Flow.keyBy("currency")
    )
    const paid = orders.pipe(
      Flow.keyBy("id"),
      Flow.join("paid", payments, {
        within: { before: "1 second", after: "20 seconds" },
        type: "left",
        allowedLateness: "2 seconds"
      })
    )
    const rated = orders.pipe(
      Flow.keyBy("currency"),
      Flow.temporalJoin("rated", rates, { type: "left", allowedLateness: "2 seconds" })
    )
    return [
      paid.pipe(
        Flow.map(({ left, right }) => ({ id: left.id, amount: left.amount, paid: right?.paid ?? null })),
        Flow.to(Sql.append("paid_orders", Paid))
      ),
      paid.late.pipe(
        Flow.map(({ id }) => ({ id })),
        Flow.to(Sql.append("late_orders", Late))
      ),
      paid.lateOther.pipe(
        Flow.map(({ order }) => ({ id: order })),
        Flow.to(Sql.append("late_payments", Late))
      ),
      rated.pipe(
        Flow.map(({ left, right }) => ({ id: left.id, value: left.in(right) })),
        Flow.to(Sql.append("rated_orders", Rated))
      )
    ]
  }
})

// The records: what each topic holds, by partition, in the order of offsets.

const start = Date.UTC(2024, 0, 1)
const spread = (i: number, range: number): number => (i * 7_919) % range
const currencies = ["EUR", "USD", "CHF"]
const orders = Array.from({ length: 240 }, (_, id) => ({
  id,
  currency: currencies[spread(id, 3)]!,
  amount: 1 + spread(id, 50),
  at: start + id * 500 + (id % 31 === 30 ? -20_000 : spread(id, 4_000)),
  partition: id % 2
}))
const payments = orders
  .flatMap(({ at, id }, i) =>
    i % 4 === 3
      ? []
      : Array.from({ length: 1 + (i % 2) }, (_, n) => ({
          order: id,
          paid: 10 * id + n,
          at: at + spread(i + n, 26_000) - 3_000,
          partition: (i + n) % 2
        }))
  )
  .map((payment, i) => ({ payment, comes: payment.at + (i % 29 === 28 ? 20_000 : spread(i, 4_000)) }))
  .sort((one, other) => one.comes - other.comes)
  .map(({ payment }) => payment)
const rates = Array.from({ length: 60 }, (_, i) => ({
  currency: currencies[i % 2]!,
  rate: 1 + i,
  at: start + i * 2_000 + spread(i, 3_000),
  partition: 0
}))

interface Came {
  readonly at: number
  readonly partition: number
}

// The oracle.

type Row = Readonly<Record<string, number | null>>

/** The records of a topic that are not late, and those that are. */
const judged = <A extends Came>(records: ReadonlyArray<A>) => {
  const highest = new Map<number, number>()
  const [inTime, late]: [Array<A>, Array<A>] = [[], []]
  for (const record of records) {
    const high = highest.get(record.partition) ?? Number.NEGATIVE_INFINITY
    ;(record.at + allowedLateness < high - outOfOrder ? late : inTime).push(record)
    highest.set(record.partition, Math.max(high, record.at))
  }
  return { inTime, late }
}

const expectedRows = (): Readonly<Record<string, ReadonlyArray<Row>>> => {
  const [left, right, versions] = [judged(orders), judged(payments), judged(rates)]
  const paid = left.inTime.flatMap(({ amount, at, id }): ReadonlyArray<Row> => {
    const found = right.inTime.filter(
      (payment) => payment.order === id && payment.at >= at - within.before && payment.at <= at + within.after
    )
    return found.length === 0
      ? [{ id, amount, paid: null }]
      : found.map((payment) => ({ id, amount, paid: payment.paid }))
  })
  const rated = left.inTime.map(({ amount, at, currency, id }) => {
    const known = versions.inTime.filter((rate) => rate.currency === currency && rate.at <= at)
    const latest = known.sort((one, other) => one.at - other.at).at(-1)
    return { id, value: latest === undefined ? null : amount * latest.rate }
  })
  return {
    paid_orders: paid,
    rated_orders: rated,
    late_orders: left.late.map(({ id }) => ({ id })),
    late_payments: right.late.map(({ order }) => ({ id: order }))
  }
}

const encoder = new TextEncoder()
const produce = (topic: string, partitions: number, records: ReadonlyArray<Came>) =>
  Effect.gen(function* () {
    const topics = yield* Topics
    yield* topics.create(topic, { partitions })
    for (let number = 0; number < partitions; number++)
      yield* topics.produce(
        topic,
        number,
        records
          .filter(({ partition }) => partition === number)
          .map(({ partition: _, ...record }) => ({
            key: null,
            value: encoder.encode(JSON.stringify(record)),
            headers: []
          }))
      )
  })

const emptyTables = Effect.flatMap(Tables, (tables) =>
  tables.transaction([
    { sql: "drop schema public cascade", parameters: [] },
    { sql: "create schema public", parameters: [] }
  ])
)

/** One start of the job, to its end or to its `crashAt`-th transaction's edge; what it made durable stays. */
const live = (topics: TopicsMemory.Store, crashAt: number) =>
  Effect.gen(function* () {
    const reports: Array<EpochProgress> = []
    const options = { availableNow: true, final: true, set: { maxPerEpoch: "60" } }
    const { crashedAt, reached } = yield* Life.live(crashAt, (points) => {
      const tables = Layer.effect(Tables, Effect.map(Tables, points.tables))
      const stores = Layer.merge(SqlCheckpointStore.layer, TopicsMemory.layer(topics))
      return Effect.provide(Life.job(job, options, reports), Layer.provideMerge(stores, tables))
    })
    return { crashedAt, epochs: reports.filter(({ inputRows }) => inputRows > 0).length, reached: reached.length }
  })

const world = Effect.gen(function* () {
  const store = TopicsMemory.makeStore()
  yield* Effect.all([produce("orders", 2, orders), produce("payments", 2, payments), produce("rates", 1, rates)]).pipe(
    Effect.provide(TopicsMemory.layer(store))
  )
  yield* emptyTables
  return store
})

const inOrder = (rows: ReadonlyArray<object>) => rows.map((row) => JSON.stringify(row)).sort()

const check = Effect.gen(function* () {
  const tables = yield* Tables
  for (const [table, expected] of Object.entries(expectedRows())) {
    const columns = Object.keys(expected[0]!).join(", ")
    const rows = yield* tables.query({ sql: `select ${columns} from ${table}`, parameters: [] })
    const numbers = rows.map((row) =>
      Object.fromEntries(Object.entries(row).map(([name, value]) => [name, value === null ? null : Number(value)]))
    )
    expect([table, ...inOrder(numbers)]).toEqual([table, ...inOrder(expected)])
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

describe("a job that joins two topics and a third of versions", () => {
  let steps = 0

  it("writes what nested loops say, in several epochs", { timeout: 60_000 }, () =>
    run(
      Effect.gen(function* () {
        const expected = expectedRows()
        const counts = Object.entries(expected).map(([table, rows]) => {
          const empty = rows.filter((row) => Object.values(row).includes(null)).length
          return [table, rows.length - empty > 5, empty > 5]
        })
        expect(counts).toEqual([
          ["paid_orders", true, true],
          ["rated_orders", true, true],
          ["late_orders", true, false],
          ["late_payments", true, false]
        ])
        const store = yield* world
        const life = yield* live(store, 0)
        expect(life.epochs).toBeGreaterThan(5)
        steps = life.reached
        yield* check
        yield* live(store, 0)
        yield* check
      })
    )
  )

  it("writes the same when its lives end early, one after another", { timeout: 120_000 }, () =>
    run(
      Effect.gen(function* () {
        let crashes = 0
        for (let at = 5; at < steps; at += 11) {
          const store = yield* world
          if ((yield* live(store, at)).crashedAt !== null) crashes++
          if ((yield* live(store, 9)).crashedAt !== null) crashes++
          yield* live(store, 0)
          yield* check
        }
        expect(crashes).toBeGreaterThan(4)
      })
    )
  )
})

const timed = Flow.from(Topic.source("orders")).pipe(
  Flow.decode(Order),
  Flow.eventTime((order) => order.at, timing)
)
const joined = (left: typeof byBoth, right: typeof byBoth) => {
  const rows = left.pipe(Flow.join("pairs", right, { within: "1 second" }), Flow.to(append("t")))
  const plan = Plan.make(Topology.make("job", [rows]), { job: "job", triggerMillis: 1_000 })
  return plan.chains.flatMap(({ operators }) => operators).find(({ id }) => id === "pairs")!
}
const byBoth = timed.pipe(Flow.keyBy("id", "currency"))

describe("the columns of both keys", () => {
  it("are matched by name, whatever their order", () => {
    const run = new Run(() => joined(byBoth, timed.pipe(Flow.keyBy("currency", "id"))).make())
    const order = { id: 1, currency: "EUR" }
    const came = { origin: "orders", partition: 0, row: 0, own: Number.NEGATIVE_INFINITY, at: 5 }
    run.give([0, 1].map((input) => ({ ...came, value: order, offset: input, input })))
    run.barrier()
    expect(run.from("out").map(({ value }) => value)).toEqual([{ left: order, right: order }])
  })

  it("must have the same names", () => {
    const byCurrency = timed.pipe(Flow.keyBy("currency")) as unknown as typeof byBoth
    const refused = () => joined(byBoth, byCurrency).make()
    expect(refused).toThrow(InvalidJob)
    expect(refused).toThrow("Job job: 'pairs' joins a flow by (id, currency) with one by (currency)")
  })
})
