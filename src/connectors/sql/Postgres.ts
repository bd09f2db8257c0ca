/**
 * How PostgreSQL spells what databases spell differently.
 *
 * Rows travel as one array parameter for each column: a statement's text depends on its table alone, never on how
 * many rows it carries, and `unnest` side by side in a select list takes them without building a set first.
 */
import type { Column, Dialect, SqlType } from "../../flow/Tables.ts"
import * as TableNames from "./TableNames.ts"

/** An identifier, quoted. Postgres has no U+0000 in text, so what is behind one could never be a name. */
export const quote = (identifier: string): string => `"${identifier.replaceAll("\u0000", "").replaceAll('"', '""')}"`

/** Bytes of a name: the server cuts off what is behind them. */
const nameBytesMax = 63
/** The server takes a gigabyte at once, in arrays of many rows; the driver, less than half of it as one text. */
const rowBytesMax = 268_435_456

const refusedName = (name: string): string | null =>
  TableNames.refused(name) ??
  (new TextEncoder().encode(name).length > nameBytesMax ? `it has more than ${nameBytesMax} bytes` : null)

/** Names, quoted, with commas between. */
export const list = (names: ReadonlyArray<string>): string => names.map(quote).join(", ")

/** The type of a value on its way: without precision, so that nothing is rounded before the column sees it. */
const castName = (type: SqlType): string => (type.kind === "decimal" ? "numeric" : typeName(type))

const typeName = (type: SqlType): string => {
  switch (type.kind) {
    case "int64":
      return "bigint"
    case "decimal":
      return `numeric(${type.precision}, ${type.scale})`
    case "instant":
      return "timestamptz"
    case "text":
      return "text"
    case "boolean":
      return "boolean"
    case "integer":
      return "integer"
    case "double":
      return "double precision"
    case "bytes":
      return "bytea"
    case "json":
      return "jsonb"
  }
}

const foundName = (type: SqlType): string => {
  if (type.kind === "instant") return "timestamp with time zone"
  return typeName(type).replaceAll(" ", type.kind === "decimal" ? "" : " ")
}

const unnest = (columns: ReadonlyArray<Column>): string =>
  columns.map((column, i) => `unnest($${i + 1}::${castName(column.type)}[])`).join(", ")

/** What becomes of a row whose key is there: SQLite says it in the same words. */
export const onConflict = (columns: ReadonlyArray<Column>, key: ReadonlyArray<string>): string => {
  if (key.length === 0) return ""
  const rest = columns.filter((column) => !key.includes(column.name)).map((column) => quote(column.name))
  const action =
    rest.length === 0 ? "nothing" : `update set ${rest.map((name) => `${name} = excluded.${name}`).join(", ")}`
  return ` on conflict (${list(key)}) do ${action}`
}

export const dialect: Dialect = {
  name: "postgres",
  quote,
  refusedName,
  rowBytesMax,
  parameter: (n) => `$${n}`,
  instant: (at) => new Date(at).toISOString(),
  bounded: (columns) => columns,
  typeName,
  foundName,
  createTable: (table, columns, key, options) => {
    const lines = columns.map(
      (column) => `${quote(column.name)} ${typeName(column.type)}${column.nullable ? "" : " not null"}`
    )
    if (key.length > 0) lines.push(`primary key (${list(key)})`)
    // A new version of a row that finds room on its page needs no new entry in the index.
    const room = options?.replaced === true ? " with (fillfactor = 70)" : ""
    return { sql: `create table if not exists ${quote(table)} (${lines.join(", ")})${room}`, parameters: [] }
  },
  createView: (name, select) => [{ sql: `create or replace view ${quote(name)} as ${select}`, parameters: [] }],
  upsert: (table, columns, key, values) => [
    {
      sql: `insert into ${quote(table)} (${list(columns.map((column) => column.name))}) select ${unnest(columns)}${onConflict(columns, key)}`,
      parameters: values
    }
  ],
  remove: (table, key, values) => {
    if (key.length === 0) return [{ sql: `delete from ${quote(table)}`, parameters: [] }]
    const gone = key.map((column, i) => `unnest($${i + 1}::${castName(column.type)}[]) as k${i}`).join(", ")
    const equal = key.map((column, i) => `${quote(table)}.${quote(column.name)} = gone.k${i}`).join(" and ")
    return [{ sql: `delete from ${quote(table)} using (select ${gone}) as gone where ${equal}`, parameters: values }]
  },
  changeColumn: (table, found, wanted) => {
    const alter = `alter table ${quote(table)} alter column ${quote(wanted.name)}`
    const made: Array<string> = []
    if (found.type !== foundName(wanted.type)) made.push(`${alter} type ${typeName(wanted.type)}`)
    if (found.nullable !== wanted.nullable) made.push(`${alter} ${wanted.nullable ? "drop" : "set"} not null`)
    return made
  },
  allowNull: (table, found) => `alter table ${quote(table)} alter column ${quote(found.name)} drop not null`
}
