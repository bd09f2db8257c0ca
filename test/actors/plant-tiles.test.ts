/** The tiles of the plant, each computed again by SQL over the rows of `uc` and `ucp` as they came. */
import { rmSync } from "node:fs"
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest"
import { inProcess } from "../cli/in-process.ts"
import { newFolder } from "../cli/program.ts"

vi.setConfig({ testTimeout: 60_000, hookTimeout: 120_000 })

const environment = { WEIR_DATA: newFolder() }
afterAll(() => rmSync(environment.WEIR_DATA, { recursive: true, force: true }))

const said = async (...words: ReadonlyArray<string>): Promise<string> => {
  const { code, err, out } = await inProcess(words, { environment })
  expect([code, err]).toEqual([0, expect.not.stringContaining("failed")])
  return out
}
const rowsOf = async (sql: string): Promise<ReadonlyArray<string>> =>
  (await said("query", sql, "--format", "csv")).trim().split("\n").slice(1).sort()

beforeAll(async () => {
  await said(
    "generate",
    "plant",
    "--rate",
    "max",
    "--set",
    "units=250",
    "--set",
    "repeated=0.03",
    "--set",
    "malformed=0.01"
  )
  await said("run", "plant", "--available-now", "--set", "maxPerEpoch=700")
})

const finished =
  "select qls_unit_id as unit, min(unit_collection_pt_timestamp) as at from ucp where collection_point_id = 40 group by 1"
const open = `select * from uc where qls_unit_id not in (select unit from (${finished}) as done)`
const seen = "select qls_unit_id as unit from ucp union select qls_unit_id from uc"
const hour = (of: string): string => `date_trunc('hour', ${of}, 'UTC')`
const bad = "(select qls_unit_id from uc)"

const tiles: ReadonlyArray<readonly [table: string, columns: string, sql: string]> = [
  ["plant_total", "total", `select count(*) from (${finished}) as done`],
  ["plant_nok", "nok", `select count(distinct qls_unit_id) from (${open}) as open`],
  ["plant_units_per_hour", "hour, units", `select ${hour("at")}, count(*) from (${finished}) as done group by 1`],
  ["plant_daily", "day, units", `select date_trunc('day', at, 'UTC'), count(*) from (${finished}) as done group by 1`],
  [
    "plant_running_total",
    "hour, total",
    `select hour, sum(units) over (order by hour) from
      (select ${hour("at")} as hour, count(*) as units from (${finished}) as done group by 1) as hours`
  ],
  ["plant_units_per_zone", "zone_id, units", "select zone_id, count(distinct qls_unit_id) from ucp group by 1"],
  ["unit_totals", "zone_id, units", "select zone_id, count(distinct qls_unit_id) from ucp group by 1"],
  ["fail_totals", "zone_charged_id, fails", "select zone_charged_id, count(distinct qls_unit_id) from uc group by 1"],
  [
    "plant_nok_per_zone",
    "zone_charged_id, units",
    `select zone_charged_id, count(distinct qls_unit_id) from (${open}) as open group by 1`
  ],
  [
    "plant_nok_per_station",
    "collection_point_id, units",
    `select collection_point_id, count(distinct qls_unit_id) from (${open}) as open group by 1`
  ],
  [
    "plant_concerns_per_hour",
    "hour, units",
    `select ${hour("unit_collection_pt_timestamp")}, count(distinct qls_unit_id) from uc group by 1`
  ],
  [
    "plant_defects_per_hour_station",
    "window_start, window_end, collection_point_id, fail_count",
    `select hour, hour + interval '1 hour', collection_point_id, count(*) from
      (select ${hour("unit_collection_pt_timestamp")} as hour, collection_point_id from uc) as hours group by 1, 2, 3`
  ],
  [
    "plant_throughput",
    "finished, finished_ok, seen, seen_ok",
    `select (select count(*) from (${finished}) as done),
      (select count(*) from (${finished}) as done where unit not in ${bad}),
      (select count(*) from (${seen}) as seen),
      (select count(*) from (${seen}) as seen where unit not in ${bad})`
  ]
]

describe("the tile", () => {
  it.each(tiles)("%s holds what SQL makes of the rows", async (table, columns, sql) => {
    const found = await rowsOf(`select ${columns} from ${table}`)
    expect(found.length).toBeGreaterThan(0)
    expect(found).toEqual(await rowsOf(sql))
  })
})
