/** Events for single steps, and what a person would write by hand instead of each: a loop over arrays and a Map. */
import type { Instant, Int64 } from "../src/model/Columns.ts"
import type { Change } from "../src/model/Event.ts"
import type { Batch } from "../src/model/Message.ts"
import { batchOf, batchSize, type Epoch } from "./Steps.ts"

export interface Order {
  readonly id: number
  readonly region: string
  readonly shop: number
  readonly item: number
  readonly price: Int64
  readonly count: number
  readonly at: Instant
}
export interface Payment {
  readonly id: number
  readonly paid: number
  readonly at: Instant
}
export interface Rate {
  readonly region: string
  readonly rate: number
  readonly at: Instant
}
export interface Shop {
  readonly shop: number
  readonly name: string
}

export const shops = 200
export const windowMillis = 10_000
export const withinMillis = 10_000
export const framedRows = 20
const outOfOrderMillis = 4_000
const regions = ["north", "south", "east", "west", "inland", "coast", "hills", "isles"]

export const shopRows: ReadonlyArray<Shop> = Array.from({ length: shops }, (_, shop) => ({
  shop,
  name: `shop ${shop}`
}))
/** Other for every order, as long as there are fewer than a million. */
export const rankOf = (order: Order): number => (order.id * 7_919) % 1_000_003

// Events

const random = (seed: number) => {
  let state = seed
  return (bound: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}
const startMillis = 1_700_000_000_000
const timeOf = (i: number): number => startMillis + Math.floor(i / 2)

export const orderOf = (below: (bound: number) => number, i: number): Order => ({
  id: i,
  // Text that was decoded is not one shared constant.
  region: regions[below(8)]!.split("").join(""),
  shop: below(shops),
  item: below(50),
  price: BigInt(below(100_000)) as Int64,
  count: 1 + below(9),
  at: (timeOf(i) - below(outOfOrderMillis)) as Instant
})
const paymentOf = (below: (bound: number) => number, i: number): Payment => ({
  id: Math.max(0, i - below(4_000)),
  paid: i,
  at: (timeOf(i) - below(outOfOrderMillis)) as Instant
})
const rateOf = (below: (bound: number) => number, i: number): Rate => ({
  region: regions[below(8)]!,
  rate: i,
  at: timeOf(i) as Instant
})

/** Each of `count` places has an event of `of`, or every `every`-th; cut into epochs and batches. */
const epochsOf = <A extends { readonly at: number }>(
  origin: string,
  { count, epochs, every = 1 }: { readonly count: number; readonly epochs: number; readonly every?: number },
  of: (below: (bound: number) => number, i: number) => A
): ReadonlyArray<ReadonlyArray<Batch<A>>> => {
  const below = random(42 + every)
  const size = Math.ceil(count / epochs)
  return Array.from({ length: epochs }, (_, epoch) => {
    const batches: Array<Batch<A>> = []
    const end = Math.min(count, (epoch + 1) * size)
    for (let first = epoch * size; first < end; first += batchSize) {
      const values: Array<A> = []
      for (let i = first; i < Math.min(end, first + batchSize); i += every) values.push(of(below, i))
      batches.push(
        batchOf(origin, values, first, { at: values.map(({ at }) => at), own: watermarkAt(first) }) as Batch<A>
      )
    }
    return batches
  })
}
const watermarkAt = (i: number): number => timeOf(i) - outOfOrderMillis - 1_000

/** Batches of several inputs in turn. */
const together = (
  inputs: ReadonlyArray<ReadonlyArray<ReadonlyArray<Batch>>>,
  { count, epochs }: { readonly count: number; readonly epochs: number }
): ReadonlyArray<Epoch> =>
  Array.from({ length: epochs }, (_, epoch) => ({
    batches: inputs[0]![epoch]!.flatMap((_, at) => inputs.map((one, input) => ({ batch: one[epoch]![at]!, input }))),
    watermark: watermarkAt(Math.min(count, (epoch + 1) * Math.ceil(count / epochs)) - 1)
  }))

export interface Made {
  readonly orders: ReadonlyArray<Epoch>
  readonly twice: ReadonlyArray<Epoch>
  readonly paid: ReadonlyArray<Epoch>
  readonly rated: ReadonlyArray<Epoch>
}

export const make = (count: number, epochs: number): Made => {
  const size = { count, epochs }
  const orders = epochsOf("orders", size, orderOf)
  return {
    orders: together([orders], size),
    twice: together([orders, epochsOf("others", size, orderOf)], size),
    paid: together([orders, epochsOf("payments", size, paymentOf)], size),
    rated: together([orders, epochsOf("rates", { ...size, every: 100 }, rateOf)], size)
  }
}

// Loops. Each gives the rows that it would hand on, of changes the last of each key.

type Rows = ReadonlyArray<unknown>
export type Loop = (epochs: ReadonlyArray<Epoch>) => Rows

/** One loop for each event, another at the end of each epoch. */
const looping =
  <S>(
    make: () => S,
    put: (state: S, value: any, input: number) => void,
    end: (state: S, watermark: number, final: boolean) => void,
    rows: (state: S) => Rows
  ): Loop =>
  (epochs) => {
    const state = make()
    epochs.forEach(({ batches, watermark }, e) => {
      for (const { batch, input } of batches) {
        const { values } = batch
        for (let i = 0; i < values.length; i++) put(state, values[i], input)
      }
      end(state, watermark, e === epochs.length - 1)
    })
    return rows(state)
  }

const collected = (): Array<unknown> => []
const nothing = (): void => {}
const same = <A>(state: A): A => state

export const isLarge = (order: Order): boolean => order.count > 3
export const pricedOf = ({ count, id, price }: Order) => ({ id, worth: price * BigInt(count) })
export const mapAndFilter: Loop = looping(
  collected,
  (rows, order: Order) => {
    if (isLarge(order)) rows.push(pricedOf(order))
  },
  nothing,
  same
)

export const merge: Loop = looping(collected, (rows, order: Order) => rows.push(order), nothing, same)

/** Of orders by shop, item and count. */
export const distinct: Loop = looping(
  () => ({ seen: new Set<string>(), rows: collected() }),
  ({ rows, seen }, order: Order) => {
    const key = `${order.shop}|${order.item}|${order.count}`
    if (seen.has(key)) return
    seen.add(key)
    rows.push(order)
  },
  nothing,
  ({ rows }) => rows
)

interface Sums {
  readonly region: string
  readonly shop: number
  readonly item: number
  price: bigint
  items: number
  orders: number
  changed: boolean
}
const sumsOf = (sums: Map<string, Sums>, changed: Array<Sums>, order: Order): void => {
  const key = `${order.region}|${order.shop}|${order.item}`
  let sum = sums.get(key)
  if (sum === undefined) {
    const { item, region, shop } = order
    sum = { region, shop, item, price: 0n, items: 0, orders: 0, changed: false }
    sums.set(key, sum)
  }
  sum.price += order.price
  sum.items += order.count
  sum.orders++
  if (sum.changed) return
  sum.changed = true
  changed.push(sum)
}
const rowOf = ({ item, items, orders, price, region, shop }: Sums) => ({
  region,
  shop,
  item,
  price,
  items,
  orders: BigInt(orders)
})

export const aggregate: Loop = looping(
  () => ({ sums: new Map<string, Sums>(), changed: [] as Sums[], written: collected() }),
  ({ changed, sums }, order: Order) => sumsOf(sums, changed, order),
  (state) => {
    for (const sum of state.changed) {
      sum.changed = false
      state.written.push(rowOf(sum))
    }
    state.changed = []
  },
  ({ sums }) => [...sums.values()].map(rowOf)
)

type ItemRow = ReturnType<typeof rowOf>
export const aggregateOfChanges: Loop = looping(
  () => new Map<string, { region: string; items: number; price: bigint; changed: boolean }>(),
  (regions, { after, before }: Change<unknown, ItemRow>) => {
    if (before !== undefined) {
      const region = regions.get(before.region)!
      region.items--
      region.price -= before.price
    }
    if (after === undefined) return
    let region = regions.get(after.region)
    if (region === undefined) {
      region = { region: after.region, items: 0, price: 0n, changed: false }
      regions.set(after.region, region)
    }
    region.items++
    region.price += after.price
  },
  nothing,
  (regions) => [...regions.values()].map(({ items, price, region }) => ({ region, items: BigInt(items), price }))
)

export const topAndDistinct: Loop = looping(
  () => new Map<number, { shop: number; best: Array<Order>; items: Set<number> }>(),
  (found, order: Order) => {
    let one = found.get(order.shop)
    if (one === undefined) {
      one = { shop: order.shop, best: [], items: new Set() }
      found.set(order.shop, one)
    }
    one.items.add(order.item)
    const { best } = one
    const rank = rankOf(order)
    if (best.length === 5 && rankOf(best[4]!) >= rank) return
    let at = best.length
    while (at > 0 && rankOf(best[at - 1]!) < rank) at--
    best.splice(at, 0, order)
    if (best.length > 5) best.pop()
  },
  nothing,
  (found) => [...found.values()].map(({ best, items, shop }) => ({ shop, best, items: BigInt(items.size) }))
)

export const onClose: Loop = looping(
  () => ({ windows: new Map<number, Map<string, Sums>>(), rows: collected() }),
  ({ windows }, order: Order) => {
    const start = order.at - (order.at % windowMillis)
    let sums = windows.get(start)
    if (sums === undefined) {
      sums = new Map()
      windows.set(start, sums)
    }
    sumsOf(sums, [], order)
  },
  ({ rows, windows }, watermark, final) => {
    for (const [windowStart, sums] of windows) {
      const windowEnd = windowStart + windowMillis
      if (windowEnd > watermark && !final) continue
      for (const sum of sums.values()) rows.push({ ...rowOf(sum), windowStart, windowEnd })
      windows.delete(windowStart)
    }
  },
  ({ rows }) => rows
)

export const join: Loop = looping(
  () => ({ orders: new Map<number, Order>(), payments: new Map<number, Array<Payment>>(), rows: collected() }),
  ({ orders, payments, rows }, value: Order | Payment, input) => {
    const others = payments.get(value.id)
    if (input === 0) {
      const left = value as Order
      orders.set(left.id, left)
      for (const right of others ?? []) if (Math.abs(right.at - left.at) <= withinMillis) rows.push({ left, right })
      return
    }
    const right = value as Payment
    const left = orders.get(right.id)
    if (left !== undefined && Math.abs(right.at - left.at) <= withinMillis) rows.push({ left, right })
    if (others === undefined) payments.set(right.id, [right])
    else others.push(right)
  },
  ({ orders, payments }, watermark) => {
    const until = watermark - withinMillis
    for (const [id, { at }] of orders) {
      if (at >= until) break
      orders.delete(id)
    }
    for (const [id, [first]] of payments) {
      if (first!.at >= until) break
      payments.delete(id)
    }
  },
  ({ rows }) => rows
)

export const temporalJoin: Loop = looping(
  () => ({ rates: new Map<string, Array<Rate>>(), waiting: [] as Order[], rows: collected() }),
  ({ rates, waiting }, value: Order | Rate, input) => {
    if (input === 0) {
      waiting.push(value as Order)
      return
    }
    const known = rates.get(value.region)
    if (known === undefined) rates.set(value.region, [value as Rate])
    else known.push(value as Rate)
  },
  (state, watermark, final) => {
    const due = state.waiting
    state.waiting = []
    for (const left of due) {
      if (left.at >= watermark && !final) {
        state.waiting.push(left)
        continue
      }
      const known = state.rates.get(left.region) ?? []
      let at = known.length - 1
      while (at >= 0 && known[at]!.at > left.at) at--
      if (at >= 0) state.rows.push({ left, right: known[at] })
    }
  },
  ({ rows }) => rows
)

export const namedOf = (order: Order, shop: Shop | null) => ({ id: order.id, shop: shop?.name ?? null })
export const enrich: Loop = looping(
  () => ({ names: new Map(shopRows.map((row) => [row.shop, row])), rows: collected() }),
  ({ names, rows }, order: Order) => rows.push(namedOf(order, names.get(order.shop) ?? null)),
  nothing,
  ({ rows }) => rows
)

/** Of every tenth order of a shop what the ten came to. */
export const process: Loop = looping(
  () => ({ kept: new Map<number, { orders: number; items: number }>(), rows: collected() }),
  ({ kept, rows }, { count, shop }: Order) => {
    const one = kept.get(shop)
    if (one === undefined) kept.set(shop, { orders: 1, items: count })
    else if (one.orders < 9) {
      one.orders++
      one.items += count
    } else {
      rows.push({ shop, items: one.items + count })
      kept.delete(shop)
    }
  },
  nothing,
  ({ rows }) => rows
)

export const frames: Loop = looping(
  () => ({
    last: new Map<number, { counts: Array<number>; sum: number }>(),
    waiting: [] as Order[],
    rows: collected()
  }),
  ({ waiting }, order: Order) => waiting.push(order),
  (state, watermark, final) => {
    const due = state.waiting.filter(({ at }) => final || at < watermark)
    state.waiting = state.waiting.filter(({ at }) => !final && at >= watermark)
    due.sort((left, right) => left.at - right.at)
    for (const order of due) {
      let last = state.last.get(order.shop)
      if (last === undefined) {
        last = { counts: [], sum: 0 }
        state.last.set(order.shop, last)
      }
      last.counts.push(order.count)
      last.sum += order.count
      if (last.counts.length > framedRows + 1) last.sum -= last.counts.shift()!
      state.rows.push({ ...order, average: last.sum / last.counts.length })
    }
  },
  ({ rows }) => rows
)

export const complete: Loop = looping(
  () => ({ table: new Map<string, unknown>(), written: collected() }),
  ({ table }, { after }: Change<unknown, { readonly region: string; readonly shop: number }>) =>
    table.set(`${after!.region}|${after!.shop}`, after),
  ({ table, written }) => {
    for (const row of table.values()) written.push(row)
  },
  ({ table }) => [...table.values()]
)
