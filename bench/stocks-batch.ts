/**
 * The batch over symbol files against the same in SQL of DuckDB: both read the files, look the categories up, compute three
 * moving averages over all days, hold those since September 2017 in a table, in memory, and write them as Parquet by day. Seconds of each run, in turns, and
 * how often Weir's is DuckDB's; the rows of both are compared.
 *
 *     npm run bench stocks-batch -- --rows 120_804 --rounds 5
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { DuckDBInstance } from "@duckdb/node-api"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import stocksBatch from "../actors/stocks-batch.ts"
import { paths, stocksFiles } from "../fixtures/stocks-files.ts"
import * as SqlCheckpointStore from "../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory } from "../src/connectors/sql/index.ts"
import { layerNone } from "../src/flow/SchemaRegistry.ts"
import { Tables } from "../src/flow/Tables.ts"
import * as Runner from "../src/runtime/Runner.ts"
import * as TopicsMemory from "../src/testing/TopicsMemory.ts"
import * as Figures from "./Figures.ts"

const { rounds, rows, seed } = Figures.options({ rows: 120_804, rounds: 5, seed: 1 })
const folder = mkdtempSync(join(tmpdir(), "weir-bench-stocks-"))
for (const { path, text } of stocksFiles({ count: rows, seed })) {
  mkdirSync(dirname(join(folder, path)), { recursive: true })
  writeFileSync(join(folder, path), text)
}
const input = join(folder, paths.folder)
const lookup = join(folder, paths.lookup)
const output = join(folder, "out")

/** What tells whether two results are one: rows, the sum of all averages in millionths, the sum of all volumes. */
const summary = "count(*), sum(round(ma20 * 1000000)), sum(round(ma100 * 1000000)), sum(volume)"

const average = (before: number): string =>
  `avg(close) over (partition by symbol order by full_date rows between ${before} preceding and current row) as ma${before}`

const inDuckDb = `create or replace table stocks as
  with days as (
    select upper(split_part(parse_filename(filename), '.', 1)) as symbol, "Date" as full_date,
      "Open" as open, "High" as high, "Low" as low, "Close" as close, "Volume" as volume
    from read_csv('${input}/*.us.txt', filename = true, columns = {
      'Date': 'timestamp', 'Open': 'decimal(12, 5)', 'High': 'decimal(12, 5)', 'Low': 'decimal(12, 5)',
      'Close': 'decimal(12, 5)', 'Volume': 'bigint', 'OpenInt': 'bigint' }))
  select full_date, symbol, "Category Name" as category, open, high, low, close, volume,
    ${[20, 50, 100].map(average).join(", ")}
  from days join read_csv('${lookup}', header = true) on "Ticker" = symbol
  qualify full_date >= timestamp '2017-09-01'`
const asParquet = `copy (select *, year(full_date) as year, month(full_date) as month, day(full_date) as day from stocks)
  to '${join(folder, "duckdb")}' (format parquet, partition_by (year, month, day), overwrite true)`

const seconds = async (run: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await run()
  return (performance.now() - began) / 1_000
}

const weir = Effect.gen(function* () {
  const running = yield* Runner.start(
    stocksBatch,
    { set: { input, lookup, output, filterFirst: "false" } },
    () => Effect.void
  )
  yield* running.ended
}).pipe(Effect.provide(SqlCheckpointStore.layer), Effect.scoped)

const services = Layer.mergeAll(layerMemory, TopicsMemory.layer(), layerNone, NodeContext.layer)

const main = Effect.gen(function* () {
  const tables = yield* Tables
  const context = yield* Effect.context<Layer.Layer.Success<typeof services>>()
  const instance = yield* Effect.promise(() => DuckDBInstance.create(":memory:", { threads: "1" }))
  const connection = yield* Effect.promise(() => instance.connect())
  const taken: Array<{ readonly weir: number; readonly duckdb: number }> = []
  // The first round warms both.
  for (let round = 0; round <= rounds; round++) {
    const ours = yield* Effect.promise(() => seconds(() => Effect.runPromise(Effect.provide(weir, context))))
    const theirs = yield* Effect.promise(() => seconds(() => connection.run(`${inDuckDb}; ${asParquet}`)))
    if (round > 0) taken.push({ weir: ours, duckdb: theirs })
  }
  const [own] = yield* tables.query({ sql: `select ${summary} from stocks`, parameters: [] })
  const theirs = yield* Effect.promise(() => connection.runAndReadAll(`select ${summary} from stocks`))
  const results = [Object.values(own!), theirs.getRows()[0]!].map((row) => row.map((value) => Number(value)))
  const shown = (of: (one: (typeof taken)[number]) => number, digits: number): string =>
    Figures.show(Figures.spreadOf(taken.map(of)), digits)
  process.stdout.write(
    `${Figures.table([
      ["", "seconds", "rows a second"],
      ["Weir", shown((one) => one.weir, 2), shown((one) => rows / one.weir, 0)],
      ["DuckDB, one thread", shown((one) => one.duckdb, 2), shown((one) => rows / one.duckdb, 0)],
      ["times as long", shown((one) => one.weir / one.duckdb, 1), ""]
    ])}\n`
  )
  // Averages of doubles may differ in their last place from those of decimals.
  const isOne = results[0]!.every((value, i) => Math.abs(value - results[1]![i]!) <= rows)
  process.stdout.write(isOne ? "the rows are equal\n" : `the rows differ: ${JSON.stringify(results)}\n`)
  connection.closeSync()
  return isOne
})

const isOne = await Effect.runPromise(main.pipe(Effect.provide(services), Effect.scoped))
rmSync(folder, { recursive: true, force: true })
process.exit(isOne ? 0 : 1)
