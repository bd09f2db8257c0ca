/**
 * How long the job `orders` takes to go on after its process was killed, against the size of its state.
 *
 * A process reads orders of so many distinct keys into one long window and is killed when the last epoch is durable.
 * The next ones, each killed after its first epoch, find a few more orders: timed are opening the database, from the
 * start of the job to `running` (claim, state read back and restored), and from there to the first durable epoch.
 */
import { Effect } from "effect"
import ordersJob from "../actors/orders.ts"
import { CheckpointStore } from "../src/checkpoint/CheckpointStore.ts"
import type { EpochProgress } from "../src/observe/Progress.ts"
import * as Runner from "../src/runtime/Runner.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as World from "./World.ts"

const options = Figures.options({
  sizes: "10000,100000,1000000",
  runs: 5,
  /** Orders that a recovered job finds. */
  more: 1_000,
  // What the processes of one run are told:
  size: 0,
  part: "",
  folder: ""
})

const partitions = 4
const regions = ["TW", "ID", "TH", "SG", "VN", "MY", "PH"]
const encoder = new TextEncoder()

/** Orders whose keys are all different, in blocks. */
function* orders(count: number) {
  for (let at = 0; at < count; ) {
    const records: Array<{ readonly partition: number; readonly value: Uint8Array }> = []
    for (; at < count && records.length < 16_384; at++) {
      const region = regions[at % regions.length]
      const text = `{"itemid": ${100_000 + Math.floor(at / regions.length)}, "count": 3, "timestamp": 1537514430, "price": 91.51, "orderid": ${1_000_000_000_000 + at}, "shopid": ${100_000 + (at % 1_200)}, "region": "${region}"}`
      records.push({ partition: at % partitions, value: encoder.encode(text) })
    }
    yield { records }
  }
}

interface Recovery {
  readonly openMillis: number
  readonly restoreMillis: number
  readonly epochMillis: number
  readonly last: EpochProgress
}

const recover = Effect.gen(function* () {
  yield* World.fill("orders", orders(options.part === "fill" ? options.size : options.more))
  const opening = performance.now()
  yield* Effect.gen(function* () {
    yield* CheckpointStore
    const opened = performance.now()
    let running = 0
    let firstEpoch = 0
    let last: EpochProgress | null = null
    const job = yield* Runner.start(ordersJob, { availableNow: true, set: { window: "1 day" } }, (event) =>
      Effect.sync(() => {
        if (event._tag === "State" && event.status.state === "running" && running === 0) running = performance.now()
        if (event._tag !== "Progress" || event.progress.inputRows === 0) return
        if (firstEpoch === 0) firstEpoch = performance.now()
        last = event.progress
      })
    )
    yield* job.ended
    Processes.tell({
      openMillis: opened - opening,
      restoreMillis: running - opened,
      epochMillis: firstEpoch - running,
      last: last!
    } satisfies Recovery)
    process.kill(process.pid, "SIGKILL")
  }).pipe(Effect.provide(World.storeLayer(options.folder)))
}).pipe(Effect.scoped, Effect.provide(World.logLayer(options.folder)))

const compare = (size: number): Promise<ReadonlyArray<string>> =>
  World.withFolder(async (folder) => {
    await Processes.run({ part: "fill", size, folder })
    const found: Array<Recovery> = []
    for (let run = 0; run < options.runs; run++)
      found.push((await Processes.run<Recovery>({ part: "recover", size, folder, more: options.more })).answer)
    const { stateBytes, stateRows } = found.at(-1)!.last
    const seconds = (of: (recovery: Recovery) => number): string =>
      Figures.show(Figures.spreadOf(found.map((recovery) => of(recovery) / 1000)), 2)
    return [
      Figures.grouped(stateRows),
      Figures.megabytes(stateBytes),
      seconds(({ openMillis }) => openMillis),
      seconds(({ restoreMillis }) => restoreMillis),
      seconds(({ epochMillis }) => epochMillis),
      seconds(({ epochMillis, openMillis, restoreMillis }) => openMillis + restoreMillis + epochMillis)
    ]
  })

if (options.part !== "") await World.run(recover)
else {
  console.log(`${Processes.machine()}\nseconds, median (least to most) of ${options.runs} recoveries\n`)
  const rows: Array<ReadonlyArray<string>> = []
  for (const size of options.sizes.split(",").map(Number)) rows.push(await compare(size))
  console.log(Figures.table([["keys", "state", "open database", "restore", "first epoch", "in all"], ...rows]))
}
