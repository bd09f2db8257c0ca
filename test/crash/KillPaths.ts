/**
 * The paths over servers on which a job is killed, from Kafka into the tables of a database or into topics of Kafka,
 * and whether what it left is what the oracle computes.
 */
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { createConnection, type RowDataPacket } from "mysql2/promise"
import postgres from "postgres"
import type { Expected } from "../../fixtures/orders-oracle.ts"
import { layerKafka } from "../../src/connectors/kafka/index.ts"
import * as KillReader from "./KillReader.ts"
import * as Kills from "./Kills.ts"
import type * as Lives from "./Lives.ts"

export interface Path {
  readonly name: string
  readonly meaning: string
  /** The database beside Kafka: for rows, for checkpoints, or for nothing, and then no embedded one is opened. */
  readonly database: "postgres" | "mariadb"
  /** Where rows go: to the table of `orders`, or to a topic by `incomes`, each when its window is closed. */
  readonly rows: "table" | "topic"
  readonly checkpoints: "tables" | "files"
}

export const paths: ReadonlyArray<Path> = [
  {
    name: "kafka-postgres",
    meaning: "Kafka → Postgres, checkpoints in its tables",
    database: "postgres",
    rows: "table",
    checkpoints: "tables"
  },
  {
    name: "kafka-mariadb",
    meaning: "Kafka → MariaDB, checkpoints in its tables",
    database: "mariadb",
    rows: "table",
    checkpoints: "tables"
  },
  {
    name: "kafka-kafka",
    meaning: "Kafka → Kafka, checkpoints in files",
    database: "postgres",
    rows: "topic",
    checkpoints: "files"
  },
  {
    name: "kafka-kafka-postgres",
    meaning: "Kafka → Kafka, checkpoints in tables of Postgres",
    database: "postgres",
    rows: "topic",
    checkpoints: "tables"
  }
]

export interface Servers {
  readonly brokers: string
  /** The address of an empty database. */
  readonly database: string
}

export interface Killing extends Pick<Kills.Killed, "killsMin" | "onLife" | "runtime" | "seed"> {}

export interface Outcome {
  readonly seen: Lives.Seen
  /** Orders, and what the oracle makes of them: in rows, late, and dead letters. */
  readonly orders: { readonly counted: number; readonly late: number; readonly deadLetters: number }
  /** Where the job's outputs differ from the oracle's; empty: nowhere. */
  readonly differences: ReadonlyArray<string>
}

/** Kills the job on the path as often as it is told, over a topic of its own, and compares what it left. */
export const killed = async (path: Path, servers: Servers, killing: Killing): Promise<Outcome> => {
  const home = mkdtempSync(join(tmpdir(), "weir-kills-"))
  const topic = `orders-${randomUUID().slice(0, 8)}`
  try {
    const expected = await Kills.produce(topic, inputFor(killing.killsMin)).pipe(
      Effect.provide(layerKafka({ brokers: servers.brokers.split(",") })),
      Effect.runPromise
    )
    const seen = await Kills.killed({ ...jobOf(path, servers, home), topic, maxPerEpoch, ...killing })
    const orders = { counted: expected.counted, late: expected.late.length, deadLetters: expected.deadLetters.length }
    return { seen, orders, differences: await differences(path, servers, topic, expected) }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

// Private

const maxPerEpoch = 200

/** Orders that last for so many kills, with enough of each kind that most epochs write to every sink. */
const inputFor = (kills: number) => ({
  seed: 23,
  count: 4_000 + 600 * kills,
  partitions: 4,
  rate: 100,
  items: 60,
  outOfOrder: 0.02,
  late: 0.02,
  malformed: 0.02,
  farFuture: 0.001
})

const jobOf = (
  { checkpoints, rows }: Path,
  { brokers, database }: Servers,
  home: string
): Pick<Kills.Job, "environment" | "job" | "project"> => ({
  environment: {
    WEIR_DATA: join(home, "data"),
    WEIR_CHECKPOINTS: checkpoints === "tables" ? "tables" : `file:${join(home, "checkpoints")}`,
    KAFKA_BROKERS: brokers,
    DATABASE_URL: database
  },
  ...(rows === "table" ? { job: "orders" } : { job: "incomes", project: import.meta.dirname })
})

const differences = async (
  { rows }: Path,
  { brokers, database }: Servers,
  topic: string,
  expected: Expected
): Promise<ReadonlyArray<string>> => {
  const outputs = ["invalid", "late", ...(rows === "topic" ? ["income"] : [])].map((output) => `${topic}.${output}`)
  const records = await KillReader.committed(brokers, outputs)
  const placesOf = (output: string): ReadonlyArray<string> =>
    records
      .get(`${topic}.${output}`)!
      .map(({ headers }) => `${headers!["weir.partition"]!}/${headers!["weir.offset"]!}`)
  const found =
    rows === "topic"
      ? records.get(`${topic}.income`)!.map(({ value }) => textOfRecord(String(value)))
      : await rowsOf(database)
  const places = (all: Expected["late"]) => all.map(({ offset, partition }) => `${partition}/${offset}`)
  return [
    ...compared("row", textsOf(expected), found),
    ...compared("late order", places(expected.late), placesOf("late")),
    ...compared("dead letter", places(expected.deadLetters), placesOf("invalid"))
  ]
}

/** What is missing, what is there and should not be, and what is there more than once. */
export const compared = (
  what: string,
  expected: ReadonlyArray<string>,
  found: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const wanted = new Set(expected)
  const met = new Set<string>()
  const wrong: Array<string> = []
  for (const text of found) {
    if (!wanted.has(text)) wrong.push(`${what} ${text} is there`)
    else if (met.has(text)) wrong.push(`${what} ${text} is there again`)
    met.add(text)
  }
  for (const text of wanted) if (!met.has(text)) wrong.push(`${what} ${text} is missing`)
  return wrong
}

// A row as text: key, window in seconds, sums.

const textsOf = ({ rows }: Expected): ReadonlyArray<string> =>
  [...rows.values()].map(({ grossIncome, itemid, region, shopid, totalItems, totalOrders, windowEnd, windowStart }) =>
    [region, shopid, itemid, windowStart / 1_000, windowEnd / 1_000, grossIncome, totalItems, totalOrders].join("|")
  )

/** Its numbers are read as they are written: a parser would make doubles of them. */
const textOfRecord = (json: string): string => {
  const { itemid, region, shopid, windowEnd, windowStart } = JSON.parse(json) as Record<string, string | number>
  const written = (name: string): string => new RegExp(`"${name}":"?(-?[0-9.]+)"?[,}]`).exec(json)?.[1] ?? ""
  const [units, places = ""] = written("grossIncome").split(".")
  const seconds = [windowStart, windowEnd].map((instant) => Date.parse(String(instant)) / 1_000)
  const sums = [`${units}.${places.padEnd(2, "0")}`, written("totalItems"), written("totalOrders")]
  return [region, shopid, itemid, ...seconds, ...sums].join("|")
}

const rowsOf = (url: string): Promise<ReadonlyArray<string>> =>
  url.startsWith("postgres") ? rowsOfPostgres(url) : rowsOfMysql(url)

const selecting = (seconds: (column: string) => string): string =>
  `select concat_ws('|', region, shopid, itemid, ${seconds("window_start")}, ${seconds("window_end")}, ` +
  "gross_income, total_items, total_orders) as row_text from shop_item_income"

const rowsOfPostgres = async (url: string): Promise<ReadonlyArray<string>> => {
  const sql = postgres(url, { max: 1 })
  const found = await sql
    .unsafe(selecting((column) => `extract(epoch from ${column})::bigint`))
    .finally(() => sql.end())
  return found.map(({ row_text }) => String(row_text))
}

const rowsOfMysql = async (url: string): Promise<ReadonlyArray<string>> => {
  const connection = await createConnection(url)
  const [found] = await connection
    .query<Array<RowDataPacket>>(selecting((column) => `timestampdiff(second, '1970-01-01', ${column})`))
    .finally(() => connection.end())
  return found.map(({ row_text }) => String(row_text))
}
