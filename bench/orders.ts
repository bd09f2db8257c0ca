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
import { orders } from "../fixtures/orders.ts"
import { Topics } from "../src/flow/Topics.ts"
import * as ByHand from "./ByHand.ts"
import * as Figures from "./Figures.ts"
import * as OrdersRace from "./OrdersRace.ts"
import * as Processes from "./Processes.ts"
import * as World from "./World.ts"

const options = Figures.options({
  ...OrdersRace.input,
  // What the processes of one run are told:
  side: "both",
  rows: "written",
  log: "",
  folder: ""
})

// By hand

const byHand = Effect.gen(function* () {
  const session =
    options.rows === "written" ? yield* Effect.promise(() => PGlite.create(join(options.folder, "postgres"))) : null
  yield* Topics
  const end = Processes.stopwatch()
  const windows = yield* ByHand.sumOrders("orders")
  if (session !== null) yield* Effect.promise(() => ByHand.writeRows(session, windows))
  const spent = end()
  const sums =
    session === null
      ? { rows: ByHand.keysOf(windows) }
      : yield* Effect.promise(() => OrdersRace.tableSums(async (sql) => (await session.query(sql)).rows))
  if (session !== null) yield* Effect.promise(() => session.close())
  Processes.tell({ spent, sums, epochs: [] } satisfies OrdersRace.Run)
})

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

const measure =
  (rows: OrdersRace.Rows, log: string): OrdersRace.Race["measure"] =>
  (side) =>
    World.withFolder(async (folder) => {
      cpSync(join(log, "log"), join(folder, "log"), { recursive: true })
      const { answer, processMillis } = await Processes.run<OrdersRace.Run>({ side, rows, log: folder, folder })
      return { ...answer, processMillis }
    })

const log = World.logLayer(options.log)
if (options.side === "hand") await World.run(Effect.provide(byHand, log))
else if (options.side === "weir")
  await World.run(
    Effect.provide(
      OrdersRace.byWeir(options.rows as OrdersRace.Rows),
      Layer.merge(log, World.storeLayer(options.folder))
    )
  )
else {
  console.log(`${Processes.machine()}\n${Figures.grouped(options.orders)} orders in 4 partitions\n`)
  const made = await logFolder()
  for (const rows of ["written", "dropped"] as const)
    await OrdersRace.compare({ ...options, rows, measure: measure(rows, made) })
}
