/** Lookups from tables: all rows of a table, of a view or of a query, each time they are loaded. */
import { Effect, type Schema } from "effect"
import * as Codec from "../../flow/Codec.ts"
import * as Lookup from "../../flow/Lookup.ts"
import { fieldsOf, jsonOfRow, type RowField } from "../../flow/RowFields.ts"
import { Tables, type TablesError, type TablesService } from "../../flow/Tables.ts"
import { LookupUnreadable } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import { snakeCase } from "./TableColumns.ts"

type Row = Readonly<Record<string, unknown>>

/** Rows between two turns of others. */
const rowsInTurn = 2_048

/**
 * The rows of a table, or of a query if the text has a space in it. A column has the name of its field, or that name in
 * `snake_case`. At most `Limits.lookupRowsMax` rows. Where `duplicates` is `first` or `last`, a query says the order.
 *
 *     Sql.lookup("items", Item, { key: ["itemid"], refresh: "1 minute" })
 *     Sql.lookup("select * from items where sold", Item, { key: ["itemid"], name: "sold items" })
 */
export const lookup = <A, I, const K extends Lookup.KeyColumn<A>, const T extends Lookup.Refresh = "fixed">(
  tableOrQuery: string,
  schema: Schema.Schema<A, I>,
  options: Lookup.Options<A, K, T>
): Lookup.Lookup<Pick<A, K>, A, LookupUnreadable | TablesError, Tables, Lookup.PolicyOf<T>> => {
  const name = options.name ?? tableOrQuery
  const label = isQuery(tableOrQuery) ? `query ${name}` : `table ${name}`
  const read = reading(tableOrQuery, schema, name)
  const load = Effect.map(Effect.flatMap(Tables, read), (rows) => ({ rows, placeOf: null }))
  return Lookup.make({ from: tableOrQuery, label, schema, load }, options)
}

/** Reads all rows of a table, of a view or of a query, each as the Schema has it; `name` is what errors call it. */
export const reading = <A, I>(tableOrQuery: string, schema: Schema.Schema<A, I>, name = tableOrQuery) => {
  const fields = fieldsOf(schema)
  return (
    tables: Pick<TablesService, "dialect" | "query">
  ): Effect.Effect<ReadonlyArray<A>, LookupUnreadable | TablesError> =>
    Effect.gen(function* () {
      const rows = yield* tables.query({ sql: statementOf(tables, tableOrQuery), parameters: [] })
      if (rows.length > Limits.lookupRowsMax)
        return yield* unreadable(
          name,
          `it has more than ${Limits.lookupRowsMax} rows`,
          "Look up fewer: a query says which."
        )
      return yield* decoded(name, schema, fields, rows)
    })
}

const isQuery = (text: string): boolean => /\s/.test(text.trim())

const statementOf = ({ dialect }: Pick<TablesService, "dialect">, text: string): string => {
  const from = isQuery(text) ? `(${text.trim().replace(/;$/, "")})` : dialect.quote(text)
  return `select * from ${from} as weir_rows limit ${Limits.lookupRowsMax + 1}`
}

const decoded = <A, I>(
  lookup: string,
  schema: Schema.Schema<A, I>,
  fields: ReadonlyArray<RowField>,
  rows: ReadonlyArray<Row>
): Effect.Effect<ReadonlyArray<A>, LookupUnreadable> =>
  Effect.gen(function* () {
    const [first] = rows
    const columns: Array<string | null> = []
    for (const field of fields) {
      const column = first === undefined ? null : columnOf(field.name, first)
      if (first !== undefined && column === null && !field.optional)
        return yield* unreadable(
          lookup,
          `there is no column ${snakeCase(field.name)} for field ${field.name}, but ${Object.keys(first).join(", ")}`,
          "Give the Schema the fields of the table, or select the columns by these names."
        )
      columns.push(column)
    }
    const { read } = Codec.compile(schema)
    const encoder = new TextEncoder()
    const found: Array<A> = []
    for (let start = 0; start < rows.length; start += rowsInTurn) {
      yield* Effect.try({
        try: () => {
          for (const row of rows.slice(start, start + rowsInTurn)) {
            const json = encoder.encode(jsonOfRow(fields, (field, i) => jsonOf(field, row, columns[i]!)))
            found.push(read(json, 0, json.length))
          }
        },
        catch: (error) => notARow(lookup, rows[found.length]!, error)
      })
      yield* Effect.yieldNow()
    }
    return found
  })

const columnOf = (field: string, row: Row): string | null =>
  [field, snakeCase(field)].find((name) => Object.hasOwn(row, name)) ?? null

/** The JSON of a value as the database gives it: whole numbers and decimals as text, instants as milliseconds. */
const jsonOf = (field: RowField, row: Row, column: string | null): string | undefined => {
  const value = column === null ? undefined : row[column]
  if (value === undefined || value === null) return field.nullable || !field.optional ? "null" : undefined
  if (field.column?.kind === "instant" && typeof value === "number") {
    if (field.column.unit === "iso") return `"${new Date(value).toISOString()}"`
    return String(field.column.unit === "seconds" ? value / 1000 : value)
  }
  // A count is a 64-bit integer to the database, and may be a number to the Schema.
  if (field.kind === "number" && typeof value === "string" && /^-?\d+(?:\.\d+)?$/.test(value)) return value
  if (field.kind === "text" && typeof value === "number") return JSON.stringify(String(value))
  return JSON.stringify(value)
}

const notARow = (lookup: string, row: Row, error: unknown): LookupUnreadable => {
  const why = error instanceof Codec.Undecodable || error instanceof Error ? error.message : String(error)
  const shown = JSON.stringify(row, (_, value) => (value instanceof Uint8Array ? "bytes" : value))
  return unreadable(
    lookup,
    `${why}, in row ${shown.slice(0, shownMax)}`,
    "Mend the row, or the Schema that it is read by."
  )
}

/** Characters of a row in a message. */
const shownMax = 300

const unreadable = (lookup: string, why: string, hint: string): LookupUnreadable =>
  new LookupUnreadable({ lookup, message: `Lookup ${lookup}: ${why}`, hint })
