/**
 * The resident memory of `weir start orders`: idle, the first time (it makes its database) and later, then while it
 * reads a log as fast as it can, and after that.
 */
import { join } from "node:path"
import { Effect } from "effect"
import { orders } from "../fixtures/orders.ts"
import * as Log from "../src/connectors/log/index.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as Program from "./Program.ts"
import * as World from "./World.ts"

const options = Figures.options({
  orders: 2_000_000,
  rate: 3_334,
  items: 5_550,
  /** Seconds before an idle process is looked at, and for which it is. */
  settle: 15,
  watch: 10,
  runs: 3
})

interface Memory {
  readonly firstIdle: number
  readonly laterIdle: number
  readonly busy: number
  readonly busyPeak: number
  readonly afterwards: number
  readonly ordersPerSecond: number
}

const serve = async (folder: string): Promise<Program.Served> => {
  const served = await Program.serve("node", ["bin/weir.mjs", "start", "orders"], folder)
  await Program.until(() => Program.get(served, "/health/ready", 1_000), 50)
  return served
}

const idle = async (served: Program.Served): Promise<number> => {
  await Program.pause(options.settle * 1000)
  const seen: Array<number> = []
  for (let second = 0; second < options.watch; second++) {
    seen.push(Program.residentBytes(served.child))
    await Program.pause(1000)
  }
  return Figures.quantile(seen, 0.5)
}

const busy = async (served: Program.Served): Promise<ReadonlyArray<number>> => {
  const seen: Array<number> = []
  for (;;) {
    seen.push(Program.residentBytes(served.child))
    const { rowsIn } = await Program.get(served, "/api/jobs/orders")
    if (rowsIn >= options.orders) return seen
    await Program.pause(200)
  }
}

const measure = (): Promise<Memory> =>
  World.withFolder(async (folder) => {
    Program.copyTo(folder)
    Program.build(folder)
    const first = await serve(folder)
    const firstIdle = await idle(first)
    await Program.stop(first)
    const later = await serve(folder)
    const laterIdle = await idle(later)
    await Program.stop(later)
    const { items, orders: count, rate } = options
    const made = World.fill("orders", orders({ count, rate, items }, 16_384))
    await World.run(Effect.provide(made, Log.layer({ folder: join(folder, ".weir/log") })))
    const served = await Program.serve("node", ["bin/weir.mjs", "start", "orders"], folder)
    await Program.until(() => Program.get(served, "/health/live", 1_000), 50)
    const began = performance.now()
    const seen = await busy(served)
    const ordersPerSecond = (count / (performance.now() - began)) * 1000
    const afterwards = await idle(served)
    await Program.stop(served)
    return {
      firstIdle,
      laterIdle,
      busy: Figures.quantile(seen, 0.5),
      busyPeak: Math.max(...seen),
      afterwards,
      ordersPerSecond
    }
  })

console.log(`${Processes.machine()}\nmedian (least to most) of ${options.runs} runs, megabytes\n`)
const runs: Array<Memory> = []
for (let run = 0; run < options.runs; run++) runs.push(await measure())
const told = (what: string, of: (memory: Memory) => number): void =>
  console.log(`${what.padEnd(40)} ${Figures.show(Figures.spreadOf(runs.map((run) => of(run) / 1e6)), 0)}`)
told("idle, the first start", (memory) => memory.firstIdle)
told("idle, a later start", (memory) => memory.laterIdle)
told("at full speed, median of its samples", (memory) => memory.busy)
told("at full speed, the most", (memory) => memory.busyPeak)
told(`${options.settle} s after it`, (memory) => memory.afterwards)
const speeds = Figures.spreadOf(runs.map((run) => run.ordersPerSecond / 1000))
console.log(`(at full speed: ${Figures.show(speeds, 0)} k orders/s, sampled while it ran)`)
