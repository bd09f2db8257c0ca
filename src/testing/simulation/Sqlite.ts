/** How SQLite spells what databases spell differently; a column's declared type says what its values are. */
import { list, onConflict, quote } from "../../connectors/sql/Postgres.ts"
import type { Column, Dialect, SqlType, SqlValue, Statement } from "../../flow/Tables.ts"

/** Bytes of a row (https://sqlite.org/limits.html, 1). */
const rowBytesMax = 1_000_000_000
/** Parameters of one statement. */
const parametersMax = 32_000
/** Rows of one statement: more make it no faster. */
const rowsMax = 500

/**
 * The words decide how values are kept (https://sqlite.org/datatype3.html, 3.1): those with `int` as whole numbers of
 * 64 bits, those with `text` as they came.
 */
const declared = (type: SqlType): string => {
  switch (type.kind) {
    case "int64":
      return "int64"
    case "integer":
      return "int32"
    case "decimal":
      return `decimal(${type.precision},${type.scale}) text`
    case "instant":
      return "instant int"
    case "boolean":
      return "boolean int"
    case "text":
      return "text"
    case "double":
      return "double"
    case "bytes":
      return "blob"
    case "json":
      return "json text"
  }
}

const typeName = (type: SqlType): string => quote(declared(type))

/** The value that was kept under a declared type; `null`: the type is not known, as of an expression. */
export const read = (type: string | null, value: unknown): unknown => {
  if (value === null) return null
  switch (type) {
    case "int64":
      return String(value)
    case "int32":
    case "instant int":
    case "double":
      return Number(value)
    case "boolean int":
      return Number(value) !== 0
    case "json text":
      return JSON.parse(String(value))
    default:
      return typeof value === "bigint" ? String(value) : value
  }
}

type Values = ReadonlyArray<ReadonlyArray<SqlValue>>

const rowsOf = (columns: ReadonlyArray<Column>, values: Values): ReadonlyArray<ReadonlyArray<SqlValue>> =>
  Array.from({ length: values[0]?.length ?? 0 }, (_, i) => columns.map((__, c) => values[c]![i]!))

/** One statement for each so many rows; `say` makes its text from a group of parameters for each row. */
const chunked = (
  columns: ReadonlyArray<Column>,
  values: Values,
  say: (groups: string) => string
): ReadonlyArray<Statement> => {
  const rows = rowsOf(columns, values)
  const size = Math.max(1, Math.min(rowsMax, Math.floor(parametersMax / columns.length)))
  const made: Array<Statement> = []
  for (let start = 0; start < rows.length; start += size) {
    const some = rows.slice(start, start + size)
    const groups = some.map((row) => `(${row.map(() => "?").join(", ")})`).join(", ")
    made.push({ sql: say(groups), parameters: some.flat() })
  }
  return made
}

export const dialect: Dialect = {
  name: "postgres",
  quote,
  refusedName: (name) => (name === "" ? "it is empty" : null),
  rowBytesMax,
  parameter: (n) => `?${n}`,
  instant: (at) => at,
  // It has neither NaN nor -0.
  bounded: (columns) =>
    columns.map((column) =>
      column.type.kind === "double" ? { ...column, type: { kind: "double", finite: true } } : column
    ),
  typeName,
  foundName: declared,
  createTable: (table, columns, key) => {
    const lines = columns.map(
      (column) => `${quote(column.name)} ${typeName(column.type)}${column.nullable ? "" : " not null"}`
    )
    if (key.length > 0) lines.push(`primary key (${list(key)})`)
    return { sql: `create table if not exists ${quote(table)} (${lines.join(", ")})`, parameters: [] }
  },
  // Views are in the words of the database that a job runs on, and nothing that it writes depends on them.
  createView: () => [],
  upsert: (table, columns, key, values) =>
    chunked(
      columns,
      values,
      (groups) =>
        `insert into ${quote(table)} (${list(columns.map((column) => column.name))}) values ${groups}${onConflict(columns, key)}`
    ),
  remove: (table, key, values) =>
    key.length === 0
      ? [{ sql: `delete from ${quote(table)}`, parameters: [] }]
      : chunked(
          key,
          values,
          (groups) => `delete from ${quote(table)} where (${list(key.map(({ name }) => name))}) in (values ${groups})`
        ),
  changeColumn: () => [],
  allowNull: () => ""
}
