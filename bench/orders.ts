/**
 * The job `orders` over a log that is there (`--available-now`, a trigger of one second, exactly once), against the
 * same work by hand (`ByHand.ts`): the ratio of their speeds, with the rows written into the embedded Postgres, and
 * with the rows dropped.
 *
 * Each run is a process of its own with a new database; the two sides take turns. What is timed begins when the log
 * and the database are open, and ends when the last row is written: neither side makes the other's database look
 * cheap. The time of whole processes is printed beside it.
 */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { PGlite } from "@electric-sql/pglite"
import { Effect, Layer } from "effect"
import ordersJob from "../actors/orders.ts"
import { orders } from "../fixtures/orders.ts"
import { CheckpointStore } from "../src/checkpoint/CheckpointStore.ts"
import { Tables } from "../src/flow/Tables.ts"
import { Topics } from "../src/flow/Topics.ts"
import type { EpochProgress } from "../src/observe/Progress.ts"
import * as Runner from "../src/runtime/Runner.ts"
import * as ByHand from "./ByHand.ts"
import { dropping } from "./DroppingOrders.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as World from "./World.ts"

const options = Figures.options({
  /** Orders in all, over four partitions. */
  orders: 2_000_000,
  /** Orders of a second of event time, and items: together they make the number of distinct keys. */
  rate: 3_334,
  items: 5_550,
  /** Pairs of runs. */
  runs: 5,
  // What the processes of one run are told:
  side: "both",
  rows: "written",
  log: "",
  folder: ""
})

/** What is in the table, in whole cents; of rows that were dropped, only how many keys they had. */
interface Sums {
  readonly rows: number
  readonly cents?: string
  readonly items?: string
  readonly orders?: string
}

interface Run {
  readonly spent: Processes.Spent
  readonly sums: Sums
  readonly epochs: ReadonlyArray<EpochProgress>
}

// By hand

const keysOf = (windows: ByHand.Windows): number => [...windows.values()].reduce((sum, { size }) => sum + size, 0)

const byHand = Effect.gen(function* () {
  const session =
    options.rows === "written" ? yield* Effect.promise(() => PGlite.create(join(options.folder, "postgres"))) : null
  yield* Topics
  const end = Processes.stopwatch()
  const windows = yield* ByHand.sumOrders("orders")
  if (session !== null) yield* Effect.promise(() => ByHand.writeRows(session, windows))
  const spent = end()
  const sums =
    session === null ? { rows: keysOf(windows) } : yield* Effect.promise(() => tableSums((sql) => session.query(sql)))
  if (session !== null) yield* Effect.promise(() => session.close())
  Processes.tell({ spent, sums, epochs: [] } satisfies Run)
}).pipe(Effect.provide(World.logLayer(options.log)))

// Weir

const byWeir = Effect.gen(function* () {
  const epochs: Array<EpochProgress> = []
  yield* Topics
  yield* CheckpointStore
  const tables = yield* Tables
  const dropped = dropping()
  const job = options.rows === "written" ? ordersJob : dropped.job
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
  const sums =
    options.rows === "written"
      ? yield* Effect.promise(() =>
          tableSums(async (sql) => ({ rows: [...(await Effect.runPromise(tables.query({ sql, parameters: [] })))] }))
        )
      : { rows: dropped.keys() }
  Processes.tell({ spent, sums, epochs } satisfies Run)
}).pipe(Effect.provide(Layer.merge(World.logLayer(options.log), World.storeLayer(options.folder))))

const tableSums = async (query: (sql: string) => Promise<{ readonly rows: ReadonlyArray<unknown> }>): Promise<Sums> => {
  const { rows } = await query(`select count(*)::text as rows, (sum(gross_income) * 100)::bigint::text as cents,
    sum(total_items)::text as items, sum(total_orders)::text as orders from shop_item_income`)
  const sums = rows[0] as Record<keyof Sums, string>
  return { ...sums, rows: Number(sums.rows) }
}

// Both

/** The log, made once for the options that it depends on. Each run reads a copy of its own: a job writes into its log. */
const logFolder = async (): Promise<string> => {
  const { items, orders: count, rate } = options
  const folder = join(World.home(), `orders-${count}-${rate}-${items}`)
  if (existsSync(folder)) return folder
  const making = `${folder}-making`
  rmSync(making, { recursive: true, force: true })
  mkdirSync(making, { recursive: true })
  const made = World.fill("orders", orders({ count, rate, items }, 16_384))
  await World.run(Effect.provide(made, World.logLayer(making)))
  renameSync(making, folder)
  return folder
}

const measure = (side: "weir" | "hand", rows: "written" | "dropped", log: string) =>
  World.withFolder(async (folder) => {
    cpSync(join(log, "log"), join(folder, "log"), { recursive: true })
    const { answer, processMillis } = await Processes.run<Run>({ side, rows, log: folder, folder })
    return { ...answer, processMillis }
  })

type Measured = Awaited<ReturnType<typeof measure>>

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

const printSide = (name: string, runs: ReadonlyArray<Measured>): void => {
  const speed = Figures.show(Figures.spreadOf(runs.map(({ spent }) => options.orders / spent.millis)), 0)
  console.log(`  ${name.padEnd(8)} ${speed} k orders/s, ${seconds(runs, ({ spent }) => spent.millis)} s, \
processor ${seconds(runs, ({ spent }) => spent.processorMillis)} s, whole process ${seconds(runs, ({ processMillis }) => processMillis)} s`)
}

const compare = async (rows: "written" | "dropped", log: string): Promise<void> => {
  const hand: Array<Measured> = []
  const weir: Array<Measured> = []
  const total = String(options.orders)
  /** Of each pair: Weir's speed as a share of the other side's. */
  const ratios = (of: keyof Processes.Spent): ReadonlyArray<number> =>
    weir.map(({ spent }, run) => hand[run]!.spent[of] / spent[of])
  for (let run = 0; run < options.runs; run++) {
    hand.push(await measure("hand", rows, log))
    weir.push(await measure("weir", rows, log))
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
rows ${rows}: median (least to most) of ${options.runs} runs, ${Figures.grouped(weir[0]!.sums.rows)} keys, ${Figures.show(epochs, 0)} epochs`)
  printSide("by hand", hand)
  printSide("Weir", weir)
  console.log(`  ratio    ${Figures.show(Figures.spreadOf(ratios("millis")), 2)}, of processor time ${Figures.show(Figures.spreadOf(ratios("processorMillis")), 2)}
`)
}

if (options.side === "hand") await World.run(byHand)
else if (options.side === "weir") await World.run(byWeir)
else {
  console.log(`${Processes.machine()}\n${Figures.grouped(options.orders)} orders in 4 partitions\n`)
  const log = await logFolder()
  await compare("written", log)
  await compare("dropped", log)
}
