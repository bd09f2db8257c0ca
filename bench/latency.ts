/**
 * How long after an order is appended its updated row can be read, with a trigger of 100 ms: through a daemon over
 * HTTP (from before the request that appends to after the answer that has the row), and in one process without HTTP.
 *
 * Each order has a key of its own. It is sent after a random pause, so that it falls anywhere between two triggers;
 * the row is asked for every 2 ms. With `load`, other orders come meanwhile, evenly, so many a second.
 */
import { Effect, Layer, Schedule } from "effect"
import ordersJob from "../actors/orders.ts"
import { Tables } from "../src/flow/Tables.ts"
import { Topics } from "../src/flow/Topics.ts"
import * as Runner from "../src/runtime/Runner.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as Program from "./Program.ts"
import * as World from "./World.ts"

const options = Figures.options({
  orders: 300,
  /** Orders before these, which are not timed. */
  warmup: 50,
  /** Other orders per second, by series. */
  loads: "0,500"
})

const text = (item: number): string =>
  `{"itemid": ${item}, "count": 1, "timestamp": ${Math.floor(Date.now() / 1000)}, "price": 12.5, "orderid": ${1_000_000_000_000 + item}, "shopid": 100000, "region": "TW"}`
const question = (item: number): string =>
  `select itemid from shop_item_income where region = 'TW' and shopid = 100000 and itemid = ${item}`

interface Place {
  readonly append: (partition: number, lines: ReadonlyArray<string>) => Promise<void>
  readonly isThere: (item: number) => Promise<boolean>
}

/** Milliseconds of every timed order. */
const series = async (place: Place, load: number): Promise<ReadonlyArray<number>> => {
  const found: Array<number> = []
  let running = true
  const others = (async () => {
    let next = performance.now()
    for (let at = 0; running && load > 0; at++) {
      // Items that come again and again, as those of a shop do.
      await place.append(
        at % 4,
        Array.from({ length: load / 50 }, (_, i) => text(500_000 + ((at * 10 + i) % 20_000)))
      )
      next += 20
      await Program.pause(Math.max(0, next - performance.now()))
    }
  })()
  for (let item = 1; item <= options.warmup + options.orders; item++) {
    await Program.pause(Math.random() * 200)
    const began = performance.now()
    await place.append(item % 4, [text(item)])
    while (!(await place.isThere(item))) await Program.pause(2)
    if (item > options.warmup) found.push(performance.now() - began)
  }
  running = false
  await others
  return found
}

const print = (what: string, load: number, found: ReadonlyArray<number>): void => {
  const [median, rare, most] = [0.5, 0.99, 1].map((share) => Figures.quantile(found, share).toFixed(0))
  console.log(`${what}, ${load} other orders/s: p50 ${median} ms, p99 ${rare} ms, most ${most} ms, of ${found.length}`)
}

const overHttp = (load: number): Promise<ReadonlyArray<number>> =>
  World.withFolder(async (folder) => {
    Program.copyTo(folder)
    Program.build(folder)
    const served = await Program.serve("node", ["bin/weir.mjs", "start", "orders"], folder)
    await Program.until(() => Program.get(served, "/health/ready", 1_000), 50)
    await Program.post(served, "/api/jobs/orders/stop", {})
    await Program.until(() => Program.post(served, "/api/jobs/orders/start", { set: { trigger: "100 millis" } }), 50)
    await Program.until(() => Program.get(served, "/health/ready", 1_000), 50)
    const found = await series(
      {
        append: async (partition, lines) => {
          await Program.post(served, `/api/topics/orders?partition=${partition}`, `${lines.join("\n")}\n`)
        },
        isThere: async (item) => (await Program.rowsOf(served, question(item))) !== null
      },
      load
    )
    await Program.stop(served)
    return found
  })

const inProcess = (load: number): Promise<ReadonlyArray<number>> =>
  World.withFolder((folder) =>
    World.run(
      Effect.gen(function* () {
        const topics = yield* Topics
        const tables = yield* Tables
        const encoder = new TextEncoder()
        yield* Runner.start(ordersJob, { set: { trigger: "100 millis" } }, () => Effect.void)
        // The job makes its table.
        yield* Effect.retry(tables.query({ sql: question(0), parameters: [] }), {
          schedule: Schedule.spaced("50 millis")
        })
        return yield* Effect.promise(() =>
          series(
            {
              append: async (partition, lines) => {
                const records = lines.map((line) => ({ key: null, value: encoder.encode(line), headers: [] }))
                await Effect.runPromise(topics.produce("orders", partition, records))
              },
              isThere: async (item) =>
                (await Effect.runPromise(tables.query({ sql: question(item), parameters: [] }))).length > 0
            },
            load
          )
        )
      }).pipe(Effect.scoped, Effect.provide(Layer.merge(World.logLayer(folder), World.storeLayer(folder))))
    )
  )

console.log(`${Processes.machine()}\n`)
for (const load of options.loads.split(",").map(Number)) {
  print("over HTTP", load, await overHttp(load))
  print("in process", load, await inProcess(load))
}
