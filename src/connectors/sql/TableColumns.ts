/**
 * The columns of a table, from the Schema of its rows: name, type, nullability, and how a value is checked and made
 * ready for the database. Compiled once for a sink; per value there is one call of a plain function.
 */
import { ParseResult, Schema, type SchemaAST } from "effect"
import { columnsOf } from "../../flow/RowColumns.ts"
import type { Column, SqlType, SqlValue } from "../../flow/Tables.ts"
import { formatDecimal } from "../../model/Columns.ts"
import * as Limits from "../../model/Limits.ts"
import { isEventTime } from "../../model/Time.ts"

/** A column with the field of the row that fills it. */
export interface FieldColumn extends Column {
  readonly field: string
  /** The value as a statement takes it; `undefined` if the column cannot hold it. Nulls are the caller's affair. */
  readonly encode: (value: unknown) => SqlValue | undefined
}

/** `windowStart` → `window_start`, `topHTTPCode` → `top_http_code`. */
export const snakeCase = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .toLowerCase()

/** The columns of a Schema of rows, in its order; throws `TypeError` for what no table can hold. */
export const make = (
  table: string,
  schema: Schema.Schema.AnyNoContext,
  key: ReadonlyArray<string>
): ReadonlyArray<FieldColumn> => {
  const columns = columnsOf(schema, { door: "Sql", name: table }).map(({ ast, field, nullable, type }): FieldColumn => {
    const isKey = key.includes(field)
    if (isKey && (type.kind === "json" || type.kind === "bytes")) {
      throw new TypeError(`Sql: ${table}.${field} is ${type.kind}, which cannot be a key`)
    }
    if (isKey && nullable) throw new TypeError(`Sql: ${table}.${field} may be null, so it cannot be a key`)
    const encode = isKey && type.kind === "text" ? keyText : encoderOf(type, ast)
    return { field, name: snakeCase(field), type, nullable, encode }
  })
  const names = new Set(columns.map((column) => column.name))
  if (names.size < columns.length) throw new TypeError(`Sql: two fields of ${table} would have the same column`)
  if (columns.length === 0) throw new TypeError(`Sql: the rows of ${table} have no fields`)
  const missing = key.find((name) => !columns.some((column) => column.field === name))
  if (missing !== undefined) throw new TypeError(`Sql: ${table} has no field '${missing}' to be its key`)
  return columns
}

/** The column as a database bounds it: what is beyond that it cannot hold. */
export const within = (column: FieldColumn, type: SqlType): FieldColumn => {
  const isWithin = boundOf(type)
  if (isWithin === null) return column
  const encode: FieldColumn["encode"] = (value) => {
    const encoded = column.encode(value)
    return encoded !== undefined && isWithin(encoded) ? encoded : undefined
  }
  return { ...column, type, encode }
}

const boundOf = (type: SqlType): ((value: SqlValue) => boolean) | null => {
  if (type.kind === "double" && type.finite === true) return Number.isFinite
  if (type.kind !== "text" || type.charactersMax === undefined) return null
  const { charactersMax } = type
  return (value) =>
    typeof value === "string" && (value.length <= charactersMax || Array.from(value).length <= charactersMax)
}

// Values

const encoderOf = (type: SqlType, ast: SchemaAST.AST): FieldColumn["encode"] => {
  switch (type.kind) {
    case "decimal":
      return decimalOf(type.precision, type.scale)
    case "json":
      return jsonOf(ast)
    default:
      return encoders[type.kind]
  }
}

/** What a table cannot hold: U+0000, and halves of a surrogate pair. */
const unfitText = /[\0\ud800-\udfff]/u

const text = (value: unknown): string | undefined =>
  typeof value === "string" && !unfitText.test(value) ? value : undefined

/** Text of a key: an index takes no more than so many bytes. */
const keyText = (value: unknown): string | undefined => {
  const fit = text(value)
  if (fit === undefined || fit.length * 3 <= Limits.keyTextBytesMax) return fit
  return new TextEncoder().encode(fit).length <= Limits.keyTextBytesMax ? fit : undefined
}

const encoders = {
  text,
  int64: (value: unknown) => (typeof value === "bigint" && BigInt.asIntN(64, value) === value ? value : undefined),
  instant: (value: unknown) => (typeof value === "number" && isEventTime(value) ? value : undefined),
  boolean: (value: unknown) => (typeof value === "boolean" ? value : undefined),
  integer: (value: unknown) => (typeof value === "number" && (value | 0) === value ? value | 0 : undefined),
  double: (value: unknown) => (typeof value === "number" ? value : undefined),
  bytes: (value: unknown) => (value instanceof Uint8Array ? value : undefined)
} as const

const safeMax = BigInt(Number.MAX_SAFE_INTEGER)

const decimalOf = (precision: number, scale: number): FieldColumn["encode"] => {
  const bound = 10n ** BigInt(precision)
  const power = 10 ** scale
  const quick = scale > 0 && scale <= 15
  return (value) => {
    if (typeof value !== "bigint" || value >= bound || value <= -bound) return undefined
    if (!quick || value > safeMax || value < -safeMax) return formatDecimal(value, scale)
    const units = Number(value)
    const magnitude = units < 0 ? -units : units
    const fraction = magnitude % power
    return `${units < 0 ? "-" : ""}${(magnitude - fraction) / power}.${String(fraction + power).slice(1)}`
  }
}

/** An escape of JSON text that a table cannot hold, behind an even number of backslashes. */
const unfitJson = /(?:^|[^\\])(?:\\\\)*\\u(?:0000|d[89a-f])/i

const jsonOf = (ast: SchemaAST.AST): FieldColumn["encode"] => {
  const encode = ParseResult.encodeUnknownOption(Schema.make(ast))
  return (value) => {
    const encoded = encode(value)
    if (encoded._tag === "None" || !isFiniteThroughout(encoded.value)) return undefined
    const json = JSON.stringify(encoded.value)
    return json === undefined || unfitJson.test(json) ? undefined : json
  }
}

/** JSON would make null of NaN and of infinity, and knows no bigint. */
const isFiniteThroughout = (value: unknown): boolean => {
  if (typeof value === "number") return Number.isFinite(value)
  if (typeof value === "bigint") return false
  return typeof value !== "object" || value === null || Object.values(value).every(isFiniteThroughout)
}
