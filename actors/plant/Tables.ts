/** The tables of the job `plant`, and its files. */
import { Schema } from "effect"
import { Files } from "../../src/connectors/files/index.ts"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Instant, Int64 } from "../../src/index.ts"

const seen = {
  qlsUnitId: Schema.Int,
  unitCollectionPtTimestamp: Instant,
  collectionPointId: Schema.Int
}

const passage = { ...seen, zoneId: Schema.Int }
const concern = { ...seen, concernId: Schema.Int, zoneChargedId: Schema.Int }
const day = { year: Schema.Int, month: Schema.Int, day: Schema.Int }

/** Every passage as it came. */
export const ucp = Sql.append("ucp", Schema.Struct(passage))
export const ucpFiles = Files.toParquet("out/plant/ucp", Schema.Struct({ ...passage, ...day }), {
  by: ["year", "month", "day"]
})
/** Every defect as it came. */
export const uc = Sql.append("uc", Schema.Struct(concern))
export const ucFiles = Files.toParquet("out/plant/uc", Schema.Struct({ ...concern, ...day }), {
  by: ["year", "month", "day"]
})

export const unitTotals = Sql.upsert("unit_totals", Schema.Struct({ zoneId: Schema.Int, units: Int64 }), {
  key: ["zoneId"]
})
export const failTotals = Sql.upsert("fail_totals", Schema.Struct({ zoneChargedId: Schema.Int, fails: Int64 }), {
  key: ["zoneChargedId"]
})

export const total = Sql.upsert("plant_total", Schema.Struct({ total: Schema.Int }), { key: [] })
export const nok = Sql.upsert("plant_nok", Schema.Struct({ nok: Schema.Int }), { key: [] })
export const throughput = Sql.upsert(
  "plant_throughput",
  Schema.Struct({
    finished: Schema.Int,
    finishedOk: Schema.Int,
    share: Schema.NullOr(Schema.Number),
    seen: Schema.Int,
    seenOk: Schema.Int,
    shareSeen: Schema.NullOr(Schema.Number)
  }),
  { key: [] }
)
export const daily = Sql.upsert("plant_daily", Schema.Struct({ day: Instant, units: Int64 }), { key: ["day"] })

const perHour = Schema.Struct({ hour: Instant, units: Int64 })
export const unitsPerHour = Sql.upsert("plant_units_per_hour", perHour, { key: ["hour"] })
export const concernsPerHour = Sql.upsert("plant_concerns_per_hour", perHour, { key: ["hour"] })
export const runningTotal = Sql.upsert(
  "plant_running_total",
  Schema.Struct({ hour: Instant, total: Schema.Int, plan: Schema.NullOr(Schema.Int) }),
  { key: ["hour"] }
)

export const unitsPerZone = Sql.upsert("plant_units_per_zone", Schema.Struct({ zoneId: Schema.Int, units: Int64 }), {
  key: ["zoneId"]
})
export const nokPerZone = Sql.upsert(
  "plant_nok_per_zone",
  Schema.Struct({ zoneChargedId: Schema.Int, units: Schema.Int }),
  {
    key: ["zoneChargedId"]
  }
)
export const nokPerStation = Sql.upsert(
  "plant_nok_per_station",
  Schema.Struct({ collectionPointId: Schema.Int, units: Schema.Int }),
  { key: ["collectionPointId"] }
)
export const defectsPerHourStation = Sql.upsert(
  "plant_defects_per_hour_station",
  Schema.Struct({ windowStart: Instant, windowEnd: Instant, collectionPointId: Schema.Int, failCount: Int64 }),
  { key: ["windowStart", "windowEnd", "collectionPointId"] }
)
