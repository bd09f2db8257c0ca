/** Readers of plain values that have no parts: what text, numbers and columns of a job are made of. */
import type { SchemaAST } from "effect"
import {
  type ColumnType,
  fits,
  formatDecimal,
  int64Max,
  parseDecimal,
  parseInstant,
  parseInt64
} from "../../model/Columns.ts"
import { isEventTime } from "../../model/Time.ts"
import { Undecodable } from "./Undecodable.ts"
import { format, formatDate, type WireType } from "./Wire.ts"

/** Throws `Undecodable`. */
export type ReadValue = (plain: unknown) => unknown

export const same: ReadValue = (value) => value
export const toBigInt: ReadValue = (value) => BigInt(value as number)

export const mismatch = (type: WireType, ast: SchemaAST.AST): ReadValue => {
  const refusal = new Undecodable(`expected ${ast}, found ${format(type)}`, 0)
  return () => {
    throw refusal
  }
}

export const expected = (what: string, value: unknown): Undecodable =>
  new Undecodable(`expected ${what}, found ${value}`, 0)

/** A reader that throws where a conversion has nothing to give. */
const or =
  (what: string, convert: (value: any) => unknown): ReadValue =>
  (value) => {
    const made = convert(value)
    if (made === null) throw expected(what, value)
    return made
  }

export const textReader = (type: WireType): ReadValue | null => {
  switch (type.kind) {
    case "string":
    case "choice":
      return same
    case "date":
      return (days) => formatDate(days as number)
    case "decimal":
      return (value) => formatDecimal(value as bigint, type.scale)
    default:
      return null
  }
}

export const numberReader = (type: WireType): ReadValue | null => {
  switch (type.kind) {
    case "int":
    case "double":
    case "date":
    case "instant":
      return same
    case "long":
      return or("a number that a double holds: read it as an Int64", (value: bigint) =>
        Number.isSafeInteger(Number(value)) ? Number(value) : null
      )
    default:
      return null
  }
}

export const columnReader = (type: WireType, column: ColumnType, ast: SchemaAST.AST): ReadValue => {
  const found =
    column.kind === "int64"
      ? int64Reader(type)
      : column.kind === "decimal"
        ? decimalReader(type, column)
        : instantReader(type, column.unit)
  return found ?? mismatch(type, ast)
}

const int64Reader = (type: WireType): ReadValue | null => {
  const what = "a whole number of 64 bits"
  switch (type.kind) {
    case "int":
      return toBigInt
    case "long":
      return type.unsigned === true ? or(what, (value: bigint) => (value > int64Max ? null : value)) : same
    case "decimal":
      return or(what, (value: bigint) => parseInt64(formatDecimal(value, type.scale)))
    case "string":
      return or(what, parseInt64)
    default:
      return null
  }
}

const decimalReader = (
  type: WireType,
  { precision, scale }: { readonly precision: number; readonly scale: number }
) => {
  const within = (value: bigint | null) => (value === null || !fits(value, precision) ? null : value)
  const what = `a decimal of ${precision} digits, ${scale} behind the point`
  switch (type.kind) {
    case "int":
    case "long":
      return or(what, (value: number | bigint) => within(BigInt(value) * 10n ** BigInt(scale)))
    case "decimal": {
      const gained = 10n ** BigInt(Math.abs(scale - type.scale))
      return scale >= type.scale
        ? or(what, (value: bigint) => within(value * gained))
        : or(what, (value: bigint) => (value % gained === 0n ? within(value / gained) : null))
    }
    // By the fewest digits that mean this double, as JSON shows it.
    case "double":
      return or(what, (value: number) => within(parseDecimal(String(value), scale)))
    case "string":
      return or(what, (value: string) => within(parseDecimal(value, scale)))
    default:
      return null
  }
}

const instantReader = (type: WireType, unit: "iso" | "seconds" | "millis"): ReadValue | null => {
  const inRange = (at: number): number | null => (isEventTime(at) ? at : null)
  const what = "an instant of the years 1 to 9999"
  switch (type.kind) {
    case "instant":
      return or(what, inRange)
    case "date":
      return or(what, (days: number) => inRange(days * 86_400_000))
    case "string":
      return unit === "iso" ? or("an ISO 8601 instant", parseInstant) : null
    case "int":
    case "long":
    case "double": {
      const millis = unit === "seconds" ? 1000 : 1
      // -0 becomes 0: they are equal, but not as bytes of a key.
      return unit === "iso"
        ? null
        : or(what, (value: number | bigint) => inRange(Math.round(Number(value) * millis) + 0))
    }
    default:
      return null
  }
}
