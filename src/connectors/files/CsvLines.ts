/** Rows as lines of CSV (RFC 4180), by the columns of their Schema. */
import { Schema } from "effect"
import { encodeJson, Unencodable } from "../../flow/Codec.ts"
import type { RowColumn } from "../../flow/RowColumns.ts"
import { formatDecimal } from "../../model/Columns.ts"

export interface CsvLines {
  /** The names of the columns, as a line with its end. */
  readonly head: string
  /** Throws `Unencodable` for a value that is none of its column. */
  readonly line: (row: Readonly<Record<string, unknown>>) => string
}

/** `separator`: one character that is no quote and no line end; throws `RangeError` for another. */
export const make = (columns: ReadonlyArray<RowColumn>, separator: string): CsvLines => {
  if (separator.length !== 1 || /["\r\n]/.test(separator))
    throw new RangeError(`A separator of CSV is one character, not ${JSON.stringify(separator)}`)
  const cells = columns.map((column) => cellOf(column, separator))
  return {
    head: `${columns.map(({ field }) => quoted(field, separator)).join(separator)}${lineEnd}`,
    line: (row) => {
      let line = ""
      for (let i = 0; i < columns.length; i++) line += `${i === 0 ? "" : separator}${cells[i]!(row[columns[i]!.field])}`
      // A line without any character is no record.
      return line === "" ? `""${lineEnd}` : `${line}${lineEnd}`
    }
  }
}

// Private

const lineEnd = "\r\n"
const decoder = new TextDecoder()

const cellOf = (column: RowColumn, separator: string): ((value: unknown) => string) => {
  const write = writerOf(column)
  return (value) => {
    if (value !== null && value !== undefined) return quoted(write(value), separator)
    if (!column.nullable) throw new Unencodable(`column ${column.field} is null, and may not be`)
    return ""
  }
}

const quoted = (text: string, separator: string): string =>
  text === "" || text.includes(separator) || /["\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text

const writerOf = ({ ast, field, type }: RowColumn): ((value: unknown) => string) => {
  switch (type.kind) {
    case "decimal":
      return (value) => formatDecimal(value as bigint, type.scale)
    case "instant": {
      const millis = type.unit === "seconds" ? 1_000 : 1
      return type.unit === "iso"
        ? (value) => new Date(value as number).toISOString()
        : (value) => String((value as number) / millis)
    }
    case "text":
      return (value) => {
        if (typeof value === "string" && !halfOfPair.test(value)) return value
        throw new Unencodable(`column ${field} is no text of Unicode: ${JSON.stringify(value)}`)
      }
    case "double":
      return (value) => {
        if (Number.isFinite(value)) return String(value)
        throw new Unencodable(`column ${field}: CSV has no number ${value}`)
      }
    case "json":
    case "bytes": {
      const write = encodeJson(Schema.make<unknown, unknown, never>(ast))
      return (value) => {
        const json = decoder.decode(write(value))
        return json.startsWith('"') ? JSON.parse(json) : json
      }
    }
    default:
      return String
  }
}

const halfOfPair = /[\ud800-\udfff]/u
