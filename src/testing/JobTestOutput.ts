/** What a job has written into one table or topic, row by row, as it can be compared and shown. */
import { Either } from "effect"
import * as JsonDigits from "../flow/JsonDigits.ts"
import type { Letters } from "../flow/Letters.ts"
import type { StoredRecord } from "../flow/Topics.ts"
import * as Suggestion from "../model/Suggestion.ts"
import * as Kind from "./JobTestKind.ts"
import type { Cell, Table } from "./JobTestTable.ts"
import { dialect } from "./simulation/Sqlite.ts"
import type { Stage } from "./simulation/Stage.ts"

/** A row by the names of its columns. */
export type Row = Readonly<Record<string, Cell>>

export interface Output {
  /** `table page_visits`, `topic visits.invalid`. */
  readonly what: string
  /** Of a name; `null`: no row has such a column. */
  readonly kindOf: (column: string) => Kind.Kind | null
  readonly columns: ReadonlyArray<string>
  /** Those of them that are shown where nobody says which. */
  readonly columnsShown: ReadonlyArray<string>
  /** In an order that depends on nothing but themselves. */
  readonly rows: ReadonlyArray<Row>
}

/** The output of a sink: `letters` where it keeps what is set aside. */
export const read = (stage: Stage, sink: string, letters: Letters<unknown, unknown> | undefined): Output => {
  const partitions = stage.recordsOf(sink)
  if (partitions !== null) return ofTopic(sink, partitions.flat(), letters !== undefined)
  return ofTable(stage, sink)
}

/** The rows that are expected of an output, with its columns; throws `TypeError` for what it cannot hold. */
export const expected = (output: Output, table: Table): ReadonlyArray<Row> => {
  const kinds = table.columns.map((column) => {
    const kind = output.kindOf(column)
    if (kind === null)
      throw new TypeError(`it has no column '${column}'. ${Suggestion.sentence(column, output.columns)}`)
    return kind
  })
  return table.rows.map((row) =>
    Object.fromEntries(
      table.columns.map((column, i) => {
        const cell = row[i]!
        const text = cell === null ? null : kinds[i]!.ofText(cell)
        if (cell !== null && text === null)
          throw new TypeError(`column '${column}' holds ${kinds[i]!.name}, and '${cell}' is none`)
        return [column, text]
      })
    )
  )
}

// Tables

const ofTable = ({ database }: Stage, table: string): Output => {
  const found = database.describe(table)
  if (found === null) return { what: table, kindOf: () => Kind.texts, columns: [], columnsShown: [], rows: [] }
  const kinds = new Map(found.columns.map(({ name, type }) => [name, Kind.ofColumn(type)]))
  const columns = [...kinds.keys()]
  const order = [...found.primaryKey, ...columns].map(dialect.quote).join(", ")
  const rows = Either.getOrThrow(
    database.query({ sql: `select * from ${dialect.quote(table)} order by ${order}`, parameters: [] })
  )
  return {
    what: `table ${table}`,
    kindOf: (column) => kinds.get(column) ?? null,
    columns,
    columnsShown: columns.filter((column) => !column.startsWith("weir_")),
    rows: rows.map((row) => rowOf(columns, (column) => textOf(kinds.get(column)!, row[column])))
  }
}

const rowOf = (columns: ReadonlyArray<string>, cellOf: (column: string) => Cell): Row =>
  Object.fromEntries(columns.map((column) => [column, cellOf(column)]))

/** A database gives values as code has them. */
const textOf = (kind: Kind.Kind, value: unknown): Cell =>
  value === null || value === undefined ? null : kind.ofText(kind.ofValue(value))

// Topics

/** What is shown of what was set aside. */
const lettersShown = ["value", "weir.reason", "weir.cause"]

const ofTopic = (topic: string, records: ReadonlyArray<StoredRecord>, areLetters: boolean): Output => {
  const fields = records.map(fieldsOf)
  const values = records.map((record, i) => ({ ...besideOf(record), ...fields[i] }))
  const columns = [...new Set([...fields, ...values].flatMap((row) => Object.keys(row)))]
  const fieldsShown = [...new Set(fields.flatMap((row) => Object.keys(row)))]
  const kinds = new Map(
    columns.map((column) => {
      const held = values.map((row) => row[column]).filter((value) => value !== undefined && value !== null)
      return [column, Kind.ofFields(held)]
    })
  )
  return {
    what: `topic ${topic}`,
    kindOf: (column) => (records.length === 0 ? Kind.texts : (kinds.get(column) ?? null)),
    columns,
    columnsShown: areLetters ? lettersShown : fieldsShown.length > 0 ? fieldsShown : ["key", "value"],
    rows: values.map((row) =>
      rowOf(columns, (column) => {
        const value = row[column]
        return value === undefined || value === null ? null : kinds.get(column)!.ofText(Kind.textOf(value))
      })
    )
  }
}

/** The fields of a value that is an object of JSON. */
const fieldsOf = ({ value }: StoredRecord): Readonly<Record<string, unknown>> => {
  try {
    const parsed = JsonDigits.parse(utf8.decode(value))
    const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)
    return isObject && !(parsed instanceof JsonDigits.Digits) ? { ...parsed } : {}
  } catch {
    return {}
  }
}

/** What a record has beside the fields of its value. */
const besideOf = ({ headers, key, offset, partition, value }: StoredRecord): Readonly<Record<string, unknown>> => ({
  key: key === null ? null : shown(key),
  value: shown(value),
  partition: new JsonDigits.Digits(String(partition)),
  offset: new JsonDigits.Digits(String(offset)),
  ...Object.fromEntries(headers.map((header) => [header.name, shown(header.value)]))
})

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** Bytes as the text that they are; those that are none, as `\\x00ff`. */
const shown = (bytes: Uint8Array): string => {
  try {
    return utf8.decode(bytes)
  } catch {
    return Kind.hexOf(bytes)
  }
}
