/**
 * How MariaDB and MySQL spell what databases spell differently.
 *
 * Rows travel as one parameter for each value, so a statement takes a bounded number of them. Text is compared by its
 * bytes: no case, accent or space at its end is passed over. An index takes 3,072 bytes and has to know how many
 * characters come: text of a key is bounded by what is left for it. Instants are `datetime(3)`, in UTC.
 */
import type { Column, Dialect, FoundColumn, SqlType, SqlValue, Statement } from "../../flow/Tables.ts"
import * as TableNames from "./TableNames.ts"

export interface MysqlServer {
  readonly isMariadb: boolean
  /** Bytes of one packet that the server takes. */
  readonly packetBytesMax: number
}

/** Bytes that an index row of InnoDB takes, and that one character takes there. */
const indexBytesMax = 3_072
const characterBytes = 4
/** Parameters of one prepared statement. */
const parametersMax = 65_535
/** Rows of one statement: more make it no faster, and its text is one of few. */
const rowsMax = 1_000
/** The part of a packet that values may fill; the rest is what says their types. */
const packetShare = 0.9
/** Rows that are removed by one statement, each by a condition of its own. */
const removedRowsMax = 250

/** An identifier, quoted. What is behind U+0000 could never be a name. */
const quote = (identifier: string): string => `\`${identifier.replaceAll("\u0000", "").replaceAll("`", "``")}\``

/** Characters of a name. */
const nameCharactersMax = 64

const refusedName = (name: string): string | null => {
  const refused = TableNames.refused(name)
  if (refused !== null) return refused
  if (name.length > nameCharactersMax) return `it has more than ${nameCharactersMax} characters`
  if (/[\ud800-\udfff]/.test(name)) return "it has a character beyond U+FFFF"
  return name.endsWith(" ") ? "it ends with a space" : null
}

const list = (names: ReadonlyArray<string>): string => names.map(quote).join(", ")

/** `2018-09-21 07:20:00.000`, in UTC. */
const instant = (at: number): string => new Date(at).toISOString().replace("T", " ").replace("Z", "")

export const dialect = ({ isMariadb, packetBytesMax }: MysqlServer): Dialect => {
  const collation = isMariadb ? "utf8mb4_nopad_bin" : "utf8mb4_0900_bin"
  const typeName = (type: SqlType): string => {
    switch (type.kind) {
      case "int64":
        return "bigint"
      case "decimal":
        return `decimal(${type.precision},${type.scale})`
      case "instant":
        return "datetime(3)"
      case "text":
        return type.charactersMax === undefined ? "longtext" : `varchar(${type.charactersMax}) collate ${collation}`
      case "boolean":
        return "tinyint(1)"
      case "integer":
        return "int"
      case "double":
        return "double"
      case "bytes":
        return "longblob"
      case "json":
        return "json"
    }
  }
  // MariaDB calls text with a check what it is made of.
  const foundName = (type: SqlType): string => (isMariadb && type.kind === "json" ? "longtext" : typeName(type))
  const spelled = (column: Column): string =>
    `${quote(column.name)} ${typeName(column.type)}${column.nullable ? " null" : " not null"}`
  const modified = (table: string, found: FoundColumn, nullable: boolean): string =>
    `alter table ${quote(table)} modify column ${quote(found.name)} ${found.type}${nullable ? " null" : " not null"}`
  const cuts = chunks(packetBytesMax * packetShare)
  return {
    name: "mysql",
    quote,
    refusedName,
    rowBytesMax: Math.floor(packetBytesMax * packetShare),
    parameter: () => "?",
    instant,
    bounded: (columns, key) => bounded(columns, key),
    typeName,
    foundName,
    createTable: (table, columns, key) => {
      const lines = bounded(columns, key).map(spelled)
      if (key.length > 0) lines.push(`primary key (${list(key)})`)
      return {
        sql: `create table if not exists ${quote(table)} (${lines.join(", ")}) engine = InnoDB row_format = dynamic default character set utf8mb4 collate ${collation}`,
        parameters: []
      }
    },
    createView: (name, select) => [{ sql: `create or replace view ${quote(name)} as ${select}`, parameters: [] }],
    upsert: (table, columns, key, values) => {
      const into = `insert into ${quote(table)} (${list(columns.map((column) => column.name))}) values `
      const row = `(${columns.map(() => "?").join(", ")})`
      const action = onDuplicateKey(columns, key)
      return cuts(columns, values, rowsMax).map(([start, end]) => ({
        sql: `${into}${new Array(end - start).fill(row).join(", ")}${action}`,
        parameters: parameters(columns, values, start, end)
      }))
    },
    remove: (table, key, values) => {
      if (key.length === 0) return [{ sql: `delete from ${quote(table)}`, parameters: [] }]
      // Text is compared with a decimal as doubles are.
      const parameter = ({ type }: Column): string => (type.kind === "decimal" ? `cast(? as ${typeName(type)})` : "?")
      const row = `(${key.map((column) => `${quote(column.name)} = ${parameter(column)}`).join(" and ")})`
      return cuts(key, values, removedRowsMax).map(([start, end]) => ({
        sql: `delete from ${quote(table)} where ${new Array(end - start).fill(row).join(" or ")}`,
        parameters: parameters(key, values, start, end)
      }))
    },
    changeColumn: (table, found, wanted) => [
      modified(table, { ...found, type: typeName(wanted.type) }, wanted.nullable)
    ],
    allowNull: (table, found) => modified(table, found, true)
  }
}

/** Text of a key is what is left of an index, in equal parts; doubles are finite. */
const bounded = (columns: ReadonlyArray<Column>, key: ReadonlyArray<string>): ReadonlyArray<Column> => {
  const keys = columns.filter((column) => key.includes(column.name))
  const texts = keys.filter(({ type }) => type.kind === "text").length
  const left = indexBytesMax - keys.reduce((sum, { type }) => sum + (type.kind === "text" ? 0 : indexBytes(type)), 0)
  const charactersMax = Math.floor(left / characterBytes / texts)
  return columns.map((column): Column => {
    if (column.type.kind === "double") return { ...column, type: { kind: "double", finite: true } }
    if (column.type.kind !== "text" || !key.includes(column.name)) return column
    return { ...column, type: { kind: "text", charactersMax } }
  })
}

/** Bytes of a value in an index, at most. */
const indexBytes = (type: SqlType): number => (type.kind === "decimal" ? 32 : 8)

/** Whatever unique index it is that the row meets: here no statement can name one. */
const onDuplicateKey = (columns: ReadonlyArray<Column>, key: ReadonlyArray<string>): string => {
  if (key.length === 0) return ""
  const rest = columns.filter((column) => !key.includes(column.name)).map((column) => quote(column.name))
  const set = rest.length === 0 ? `${quote(key[0]!)} = ${quote(key[0]!)}` : undefined
  return ` on duplicate key update ${set ?? rest.map((name) => `${name} = values(${name})`).join(", ")}`
}

type Columns = ReadonlyArray<ReadonlyArray<SqlValue>>

/** Row by row, as the statement names them. */
const parameters = (
  columns: ReadonlyArray<Column>,
  values: Columns,
  start: number,
  end: number
): Statement["parameters"] => {
  const flat: Array<SqlValue> = []
  for (let i = start; i < end; i++) {
    for (let c = 0; c < columns.length; c++) {
      const value = values[c]![i]!
      flat.push(columns[c]!.type.kind === "instant" && typeof value === "number" ? instant(value) : value)
    }
  }
  return flat
}

/** Where statements begin and end; one row is never too many. */
const chunks =
  (bytesMax: number) =>
  (columns: ReadonlyArray<Column>, values: Columns, rowsMax: number): ReadonlyArray<readonly [number, number]> => {
    const size = values[0]?.length ?? 0
    const rows = Math.max(1, Math.min(rowsMax, Math.floor(parametersMax / columns.length)))
    const made: Array<readonly [number, number]> = []
    let start = 0
    let bytes = 0
    for (let i = 0; i < size; i++) {
      const more = rowBytes(values, i)
      if (i > start && (i - start === rows || bytes + more > bytesMax)) {
        made.push([start, i])
        start = i
        bytes = 0
      }
      bytes += more
    }
    if (start < size) made.push([start, size])
    return made
  }

const rowBytes = (values: Columns, i: number): number => {
  let bytes = 0
  for (const column of values) {
    const value = column[i]!
    // A character of UTF-16 is three bytes at most.
    if (typeof value === "string") bytes += value.length * 3 + 12
    else bytes += value instanceof Uint8Array ? value.length + 12 : 24
  }
  return bytes
}
