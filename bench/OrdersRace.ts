/** The job `orders` against the same work by hand: what one run of a side tells, and pairs of runs, compared and printed. */
import { Effect } from "effect"
import ordersJob from "../actors/orders.ts"
import { CheckpointStore } from "../src/checkpoint/CheckpointStore.ts"
import { Tables } from "../src/flow/Tables.ts"
import { Topics } from "../src/flow/Topics.ts"
import type { EpochProgress } from "../src/observe/Progress.ts"
import * as Runner from "../src/runtime/Runner.ts"
import { dropping } from "./DroppingOrders.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"

/** Are rows written into the table, or counted and dropped? */
export type Rows = "written" | "dropped"

/** What is in the table, in whole cents; of rows that were dropped, only how many keys they had. */
export interface Sums {
  readonly rows: number
  readonly cents?: string
  readonly items?: string
  readonly orders?: string
}

export interface Run {
  readonly spent: Processes.Spent
  readonly sums: Sums
  readonly epochs: ReadonlyArray<EpochProgress>
}

/** The options of a bench that makes orders. */
export const input = {
  /** Orders in all, over four partitions. */
  orders: 2_000_000,
  /** Orders of a second of event time, and items: together they make the number of distinct keys. */
  rate: 3_334,
  items: 5_550,
  /** Pairs of runs. */
  runs: 5
} as const

// Weir

/** Runs the job to the end of its topic. What is timed begins when topics and database are open. */
export const byWeir = (rows: Rows) =>
  Effect.gen(function* () {
    const epochs: Array<EpochProgress> = []
    yield* Topics
    yield* CheckpointStore
    const tables = yield* Tables
    const dropped = dropping()
    const job = rows === "written" ? ordersJob : dropped.job
    const end = Processes.stopwatch()
    yield* Effect.scoped(
      Effect.gen(function* () {
        const running = yield* Runner.start(job, { availableNow: true }, (event) =>
          Effect.sync(() => {
            if (event._tag === "Progress") epochs.push(event.progress)
          })
        )
        yield* running.ended
      })
    )
    const spent = end()
    const query = async (sql: string) => [...(await Effect.runPromise(tables.query({ sql, parameters: [] })))]
    const sums = rows === "written" ? yield* Effect.promise(() => tableSums(query)) : { rows: dropped.keys() }
    Processes.tell({ spent, sums, epochs } satisfies Run)
  })

export const tableSums = async (query: (sql: string) => Promise<ReadonlyArray<unknown>>): Promise<Sums> => {
  const [sums] = await query(`select count(*)::text as rows, (sum(gross_income) * 100)::bigint::text as cents,
    sum(total_items)::text as items, sum(total_orders)::text as orders from shop_item_income`)
  return { ...(sums as Record<keyof Sums, string>), rows: Number((sums as Record<keyof Sums, string>).rows) }
}

// Both

export type Measured = Run & { readonly processMillis: number }

export interface Race {
  readonly rows: Rows
  readonly orders: number
  readonly runs: number
  /** Runs a side in a process of its own. */
  readonly measure: (side: "weir" | "hand") => Promise<Measured>
}

/** Runs both sides in turn, and prints each pair, the epochs of the last run, and the medians. Both must give the same sums. */
export const compare = async ({ measure, orders, rows, runs }: Race): Promise<void> => {
  const hand: Array<Measured> = []
  const weir: Array<Measured> = []
  const total = String(orders)
  /** Of each pair: Weir's speed as a share of the other side's. */
  const ratios = (of: keyof Processes.Spent): ReadonlyArray<number> =>
    weir.map(({ spent }, run) => hand[run]!.spent[of] / spent[of])
  for (let run = 0; run < runs; run++) {
    hand.push(await measure("hand"))
    weir.push(await measure("weir"))
    for (const { sums } of [hand[run]!, weir[run]!])
      if (JSON.stringify(sums) !== JSON.stringify(hand[0]!.sums) || (sums.orders ?? total) !== total)
        throw new Error(`the sides disagree: ${JSON.stringify([hand[0]!.sums, sums])}`)
    const told = [hand[run]!, weir[run]!].map(({ spent }) => `${(spent.millis / 1000).toFixed(2)} s`)
    console.log(
      `rows ${rows}, run ${run + 1}: by hand ${told[0]}, Weir ${told[1]}, ratio ${ratios("millis").at(-1)!.toFixed(2)}`
    )
  }
  console.log(`\nThe epochs of the last run of Weir, rows ${rows}:`)
  printEpochs(weir.at(-1)!)
  const epochs = Figures.spreadOf(weir.map((run) => run.epochs.filter((epoch) => epoch.inputRows > 0).length))
  console.log(`
rows ${rows}: median (least to most) of ${runs} runs, ${Figures.grouped(weir[0]!.sums.rows)} keys, ${Figures.show(epochs, 0)} epochs`)
  printSide("by hand", orders, hand)
  printSide("Weir", orders, weir)
  console.log(`  ratio    ${Figures.show(Figures.spreadOf(ratios("millis")), 2)}, of processor time ${Figures.show(Figures.spreadOf(ratios("processorMillis")), 2)}
`)
}

const printEpochs = ({ epochs }: Run): void => {
  const written = epochs.filter((epoch) => epoch.inputRows > 0)
  console.log(
    Figures.table([
      ["epoch", "orders", "rows", "state bytes written", "state bytes", "process ms", "prepare", "intent", "manifest"],
      ...written.map(({ epoch, inputRows, phases, sinks, stateBytes, stateBytesWritten }) => [
        String(epoch),
        Figures.grouped(inputRows),
        Figures.grouped(sinks.find(({ sink }) => sink === "shop_item_income")!.rows),
        Figures.grouped(stateBytesWritten),
        Figures.grouped(stateBytes),
        ...[phases.process, phases.prepare, phases.intent, phases.manifest].map((millis) => millis.toFixed(0))
      ])
    ])
  )
}

const seconds = (runs: ReadonlyArray<Measured>, of: (run: Measured) => number): string =>
  Figures.show(Figures.spreadOf(runs.map((run) => of(run) / 1000)), 2)

const printSide = (name: string, orders: number, runs: ReadonlyArray<Measured>): void => {
  const speed = Figures.show(Figures.spreadOf(runs.map(({ spent }) => orders / spent.millis)), 0)
  console.log(`  ${name.padEnd(8)} ${speed} k orders/s, ${seconds(runs, ({ spent }) => spent.millis)} s, \
processor ${seconds(runs, ({ spent }) => spent.processorMillis)} s, whole process ${seconds(runs, ({ processMillis }) => processMillis)} s`)
}
