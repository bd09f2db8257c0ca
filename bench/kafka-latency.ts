/**
 * How long after an order is sent to Kafka its row is committed in Postgres, with a trigger of 100 ms, at a fixed rate.
 *
 * Each order has a key of its own, and says in its price how long after the beginning it was sent; Postgres itself says
 * when its row was committed. Producer and job are processes of their own; the first third of the orders is not timed.
 */
import { Effect, Layer } from "effect"
import { Kafka, logLevel } from "kafkajs"
import ordersJob from "../actors/orders.ts"
import * as Runner from "../src/runtime/Runner.ts"
import * as ByHandKafka from "./ByHandKafka.ts"
import * as Figures from "./Figures.ts"
import * as Processes from "./Processes.ts"
import * as Program from "./Program.ts"
import * as Servers from "./Servers.ts"
import * as World from "./World.ts"

const options = Figures.options({
  /** Orders a second, by series. */
  rates: "500,5000",
  seconds: 45,
  // What the process of the job is told:
  side: "both",
  brokers: "",
  database: ""
})

const byWeir = Effect.gen(function* () {
  yield* Runner.start(ordersJob, { set: { trigger: "100 millis" } }, () => Effect.void)
  return yield* Effect.never
}).pipe(
  Effect.scoped,
  Effect.provide(Layer.merge(Servers.topicsLayer(options.brokers), Servers.storeLayer(options.database)))
)

/** Sends orders evenly, some every 10 ms; answers the instant that their prices count from, in milliseconds. */
const send = async (brokers: string, rate: number): Promise<number> => {
  const producer = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const began = Date.now()
  const sent: Array<Promise<unknown>> = []
  for (let item = 0; item < rate * options.seconds; ) {
    const now = Date.now()
    const due = Math.min(rate * options.seconds, Math.floor(((now - began) * rate) / 1000))
    const messages = Array.from({ length: due - item }, (_, i) => ({
      partition: (item + i) % 4,
      value: `{"itemid": ${item + i}, "count": 1, "timestamp": ${Math.floor(now / 1000)}, "price": ${now - began}, "orderid": ${item + i}, "shopid": 100000, "region": "TW"}`
    }))
    item = due
    if (messages.length > 0) sent.push(producer.send({ topic: "orders", acks: -1, messages }))
    await Program.pause(10)
  }
  await Promise.all(sent)
  await producer.disconnect()
  return began
}

type Session = ReturnType<typeof ByHandKafka.connect>

const count = async (session: Session): Promise<number> => {
  const [found] = await session.query("select count(*)::integer as rows from shop_item_income")
  return Number(found!.rows)
}

const latency = (servers: Servers.Servers, rate: number): Promise<ReadonlyArray<number>> =>
  Servers.withDatabase(servers, async (database) => {
    await Servers.keepTopics(servers, [])
    const job = Processes.start({ side: "weir", brokers: servers.brokers, database })
    const session = ByHandKafka.connect(database)
    try {
      // The job makes its table.
      await Program.until(() => count(session), 50)
      const began = await send(servers.brokers, rate)
      const all = rate * options.seconds
      await Program.until(async () => ((await count(session)) < all ? null : true), 200)
      const rows = await session.query(
        `select extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000 - gross_income - ${began} as millis
         from shop_item_income where itemid >= ${Math.floor(all / 3)}`
      )
      return rows.map(({ millis }) => Number(millis))
    } finally {
      job.kill("SIGTERM")
      await session.close()
    }
  })

if (options.side === "weir") {
  // A process that ends by itself writes its profile, if it was told to.
  process.once("SIGTERM", () => process.exit(0))
  await World.run(byWeir)
} else {
  console.log(`${Processes.machine()}\n`)
  await Servers.withServers(async (servers) => {
    for (const rate of options.rates.split(",").map(Number)) {
      const found = await latency(servers, rate)
      const [median, rare, most] = [0.5, 0.99, 1].map((share) => Figures.quantile(found, share).toFixed(0))
      console.log(
        `${rate} orders/s: p50 ${median} ms, p99 ${rare} ms, most ${most} ms, of ${Figures.grouped(found.length)}`
      )
    }
  })
}
