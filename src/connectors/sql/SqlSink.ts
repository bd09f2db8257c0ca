/**
 * Rows into a table: by key, one behind the other, or in place of all that are there.
 *
 * The writer makes and checks the table when the job starts, prepares an epoch without touching it, and gives
 * statements. Whoever commits puts the fence before them: exactly once, in one transaction with the checkpoint where
 * both are in one database.
 */
import { Effect, type Schema } from "effect"
import type { Refuses } from "../../flow/Flow.ts"
import type { EpochRows, Prepared, Sink, SinkOpening, TablesWriter } from "../../flow/Sink.ts"
import {
  type Column,
  type Dialect,
  type SqlValue,
  type Statement,
  Tables,
  type TablesError,
  type TablesService
} from "../../flow/Tables.ts"
import type { TableMismatch } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import * as RowsDigest from "./RowsDigest.ts"
import * as TableCheck from "./TableCheck.ts"
import * as TableColumns from "./TableColumns.ts"
import * as TableRows from "./TableRows.ts"

export type SqlSinkError = TablesError | TableMismatch

interface AppendOnly
  extends Refuses<"changes", "this sink appends: put Flow.emit(onClose) before it or use Sql.upsert"> {}

export interface UpsertOptions<A> {
  /** The fields that identify a row. `[]` is a table of one row. */
  readonly key: ReadonlyArray<keyof A & string>
  /** A column of its own that says when the epoch was closed that wrote the row. Absent: there is none. */
  readonly updatedAt?: string
  /** Views over the table, as `select` statements by name: made anew at each start of the job. */
  readonly views?: Readonly<Record<string, View>>
}

/** A `select` statement, or one for each family of databases where they spell it differently: MariaDB's is `mysql`. */
export type View = string | Readonly<Record<Dialect["name"], string>>

/**
 * Keeps one row for each key: a later row replaces an earlier one, and a change without `after` removes it. Rows that
 * a column cannot hold are set aside; the row that was there before stays.
 */
export const upsert = <A, I>(
  table: string,
  schema: Schema.Schema<A, I>,
  options: UpsertOptions<A>
): Sink<A, SqlSinkError, Tables> => byKey(table, schema, options, false)

/**
 * Makes the table equal to the rows of a run, in one transaction: for jobs that recompute (`Job.make`). Of rows with one
 * key the last is kept, and a change without `after` removes it. Rows that a column cannot hold are set aside. The table
 * is the job's alone: rows of anyone else are removed, too.
 */
export const replace = <A, I>(
  table: string,
  schema: Schema.Schema<A, I>,
  options: UpsertOptions<A>
): Sink<A, SqlSinkError, Tables> => byKey(table, schema, options, true)

const byKey = <A, I>(
  table: string,
  schema: Schema.Schema<A, I>,
  options: UpsertOptions<A>,
  isWhole: boolean
): Sink<A, SqlSinkError, Tables> => {
  const columns = TableColumns.make(table, schema, options.key)
  const key = options.key.map((name) => columns.find((column) => column.field === name)!)
  const added: ReadonlyArray<Column> =
    options.updatedAt === undefined ? [] : [updatedAtColumn(table, columns, options.updatedAt)]
  return {
    name: table,
    label: `${isWhole ? "replace" : "upsert into"} ${table}${key.length === 0 ? ", one row" : ` by ${options.key.join(", ")}`}`,
    guarantee: "exactly once",
    replaces: true,
    key: options.key,
    isWhole,
    clear: () => removed(table),
    open: open({
      table,
      columns,
      added,
      key,
      tableKey: key.map((column) => column.name),
      views: options.views ?? {},
      replaces: true,
      isWhole
    })
  }
}

/**
 * Adds every row, equal ones too. The key of a row is the job and its record's place, so several jobs may append to one
 * table; columns `weir_lineage` and `weir_epoch` say which epoch wrote it.
 */
export const append = <A, I>(
  table: string,
  schema: Schema.Schema<A, I>
): Sink<A, SqlSinkError, Tables, AppendOnly> => ({
  name: table,
  label: `append to ${table}`,
  guarantee: "exactly once",
  replaces: false,
  key: [],
  clear: (job) => removed(table, job),
  clearAfter: (job, epoch) => removed(table, job, epoch),
  open: open({
    table,
    columns: TableColumns.make(table, schema, []),
    added: placeColumns,
    key: [],
    tableKey: placeColumns.slice(0, 5).map((column) => column.name),
    views: {},
    replaces: false,
    isWhole: false
  })
})

// The table

interface Table {
  readonly table: string
  readonly columns: ReadonlyArray<TableColumns.FieldColumn>
  /** Columns behind those of the rows, filled by the sink. */
  readonly added: ReadonlyArray<Column>
  readonly key: ReadonlyArray<TableColumns.FieldColumn>
  readonly tableKey: ReadonlyArray<string>
  readonly views: Readonly<Record<string, View>>
  readonly replaces: boolean
  /** Are the rows of an epoch all that the table holds? */
  readonly isWhole: boolean
}

const updatedAtColumn = (table: string, columns: ReadonlyArray<Column>, name: string): Column => {
  const column = TableColumns.snakeCase(name)
  if (columns.some((other) => other.name === column)) {
    throw new TypeError(`Sql: ${table} has a field for ${column}, so it cannot be the column of updatedAt`)
  }
  return { name: column, type: { kind: "instant", unit: "millis" }, nullable: false }
}

const placeColumns: ReadonlyArray<Column> = [
  { name: "weir_job", type: { kind: "text" }, nullable: false },
  { name: "weir_source", type: { kind: "text" }, nullable: false },
  { name: "weir_partition", type: { kind: "integer" }, nullable: false },
  { name: "weir_offset", type: { kind: "int64" }, nullable: false },
  { name: "weir_row", type: { kind: "int64" }, nullable: false },
  { name: "weir_lineage", type: { kind: "integer" }, nullable: false },
  { name: "weir_epoch", type: { kind: "int64" }, nullable: false }
]

/**
 * Removes rows: all, or those that a job appended after an epoch. Epochs of a job are never used twice, so those of
 * abandoned lineages are higher, too.
 */
const removed = (table: string, job: string | null = null, epoch = 0): Effect.Effect<void, SqlSinkError, Tables> =>
  Effect.gen(function* () {
    const tables = yield* Tables
    if ((yield* tables.describe(table)) === null) return
    const { parameter, quote, remove } = tables.dialect
    const appended = {
      sql: `delete from ${quote(table)} where ${quote("weir_job")} = ${parameter(1)} and ${quote("weir_epoch")} > ${parameter(2)}`,
      parameters: [job, epoch]
    }
    yield* TableCheck.run(tables, job === null ? remove(table, [], []) : [appended])
  })

// The writer

const open =
  (table: Table) =>
  (opening: SinkOpening): Effect.Effect<TablesWriter, SqlSinkError, Tables> =>
    Effect.gen(function* () {
      const tables = yield* Tables
      yield* TableCheck.make(tables, {
        table: table.table,
        columns: [...table.columns, ...table.added],
        key: table.tableKey,
        replaced: table.replaces,
        views: viewsIn(tables.dialect, table.views),
        writer: opening.isKnown === true ? opening.job : null
      })
      return writer(within(table, tables.dialect), opening, tables)
    })

const viewsIn = ({ name }: Dialect, views: Table["views"]): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(views).map(([view, sql]) => [view, typeof sql === "string" ? sql : sql[name]]))

/** The table with rows refused that its database cannot hold. */
const within = (table: Table, dialect: Dialect): Table => {
  const bounded = dialect.bounded([...table.columns, ...table.added], table.tableKey)
  const columns = table.columns.map((column, i) => TableColumns.within(column, bounded[i]!.type))
  const key = table.key.map(({ field }) => columns.find((column) => column.field === field)!)
  return { ...table, columns, key }
}

/** What a prepared epoch will write. */
interface Ready {
  readonly prepared: Prepared
  readonly written: Columns
  readonly removed: Columns
  readonly removedRows: number
}

const writer = (table: Table, opening: SinkOpening, tables: TablesService): TablesWriter => {
  const ready = new Map<number, Ready>()
  return {
    _tag: "TablesWriter",
    tables,
    prepare: (rows) =>
      Effect.sync(() => {
        const made = prepare(table, opening, rows, tables.dialect)
        ready.set(made.prepared.epoch, made)
        return made.prepared
      }),
    statements: ({ epoch }) => {
      const made = ready.get(epoch)
      return made === undefined ? [] : statements(table, tables, made)
    },
    committed: ({ epoch }) => void ready.delete(epoch)
  }
}

const prepare = (
  table: Table,
  opening: SinkOpening,
  { barrier, batches }: EpochRows,
  { rowBytesMax }: Dialect
): Ready => {
  const rows = TableRows.make(batches, { ...table, sink: opening.sink, rowBytesMax })
  const size = rows.written.columns[0]!.length
  const removedRows = table.key.length === 0 ? Number(rows.removed.rows > 0) : rows.removed.rows
  const added = table.replaces
    ? table.added.map(() => new Array<SqlValue>(size).fill(barrier.closedAt))
    : placeValues(rows.written.places, opening, barrier.epoch)
  const digest = RowsDigest.make()
  RowsDigest.addColumns(digest, rows.written.columns)
  RowsDigest.addColumns(digest, rows.removed.columns)
  RowsDigest.add(digest, removedRows)
  const prepared: Prepared = {
    epoch: barrier.epoch,
    rows: size + removedRows,
    bytes: bytesOf(rows.written.columns) + bytesOf(rows.removed.columns),
    digest: RowsDigest.format(digest),
    invalid: rows.invalid
  }
  return { prepared, written: [...rows.written.columns, ...added], removed: rows.removed.columns, removedRows }
}

const placeValues = (places: ReadonlyArray<TableRows.Place>, { job, lineage }: SinkOpening, epoch: number): Columns => [
  places.map(() => job),
  places.map((place) => place.origin),
  places.map((place) => place.partition),
  places.map((place) => place.offset),
  places.map((place) => place.row),
  places.map(() => lineage),
  places.map(() => epoch)
]

const bytesOf = (columns: Columns): number => {
  let bytes = 0
  for (const values of columns) {
    for (let i = 0; i < values.length; i++) bytes += valueBytes(values[i]!)
  }
  return bytes
}

const statements = (table: Table, tables: TablesService, ready: Ready): ReadonlyArray<Statement> => {
  const { dialect } = tables
  const size = ready.written[0]!.length
  // A table of one row has no key to conflict on: the row is replaced whole.
  const isOneRow = table.replaces && table.key.length === 0
  const empties = table.isWhole || (isOneRow && size + ready.removedRows > 0)
  const made: Array<Statement> = empties ? [...dialect.remove(table.table, [], [])] : []
  if (!empties) {
    for (const part of chunks(ready.removed, ready.removedRows))
      made.push(...dialect.remove(table.table, table.key, part))
  }
  const columns = [...table.columns, ...table.added]
  const key = table.replaces ? table.tableKey : []
  for (const part of chunks(ready.written, size)) made.push(...dialect.upsert(table.table, columns, key, part))
  return made
}

type Columns = ReadonlyArray<ReadonlyArray<SqlValue>>

const chunks = (columns: Columns, size: number): ReadonlyArray<Columns> =>
  cuts(columns, size).map(([start, end]) => columns.map((values) => values.slice(start, end)))

/** Where statements begin and end, so that none has too many rows or bytes; one row is never too many. */
const cuts = (columns: Columns, size: number): ReadonlyArray<readonly [number, number]> => {
  const made: Array<readonly [number, number]> = []
  const areSmall = bytesOf(columns) <= Limits.statementBytesMax
  let start = 0
  let bytes = 0
  for (let i = 0; i < size; i++) {
    const more = areSmall ? 0 : rowBytes(columns, i)
    if (i > start && (i - start === Limits.statementRowsMax || bytes + more > Limits.statementBytesMax)) {
      made.push([start, i])
      start = i
      bytes = 0
    }
    bytes += more
  }
  if (start < size) made.push([start, size])
  return made
}

const rowBytes = (columns: Columns, i: number): number => {
  let bytes = 0
  for (const values of columns) bytes += valueBytes(values[i]!)
  return bytes
}

/** About as many as the wire carries: 8 and a length for what has no length of its own. */
const valueBytes = (value: SqlValue): number =>
  typeof value === "string" || value instanceof Uint8Array ? value.length + 4 : 12
