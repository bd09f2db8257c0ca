/** Results for a person or a program: a table, JSON or CSV on standard output. */
import { Effect } from "effect"
import { Process } from "./Process.ts"
import * as Usage from "./Usage.ts"

export type Format = "table" | "json" | "csv"
export type Cell = string | number | boolean | null

/** The flag that every listing has. */
export const format = Usage.choice("format", ["table", "json", "csv"], "how results are written (default: table)")

/** Columns by name, in order, and rows of as many cells. */
export interface Listing {
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<Cell>>
  /** What JSON shows instead, one value a row: for results that are more than columns. */
  readonly values?: ReadonlyArray<unknown>
}

export const print = (wanted: Format | undefined, listing: Listing): Effect.Effect<void, never, Process> =>
  Effect.flatMap(Process, (process) => process.print(written(wanted ?? "table", listing)))

export const written = (wanted: Format, listing: Listing): string => {
  switch (wanted) {
    case "json":
      return asJson(listing)
    case "csv":
      return asCsv(listing)
    case "table":
      return asTable(listing)
  }
}

const asJson = ({ columns, rows, values }: Listing): string => {
  const each = values ?? rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i] ?? null])))
  return each.length === 0 ? "[]\n" : `[\n${each.map((value) => `  ${JSON.stringify(value)}`).join(",\n")}\n]\n`
}

const asCsv = ({ columns, rows }: Listing): string =>
  `${[columns, ...rows].map((row) => row.map(csvCell).join(",")).join("\n")}\n`

/** RFC 4180. A missing value is empty, empty text is quoted. */
const csvCell = (cell: Cell): string => {
  if (cell === null) return ""
  const shown = String(cell)
  return shown === "" || /[",\r\n]/.test(shown) ? `"${shown.replaceAll('"', '""')}"` : shown
}

const asTable = ({ columns, rows }: Listing): string => {
  const shown = rows.map((row) => row.map(tableCell))
  const widths = columns.map((column, i) =>
    shown.reduce((width, row) => Math.max(width, [...(row[i] ?? "")].length), column.length)
  )
  const numeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => isNumeric(row[i] ?? null)))
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, i) => (numeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd()
  return `${[line(columns), ...shown.map(line)].join("\n")}\n`
}

const isNumeric = (cell: Cell): boolean =>
  cell === null || typeof cell === "number" || /^-?\d+(\.\d+)?$/.test(String(cell))

/** One line: what would break it, or drive a terminal, is escaped. */
const tableCell = (cell: Cell): string =>
  cell === null ? "-" : String(cell).replaceAll(/\p{Cc}/gu, (c) => escapes[c] ?? `\\x${hex(c)}`)

const escapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }
const hex = (c: string): string => c.charCodeAt(0).toString(16).padStart(2, "0")
