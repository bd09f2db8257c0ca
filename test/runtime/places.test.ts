/**
 * Rows of one record that take several ways through a job, become more on each, and meet again in a table of places:
 * wherever a life of the job ends, each of them is there once.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Job from "../../src/flow/Job.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Topology from "../../src/flow/Topology.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import * as Window from "../../src/flow/Window.ts"
import * as Limits from "../../src/model/Limits.ts"
import * as Graph from "../../src/runtime/Graph.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"
import { append, topic } from "../flow/Connectors.ts"
import * as Life from "./Life.ts"

class Order extends Schema.Class<Order>("Order")({ id: Schema.Int, items: Schema.Int }) {}
const Item = Schema.Struct({ id: Schema.Int, item: Schema.Int, way: Schema.String, half: Schema.String })

const read = Flow.from(Topic.source("orders")).pipe(Flow.decode(Order))
const items = (way: string) => (order: Order) =>
  Array.from({ length: order.items }, (_, item) => ({ id: order.id, item, way }))
const halves = (row: { readonly id: number; readonly item: number; readonly way: string }) =>
  ["a", "b"].map((half) => ({ ...row, half }))

const job = Job.make("places", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () => {
    const even = read.pipe(
      Flow.filter((order) => order.id % 2 === 0),
      Flow.flatMap(items("even"))
    )
    const all = read.pipe(Flow.flatMap(items("all")))
    return [
      even.pipe(Flow.merge(all), Flow.flatMap(halves), Flow.to(Sql.append("items", Item))),
      all.pipe(Flow.flatMap(halves), Flow.to(Sql.append("all_items", Item))),
      read.pipe(Flow.merge(read), Flow.to(Sql.append("orders_twice", Order)))
    ]
  }
})

const ids = Array.from({ length: 48 }, (_, id) => id)
/** One order has more items than a batch has places. */
const itemsOf = (id: number): number => (id === 7 ? Limits.batchRecordsMax + 10 : id % 4)

const expectedRows = () => {
  const ways = ids.flatMap((id) => (id % 2 === 0 ? [`${id} even`, `${id} all`] : [`${id} all`]))
  const rows = ways.flatMap((way) =>
    Array.from({ length: itemsOf(Number.parseInt(way, 10)) }, (_, item) => `${way} ${item}`)
  )
  const halved = rows.flatMap((row) => [`${row} a`, `${row} b`])
  return {
    items: halved.sort(),
    all_items: halved.filter((row) => row.includes("all")).sort(),
    orders_twice: [...ids, ...ids].map(String).sort()
  }
}

const world = Effect.gen(function* () {
  const store = TopicsMemory.makeStore()
  const encoder = new TextEncoder()
  yield* Effect.gen(function* () {
    const topics = yield* Topics
    yield* topics.create("orders", { partitions: 2 })
    for (const partition of [0, 1])
      yield* topics.produce(
        "orders",
        partition,
        ids
          .filter((id) => (id >> 1) % 2 === partition)
          .map((id) => ({ key: null, value: encoder.encode(JSON.stringify({ id, items: itemsOf(id) })), headers: [] }))
      )
  }).pipe(Effect.provide(TopicsMemory.layer(store)))
  yield* Effect.flatMap(Tables, (tables) =>
    tables.transaction([
      { sql: "drop schema public cascade", parameters: [] },
      { sql: "create schema public", parameters: [] }
    ])
  )
  return store
})

/** One start of the job, to its end or to its `crashAt`-th transaction's edge; what it made durable stays. */
const live = (topics: TopicsMemory.Store, crashAt: number) =>
  Life.live(crashAt, (points) => {
    const tables = Layer.effect(Tables, Effect.map(Tables, points.tables))
    const stores = Layer.merge(SqlCheckpointStore.layer, TopicsMemory.layer(topics))
    const options = { availableNow: true, final: true, set: { maxPerEpoch: "12" } }
    return Effect.provide(Life.job(job, options, []), Layer.provideMerge(stores, tables))
  })

const found = Effect.gen(function* () {
  const tables = yield* Tables
  const rowsOf = (table: string, row: string) =>
    Effect.map(tables.query({ sql: `select ${row} as row from ${table}`, parameters: [] }), (rows) =>
      rows.map((one) => String(one.row)).sort()
    )
  const item = "id || ' ' || way || ' ' || item || ' ' || half"
  return {
    items: yield* rowsOf("items", item),
    all_items: yield* rowsOf("all_items", item),
    orders_twice: yield* rowsOf("orders_twice", "id")
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

describe("a job whose branches meet again", () => {
  it("appends every row once, whatever its lives end at", { timeout: 120_000 }, () =>
    run(
      Effect.gen(function* () {
        const expected = expectedRows()
        const whole = yield* world
        const { reached } = yield* live(whole, 0)
        expect(yield* found).toEqual(expected)
        let crashes = 0
        for (let at = 4; at < reached.length; at += 17) {
          const store = yield* world
          if ((yield* live(store, at)).crashedAt !== null) crashes++
          yield* live(store, 0)
          expect(yield* found).toEqual(expected)
        }
        expect(crashes).toBeGreaterThan(2)
      })
    )
  )
})

const orders = Flow.from(topic("orders")).pipe(Flow.decode(Order))
const others = Flow.from(topic("others")).pipe(Flow.decode(Order))
const window = orders.pipe(
  Flow.eventTime((order) => order.id, { maxOutOfOrderness: "0 seconds" }),
  Flow.keyBy("id"),
  Flow.window(Window.tumbling("1 second")),
  Flow.aggregate("counts", { count: Aggregate.count })
)
const first = orders.pipe(Flow.keyBy("id"), Flow.distinct("first", { timeToLive: "1 day" }))

describe("inputs of a merge", () => {
  const share = (merged: Flow.Flow<any, any, any, any>): boolean => {
    const graph = Graph.make(Topology.make("job", [merged.pipe(Flow.to(append("t")))]), "job")
    return graph.sharesPlaces(graph.ofKind("merge").at(-1)!)
  }
  const plain = window.pipe(
    Flow.emit("onClose"),
    Flow.map(({ id }) => new Order({ id, items: 0 }))
  )
  const cases: ReadonlyArray<readonly [string, Flow.Flow<any, any, any, any>, boolean]> = [
    ["two branches of one source", orders.pipe(Flow.merge(orders.pipe(Flow.map((order) => order)))), true],
    ["a branch and the first of each key", orders.pipe(Flow.merge(first)), true],
    ["two branches of one step's rows", plain.pipe(Flow.merge(plain.pipe(Flow.filter(() => true)))), true],
    ["a branch and the late events of a step", orders.pipe(Flow.merge(window.late)), true],
    ["a branch below another merge", others.pipe(Flow.merge(orders), Flow.merge(orders)), true],
    ["two sources", orders.pipe(Flow.merge(others)), false],
    ["a step's rows and the events that it counted", orders.pipe(Flow.merge(plain)), false],
    ["a step's rows and its late events", plain.pipe(Flow.merge(window.late)), false]
  ]
  it.each(cases)("that are %s", (_, merged, expected) => {
    expect(share(merged)).toBe(expected)
  })
})
