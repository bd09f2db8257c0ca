/**
 * Weir as a process that stops itself at a moment of its own choosing, as a machine does that is put to sleep: two jobs
 * over the servers of the environment, whose tables and topics are those of the connectors, with an ear at the door.
 *
 *     node zombie.mjs '{"sleeps": "in a transaction", "epoch": 3}' run totals --available-now
 */
import { writeSync } from "node:fs"
import { Effect, Layer, Schema } from "effect"
import { main } from "../../src/cli/Main.ts"
import { Process } from "../../src/cli/Process.ts"
import * as KafkaClient from "../../src/connectors/kafka/KafkaClient.ts"
import * as KafkaConfig from "../../src/connectors/kafka/KafkaConfig.ts"
import { serviceOf } from "../../src/connectors/kafka/KafkaService.ts"
import { layerMysql, layerPostgres, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { type Statement, Tables, type TablesService } from "../../src/flow/Tables.ts"
import { Topics, type TopicsService } from "../../src/flow/Topics.ts"
import { Aggregate, Flow, Int64, Job, Parameter, Trigger } from "../../src/index.ts"
import * as Host from "../../src/platform/node.ts"
import type { Sleep } from "./Zombies.ts"

// The jobs

const Sale = Schema.Struct({ item: Schema.Int, amount: Int64 })
const Total = Schema.Struct({ item: Schema.Int, amount: Int64, sales: Int64 })
const sales = (topic: string) => Flow.from(Topic.source(topic)).pipe(Flow.decode(Sale))
const parameters = { topic: Parameter.text("sales", { meaning: "topic of the sales" }) }
const trigger = Trigger.every("1 second")

const totals = Job.make("totals", {
  parameters,
  trigger,
  outputs: ({ topic }) => [
    sales(topic).pipe(
      Flow.keyBy("item"),
      Flow.aggregate("total", { amount: Aggregate.sum((sale) => sale.amount), sales: Aggregate.count }),
      Flow.to(Sql.upsert("totals", Total, { key: ["item"] }))
    )
  ]
})

const copies = Job.make("copies", {
  parameters,
  trigger,
  outputs: ({ topic }) => [sales(topic).pipe(Flow.to(Topic.sink(`${topic}.copied`, Sale)))]
})

// Sleeping

const sleep: Sleep = JSON.parse(process.argv[2]!)
let hasSlept = false

/** Says so, and stops until somebody wakes it up: once. */
const stop = (): void => {
  if (hasSlept) return
  hasSlept = true
  writeSync(2, `sleeps ${sleep.sleeps}\n`)
  process.kill(process.pid, "SIGSTOP")
}

const isAdvance = ({ sql }: Statement): boolean => sql.startsWith("update weir_fence set epoch")
const isDue = (statement: Statement): boolean => isAdvance(statement) && statement.parameters[0] === sleep.epoch

/**
 * The statements with an ear behind the last one: how many rows it was to change is asked when it is done, and nothing is
 * committed then.
 */
const heardOut = (statements: ReadonlyArray<Statement>, listen: () => void): ReadonlyArray<Statement> => {
  const last = statements.at(-1)!
  const heard: Statement = {
    ...last,
    get rowsExpected() {
      listen()
      return last.rowsExpected as number
    }
  }
  return [...statements.slice(0, -1), heard]
}

const sleepingTables = (tables: TablesService): TablesService => {
  /** Behind what the next statement sends first, and before its answer is read. */
  const within = () => void setImmediate(() => setImmediate(stop))
  const next: Statement = { sql: `select ${tables.dialect.parameter(1)} as slept`, parameters: ["x"] }
  const sleeping = (statements: ReadonlyArray<Statement>) =>
    sleep.sleeps === "in a statement" ? [...heardOut(statements, within), next] : heardOut(statements, stop)
  return {
    ...tables,
    transaction: (statements) => tables.transaction(statements.some(isDue) ? sleeping(statements) : statements)
  }
}

// Without a fence

/** A fence that lets everybody through, and tells everybody that nobody else was there. */
const unfencedTables = (tables: TablesService): TablesService => {
  let told: ReadonlyArray<Readonly<Record<string, unknown>>> | null = null
  return {
    ...tables,
    transaction: (statements) => {
      const advance = statements.find(isAdvance)
      if (advance !== undefined) {
        const [, , , sink, , lineage, generation, epoch] = advance.parameters
        told = [{ sink, lineage, generation, epoch, digest: "" }]
      }
      return tables.transaction(statements.map(({ rowsExpected: _, ...statement }) => statement))
    },
    query: (statement) =>
      told !== null && statement.sql.includes("from weir_fence") ? Effect.succeed(told) : tables.query(statement)
  }
}

/** Appends to the topic whatever comes. */
const unfencedTopics = (topics: TopicsService): TopicsService => ({
  ...topics,
  epochWriter: (topic, options) =>
    Effect.map(topics.epochWriter(topic, options), (writer) => ({
      ...writer,
      write: (_, records) =>
        Effect.as(
          Effect.forEach([...records], ([partition, part]) => topics.produce(topic, partition, part)),
          "written" as const
        )
    }))
})

// Servers

const tablesOf = (url: string) => {
  const layer = url.startsWith("postgres") ? layerPostgres({ url }) : layerMysql({ url })
  const inner = (tables: TablesService) =>
    sleep.sleeps === "in a transaction" || sleep.sleeps === "in a statement" ? sleepingTables(tables) : tables
  const outer = (tables: TablesService) => (sleep.isFenced === false ? unfencedTables(tables) : tables)
  return Layer.effect(
    Tables,
    Effect.map(Tables, (tables) => outer(inner(tables)))
  ).pipe(Layer.provide(layer))
}

/** The broker has the records of a transaction, and waits for its end. */
const sleepingClient = (client: KafkaClient.Client): KafkaClient.Client => {
  // The first one says that there is a new owner; each epoch of the job has another, from its second on.
  let transactions = 0
  return {
    ...client,
    send: (node, request) =>
      Effect.suspend(() => {
        if (request.name === "EndTxn" && ++transactions === sleep.epoch) stop()
        return client.send(node, request)
      })
  }
}

const sleepingWriters = (topics: TopicsService): TopicsService => ({
  ...topics,
  epochWriter: (topic, options) =>
    Effect.map(topics.epochWriter(topic, options), (writer) => ({
      ...writer,
      write: (epoch, records) =>
        Effect.suspend(() => {
          if (epoch === sleep.epoch) stop()
          return writer.write(epoch, records)
        })
    }))
})

const topicsOf = (brokers: string) =>
  Layer.scoped(
    Topics,
    Effect.gen(function* () {
      const config = yield* KafkaConfig.resolve({ brokers: brokers.split(",") })
      const connect = KafkaClient.make(config)
      const isInside = sleep.sleeps === "in a transaction of Kafka"
      const topics = yield* serviceOf(isInside ? Effect.map(connect, sleepingClient) : connect, config.compression)
      const fenced = sleep.isFenced === false ? unfencedTopics(topics) : topics
      return sleep.sleeps === "between two transactions of Kafka" ? sleepingWriters(fenced) : fenced
    })
  )

const servers = Layer.merge(tablesOf(process.env.DATABASE_URL!), topicsOf(process.env.KAFKA_BROKERS!))

const program = Layer.effect(
  Process,
  Effect.map(Process, (process) => {
    const words = process.arguments.slice(1)
    const job = words.includes("totals") ? totals : copies
    return { ...process, arguments: words, importModule: () => Effect.succeed({ default: job }) }
  })
)

const root = process.cwd()
const modules = { root, actors: `${root}/actors`, fixtures: "", page: "", weir: root, weirFixtures: "" }
Host.runMain(modules, main.pipe(Effect.provide(program), Effect.provide(servers), Effect.orDie))
