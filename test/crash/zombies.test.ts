/** Processes that sleep while another takes over, at the moments that hurt, with the fence and without it. */
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Layer, ManagedRuntime } from "effect"
import { layerKafka } from "../../src/connectors/kafka/index.ts"
import { layerMysql, layerPostgres } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { lockMillisMax } from "../../src/model/Limits.ts"
import { check } from "../runtime/Expectation.ts"
import { ask, database } from "../services/asked.ts"
import { isThorough } from "../Thorough.ts"
import { committed } from "./KillReader.ts"
import * as Kills from "./Kills.ts"
import * as Zombies from "./Zombies.ts"

const kafka = await ask("kafka")
const brokers = "missing" in kafka ? "" : kafka.address
const kafkaLayer = layerKafka({ brokers: [brokers] })

const home = mkdtempSync(join(tmpdir(), "weir-zombies-"))
const program = join(home, "zombie.mjs")
beforeAll(() => Zombies.bundle(program), 60_000)
afterAll(() => {
  Zombies.end()
  rmSync(home, { recursive: true, force: true })
})

// What is sold, and what it comes to

const partitions = 4
const sales = Array.from({ length: 1_200 }, (_, i) => ({ item: (i * 31) % 7, amount: (i * 7_919) % 1_000 }))
const totalsOf = (some: typeof sales) =>
  Array.from({ length: 7 }, (_, item) => {
    const own = some.filter((sale) => sale.item === item)
    return { item, amount: String(own.reduce((sum, sale) => sum + sale.amount, 0)), sales: String(own.length) }
  })
const totals = totalsOf(sales)
/** Sold before the first process begins. It sleeps in the last epoch of these, so that nothing else is under way. */
const salesBefore = 600
const epoch = 4

const run = <A, Id>(layer: Layer.Layer<Id, unknown>, effect: Effect.Effect<A, unknown, Id>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, layer))

const utf8 = new TextEncoder()

const sell = (topic: string, some: typeof sales) =>
  run(
    kafkaLayer,
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* Effect.ignore(topics.create(topic, { partitions }))
      for (let partition = 0; partition < partitions; partition++) {
        const own = some.filter((_, i) => i % partitions === partition)
        const records = own.map((sale) => ({ key: null, value: utf8.encode(JSON.stringify(sale)), headers: [] }))
        yield* topics.produce(topic, partition, records)
      }
    })
  )

const newTopic = async (): Promise<string> => {
  const topic = `sales-${randomUUID().slice(0, 8)}`
  await sell(topic, sales.slice(0, salesBefore))
  return topic
}

// Tables

/** `waiting`: its transactions that wait for their client. */
const servers = [
  {
    name: "Postgres",
    server: "postgres",
    layer: layerPostgres,
    waiting: "select pid from pg_stat_activity where datname = current_database() and state = 'idle in transaction'"
  },
  {
    name: "MariaDB",
    server: "mariadb",
    layer: layerMysql,
    waiting:
      "select p.id from information_schema.innodb_trx join information_schema.processlist p on p.id = trx_mysql_thread_id where p.db = database() and p.command = 'Sleep'"
  }
] as const

const isThere = Object.fromEntries(
  await Promise.all(
    servers.map(async ({ server }) => [server, brokers !== "" && !("missing" in (await ask(server)))] as const)
  )
)

/**
 * MariaDB shows its transactions as they were, unless nobody has looked at them for a tenth of a second: tests that look
 * side by side would see what they saw for ever.
 */
let lastLook: Promise<unknown> = Promise.resolve()
const inTurn = <A>(look: () => Promise<A>): Promise<A> => {
  const own = lastLook.then(() => new Promise((resolve) => setTimeout(resolve, 250))).then(look)
  lastLook = own.catch(() => {})
  return own
}

/** Sleeps while it writes to a database of its own. */
const inTables = async (
  { layer, server, waiting }: (typeof servers)[number],
  sleep: Omit<Zombies.Sleep, "epoch">,
  checkpoints: "tables" | "files"
) => {
  const own = (await database(server))!
  const runtime = ManagedRuntime.make(layer({ url: own.url }))
  const query = (sql: string) =>
    runtime.runPromise(Effect.flatMap(Tables, (tables) => tables.query({ sql, parameters: [] })))
  const contents = () => query("select item, amount, sales from totals order by item")
  try {
    const topic = await newTopic()
    await query("select 1 as one")
    const job = (folder: string): Zombies.Job => ({
      name: "totals",
      topic,
      environment: {
        WEIR_DATA: join(home, topic, folder),
        WEIR_CHECKPOINTS: checkpoints === "tables" ? "tables" : `file:${join(home, topic, "checkpoints")}`,
        DATABASE_URL: own.url,
        KAFKA_BROKERS: brokers
      }
    })
    const asleep = async () => {
      const found = await inTurn(() => query(waiting))
      await sell(topic, sales.slice(salesBefore))
      return found
    }
    const found = await Zombies.overtaken(program, job, { ...sleep, epoch }, { asleep, overtaken: contents })
    expect(found.asleep.length).toBe(1)
    expect([found.successor.code, found.successor.generation]).toEqual([0, 2])
    expect(found.successor.epochs).toBeGreaterThanOrEqual(4)
    expect(found.overtaken).toEqual(totals)
    expect([found.sleeper.code, found.sleeper.generation]).toEqual([1, 1])
    return { ...found, contents: await contents() }
  } finally {
    await runtime.dispose()
    await own.drop()
  }
}

describe.each(servers)("a process that sleeps in a transaction of $name", { timeout: 120_000 }, (of) => {
  const isSkipped = !isThere[of.server]
  const isSkippedAtFirst = isSkipped || !isThorough

  it.skipIf(isSkipped).concurrent(
    "holds nobody up for long, writes nothing when it wakes up, and says that it is fenced",
    async () => {
      const found = await inTables(of, { sleeps: "in a transaction" }, "tables")
      expect(found.sleeper.told).toMatch(/^Fenced: .*generation 2/m)
      expect(found.contents).toEqual(totals)
      expect(found.waitedMillis).toBeLessThan(lockMillisMax)
    }
  )

  it.skipIf(isSkippedAtFirst).concurrent("does so where its checkpoints are elsewhere", async () => {
    const found = await inTables(of, { sleeps: "in a transaction" }, "files")
    expect(found.sleeper.told).toMatch(/^Fenced: .*generation 2/m)
    expect(found.contents).toEqual(totals)
  })

  it.skipIf(isSkippedAtFirst).concurrent("does so in the middle of a statement, too", async () => {
    const found = await inTables(of, { sleeps: "in a statement" }, "tables")
    expect(found.sleeper.told).toMatch(/^Fenced: .*generation 2/m)
    expect(found.contents).toEqual(totals)
    expect(found.waitedMillis).toBeLessThan(lockMillisMax)
  })

  it.skipIf(isSkipped).concurrent("writes older rows over newer ones where there is no fence", async () => {
    const found = await inTables(of, { sleeps: "in a transaction", isFenced: false }, "files")
    expect(found.contents).toEqual(totalsOf(sales.slice(0, salesBefore)))
  })
})

// Topics

const isKafkaThere = brokers !== "" && isThere.postgres === true

/** Sleeps while it writes to a topic; answers what readers of committed records find there. */
const inTopic = async (sleep: Omit<Zombies.Sleep, "epoch">) => {
  const own = (await database("postgres"))!
  try {
    const topic = await newTopic()
    const job = (folder: string): Zombies.Job => ({
      name: "copies",
      topic,
      environment: { WEIR_DATA: join(home, topic, folder), DATABASE_URL: own.url, KAFKA_BROKERS: brokers }
    })
    const asleep = () => sell(topic, sales.slice(salesBefore))
    const contents = async () => {
      const copied = `${topic}.copied`
      const values = (await committed(brokers, [copied])).get(copied)!.map(({ value }) => String(value))
      // The reader marks the ends of what it has read.
      return values.filter((value) => value !== "").sort()
    }
    const found = await Zombies.overtaken(program, job, { ...sleep, epoch }, { asleep, overtaken: contents })
    expect([found.successor.code, found.successor.generation]).toEqual([0, 2])
    expect(found.successor.epochs).toBeGreaterThanOrEqual(4)
    expect(found.overtaken).toEqual(sorted(sales))
    expect([found.sleeper.code, found.sleeper.generation]).toEqual([1, 1])
    return { ...found, contents: await contents() }
  } finally {
    await own.drop()
  }
}

const sorted = (some: typeof sales): ReadonlyArray<string> => some.map((sale) => JSON.stringify(sale)).sort()

describe("a process that sleeps while it writes to Kafka", { timeout: 120_000 }, () => {
  it.skipIf(!isKafkaThere).concurrent("in a transaction, is fenced when it wakes up, and adds nothing", async () => {
    const found = await inTopic({ sleeps: "in a transaction of Kafka" })
    expect(found.sleeper.told).toMatch(/^Fenced: .*generation 2/m)
    expect(found.contents).toEqual(sorted(sales))
  })

  it.skipIf(!isKafkaThere || !isThorough).concurrent("between two transactions, does the same", async () => {
    const found = await inTopic({ sleeps: "between two transactions of Kafka" })
    expect(found.sleeper.told).toMatch(/^Fenced: .*generation 2/m)
    expect(found.contents).toEqual(sorted(sales))
  })

  it.skipIf(!isKafkaThere).concurrent("appends its records again where there is no fence", async () => {
    const found = await inTopic({ sleeps: "between two transactions of Kafka", isFenced: false })
    expect(found.contents.length).toBeGreaterThan(sales.length)
  })
})

// At any moment

const orders = {
  seed: 23,
  count: 6_000,
  partitions: 4,
  rate: 400,
  items: 200,
  outOfOrder: 0.02,
  late: 0.02,
  malformed: 0.002,
  farFuture: 0.001
}

describe.each(servers)("weir run orders from Kafka into $name", { timeout: 180_000 }, ({ layer, server }) => {
  const stops = [
    { afterEpochs: 2, delayMillis: 0 },
    { afterEpochs: 3, delayMillis: 4 },
    { afterEpochs: 4, delayMillis: 9 }
  ]
  beforeAll(() => Kills.build(), 60_000)

  it.skipIf(!isThere[server]).each(isThorough ? stops : stops.slice(1, 2))(
    "lets nothing through of a process that sleeps in epoch $afterEpochs while another takes over",
    async (stop) => {
      const own = (await database(server))!
      try {
        const both = Layer.merge(layer({ url: own.url }), kafkaLayer)
        const topic = `orders-${randomUUID().slice(0, 8)}`
        const expected = await Effect.runPromise(Effect.provide(Kills.produce(topic, orders), both))
        const job = (folder: string) => ({
          environment: { WEIR_DATA: join(home, topic, folder), DATABASE_URL: own.url, KAFKA_BROKERS: brokers },
          topic,
          maxPerEpoch: 500
        })
        const { sleeper, successor } = await Kills.overtaken(job("first"), job("second"), stop)
        expect([successor.code, successor.generation]).toEqual([0, 2])
        expect([sleeper.code, sleeper.generation]).toEqual([1, 1])
        expect(sleeper.rest).toMatch(/^Fenced: .*generation 2/m)
        await Effect.gen(function* () {
          yield* check(expected, yield* Tables, yield* Topics, topic)
        }).pipe(Effect.provide(both), Effect.runPromise)
      } finally {
        await own.drop()
      }
    }
  )
})
