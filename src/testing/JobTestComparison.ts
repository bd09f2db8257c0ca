/** What was written beside what was expected, as text for a person: the rows that differ, and what to paste. */
import { snakeCase } from "../connectors/sql/TableColumns.ts"
import * as Output from "./JobTestOutput.ts"
import * as Table from "./JobTestTable.ts"

/** Whatever is there is as expected. */
export const anything: unique symbol = Symbol.for("weir/testing/anything")

/** A table of text; rows by column or by the field that fills it, values as code has them or as text; or anything. */
export type Expected = string | ReadonlyArray<Readonly<Record<string, unknown>>> | typeof anything

/** How they differ; `null`: they do not. Throws `TypeError` for an expectation that the output cannot hold. */
export const difference = (name: string, output: Output.Output, expected: Expected): string | null => {
  if (expected === anything) return null
  const table = typeof expected === "string" ? Table.parse(expected) : tableOf(output, expected)
  const columns = table.columns.length > 0 ? table.columns : output.columnsShown
  const lines = marked(columns, Output.expected(output, table), output.rows)
  const missing = lines.filter(({ mark }) => mark === "-").length
  const tooMany = lines.filter(({ mark }) => mark === "+").length
  if (missing + tooMany === 0) return null
  const shown = Table.lines({ columns, rows: lines.map(({ row }) => cellsOf(columns, row)) })
  const found = { columns, rows: output.rows.map((row) => cellsOf(columns, row)) }
  return [
    `${output.what}: ${missing} expected and not there (-), ${tooMany} there and not expected (+)`,
    "",
    ...shown.map((line, i) => `  ${i === 0 ? " " : lines[i - 1]!.mark} ${line}`.trimEnd()),
    "",
    "What is there, to be pasted:",
    "",
    `${keyOf(name)}: ${found.rows.length === 0 ? "[]" : Table.asCode(found, "")}`
  ].join("\n")
}

// Private

const keyOf = (name: string): string => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name))

/** Rows as code has them. A field that a row leaves out has no value. */
const tableOf = (output: Output.Output, rows: ReadonlyArray<Readonly<Record<string, unknown>>>): Table.Table => {
  const fields = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const columns = fields.map((field) => (output.columns.includes(field) ? field : nameOf(output, field)))
  return {
    columns,
    rows: rows.map((row) =>
      fields.map((field, i) => {
        const value = row[field]
        if (value === undefined || value === null) return null
        return typeof value === "string" ? value : (output.kindOf(columns[i]!)?.ofValue(value) ?? String(value))
      })
    )
  }
}

const nameOf = (output: Output.Output, field: string): string =>
  output.columns.includes(snakeCase(field)) ? snakeCase(field) : field

const cellsOf = (columns: ReadonlyArray<string>, row: Output.Row): ReadonlyArray<Table.Cell> =>
  columns.map((column) => row[column] ?? null)

interface Line {
  readonly mark: " " | "-" | "+"
  readonly row: Output.Row
}

/** The rows that are expected, in their order, those that are there instead after those that they are nearest to. */
const marked = (
  columns: ReadonlyArray<string>,
  expected: ReadonlyArray<Output.Row>,
  found: ReadonlyArray<Output.Row>
): ReadonlyArray<Line> => {
  const left = [...found]
  const lines: Array<{ readonly line: Line; readonly instead: Array<Line> }> = expected.map((row) => {
    const at = left.findIndex((other) => equalCells(columns, row, other) === columns.length)
    if (at >= 0) left.splice(at, 1)
    return { line: { mark: at < 0 ? "-" : " ", row }, instead: [] }
  })
  const missing = lines.filter(({ line }) => line.mark === "-")
  const others = left.filter((row) => {
    const free = missing.filter(({ instead }) => instead.length === 0)
    const near = free.map(({ line }) => equalCells(columns, line.row, row))
    const nearest = near.indexOf(Math.max(...near))
    if (nearest < 0 || near[nearest] === 0) return true
    free[nearest]!.instead.push({ mark: "+", row })
    return false
  })
  return [
    ...lines.flatMap(({ instead, line }) => [line, ...instead]),
    ...others.map((row): Line => ({ mark: "+", row }))
  ]
}

const equalCells = (columns: ReadonlyArray<string>, left: Output.Row, right: Output.Row): number =>
  columns.filter((column) => (left[column] ?? null) === (right[column] ?? null)).length
