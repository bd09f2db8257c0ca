/** The batch over symbol files, in real folders, against an oracle that knows nothing of Weir. */
import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, layer } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import stocksBatch from "../../actors/stocks-batch.ts"
import { paths, type StocksFilesValues, stocksFiles } from "../../fixtures/stocks-files.ts"
import { type BatchOptions, expectedOf } from "../../fixtures/stocks-files-oracle.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import * as DuckDb from "../../src/connectors/duckdb/index.ts"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import type { EpochProgress } from "../../src/observe/Progress.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const usual: BatchOptions = { fromDate: "2017-09-01", frames: [20, 50, 100], filterFirst: true }

/** A folder with files of the generator, which a test may change. */
class Place {
  readonly lookup: string
  readonly input: string
  readonly folder: string
  readonly #names: ReadonlyArray<string>
  constructor(folder: string, values: Partial<StocksFilesValues>) {
    this.folder = folder
    this.lookup = join(folder, paths.lookup)
    this.input = join(folder, paths.folder)
    const files = [...stocksFiles(values)]
    for (const { path, text } of files) writeFileSync(join(folder, path), text)
    this.#names = files.flatMap(({ path }) => (path === paths.lookup ? [] : [path.slice(paths.folder.length + 1)]))
  }

  change(path: string, how: (text: string) => string): void {
    writeFileSync(path, how(readFileSync(path, "utf8")))
  }

  expected(options: BatchOptions = usual, gone: ReadonlyArray<string> = []) {
    const names = this.#names.filter((name) => !gone.includes(name))
    const texts = Object.fromEntries(names.map((name) => [name, readFileSync(join(this.input, name), "utf8")]))
    return expectedOf(texts, readFileSync(this.lookup, "utf8"), options)
  }
}

const place = (values: Partial<StocksFilesValues> = { count: 16_000 }) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    yield* files.makeDirectory(join(folder, paths.folder))
    const tables = yield* Tables
    yield* tables.transaction(
      ["drop schema public cascade", "create schema public"].map((sql) => ({ sql, parameters: [] }))
    )
    return new Place(folder, values)
  })

const settings = ({ folder, input, lookup }: Place, { filterFirst, frames, fromDate }: BatchOptions) => ({
  input,
  lookup,
  output: join(folder, "out"),
  fromDate,
  frames: frames.join(","),
  filterFirst: String(filterFirst)
})

const run = (place: Place, options: BatchOptions = usual) =>
  Effect.gen(function* () {
    const reports: Array<EpochProgress> = []
    const running = yield* Runner.start(stocksBatch, { set: settings(place, options) }, (event) =>
      Effect.sync(() => {
        if (event._tag === "Progress") reports.push(event.progress)
      })
    )
    yield* running.ended
    return reports
  }).pipe(Effect.provide(SqlCheckpointStore.layer), Effect.scoped)

const all = (sql: string) => Effect.flatMap(Tables, (tables) => tables.query({ sql, parameters: [] }))

const stocks = Effect.map(all("select * from stocks order by symbol, full_date"), (rows) =>
  rows.map(({ category, close, full_date, high, low, open, symbol, volume, ...means }) => ({
    day: new Date(full_date as number).toISOString().slice(0, 10),
    symbol,
    category,
    prices: [open, high, low, close],
    volume: BigInt(volume as string),
    means
  }))
)
const unlisted = Effect.map(all("select symbol, days from stocks_unlisted order by symbol"), (rows) =>
  Object.fromEntries(rows.map(({ days, symbol }) => [symbol, Number(days)]))
)
const deadLetters = Effect.gen(function* () {
  const topics = yield* Topics
  const { partitions } = yield* topics.describe("stocks-batch.invalid")
  return partitions.reduce((sum, { latest }) => sum + latest, 0)
})

const services = Layer.mergeAll(layerNone, NodeContext.layer)
const live = { timeout: "5 minutes", excludeTestServices: true } as const

describe("the batch over symbol files", () => {
  layer(
    Layer.merge(layerMemory, services),
    live
  )((it) => {
    /** With topics of its own: tables are emptied by `place`. */
    const anew = <E>(
      what: string,
      body: () => Effect.Effect<unknown, E, Layer.Layer.Success<typeof services> | Scope.Scope | Tables | Topics>,
      timeout?: number
    ) => it.scoped(what, () => Effect.provide(body(), TopicsMemory.layer()), timeout)

    anew("makes its table equal to its result, whatever the input has become", () =>
      Effect.gen(function* () {
        const there = yield* place()
        yield* run(there)
        const { rows } = there.expected()
        expect(rows.length).toBe(950)
        expect(yield* stocks).toEqual(rows)
        expect(yield* unlisted).toEqual({})

        // The same once more.
        yield* run(there)
        expect(yield* stocks).toEqual(rows)

        // One share's file has grown by a day.
        const grown = join(there.input, "ibm.us.txt")
        there.change(grown, (text) => `${text}2017-11-13,148.88,149,147.605,148.4,3107777,0\r\n`)
        yield* run(there)
        expect(there.expected().rows.length).toBe(951)
        expect(yield* stocks).toEqual(there.expected().rows)

        // It begins later.
        const later: BatchOptions = { ...usual, fromDate: "2017-10-16" }
        yield* run(there, later)
        expect(there.expected(later).rows.length).toBe(19 * 20 + 1)
        expect(yield* stocks).toEqual(there.expected(later).rows)

        // A share's file is gone.
        rmSync(join(there.input, "tsla.us.txt"))
        yield* run(there)
        expect(yield* stocks).toEqual(there.expected(usual, ["tsla.us.txt"]).rows)
        expect((yield* stocks).some(({ symbol }) => symbol === "TSLA")).toBe(false)
      })
    )

    anew("lets averages take in the days before its first one, where it is told to", () =>
      Effect.gen(function* () {
        const there = yield* place()
        const options: BatchOptions = { fromDate: "2017-10-16", frames: [5, 30], filterFirst: false }
        yield* run(there, options)
        const { rows } = there.expected(options)
        expect(yield* stocks).toEqual(rows)
        expect(rows[0]!.means).not.toEqual(there.expected({ ...options, filterFirst: true }).rows[0]!.means)
      })
    )

    anew("keeps a share without a category, names one that is not listed, and sets lines aside that are no day", () =>
      Effect.gen(function* () {
        const there = yield* place({ count: 3_000, malformed: 0.02 })
        there.change(there.lookup, (text) =>
          text
            .replace(",Auto Manufacturers - Major,", ",,")
            .replace(/^IBM,.*\n/m, "")
            .replace(/^XRX,.*\n/m, "")
        )
        yield* run(there)
        const { rows, unlisted: missing, unusable } = there.expected()
        expect(yield* stocks).toEqual(rows)
        expect(rows.find(({ symbol }) => symbol === "TSLA")!.category).toBe(null)
        expect(Object.keys(missing)).toEqual(["IBM", "XRX"])
        expect(yield* unlisted).toEqual(missing)
        expect(unusable).toBeGreaterThan(20)
        expect(yield* deadLetters).toBe(unusable)
      })
    )

    anew("refuses a list that names a share twice, by its name, and leaves the table as it was", () =>
      Effect.gen(function* () {
        const there = yield* place({ count: 1_000 })
        yield* run(there)
        const before = yield* stocks
        there.change(there.lookup, (text) => `${text}MSFT,Again,NMS,Toys,USA\n`)
        const failure = yield* Effect.flip(run(there))
        expect(failure).toMatchObject({ _tag: "DuplicateKey", message: expect.stringContaining("MSFT") })
        expect(yield* stocks).toEqual(before)
      })
    )

    anew("refuses a first day that is none", () =>
      Effect.gen(function* () {
        const there = yield* place({ count: 19 })
        for (const fromDate of ["2017-9-1", "yesterday", "2017-13-01"]) {
          const failure = yield* Effect.flip(run(there, { ...usual, fromDate }))
          expect(failure).toMatchObject({ _tag: "InvalidParameter", message: expect.stringContaining(fromDate) })
        }
      })
    )

    anew("answers questions of its files, and of few of them where folders say which", () =>
      Effect.gen(function* () {
        const there = yield* place()
        yield* run(there)
        const { rows } = there.expected()
        const files = yield* DuckDb.relationOf(join(there.folder, "out"), { name: "files", chosen: (names) => names })
        const ask = (sql: string) => Effect.map(DuckDb.ask(sql, [files]), (answer) => answer.rows)
        const read = (sql: string) => Effect.map(DuckDb.explain(sql, [files]), ([reading]) => reading!)

        const days = yield* ask("select distinct make_date(year, month, day)::text from files order by 1")
        expect(days).toEqual([...new Set(rows.map(({ day }) => day))].sort().map((day) => [day]))
        const counts = yield* ask("select symbol, count(*) from files group by symbol order by symbol")
        expect(counts).toEqual([...new Set(rows.map(({ symbol }) => symbol))].sort().map((symbol) => [symbol, "50"]))
        const whole = yield* ask(
          "select symbol, category, close, volume, ma20 from files where year = 2017 and month = 10 and day = 30 order by symbol"
        )
        expect(whole).toEqual(
          rows
            .filter(({ day }) => day === "2017-10-30")
            .map(({ category, means, prices, symbol, volume }) => [
              symbol,
              category,
              prices[3],
              String(volume),
              means.ma20
            ])
        )

        const highest = "select symbol, max(close) from files where"
        const byFolder = `${highest} year = 2017 and month = 9 group by symbol order by symbol`
        const byDate = `${highest} full_date >= timestamptz '2017-09-01 00:00:00+00' and full_date < timestamptz '2017-10-01 00:00:00+00' group by symbol order by symbol`
        expect((yield* ask(byFolder)).length).toBe(19)
        expect(yield* ask(byDate)).toEqual(yield* ask(byFolder))
        expect(yield* read(byFolder)).toMatchObject({ files: 50, filesRead: 20 })
        expect(yield* read(byDate)).toMatchObject({ files: 50, filesRead: 50 })

        // A share that is gone is gone from the files, too.
        rmSync(join(there.input, "tsla.us.txt"))
        yield* run(there)
        const next = yield* DuckDb.relationOf(join(there.folder, "out"), { name: "files", chosen: (names) => names })
        const [counted] = (yield* DuckDb.ask("select count(*), count(distinct symbol) from files", [next])).rows
        expect(counted).toEqual(["900", "18"])
      })
    )

    anew(
      "reads 120,804 rows, and lets averages take in all of them",
      () =>
        Effect.gen(function* () {
          const there = yield* place({})
          const options: BatchOptions = { ...usual, filterFirst: false }
          const [report] = yield* run(there, options)
          expect(report).toMatchObject({ inputRows: 120_804, late: 0 })
          const { rows } = there.expected(options)
          expect(rows.length).toBe(950)
          const found = yield* stocks
          expect(found.length).toBe(rows.length)
          expect(found).toEqual(rows)
        }),
      240_000
    )
  })
})
