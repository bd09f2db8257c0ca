/** Tables over sessions of a database, whichever it is. */
import { Effect } from "effect"
import type { Dialect, FoundTable, TablesError, TablesService } from "../../flow/Tables.ts"
import { RowsUnexpected } from "../../model/Errors.ts"
import * as AskRefusal from "./AskRefusal.ts"
import type { Failure, Outcome, RowsFailure, SqlSession, StatementFailure } from "./SqlSession.ts"

type Query = TablesService["query"]

export interface SqlTablesOptions {
  readonly identity: string
  readonly dialect: Dialect
  /** May a person ask it? */
  readonly isQuestion: (sql: string) => boolean
  /** What a failed statement means. */
  readonly ofStatement: (failure: StatementFailure) => TablesError
  readonly describe: (query: Query, table: string) => Effect.Effect<FoundTable | null, TablesError>
  readonly list: (query: Query) => Effect.Effect<ReadonlyArray<string>, TablesError>
  readonly maintain: (query: Query) => Effect.Effect<void, TablesError>
}

export const make = (session: SqlSession, options: SqlTablesOptions): TablesService => {
  const { dialect, identity, isQuestion, ofStatement } = options
  const query: Query = (statement) => settle(() => session.query(statement), ofStatement)
  return {
    identity,
    dialect,
    transaction: (statements) =>
      settle(
        () => session.transaction(statements),
        (failure) => (failure.kind === "rows" ? rowsUnexpected(failure) : ofStatement(failure))
      ),
    query,
    ask: (sql, bounds) => {
      if (!isQuestion(sql)) return Effect.fail(AskRefusal.noQuestion(sql))
      const asked = settle(() => session.ask(sql, bounds), ofStatement)
      return Effect.mapError(asked, AskRefusal.explained)
    },
    describe: (table) => (dialect.refusedName(table) === null ? options.describe(query, table) : Effect.succeed(null)),
    list: options.list(query),
    maintain: options.maintain(query)
  }
}

/** Runs to its end even if the fiber is interrupted: what the database does cannot be called back. */
const settle = <A, F extends Failure, E>(
  body: () => Promise<Outcome<A, F>>,
  errorOf: (failure: F) => E
): Effect.Effect<A, E> =>
  Effect.uninterruptible(
    Effect.flatMap(Effect.promise(body), (outcome) =>
      "failure" in outcome ? Effect.fail(errorOf(outcome.failure)) : Effect.succeed(outcome.value)
    )
  )

/** What is said of a statement that changed another number of rows than it was to. */
export const rowsUnexpected = ({ expected, found, statement }: Omit<RowsFailure, "kind">): RowsUnexpected =>
  new RowsUnexpected({
    statement,
    expected,
    found,
    message: `Statement ${statement} of a transaction was to change ${expected} rows and changed ${found}: nothing was kept`,
    hint: "Another owner may have written in between; the row that it expected is read before anything is tried again."
  })
