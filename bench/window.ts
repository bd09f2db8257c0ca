/**
 * The windowed operator alone against a plain loop over a Map that makes the same sums: records a second of both, and
 * their ratio (median of five). Node ≥ 22, Bun and Deno run this file as it is; for Node 20, bundle it with esbuild.
 */

import type { Aggregate } from "../src/flow/Aggregate.ts"
import * as Window from "../src/flow/Window.ts"
import type { Barrier, Batch } from "../src/model/Message.ts"
import type { Collector } from "../src/operator/Operator.ts"
import * as WindowAggregate from "../src/operator/WindowAggregate.ts"

interface Order {
  readonly region: string
  readonly shopid: number
  readonly itemid: number
  readonly price: bigint
  readonly count: bigint
}

const ordersCount = 1_000_000
const batchSize = 8_192
// At half a million records a second, an epoch a second.
const batchesPerEpoch = 61
const windowMillis = 60_000

const batches = ((): ReadonlyArray<Batch<Order>> => {
  let seed = 42
  const below = (bound: number): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return Math.floor((seed / 2 ** 32) * bound)
  }
  const made: Array<Batch<Order>> = []
  for (let first = 0; first < ordersCount; first += batchSize) {
    const values: Array<Order> = []
    const times: Array<number> = []
    for (let i = first; i < Math.min(ordersCount, first + batchSize); i++) {
      // Text that was decoded is not one shared constant.
      const region = ["n", "orth", "s", "outh", "e", "ast", "w", "est"]
        .slice(below(4) * 2)
        .slice(0, 2)
        .join("")
      values.push({ region, shopid: below(200), itemid: below(50), price: BigInt(below(100_000)), count: 1n })
      times.push(1_700_000_000_000 + i * 0.5 - below(4_000) - ((i * 0.5) % 1))
    }
    made.push({
      _tag: "Batch",
      origin: "orders",
      partition: 0,
      openedAt: 0,
      values,
      offsets: Float64Array.from(values, (_, i) => first + i),
      rows: null,
      eventTimes: Float64Array.from(times),
      ownWatermarks: new Float64Array(values.length).fill(1_700_000_000_000 + first * 0.5 - 5_000),
      records: null,
      recordIndexes: null
    })
  }
  return made
})()

const plainLoop = (): number => {
  let rows = 0
  let sums = new Map<string, { price: bigint; count: bigint; orders: number }>()
  batches.forEach((batch, at) => {
    for (let i = 0; i < batch.values.length; i++) {
      const order = batch.values[i]!
      const time = batch.eventTimes![i]!
      const start = time - (time % windowMillis)
      const key = `${order.region}|${order.shopid}|${order.itemid}|${start}`
      const sum = sums.get(key)
      if (sum === undefined) sums.set(key, { price: order.price, count: order.count, orders: 1 })
      else {
        sum.price += order.price
        sum.count += order.count
        sum.orders++
      }
    }
    if (at % batchesPerEpoch === batchesPerEpoch - 1) rows += sums.size
  })
  sums = new Map()
  return rows
}

const sum = (of: (order: Order) => bigint): Aggregate<Order, bigint, bigint> => ({
  empty: () => 0n,
  add: (state, order) => state + of(order),
  merge: (left, right) => left + right,
  result: (state) => state
})
const count: Aggregate<Order, number, number> = {
  empty: () => 0,
  add: (state) => state + 1,
  merge: (left, right) => left + right,
  result: (state) => state
}

const operator = (): number => {
  let rows = 0
  const out: Collector = {
    emit: (_, batch) => {
      rows += batch.values.length
    }
  }
  const aggregate = WindowAggregate.make({
    id: "income",
    keyBy: {
      kind: "keyBy",
      columns: [
        { name: "region", of: (order: Order) => order.region },
        { name: "shopid", of: (order: Order) => order.shopid },
        { name: "itemid", of: (order: Order) => order.itemid }
      ]
    },
    window: { kind: "window", window: Window.tumbling("60 seconds"), allowedLatenessMillis: 0 },
    aggregate: {
      kind: "aggregate",
      id: "income",
      aggregates: { income: sum((order) => order.price), items: sum((order) => order.count), orders: count }
    },
    mode: "onUpdate",
    appends: false
  })
  batches.forEach((batch, at) => {
    aggregate.onBatch(batch, out, 0)
    if (at % batchesPerEpoch !== batchesPerEpoch - 1) return
    aggregate.onBarrier(barrier(at, batch.ownWatermarks![0]!), out)
    if (snapshots) aggregate.state!.snapshot(at)
  })
  return rows
}

const barrier = (epoch: number, watermark: number): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: 0,
  closedAt: 0,
  final: false,
  partitions: [],
  watermark,
  idle: false
})

const seconds = (run: () => number): number => {
  const start = performance.now()
  run()
  return (performance.now() - start) / 1000
}

let snapshots = false
for (const withSnapshots of [false, true]) {
  snapshots = withSnapshots
  const ratios: Array<number> = []
  let plainBest = Number.POSITIVE_INFINITY
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < 6; round++) {
    const plain = seconds(plainLoop)
    const own = seconds(operator)
    if (round === 0) continue
    ratios.push(plain / own)
    plainBest = Math.min(plainBest, plain)
    best = Math.min(best, own)
  }
  ratios.sort((left, right) => left - right)
  const thousands = (time: number): string => `${Math.round(ordersCount / time / 1000)} k/s`
  console.log(
    `${snapshots ? "with snapshots   " : "without snapshots"}  plain ${thousands(plainBest)}  operator ${thousands(best)}  ratio ${ratios[2]!.toFixed(2)}`
  )
}
