/** Tables over sessions of PostgreSQL, the embedded one's or a server's. */
import type { Effect } from "effect"
import type { TablesError, TablesService } from "../../flow/Tables.ts"
import * as Ask from "./Ask.ts"
import * as Postgres from "./Postgres.ts"
import * as PostgresCatalog from "./PostgresCatalog.ts"
import * as PostgresFailure from "./PostgresFailure.ts"
import type { SqlSession } from "./SqlSession.ts"
import * as SqlTables from "./SqlTables.ts"

export interface PostgresTablesOptions {
  readonly identity: string
  readonly maintain: (query: TablesService["query"]) => Effect.Effect<void, TablesError>
}

export const make = (session: SqlSession, options: PostgresTablesOptions): TablesService =>
  SqlTables.make(session, {
    ...options,
    dialect: Postgres.dialect,
    isQuestion: Ask.isQuestion,
    ofStatement: PostgresFailure.ofStatement,
    describe: PostgresCatalog.describe,
    list: PostgresCatalog.list
  })
