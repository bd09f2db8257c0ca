/** Rows that replace each other, all the way: a count over rows that change is the count of the rows as they are. */
import { FastCheck, Schema } from "effect"
import { describe, expect, it } from "vitest"
import type { StepState } from "../../src/checkpoint/CheckpointStore.ts"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Topology from "../../src/flow/Topology.ts"
import * as Window from "../../src/flow/Window.ts"
import type { Change } from "../../src/model/Event.ts"
import type { Barrier } from "../../src/model/Message.ts"
import * as Chain from "../../src/runtime/Chain.ts"
import * as Plan from "../../src/runtime/Plan.ts"
import { topic, upsert } from "../flow/Connectors.ts"
import { recordsOf } from "../operator/Messages.ts"

const Order = Schema.Struct({ region: Schema.String, shop: Schema.Int, at: Schema.Number, price: Schema.Int })
type Order = typeof Order.Type

const large = 10
const minutes = Flow.from(topic("orders")).pipe(
  Flow.decode(Order),
  Flow.eventTime((order) => order.at, { maxOutOfOrderness: "1 hour" }),
  Flow.keyBy("region", "shop"),
  Flow.window(Window.session("5 seconds")),
  Flow.aggregate("sessions", { total: Aggregate.sum((order) => order.price), orders: Aggregate.count })
)
const regions = minutes.pipe(
  Flow.filter((row) => row.total > large),
  Flow.map(({ orders, region, shop, total }) => ({ size: Number(orders), region, shop, total })),
  Flow.keyBy("region"),
  Flow.aggregate("regions", {
    sessions: Aggregate.count,
    total: Aggregate.sum((row) => row.total),
    least: Aggregate.min((row) => row.total),
    shops: Aggregate.distinctCount((row) => row.shop),
    best: Aggregate.topN(2, (row) => row.size)
  })
)
const sizes = regions.pipe(
  Flow.keyBy({ sessions: (row) => row.sessions }),
  Flow.aggregate("sizes", { regions: Aggregate.count }),
  Flow.to(upsert("by_size", ["sessions"]))
)
const topology = Topology.make("job", [regions.pipe(Flow.to(upsert("by_region", ["region"]))), sizes])

type Row = Readonly<Record<string, unknown>>
type Tables = ReadonlyMap<string, Map<string, Row>>

/** A life of the job: its chains in the order in which they feed each other, and the tables of its sinks. */
const live = (tables: Tables, kept: ReadonlyMap<string, ReadonlyArray<StepState>>) => {
  const plan = Plan.make(topology, { job: "job", triggerMillis: 1_000 })
  const chains = new Map(plan.chains.map((planned) => [planned.id, Chain.make(planned)]))
  for (const [id, chain] of chains) chain.restore((kept.get(id) ?? []) as ReadonlyArray<StepState>)
  const deliver = (outgoing: ReadonlyArray<Chain.Outgoing>): void => {
    for (const { actor, batch, input } of outgoing) {
      const table = tables.get(actor)
      if (table === undefined) deliver(chains.get(actor)!.onBatch(batch, input))
      else for (const change of batch.values) apply(table, change as Change<unknown, Row>)
    }
  }
  return {
    give: (orders: ReadonlyArray<Order>) =>
      deliver(chains.get("chain:decode")!.onBatch(recordsOf(orders.map((order) => JSON.stringify(order))))),
    end: (epoch: number) => {
      let barrier: Barrier = {
        _tag: "Barrier",
        epoch,
        openedAt: epoch,
        closedAt: epoch,
        final: false,
        partitions: [{ source: "orders", partition: 3, offset: 99, state: "active" }],
        watermark: Number.NEGATIVE_INFINITY,
        idle: false
      }
      const states = new Map<string, ReadonlyArray<StepState>>()
      for (const [id, chain] of chains) {
        const ended = chain.onBarrier(barrier)
        deliver(ended.outgoing)
        barrier = ended.barrier
        states.set(id, ended.acknowledgement.state)
      }
      return states
    }
  }
}

let removed = 0
const apply = (table: Map<string, Row>, { after, before, key }: Change<unknown, Row>): void => {
  const name = JSON.stringify(key, (_, value) => (typeof value === "bigint" ? `${value}` : value))
  expect(table.get(name)).toEqual(before)
  if (after === undefined) {
    table.delete(name)
    removed++
  } else table.set(name, after)
}

/** What was handed over before, and what is new: parts of a base replace, those of deltas follow. */
const keep = (
  kept: Map<string, ReadonlyArray<StepState>>,
  states: ReadonlyMap<string, ReadonlyArray<StepState>>
): void => {
  for (const [id, steps] of states) {
    const known = new Map((kept.get(id) ?? []).map((step) => [step.step, step]))
    for (const step of steps) {
      const parts = known.get(step.step)?.parts ?? []
      const bases = new Set(step.parts.filter(({ kind }) => kind === "base").map(({ keyGroup }) => keyGroup))
      known.set(step.step, { ...step, parts: [...parts.filter(({ keyGroup }) => !bases.has(keyGroup)), ...step.parts] })
    }
    kept.set(id, [...known.values()])
  }
}

// The oracle: all orders at once.

const sessionsOf = (orders: ReadonlyArray<Order>) => {
  const sessions: Array<{ region: string; shop: number; end: number; total: number; size: number }> = []
  for (const order of [...orders].sort((left, right) => left.at - right.at)) {
    const open = sessions.findLast(({ region, shop }) => region === order.region && shop === order.shop)
    if (open !== undefined && order.at < open.end) {
      open.end = order.at + 5_000
      open.total += order.price
      open.size++
    } else sessions.push({ region: order.region, shop: order.shop, end: order.at + 5_000, total: order.price, size: 1 })
  }
  return sessions.filter(({ total }) => total > large)
}

const expectedOf = (orders: ReadonlyArray<Order>) => {
  const all = new Map<string, ReturnType<typeof sessionsOf>>()
  for (const session of sessionsOf(orders)) all.set(session.region, [...(all.get(session.region) ?? []), session])
  const rows = [...all].map(([region, sessions]): readonly [string, Row] => [
    JSON.stringify([region]),
    {
      region,
      sessions: BigInt(sessions.length),
      total: sessions.reduce((sum, { total }) => sum + total, 0),
      least: Math.min(...sessions.map(({ total }) => total)),
      shops: BigInt(new Set(sessions.map(({ shop }) => shop)).size),
      best: sessions
        .map(({ region, shop, size, total }) => ({ region, shop, size, total }))
        .sort((left, right) => right.size - left.size || left.shop - right.shop || left.total - right.total)
        .slice(0, 2)
    }
  ])
  const sizes = new Map<string, Row>()
  for (const [, { sessions }] of rows) {
    const name = JSON.stringify([`${sessions}`])
    sizes.set(name, { sessions, regions: ((sizes.get(name)?.regions as bigint | undefined) ?? 0n) + 1n })
  }
  return new Map([
    ["by_region", new Map(rows)],
    ["by_size", sizes]
  ])
}

const epochs = FastCheck.array(
  FastCheck.record({
    orders: FastCheck.array(
      FastCheck.record({
        region: FastCheck.constantFrom("n", "s", "w"),
        shop: FastCheck.nat(1),
        at: FastCheck.integer({ min: 0, max: 60 }).map((seconds) => seconds * 1_000),
        price: FastCheck.integer({ min: -11, max: 14 })
      }),
      { maxLength: 10, size: "max" }
    ),
    restarts: FastCheck.boolean()
  }),
  { minLength: 1, maxLength: 8, size: "max" }
)

describe("a count over rows that change", () => {
  it("is the count of the rows as they are, at every epoch and after every restart, two steps deep", () => {
    let ended = 0
    FastCheck.assert(
      FastCheck.property(epochs, (told) => {
        const tables: Tables = new Map(["by_region", "by_size"].map((name) => [name, new Map()]))
        const kept = new Map<string, ReadonlyArray<StepState>>()
        const orders: Array<Order> = []
        let life = live(tables, kept)
        for (const [i, epoch] of told.entries()) {
          life.give(epoch.orders)
          orders.push(...epoch.orders)
          keep(kept, life.end(i + 1))
          expect(tables).toEqual(expectedOf(orders))
          ended++
          if (epoch.restarts) life = live(tables, kept)
        }
      }),
      { numRuns: 200 }
    )
    expect(ended).toBeGreaterThan(300)
    expect(removed).toBeGreaterThan(30)
  })
})
