/**
 * Rows on their way into a Parquet file: each a line of JSON in a spool, checked against its columns before it is written,
 * and read back column by column with every digit.
 */
import { Schema } from "effect"
import { encodeJson, Unencodable } from "../../flow/Codec.ts"
import type { RowColumn } from "../../flow/RowColumns.ts"
import type { SqlType } from "../../flow/Tables.ts"
import { fits } from "../../model/Columns.ts"
import { isEventTime } from "../../model/Time.ts"
import type { FileColumn } from "./ParquetFile.ts"

type Row = Readonly<Record<string, unknown>>

/** What JSON holds of a value. */
type Cell = string | number | boolean | null

/** A row as a line, with its end. Throws `Unencodable` for a value that its column does not hold. */
export const encoderOf = (columns: ReadonlyArray<RowColumn>): ((row: Row) => Uint8Array) => {
  const cells = columns.map(cellOf)
  return (row) => utf8.encode(`${JSON.stringify(columns.map(({ field }, i) => cells[i]!(row[field])))}\n`)
}

/** Puts the values of a line behind those of the lines before it, column by column. */
export const readerOf = (
  columns: ReadonlyArray<FileColumn>
): ((line: string, into: ReadonlyArray<Array<unknown>>) => void) => {
  const values = columns.map(({ type }) => valueOf(type))
  return (line, into) => {
    const cells: ReadonlyArray<Cell> = JSON.parse(line)
    for (let i = 0; i < values.length; i++) {
      const cell = cells[i]!
      into[i]!.push(cell === null ? null : values[i]!(cell))
    }
  }
}

// Private

const utf8 = new TextEncoder()
const halfOfPair = /[\ud800-\udfff]/u

const cellOf = ({ ast, field, nullable, type }: RowColumn): ((value: unknown) => Cell) => {
  const cell = type.kind === "json" ? jsonOf(ast) : checked(type)
  return (value) => {
    if (value === null || value === undefined) {
      if (nullable) return null
      throw new Unencodable(`column ${field} is null, and may not be`)
    }
    const found = cell(value)
    if (found === undefined)
      throw new Unencodable(`column ${field} of type ${typeText(type)} cannot hold ${shown(value)}`)
    return found
  }
}

const jsonOf = (ast: RowColumn["ast"]): ((value: unknown) => Cell) => {
  const write = encodeJson(Schema.make<unknown, unknown, never>(ast))
  const decoder = new TextDecoder()
  return (value) => decoder.decode(write(value))
}

/** `undefined`: the column does not hold it. */
const checked = (type: SqlType): ((value: unknown) => Cell | undefined) => {
  switch (type.kind) {
    case "int64":
      return (value) => (typeof value === "bigint" && BigInt.asIntN(64, value) === value ? String(value) : undefined)
    case "decimal":
      return (value) => (typeof value === "bigint" && fits(value, type.precision) ? String(value) : undefined)
    case "instant":
      return (value) => (typeof value === "number" && isEventTime(value) ? value : undefined)
    case "integer":
      return (value) => (typeof value === "number" && (value | 0) === value ? value : undefined)
    case "double":
      return (value) => (typeof value === "number" ? numberCell(value) : undefined)
    case "boolean":
      return (value) => (typeof value === "boolean" ? value : undefined)
    case "bytes":
      return (value) => (value instanceof Uint8Array ? hexOf(value) : undefined)
    default:
      return (value) => (typeof value === "string" && !halfOfPair.test(value) ? value : undefined)
  }
}

/** JSON has no text for some numbers. */
const numberCell = (value: number): Cell =>
  Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? "-0" : String(value)

const valueOf = (type: SqlType): ((cell: Exclude<Cell, null>) => unknown) => {
  switch (type.kind) {
    case "int64":
    case "decimal":
      return BigInt
    case "instant":
      return BigInt
    case "double":
      return Number
    case "bytes":
      return (cell) => bytesOf(String(cell))
    default:
      return (cell) => cell
  }
}

const hexOf = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0")
  return text
}

const bytesOf = (hex: string): Uint8Array => {
  const bytes = new Uint8Array(hex.length / 2)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

const typeText = (type: SqlType): string =>
  type.kind === "decimal" ? `decimal(${type.precision}, ${type.scale})` : type.kind

const shown = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`
}
