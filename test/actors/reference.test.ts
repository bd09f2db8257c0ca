/**
 * The jobs over the real data of the systems that they replace: `WEIR_REAL_DATA=<folder>` names it, with a folder of its
 * own for each system. What those wrote is known by some numbers, which the oracles must give, and the jobs what the
 * oracles give.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Clock, Effect, Layer } from "effect"
import plant from "../../actors/plant.ts"
import stocksBatch from "../../actors/stocks-batch.ts"
import { plant as generate } from "../../fixtures/plant.ts"
import { expectedOf, type Row } from "../../fixtures/plant-oracle.ts"
import { type BatchRow, expectedOf as expectedStocks } from "../../fixtures/stocks-files-oracle.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import { Tables } from "../../src/flow/Tables.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import { Faults, JobTest, Simulate } from "../../src/testing/index.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const folder = process.env.WEIR_REAL_DATA
// Nobody may pass the data on, so it is not part of the project.
const isMissing = folder === undefined

const fileOf = (name: string): string => join(folder ?? "", "001", name)
const highest = (rows: ReadonlyArray<Row>, of: string, count: string): ReadonlyArray<readonly [unknown, unknown]> =>
  rows.map((row) => [row[of], row[count]] as const).sort((a, b) => (b[1] as number) - (a[1] as number))
const sum = (rows: ReadonlyArray<Row>, column: string): number => rows.reduce((total, row) => total + row[column]!, 0)

describe.skipIf(isMissing)("the day of the plant", () => {
  const plan = [13, 27, 41, 55, 65, 72, 86, 100, 110]
  const files = { collection: fileOf("unit_collection_point.csv"), concerns: fileOf("unit_concern.csv") }
  const records = isMissing
    ? []
    : [...generate(files)].flatMap((block) =>
        block.records.map(({ key, value }) => ({ key: new TextDecoder().decode(key!), value }))
      )
  const { tables, unusable } = expectedOf(records, { endStation: 40, plan })

  it("has by the oracle the numbers that the dashboard of the original shows", () => {
    expect([unusable, tables.ucp!.length, tables.uc!.length]).toEqual([0, 5_600, 303])
    expect(tables.plant_total).toEqual([{ total: 114 }])
    expect(tables.plant_nok).toEqual([{ nok: 88 }])
    expect(tables.plant_units_per_hour!.map(({ units }) => units)).toEqual([12, 14, 15, 13, 12, 6, 15, 16, 11])
    expect(tables.plant_running_total!.map(({ total }) => total)).toEqual([12, 26, 41, 54, 66, 72, 87, 103, 114])
    const zones = highest(tables.plant_units_per_zone!, "zoneId", "units")
    expect([zones.length, zones.slice(0, 5), zones.at(-1)]).toEqual([
      28,
      [
        [9, 171],
        [10, 164],
        [29, 160],
        [42, 131],
        [11, 129]
      ],
      [26, 1]
    ])
    const nokZones = highest(tables.plant_nok_per_zone!, "zoneChargedId", "units")
    expect([nokZones.length, sum(tables.plant_nok_per_zone!, "units"), nokZones.slice(0, 5)]).toEqual([
      22,
      110,
      [
        [2, 27],
        [64, 15],
        [74, 13],
        [73, 8],
        [57, 7]
      ]
    ])
    const nokStations = highest(tables.plant_nok_per_station!, "collectionPointId", "units")
    expect([nokStations.length, sum(tables.plant_nok_per_station!, "units"), nokStations.slice(0, 3)]).toEqual([
      25,
      108,
      [
        [62, 17],
        [43, 16],
        [61, 13]
      ]
    ])
    const concerns = [...tables.plant_concerns_per_hour!].sort((a, b) => a.hour! - b.hour!)
    expect(concerns.map(({ units }) => units)).toEqual([31, 20, 29, 29, 22, 25, 20, 23, 10])
    const fails = highest(tables.fail_totals!, "zoneChargedId", "fails")
    expect([fails.length, fails.slice(0, 4)]).toEqual([
      25,
      [
        [74, 38],
        [2, 31],
        [57, 21],
        [33, 19]
      ]
    ])
    const [throughput] = tables.plant_throughput!
    expect([throughput!.finished, throughput!.finishedOk, throughput!.seen, throughput!.seenOk]).toEqual([
      114, 41, 460, 299
    ])
    expect(throughput!.share).toBeCloseTo(0.3596, 4)
    expect(throughput!.shareSeen).toBeCloseTo(0.65, 3)
    expect(tables.plant_daily).toEqual([{ day: Date.UTC(2020, 4, 27), units: 114 }])
  })

  it.effect(
    "is written by the job as the oracle says",
    () =>
      Simulate.job(plant, {
        input: { TFI: records.map(({ key, value }) => JobTest.record(value, { key })) },
        partitions: 1,
        set: { trigger: "1 second", plan: plan.join(","), maxPerEpoch: "500" },
        seeds: 1,
        faults: Faults.except("stalled topic"),
        oracle: () => tables
      }),
    240_000
  )
})

describe.skipIf(isMissing)("the days of the stocks", () => {
  const input = join(folder ?? "", "000/stocks-small")
  const lookup = join(folder ?? "", "000/yahoo-symbols-reconstructed.csv")
  const names = isMissing ? [] : readdirSync(input).filter((name) => name.endsWith(".us.txt"))
  const texts = Object.fromEntries(names.map((name) => [name, readFileSync(join(input, name), "utf8")]))
  const usual = { fromDate: "2017-09-01", frames: [20, 50, 100], filterFirst: true }
  const { rows, unlisted, unusable } = isMissing
    ? { rows: [], unlisted: {}, unusable: 0 }
    : expectedStocks(texts, readFileSync(lookup, "utf8"), usual)
  const close = ({ prices }: BatchRow): number => Number(prices[3])
  const highest = (of: (row: BatchRow) => number): ReadonlyMap<string, number> => {
    const found = new Map<string, number>()
    for (const row of rows) found.set(row.symbol, Math.max(found.get(row.symbol) ?? 0, of(row)))
    return found
  }
  const total = (values: ReadonlyMap<string, number>): number => [...values.values()].reduce((sum, one) => sum + one, 0)
  const on = (symbol: string, day: string): BatchRow =>
    rows.find((row) => row.symbol === symbol && row.day === day) ?? rows[0]!

  it("have by the oracle the numbers that the original shows", () => {
    expect([names.length, rows.length, unusable, unlisted]).toEqual([19, 950, 0, {}])
    expect(new Set(rows.map(({ day }) => day)).size).toBe(50)
    const lines = Object.values(texts).reduce((sum, text) => sum + text.split("\r\n").length - 2, 0)
    expect(lines).toBe(120_804)
    const apple = on("AAPL", "2017-11-10")
    expect([close(apple), apple.volume]).toEqual([174.67, 25_130_494n])
    expect(Number(apple.means.ma20)).toBeCloseTo(164.1347619, 6)
    expect([Number(apple.means.ma50), Number(apple.means.ma100)]).toEqual([159.5886, 159.5886])
    const meli = on("MELI", "2017-11-10")
    expect(close(meli)).toBe(270.93)
    expect(Number(meli.means.ma20)).toBeCloseTo(243.5335714, 6)
    expect(Number(meli.means.ma50)).toBeCloseTo(259.7921, 6)
    expect(total(highest(close))).toBeCloseTo(4_264.68, 6)
    expect(total(highest(({ means }) => Number(means.ma100)))).toBeCloseTo(3_988.8, 1)
    const averages = ["GOOG", "GOOGL", "TSLA", "MELI", "IBM"].map((symbol) =>
      Math.round(Number(on(symbol, "2017-10-30").means.ma20))
    )
    expect([averages[1], averages[0], ...averages.slice(2)]).toEqual([998, 981, 345, 247, 150])
    const categories = new Set(rows.map(({ category }) => category))
    expect(categories.size).toBe(14)
  })

  it.effect(
    "are written by the batch as the oracle says",
    () =>
      Effect.gen(function* () {
        const output = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
        const set = { input, lookup, output: join(output, "stocks") }
        const running = yield* Runner.start(stocksBatch, { set }, () => Effect.void)
        yield* running.ended
        const tables = yield* Tables
        const sql =
          "select symbol, to_char(full_date at time zone 'UTC', 'YYYY-MM-DD') as day, close, volume, ma20, ma50, ma100 from stocks order by symbol, full_date"
        const found = yield* tables.query({ sql, parameters: [] })
        expect(found).toEqual(
          rows.map(({ day, means, prices, symbol, volume }) => ({
            symbol,
            day,
            close: prices[3],
            volume: String(volume),
            ...means
          }))
        )
      }).pipe(
        Effect.withClock(Clock.make()),
        Effect.provide(
          Layer.provideMerge(
            SqlCheckpointStore.layer,
            Layer.mergeAll(layerMemory, TopicsMemory.layer(), layerNone, NodeContext.layer)
          )
        ),
        Effect.scoped
      ),
    240_000
  )
})
