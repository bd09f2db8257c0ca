/** Makes a table and its views where they are missing, and compares a table that is there with what a sink writes. */
import { Effect } from "effect"
import type { Column, Dialect, FoundTable, TablesError, TablesService } from "../../flow/Tables.ts"
import { TableMismatch } from "../../model/Errors.ts"

export interface WantedTable {
  readonly table: string
  readonly columns: ReadonlyArray<Column>
  /** Columns of the primary key; empty: any will do, or none. */
  readonly key: ReadonlyArray<string>
  /** Are its rows replaced by later ones? */
  readonly replaced: boolean
  readonly views: Readonly<Record<string, string>>
  /** The job that has rows in the table already: then it must be there. `null` or absent: nobody. */
  readonly writer?: string | null
}

/** Columns of a person's own may be there too, if they may be null. */
export const make = (tables: TablesService, wanted: WantedTable): Effect.Effect<void, TablesError | TableMismatch> =>
  Effect.gen(function* () {
    const { dialect } = tables
    const misnamed = misnaming(dialect, wanted)
    if (misnamed !== null) return yield* Effect.fail(misnamed)
    let found = yield* tables.describe(wanted.table)
    if (found === null) {
      if (typeof wanted.writer === "string") return yield* Effect.fail(gone(wanted.table, wanted.writer))
      yield* run(tables, [dialect.createTable(wanted.table, wanted.columns, wanted.key, wanted)])
      found = yield* tables.describe(wanted.table)
    }
    const bounded = { ...wanted, columns: dialect.bounded(wanted.columns, wanted.key) }
    const mismatch = found === null ? null : compare(dialect, bounded, found)
    if (mismatch !== null) return yield* Effect.fail(mismatch)
    yield* run(
      tables,
      Object.entries(wanted.views).flatMap(([name, select]) => dialect.createView(name, select))
    )
  })

/** Some databases cut names off, and take two tables for one. */
const misnaming = (dialect: Dialect, { columns, table, views }: WantedTable): TableMismatch | null => {
  for (const name of [table, ...columns.map((column) => column.name), ...Object.keys(views)]) {
    const why = dialect.refusedName(name)
    if (why === null) continue
    const quoted = JSON.stringify(name)
    return new TableMismatch({
      table,
      wanted: `the name ${quoted}`,
      found: why,
      message: `Table ${table} cannot be made: its database takes no table, view or column of the name ${quoted}, since ${why}`,
      hint: "Give the table, the view, or the field of the column another name."
    })
  }
  return null
}

/** Made anew, it would hold the rows of later epochs only. */
const gone = (table: string, job: string): TableMismatch =>
  new TableMismatch({
    table,
    wanted: "the rows of the epochs that were committed",
    found: "no table",
    message: `Table ${table} is gone, and with it the rows that job ${job} has written`,
    hint: `Restore the table from a copy, or let the job write everything again: weir reset ${job}`
  })

/** Statements that expect no number of rows. */
export const run = (
  tables: TablesService,
  statements: Parameters<TablesService["transaction"]>[0]
): Effect.Effect<void, TablesError> =>
  statements.length === 0
    ? Effect.void
    : Effect.asVoid(Effect.catchTag(tables.transaction(statements), "RowsUnexpected", Effect.die))

// Comparison

interface Difference {
  readonly wanted: string
  readonly found: string
  /** SQL that mends it. */
  readonly mend: string
}

const compare = (dialect: Dialect, wanted: WantedTable, found: FoundTable): TableMismatch | null => {
  const alter = `alter table ${dialect.quote(wanted.table)}`
  const differences = [
    ...wanted.columns.flatMap((column) => columnDifference(dialect, wanted.table, column, found)),
    ...extraColumns(dialect, wanted, found),
    ...keyDifference(dialect, alter, wanted, found)
  ]
  if (differences.length === 0) return null
  const said = (side: "wanted" | "found"): string => differences.map((difference) => difference[side]).join(", ")
  return new TableMismatch({
    table: wanted.table,
    wanted: said("wanted"),
    found: said("found"),
    message: `Table ${wanted.table} cannot hold the rows of this job: ${differences
      .map((difference) => `wanted ${difference.wanted}, found ${difference.found}`)
      .join("; ")}`,
    hint: `Mend it with: ${differences.map((difference) => difference.mend).join("; ")}. \`weir query\` only reads: a client of the database, such as psql, can. Where there is none, as for the built-in database, let the job make a table of another name; if it has written before, \`weir reset <job>\` lets it fill that from the beginning.`
  })
}

const spelled = (name: string, type: string, nullable: boolean): string =>
  `${name} ${type}${nullable ? "" : " not null"}`

const columnDifference = (
  dialect: Dialect,
  table: string,
  column: Column,
  found: FoundTable
): ReadonlyArray<Difference> => {
  const type = dialect.foundName(column.type)
  const wanted = spelled(column.name, type, column.nullable)
  const name = dialect.quote(column.name)
  const there = found.columns.find((other) => other.name === column.name)
  if (there === undefined) {
    const mend = `alter table ${dialect.quote(table)} add column ${name} ${dialect.typeName(column.type)}${column.nullable ? "" : " not null"}`
    return [{ wanted, found: `no column ${column.name}`, mend }]
  }
  if (there.type === type && there.nullable === column.nullable) return []
  const mend = dialect.changeColumn(table, there, column).join("; ")
  return [{ wanted, found: spelled(there.name, there.type, there.nullable), mend }]
}

const extraColumns = (dialect: Dialect, wanted: WantedTable, found: FoundTable): ReadonlyArray<Difference> =>
  found.columns
    .filter((column) => !column.nullable && !wanted.columns.some((other) => other.name === column.name))
    .map((column) => ({
      wanted: `no column ${column.name}, or one that may be null`,
      found: spelled(column.name, column.type, false),
      mend: dialect.allowNull(wanted.table, column)
    }))

const keyDifference = (
  dialect: Dialect,
  alter: string,
  wanted: WantedTable,
  found: FoundTable
): ReadonlyArray<Difference> => {
  const key = wanted.key
  const same = key.length === found.primaryKey.length && key.every((name) => found.primaryKey.includes(name))
  if (same || (key.length === 0 && found.primaryKey.length === 0)) return []
  const text = (names: ReadonlyArray<string>): string =>
    names.length === 0 ? "no primary key" : `primary key (${names.join(", ")})`
  const add = `${alter} add primary key (${key.map(dialect.quote).join(", ")})`
  return [
    { wanted: text(key), found: text(found.primaryKey), mend: key.length === 0 ? `${alter} drop its primary key` : add }
  ]
}
