/** Questions over files: what is read, what never is, and how few files an answer needs. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DuckDBInstance } from "@duckdb/node-api"
import { NodeContext } from "@effect/platform-node"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as DuckDb from "../../src/connectors/duckdb/index.ts"

let folder: string
const write = async (...statements: ReadonlyArray<string>) => {
  const instance = await DuckDBInstance.create(":memory:")
  const connection = await instance.connect()
  for (const sql of statements) await connection.run(sql)
  connection.closeSync()
  instance.closeSync()
}

/** Twelve months of three days each, of two symbols; prices have five places, volumes 64 bits. */
const days = `select year, month, day, symbol, (100 * month + day + 0.00001)::decimal(12, 5) as close,
  9007199254740993 + day as volume, case when day = 2 then null else 'c' end as category
  from range(2016, 2018) y(year), range(1, 7) m(month), range(1, 4) d(day), (values ('A'), ('B')) s(symbol)`

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "weir-duckdb-"))
  await write(`copy (${days}) to '${folder}/stocks' (format parquet, partition_by (year, month))`)
  // What is not committed lies beside what is.
  mkdirSync(join(folder, "stocks/.weir/job"), { recursive: true })
  await write(
    `copy (select 1 as close) to '${folder}/stocks/.weir/job/temporary.parquet' (format parquet)`,
    `copy (select 1 as close) to '${folder}/stocks/year=2017/month=1/half.parquet.tmp' (format parquet)`
  )
  symlinkSync(join(folder, "stocks"), join(folder, "current"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const all = (names: ReadonlyArray<string>) => names
const relation = (name: string) => DuckDb.relationOf(join(folder, name), { name: "files", chosen: all })
const ask = (sql: string, name = "stocks") => Effect.flatMap(relation(name), (found) => DuckDb.ask(sql, [found]))
const explain = (sql: string) => Effect.flatMap(relation("stocks"), (found) => DuckDb.explain(sql, [found]))
const run = <A, E>(effect: Effect.Effect<A, E, NodeContext.NodeContext>) =>
  Effect.runPromise(Effect.provide(effect, NodeContext.layer))

describe("a question over files", { timeout: 120_000 }, () => {
  it("reads all digits, nulls, and the columns that folders say", async () => {
    const { columns, rows } = await run(
      ask("select year, month, symbol, close, volume, category from files where month = 2 and day = 2 order by all")
    )
    expect(columns).toEqual(["year", "month", "symbol", "close", "volume", "category"])
    expect(rows).toEqual(
      ["2016", "2017"].flatMap((year) =>
        ["A", "B"].map((symbol) => [year, "2", symbol, "202.00001", "9007199254740995", null])
      )
    )
    expect((await run(ask("select count(*) from files"))).rows).toEqual([["72"]])
  })

  it("reads a folder where its link leads to", async () => {
    expect((await run(ask("select count(*) from files", "current"))).rows).toEqual([["72"]])
  })

  it("opens only the files of the folders that a question wants", async () => {
    const highest = "select symbol, max(close) from files"
    const whole = await run(explain(`${highest} where close >= 0 group by symbol`))
    const pruned = await run(explain(`${highest} where year = 2017 and month = 5 group by symbol`))
    expect(whole).toMatchObject([{ relation: "files", files: 12, filesRead: 12 }])
    expect(pruned).toMatchObject([
      { relation: "files", files: 12, filesRead: 1, folders: expect.stringMatching(/2017/) }
    ])
  })

  it("reads lines of JSON and CSV as well", async () => {
    mkdirSync(join(folder, "lines/kind=b"), { recursive: true })
    mkdirSync(join(folder, "cells"))
    writeFileSync(join(folder, "lines/kind=b/one.jsonl"), '{"n":1,"text":"x"}\n{"n":2,"text":null}\n')
    writeFileSync(join(folder, "cells/one.csv"), 'n,text\n1,"a,b"\n')
    expect((await run(ask("select n, text, kind from files order by n", "lines"))).rows).toEqual([
      ["1", "x", "b"],
      ["2", null, "b"]
    ])
    expect((await run(ask("select n, text from files", "cells"))).rows).toEqual([["1", "a,b"]])
  })

  it("refuses to write, several statements, wrong SQL, and folders without files, each with how to mend it", async () => {
    const why = (sql: string, name?: string) => run(Effect.flip(ask(sql, name)))
    for (const sql of [`copy (select 1) to '${folder}/x.csv'`, "create table t (n int)", "select 1; select 2", ""])
      expect(await why(sql)).toMatchObject({ _tag: "StatementRefused", code: "25006" })
    expect(await why("select nothing from files")).toMatchObject({
      _tag: "StatementRefused",
      message: expect.stringContaining("nothing")
    })
    mkdirSync(join(folder, "empty"), { recursive: true })
    expect(await why("select 1", "empty")).toMatchObject({ message: expect.stringContaining("no files") })
    expect(await why("select 1", "absent")).toMatchObject({ message: expect.stringContaining("not there") })
  })
})
