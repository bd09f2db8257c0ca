/**
 * The contract of a database with tables. Which one it is is a Layer's affair: a job never knows.
 *
 * Sinks, fences and the checkpoint store say statements; whoever commits an epoch joins those of equal identity into
 * one transaction.
 */
import { Context, type Effect } from "effect"
import type { ColumnType } from "../model/Columns.ts"
import type {
  AccessRefused,
  RowsUnexpected,
  StatementRefused,
  StorageFailed,
  TablesUnavailable
} from "../model/Errors.ts"

/**
 * A value on its way to the database. Exact: a bigint is never made a double, an instant travels as `Dialect.instant`
 * spells it, and to `Dialect.upsert` and `Dialect.remove` as milliseconds since 1970. An array is one parameter of an
 * array type, where the database has them.
 */
export type SqlValue = null | boolean | number | bigint | string | Uint8Array | ReadonlyArray<SqlValue>

export interface Statement {
  readonly sql: string
  readonly parameters: ReadonlyArray<SqlValue>
  /** If it changes another number of rows, the whole transaction is taken back and fails with `RowsUnexpected`. */
  readonly rowsExpected?: number
}

export type TablesError = StatementRefused | StorageFailed | TablesUnavailable | AccessRefused

/**
 * What a column holds, whatever the database calls it. Text may be bounded, in characters (Unicode code points), and
 * doubles be finite only, with -0 kept as 0, where `Dialect.bounded` says so.
 */
export type SqlType =
  | ColumnType
  | { readonly kind: "text"; readonly charactersMax?: number }
  | { readonly kind: "boolean" }
  | { readonly kind: "integer" }
  | { readonly kind: "double"; readonly finite?: true }
  | { readonly kind: "bytes" }
  | { readonly kind: "json" }

export interface Column {
  readonly name: string
  readonly type: SqlType
  readonly nullable: boolean
}

/** A column as the database has it: `type` in its own words, in lower case, such as `numeric(18,2)`. */
export interface FoundColumn {
  readonly name: string
  readonly type: string
  readonly nullable: boolean
}

export interface FoundTable {
  readonly columns: ReadonlyArray<FoundColumn>
  /** Names of the primary key's columns, in its order. Empty: it has none. */
  readonly primaryKey: ReadonlyArray<string>
}

/** How this database spells what the others spell differently. */
export interface Dialect {
  readonly name: "postgres" | "mysql"
  /** An identifier, quoted; any text is safe. */
  readonly quote: (identifier: string) => string
  /** Why no table, view or column can have this name, such as `it has more than 63 bytes`; `null`: one can. */
  readonly refusedName: (name: string) => string | null
  /** Bytes of the values of one row at most, text in UTF-8. */
  readonly rowBytesMax: number
  /** The n-th parameter of a statement, from 1. */
  readonly parameter: (n: number) => string
  /** An instant as a parameter of a statement: milliseconds since 1970. */
  readonly instant: (at: number) => SqlValue
  /** The columns with what this database cannot hold of them taken out; `key`: names of the primary key's columns. */
  readonly bounded: (columns: ReadonlyArray<Column>, key: ReadonlyArray<string>) => ReadonlyArray<Column>
  /** The type in a `create table`, of a column that is `bounded`. */
  readonly typeName: (type: SqlType) => string
  /**
   * `create table if not exists`, with its primary key if `key` is not empty, of columns `bounded` by it. Of a table
   * whose rows are `replaced` again and again the database may keep room for their next versions. Some databases make
   * it durable at once, whatever becomes of its transaction.
   */
  readonly createTable: (
    table: string,
    columns: ReadonlyArray<Column>,
    key: ReadonlyArray<string>,
    options?: { readonly replaced: boolean }
  ) => Statement
  /** Makes a view of a `select` statement anew. */
  readonly createView: (name: string, select: string) => ReadonlyArray<Statement>
  /**
   * Writes rows by key, given as one array of values for each column, by as many statements as it takes. Keys must be
   * unique among the rows. With an empty `key` it inserts. Where all columns are key it leaves the row that is there.
   */
  readonly upsert: (
    table: string,
    columns: ReadonlyArray<Column>,
    key: ReadonlyArray<string>,
    values: ReadonlyArray<ReadonlyArray<SqlValue>>
  ) => ReadonlyArray<Statement>
  /** Removes rows by key, given as one array of values for each key column. With an empty `key` it removes all. */
  readonly remove: (
    table: string,
    key: ReadonlyArray<Column>,
    values: ReadonlyArray<ReadonlyArray<SqlValue>>
  ) => ReadonlyArray<Statement>
  /** The statements of a person that make the column, as it was found, the one that is wanted. */
  readonly changeColumn: (table: string, found: FoundColumn, wanted: Column) => ReadonlyArray<string>
  /** The statement of a person that lets a column be null. */
  readonly allowNull: (table: string, found: FoundColumn) => string
  /** How a column found in the database must be called to hold `type`, for the comparison with `FoundColumn.type`. */
  readonly foundName: (type: SqlType) => string
}

export interface TablesService {
  /** Server and database, without secrets: equal for two that can share a transaction. */
  readonly identity: string
  readonly dialect: Dialect
  /**
   * All statements in one transaction, in order; answers how many rows each changed. Fails with nothing kept, except
   * `TablesUnavailable`, after which the outcome is unknown and must be read before anything is tried again.
   */
  readonly transaction: (
    statements: ReadonlyArray<Statement>
  ) => Effect.Effect<ReadonlyArray<number>, TablesError | RowsUnexpected>
  /** Rows of one reading statement: columns by name; 64-bit integers and numerics as text, instants as epoch millis, bytes as Uint8Array, json parsed. */
  readonly query: (statement: Statement) => Effect.Effect<ReadonlyArray<Readonly<Record<string, unknown>>>, TablesError>
  /** Any SQL of a person's, in a read-only transaction, with bounds of rows and time. Values as text. */
  readonly ask: (
    sql: string,
    bounds: { readonly rowsMax: number; readonly millisMax: number }
  ) => Effect.Effect<Answer, TablesError>
  readonly describe: (table: string) => Effect.Effect<FoundTable | null, TablesError>
  /** Names of all tables and views that are not the engine's own nor the database's. */
  readonly list: Effect.Effect<ReadonlyArray<string>, TablesError>
  /** What the database wants done from time to time: statistics, dead rows. Called between epochs, may take a while. */
  readonly maintain: Effect.Effect<void, TablesError>
}

export interface Answer {
  readonly columns: ReadonlyArray<string>
  readonly rows: ReadonlyArray<ReadonlyArray<string | null>>
  /** More rows were there than `rowsMax`. */
  readonly truncated: boolean
}

export class Tables extends Context.Tag("weir/Tables")<Tables, TablesService>() {}
