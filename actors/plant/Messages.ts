/** What is said of the units of a plant: where they pass, and what is wrong with them. */
import { Schema } from "effect"
import { Instant } from "../../src/index.ts"

/** `2020-05-27 08:05:24.0`, in UTC. */
const PlantTime = Schema.transform(Schema.String, Instant, {
  strict: true,
  decode: (text) => `${text}Z`,
  encode: (text) => text.slice(0, -1)
})

const named = <A, I>(schema: Schema.Schema<A, I>, name: string) =>
  Schema.propertySignature(schema).pipe(Schema.fromKey(name))

const seen = {
  unit: named(Schema.Int, "qls_unit_id"),
  at: named(PlantTime, "unit_collection_pt_timestamp"),
  station: named(Schema.Int, "collection_point_id")
}

/** A unit passes a station of a zone: a record of key `unit_collection_point`. */
export class Passage extends Schema.Class<Passage>("Passage")({ ...seen, zone: named(Schema.Int, "zone_id") }) {}

/** A defect is entered at a station, and charged to a zone: a record of key `unit_concern`. */
export class Concern extends Schema.Class<Concern>("Concern")({
  ...seen,
  concern: named(Schema.Int, "concern_id"),
  zoneCharged: named(Schema.Int, "zone_charged_id")
}) {}

/** The keys of their records. */
export const keys = { passage: "unit_collection_point", concern: "unit_concern" } as const
