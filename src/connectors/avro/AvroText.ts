/** The schema of Avro that a type of values is written with, where the job names none. */
import type { WireRecord, WireType } from "../../flow/codec/Wire.ts"

/** As a registry takes it. A column that can be missing, or `null`, has the default `null`. */
export const textOf = (type: WireType): string => JSON.stringify(jsonOf(type))

// Private

const jsonOf = (type: WireType): unknown => {
  switch (type.kind) {
    case "decimal":
      return { type: "bytes", logicalType: "decimal", precision: type.precision, scale: type.scale }
    case "instant":
      return { type: "long", logicalType: "timestamp-millis" }
    case "date":
      return { type: "int", logicalType: "date" }
    case "choice":
      return "string"
    case "list":
      return { type: "array", items: jsonOf(type.of) }
    case "map":
      return { type: "map", values: jsonOf(type.of) }
    case "nullable":
      return ["null", jsonOf(type.of)]
    case "union":
      return type.members.map(jsonOf)
    case "record":
      return recordOf(type)
    default:
      return type.kind
  }
}

const recordOf = (type: WireRecord): unknown => ({
  type: "record",
  name: type.name,
  fields: type.fields().map(({ fallback, name, type: of }) => ({
    name,
    type: jsonOf(of),
    ...(fallback === undefined ? {} : { default: fallback.value })
  }))
})
