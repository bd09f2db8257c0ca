/**
 * The job `orders` over a topic of Kafka (`--available-now`, a trigger of one second, exactly once), against the same
 * work by hand (`ByHandKafka.ts`): the ratio of their speeds, with the rows written into Postgres, and with the rows
 * dropped.
 *
 * Each run is a process of its own with a new database; the two sides take turns over one topic. What is timed begins
 * when both servers are connected, by hand also when the group has been joined, and ends when the last row is durable.
 * What the processor spends is that of the process: the servers' own work is in neither.
 */
import { Effect, Layer } from "effect"
import { orders } from "../fixtures/orders.ts"
import * as ByHand from "./ByHand.ts"
import * as ByHandKafka from "./ByHandKafka.ts"
import * as Figures from "./Figures.ts"
import * as OrdersRace from "./OrdersRace.ts"
import * as Processes from "./Processes.ts"
import * as Servers from "./Servers.ts"
import * as World from "./World.ts"

const options = Figures.options({
  ...OrdersRace.input,
  // What the processes of one run are told:
  side: "both",
  rows: "written",
  brokers: "",
  database: ""
})

const byHand = async (): Promise<void> => {
  const session = ByHandKafka.connect(options.database)
  await session.exec("select 1")
  let end = Processes.stopwatch()
  const windows = await ByHandKafka.sumOrders(options.brokers, "orders", () => {
    end = Processes.stopwatch()
  })
  if (options.rows === "written") await ByHand.writeRows(session, windows)
  const spent = end()
  const sums = options.rows === "written" ? await OrdersRace.tableSums(session.query) : { rows: ByHand.keysOf(windows) }
  await session.close()
  Processes.tell({ spent, sums, epochs: [] } satisfies OrdersRace.Run)
}

const measure =
  (rows: OrdersRace.Rows, servers: Servers.Servers): OrdersRace.Race["measure"] =>
  async (side) => {
    await Servers.keepTopics(servers, ["orders"])
    return Servers.withDatabase(servers, async (database) => {
      const told = { side, rows, brokers: servers.brokers, database }
      const { answer, processMillis } = await Processes.run<OrdersRace.Run>(told)
      return { ...answer, processMillis }
    })
  }

if (options.side === "hand") await byHand()
else if (options.side === "weir") {
  const layers = Layer.merge(Servers.topicsLayer(options.brokers), Servers.storeLayer(options.database))
  await World.run(Effect.provide(OrdersRace.byWeir(options.rows as OrdersRace.Rows), layers))
} else {
  console.log(`${Processes.machine()}\n${Figures.grouped(options.orders)} orders in 4 partitions of Kafka\n`)
  await Servers.withServers(async (servers) => {
    const { items, orders: count, rate } = options
    const made = World.fill("orders", orders({ count, rate, items }, 16_384))
    await World.run(Effect.provide(made, Servers.topicsLayer(servers.brokers)))
    for (const rows of ["written", "dropped"] as const)
      await OrdersRace.compare({ ...options, rows, measure: measure(rows, servers) })
  })
}
