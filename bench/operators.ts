/**
 * Each step of the language alone against a plain loop that does the same, over decoded events: their speeds and
 * ratio, without snapshots of the state and with one at each epoch. Both must give the same rows, else it fails.
 * (Windows that are updated at each epoch: `bench/window.ts`.)
 */
import { Effect, Schema } from "effect"
import * as Lookup from "../src/flow/Lookup.ts"
import { Aggregate, Flow, Frame, Instant, Int64, Window } from "../src/index.ts"
import type { Batch } from "../src/model/Message.ts"
import { LookupTable } from "../src/operator/LookupTable.ts"
import type { Operator } from "../src/operator/Operator.ts"
import * as Figures from "./Figures.ts"
import * as PlainLoops from "./PlainLoops.ts"
import * as Processes from "./Processes.ts"
import * as Steps from "./Steps.ts"

const options = Figures.options({ events: 500_000, epochs: 8, rounds: 5, only: "all" })

// The flows

const Order = Schema.Struct({
  id: Schema.Int,
  region: Schema.String,
  shop: Schema.Int,
  item: Schema.Int,
  price: Int64,
  count: Schema.Int,
  at: Instant
})
const Payment = Schema.Struct({ id: Schema.Int, paid: Schema.Int, at: Instant })
const Rate = Schema.Struct({ region: Schema.String, rate: Schema.Int, at: Instant })
const Shop = Schema.Struct({ shop: Schema.Int, name: Schema.String })

const timing = { maxOutOfOrderness: "5 seconds" } as const
const events = Steps.source("orders").pipe(Flow.decode(Order))
const orders = events.pipe(Flow.eventTime((order) => order.at, timing))
const others = Steps.source("others").pipe(Flow.decode(Order))
const payments = Steps.source("payments").pipe(
  Flow.decode(Payment),
  Flow.eventTime((payment) => payment.at, timing),
  Flow.keyBy("id")
)
const rates = Steps.source("rates").pipe(
  Flow.decode(Rate),
  Flow.eventTime((rate) => rate.at, timing),
  Flow.keyBy("region")
)
const sums = {
  price: Aggregate.sum((order: typeof Order.Type) => order.price),
  items: Aggregate.sum((order: typeof Order.Type) => order.count),
  orders: Aggregate.count
}
const items = events.pipe(Flow.keyBy("region", "shop", "item"), Flow.aggregate("items", sums))
const shopSums = events.pipe(Flow.keyBy("region", "shop"), Flow.aggregate("shops", sums))

const lookup = Lookup.make(
  { from: "shops", label: "shops", schema: Shop, load: Effect.succeed({ rows: [], placeOf: null }) },
  { key: ["shop"] }
)
const table = new LookupTable("1", ["shop"])
for (const [index, row] of PlainLoops.shopRows.entries()) table.add(row, index)

// The steps, each with its loop

interface Step {
  readonly name: string
  readonly make: () => ReadonlyArray<Operator>
  readonly epochs: ReadonlyArray<Steps.Epoch>
  readonly loop: PlainLoops.Loop
  readonly changes?: true
}

const made = PlainLoops.make(options.events, options.epochs)
/** What a step gives, as the input of another. */
const after = (flow: Flow.Flow<any, any, any, any>, id: string): ReadonlyArray<Steps.Epoch> => {
  const steps = Steps.of(flow, [id])
  return made.orders.map((epoch) => {
    const batches: Array<Batch> = []
    Steps.run(steps, [epoch], { snapshots: true, take: (batch) => batches.push(batch) })
    return { ...epoch, batches: batches.map((batch) => ({ batch, input: 0 })) }
  })
}

const steps: ReadonlyArray<Step> = [
  {
    name: "map and filter",
    make: () =>
      Steps.of(events.pipe(Flow.filter(PlainLoops.isLarge), Flow.map(PlainLoops.pricedOf)), ["filter", "map"]),
    epochs: made.orders,
    loop: PlainLoops.mapAndFilter
  },
  {
    name: "merge",
    make: () => Steps.of(events.pipe(Flow.merge(others)), ["merge"]),
    epochs: made.twice,
    loop: PlainLoops.merge
  },
  {
    name: "distinct",
    make: () => Steps.of(events.pipe(Flow.keyBy("shop", "item", "count"), Flow.distinct("firsts")), ["firsts"]),
    epochs: made.orders,
    loop: PlainLoops.distinct
  },
  {
    name: "aggregate",
    make: () => Steps.of(items, ["items"]),
    epochs: made.orders,
    loop: PlainLoops.aggregate,
    changes: true
  },
  {
    name: "aggregate of changes",
    make: () => {
      const price = Aggregate.sum((row: { readonly price: Int64 }) => row.price)
      return Steps.of(items.pipe(Flow.keyBy("region"), Flow.aggregate("regions", { items: Aggregate.count, price })), [
        "regions"
      ])
    },
    epochs: after(items, "items"),
    loop: PlainLoops.aggregateOfChanges,
    changes: true
  },
  {
    name: "topN and distinctCount",
    make: () => {
      const best = Aggregate.topN(5, PlainLoops.rankOf)
      const kinds = Aggregate.distinctCount((order: typeof Order.Type) => order.item)
      return Steps.of(events.pipe(Flow.keyBy("shop"), Flow.aggregate("best", { best, items: kinds })), ["best"])
    },
    epochs: made.orders,
    loop: PlainLoops.topAndDistinct,
    changes: true
  },
  {
    name: "window, emitted onClose",
    make: () => {
      const windows = orders.pipe(
        Flow.keyBy("region", "shop", "item"),
        Flow.window(Window.tumbling("10 seconds")),
        Flow.aggregate("windows", sums),
        Flow.emit("onClose")
      )
      return Steps.of(windows, ["windows"])
    },
    epochs: made.orders,
    loop: PlainLoops.onClose
  },
  {
    name: "interval join",
    make: () => {
      const paid = orders.pipe(Flow.keyBy("id"), Flow.join("paid", payments, { within: "10 seconds" }))
      return Steps.of(paid, ["paid"])
    },
    epochs: made.paid,
    loop: PlainLoops.join
  },
  {
    name: "temporal join",
    make: () => Steps.of(orders.pipe(Flow.keyBy("region"), Flow.temporalJoin("rated", rates)), ["rated"]),
    epochs: made.rated,
    loop: PlainLoops.temporalJoin
  },
  {
    name: "enrich",
    make: () => {
      const key = ({ shop }: { readonly shop: number }) => ({ shop })
      return Steps.of(events.pipe(Flow.enrich("named", lookup, { key, into: PlainLoops.namedOf })), ["named"], table)
    },
    epochs: made.orders,
    loop: PlainLoops.enrich
  },
  {
    name: "process",
    make: () => {
      const tens = events.pipe(
        Flow.keyBy("shop"),
        Flow.process("tens", {
          state: Schema.Struct({ orders: Schema.Number, items: Schema.Number }),
          onEvent: ({ count, shop }: typeof Order.Type, { forget, keep, state }) => {
            if ((state?.orders ?? 0) < 9)
              return keep({ orders: (state?.orders ?? 0) + 1, items: (state?.items ?? 0) + count })
            forget()
            return [{ shop, items: state!.items + count }]
          }
        })
      )
      return Steps.of(tens, ["tens"])
    },
    epochs: made.orders,
    loop: PlainLoops.process
  },
  {
    name: "frames",
    make: () => {
      const average = Frame.rows(
        PlainLoops.framedRows,
        Aggregate.avg((order: typeof Order.Type) => order.count)
      )
      return Steps.of(orders.pipe(Flow.keyBy("shop"), Flow.frames("moving", { average })), ["moving"])
    },
    epochs: made.orders,
    loop: PlainLoops.frames
  },
  {
    name: "complete",
    make: () => Steps.of(shopSums.pipe(Flow.emit("complete")), ["shops.complete"]),
    epochs: after(shopSums, "shops"),
    loop: PlainLoops.complete,
    changes: true
  }
]

// Measuring

const secondsOf = (run: () => void): number => {
  const began = performance.now()
  run()
  return (performance.now() - began) / 1_000
}

/** Fails unless step and loop give the same rows; answers how many. */
const rowsOf = ({ changes, epochs, loop, make, name }: Step): number => {
  const batches: Array<Batch> = []
  Steps.run(make(), epochs, { snapshots: false, take: (batch) => batches.push(batch) })
  const found = Steps.rowsOf(batches, changes === true)
  const wanted = loop(epochs).map(Steps.textOf).sort()
  const at = found.findIndex((row, i) => row !== wanted[i])
  if (found.length !== wanted.length || at >= 0 || found.length === 0)
    throw new Error(`${name}: ${found.length} rows, by hand ${wanted.length}: ${found[at]} is not ${wanted[at]}`)
  return found.length
}

interface Measured {
  readonly loop: number
  readonly step: number
  readonly ratio: Figures.Spread
}

const measure = ({ epochs, loop, make }: Step, snapshots: boolean): Measured => {
  const loops: Array<number> = []
  const own: Array<number> = []
  // Used, so that no loop is left out for want of a use.
  let rows = 0
  const take = (batch: Batch): void => {
    rows += batch.values.length
  }
  for (let round = 0; round <= options.rounds; round++) {
    const byHand = secondsOf(() => {
      rows += loop(epochs).length
    })
    const steps = make()
    const byStep = secondsOf(() => Steps.run(steps, epochs, { snapshots, take }))
    // The first round warms both up.
    if (round === 0) continue
    loops.push(byHand)
    own.push(byStep)
  }
  if (rows === 0) throw new Error("nothing came out")
  return {
    loop: Math.min(...loops),
    step: Math.min(...own),
    ratio: Figures.spreadOf(loops.map((seconds, i) => seconds / own[i]!))
  }
}

console.log(`${Processes.machine()}\n${Figures.grouped(options.events)} orders in ${options.epochs} epochs`)
console.log(`thousand events a second, the best of ${options.rounds} rounds; ratio: median (least to most)\n`)
const lines: Array<ReadonlyArray<string>> = [
  ["step", "events", "rows", "plain loop", "step", "ratio", "with snapshots", "ratio"]
]
for (const step of steps) {
  if (options.only !== "all" && step.name !== options.only) continue
  const rows = rowsOf(step)
  const count = step.epochs.reduce(
    (sum, { batches }) => sum + batches.reduce((within, { batch }) => within + batch.values.length, 0),
    0
  )
  const keeps = step.make().some(({ state }) => state !== undefined)
  const plain = measure(step, false)
  const kept = keeps ? measure(step, true) : null
  const speed = (seconds: number): string => Figures.grouped(count / seconds / 1_000)
  lines.push([
    step.name,
    Figures.grouped(count),
    Figures.grouped(rows),
    speed(plain.loop),
    speed(plain.step),
    Figures.show(plain.ratio, 2),
    kept === null ? "" : speed(kept.step),
    kept === null ? "" : Figures.show(kept.ratio, 2)
  ])
}
console.log(Figures.table(lines))
