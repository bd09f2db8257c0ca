/**
 * Types of values as formats with schemas of their own have them (Avro, Protobuf), and plain values of these types: what
 * stands between their bytes and what a job's Schema says.
 *
 * | type | plain value |
 * |---|---|
 * | `null`, `boolean`, `string`, `double` | as JavaScript's |
 * | `int` | a whole number of 32 bits |
 * | `long` | a bigint of 64 bits, with a sign or `unsigned` |
 * | `decimal` | a bigint of 10^-scale |
 * | `instant` | milliseconds since 1970 |
 * | `date` | days since 1970 |
 * | `bytes` | bytes of its own |
 * | `choice` | one of its symbols |
 * | `list`, `map`, `record` | arrays and plain objects |
 * | `nullable` | `null`, or a value of the other type |
 * | `union` | which of its members, and the value of it |
 */
export type WireType =
  | { readonly kind: "null" | "boolean" | "string" | "int" | "double" | "date" | "bytes" | "instant" }
  | { readonly kind: "long"; readonly unsigned?: boolean }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "choice"; readonly symbols: ReadonlyArray<string> }
  | { readonly kind: "list" | "map" | "nullable"; readonly of: WireType }
  | { readonly kind: "union"; readonly members: ReadonlyArray<WireType> }
  | WireRecord

export interface WireRecord {
  readonly kind: "record"
  readonly name: string
  /** A record may hold itself: they are asked for when they are needed. */
  readonly fields: () => ReadonlyArray<WireField>
}

export interface WireField {
  readonly name: string
  readonly type: WireType
  /** What is written where a row has no such column; absent: every row must have it. */
  readonly fallback?: { readonly value: unknown }
}

/** A plain value of a union. */
export interface Member {
  readonly member: number
  readonly value: unknown
}

/** For a message: `decimal(12, 2)`, `list of long`, `record Order`. */
export const format = (type: WireType): string => {
  switch (type.kind) {
    case "decimal":
      return `decimal(${type.precision}, ${type.scale})`
    case "choice":
      return `one of ${type.symbols.join(", ")}`
    case "list":
    case "map":
      return `${type.kind} of ${format(type.of)}`
    case "nullable":
      return `${format(type.of)} or null`
    case "union":
      return type.members.map(format).join(" or ")
    case "record":
      return `record ${type.name}`
    default:
      return type.kind
  }
}

/** The text of a day: `2018-09-21`. */
export const formatDate = (days: number): string => {
  const at = new Date(days * 86_400_000)
  return Number.isNaN(at.getTime()) ? String(days) : at.toISOString().slice(0, 10)
}

/** Why a Schema and a type cannot meet: one sentence with the path. */
export class Unwritable {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}
