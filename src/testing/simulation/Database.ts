/**
 * A database of tables in memory, in this thread: SQLite. What asks it is answered at once, so that a simulated world
 * decides when a question arrives and when its answer does.
 */
import type { BindableValue, Database as Connection, PreparedStatement } from "@sqlite.org/sqlite-wasm"
import { Either } from "effect"
import * as SqlFailure from "../../connectors/sql/SqlFailure.ts"
import { rowsUnexpected } from "../../connectors/sql/SqlTables.ts"
import type { Answer, FoundTable, SqlValue, Statement, TablesError } from "../../flow/Tables.ts"
import type { RowsUnexpected } from "../../model/Errors.ts"
import { dialect, read } from "./Sqlite.ts"

type Row = Readonly<Record<string, unknown>>

export interface Database {
  readonly transaction: (
    statements: ReadonlyArray<Statement>
  ) => Either.Either<ReadonlyArray<number>, TablesError | RowsUnexpected>
  readonly query: (statement: Statement) => Either.Either<ReadonlyArray<Row>, TablesError>
  readonly ask: (sql: string, rowsMax: number) => Either.Either<Answer, TablesError>
  readonly describe: (table: string) => FoundTable | null
  readonly list: () => ReadonlyArray<string>
  readonly close: () => void
}

/** Loads what databases are made by. */
export const load = async (): Promise<() => Database> => {
  const { default: initialise } = await import("@sqlite.org/sqlite-wasm")
  const sqlite = await initialise()
  sqlite.config.error = () => {}
  sqlite.config.warn = () => {}
  // Its declarations leave these functions out.
  const { sqlite3_bind_double, sqlite3_column_decltype } = sqlite.capi as unknown as {
    readonly sqlite3_bind_double: (statement: unknown, parameter: number, value: number) => void
    readonly sqlite3_column_decltype: (statement: unknown, column: number) => string | undefined
  }
  const typeOf = (statement: PreparedStatement, column: number): string | null =>
    sqlite3_column_decltype(statement.pointer, column)?.toLowerCase() ?? null
  const bind = (statement: PreparedStatement, values: ReadonlyArray<SqlValue>): void => {
    if (values.length > 0) statement.bind(values.map(bindable))
    // Whole numbers that large, it would bind as integers, and 2^63 as another one.
    for (const [i, value] of values.entries())
      if (isLarge(value)) sqlite3_bind_double(statement.pointer, i + 1, value as number)
  }
  return () => make(new sqlite.oo1.DB(":memory:"), { bind, typeOf })
}

/** Statements that are kept prepared. */
const preparedMax = 200

interface Statements {
  readonly bind: (statement: PreparedStatement, values: ReadonlyArray<SqlValue>) => void
  /** The type that was declared for a column of the answer; `null`: it is none of a table. */
  readonly typeOf: (statement: PreparedStatement, column: number) => string | null
}

const make = (connection: Connection, { bind, typeOf }: Statements): Database => {
  const prepared = new Map<string, PreparedStatement>()
  const prepare = (sql: string): PreparedStatement => {
    const known = prepared.get(sql)
    if (known !== undefined) return known
    if (prepared.size === preparedMax) {
      const [oldest, statement] = prepared.entries().next().value!
      statement.finalize()
      prepared.delete(oldest)
    }
    const made = connection.prepare(sql)
    prepared.set(sql, made)
    return made
  }
  /** Steps through a statement; `onRow` is called at each row of its answer. */
  const step = ({ parameters, sql }: Statement, onRow: (statement: PreparedStatement) => boolean): void => {
    const statement = prepare(sql)
    try {
      bind(statement, parameters)
      while (statement.step() && onRow(statement));
    } finally {
      try {
        statement.reset(true)
      } catch {
        // What was wrong with it has been said.
      }
    }
  }
  const change = (statement: Statement): number => {
    const before = Number(connection.changes(true))
    step(statement, () => true)
    return Number(connection.changes(true)) - before
  }
  const rowsOf = (statement: Statement): ReadonlyArray<Row> => {
    const rows: Array<Row> = []
    step(statement, (found) => {
      const row: Record<string, unknown> = {}
      for (let i = 0; i < found.columnCount; i++) row[found.getColumnName(i)!] = read(typeOf(found, i), found.get(i))
      rows.push(row)
      return true
    })
    return rows
  }
  const trying = <A>(sql: string, f: () => A): Either.Either<A, TablesError> =>
    Either.try({ try: f, catch: (error) => refusal(sql, error) })

  return {
    transaction: (statements) => {
      connection.exec("begin immediate")
      const counts: Array<number> = []
      for (const [index, statement] of statements.entries()) {
        const count = trying(statement.sql, () => change(statement))
        const failure = Either.isLeft(count) ? count.left : unexpected(statement, index, count.right)
        if (failure !== null) {
          connection.exec("rollback")
          return Either.left(failure)
        }
        counts.push(Either.getOrThrow(count))
      }
      connection.exec("commit")
      return Either.right(counts)
    },
    query: (statement) => trying(statement.sql, () => rowsOf(statement)),
    ask: (sql, rowsMax) =>
      trying(sql, () => {
        connection.exec("pragma query_only = on")
        try {
          return answer(step, sql, rowsMax)
        } finally {
          connection.exec("pragma query_only = off")
        }
      }),
    describe: (table) => {
      const found = rowsOf({ sql: `pragma table_info(${dialect.quote(table)})`, parameters: [] })
      if (found.length === 0) return null
      return {
        columns: found.map((row) => ({
          name: String(row.name),
          type: String(row.type).toLowerCase(),
          nullable: Number(row.notnull) === 0
        })),
        primaryKey: found
          .filter((row) => Number(row.pk) > 0)
          .sort((left, right) => Number(left.pk) - Number(right.pk))
          .map((row) => String(row.name))
      }
    },
    list: () =>
      rowsOf({
        sql: "select name from sqlite_schema where type in ('table', 'view') and name not like 'sqlite_%' order by name",
        parameters: []
      })
        .map((row) => String(row.name))
        .filter((name) => !name.startsWith("weir_")),
    close: () => {
      for (const statement of prepared.values()) statement.finalize()
      connection.close()
    }
  }
}

const isLarge = (value: SqlValue): boolean =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)

const bindable = (value: SqlValue): BindableValue => {
  if (isLarge(value)) return null
  return typeof value === "boolean" ? Number(value) : (value as BindableValue)
}

const answer = (
  step: (statement: Statement, onRow: (statement: PreparedStatement) => boolean) => void,
  sql: string,
  rowsMax: number
): Answer => {
  const rows: Array<ReadonlyArray<string | null>> = []
  let columns: ReadonlyArray<string> = []
  let truncated = false
  step({ sql, parameters: [] }, (found) => {
    columns = found.getColumnNames()
    truncated = rows.length === rowsMax
    if (!truncated) rows.push(columns.map((_, i) => textOf(found.get(i))))
    return !truncated
  })
  return { columns, rows, truncated }
}

const textOf = (value: unknown): string | null => {
  if (value === null || value === undefined) return null
  if (value instanceof Uint8Array)
    return `\\x${Array.from(value, (byte) => byte.toString(16).padStart(2, "0")).join("")}`
  return String(value)
}

const unexpected = (statement: Statement, index: number, found: number): RowsUnexpected | null =>
  statement.rowsExpected === undefined || statement.rowsExpected === found
    ? null
    : rowsUnexpected({ statement: index, expected: statement.rowsExpected, found })

/** A key that is there already: of a table with rows, or of its primary key. */
const rowIsThere = [1555, 2067]

const refusal = (sql: string, error: unknown): TablesError => {
  const { message, resultCode } = error as { readonly message: string; readonly resultCode?: number }
  const about = rowIsThere.includes(resultCode ?? 0) ? "row that is there" : "statement"
  return SqlFailure.make(
    { kind: "statement", broken: false, code: String(resultCode ?? 1), reason: message, sql },
    about
  )
}
