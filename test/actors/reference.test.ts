/**
 * The jobs over the real data of the systems that they replace: `WEIR_REAL_DATA=<folder>` names it, with a folder of its
 * own for each system. What those wrote is known by some numbers, which the oracles must give, and the jobs what the
 * oracles give.
 */
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import plant from "../../actors/plant.ts"
import { plant as generate } from "../../fixtures/plant.ts"
import { expectedOf, type Row } from "../../fixtures/plant-oracle.ts"
import { Faults, JobTest, Simulate } from "../../src/testing/index.ts"

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
