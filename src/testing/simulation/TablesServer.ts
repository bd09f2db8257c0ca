/** Tables of a simulated world: a database behind its network. */
import { Effect, Either, Exit, Layer } from "effect"
import { type Statement, Tables, type TablesError, type TablesService } from "../../flow/Tables.ts"
import { TablesUnavailable } from "../../model/Errors.ts"
import type { Database } from "./Database.ts"
import type { Striker } from "./Faults.ts"
import type { Network, Server } from "./Network.ts"
import type { Process } from "./Process.ts"
import { dialect } from "./Sqlite.ts"

export interface TablesServer {
  readonly database: Database
  readonly server: Server
  /** Called after each transaction that was kept, at that very moment: what any reader could see now. */
  readonly onKept: () => void
}

const deadlockOdds = 0.02

export const layer = (
  process: Process,
  { database, onKept, server }: TablesServer,
  { network, striker }: { readonly network: Network; readonly striker: Striker }
): Layer.Layer<Tables> => {
  const ask = <A, E>(what: string, changes: boolean, execute: () => Either.Either<A, E>): Effect.Effect<A, E> =>
    network.call(process, server, {
      what,
      changes,
      execute: () => Either.match(execute(), { onLeft: Exit.fail, onRight: Exit.succeed }) as Exit.Exit<A, E>,
      lost: () => unavailable("08006", "the connection was lost") as E
    })
  const service: TablesService = {
    identity: "simulated",
    dialect,
    transaction: (statements) =>
      ask(told(statements), true, () => {
        if (striker.strikes("deadlock", deadlockOdds)) return Either.left(unavailable("40P01", "a deadlock"))
        const done = database.transaction(statements)
        if (Either.isRight(done)) onKept()
        return done
      }),
    query: (statement) => ask(told([statement]), false, () => database.query(statement)),
    ask: (sql, { rowsMax }) => ask("asks", false, () => database.ask(sql, rowsMax)),
    describe: (table) =>
      ask<ReturnType<Database["describe"]>, TablesError>(`describes ${table}`, false, () =>
        Either.right(database.describe(table))
      ),
    list: ask<ReadonlyArray<string>, TablesError>("lists tables", false, () => Either.right(database.list())),
    maintain: Effect.void
  }
  return Layer.succeed(Tables, service)
}

const unavailable = (code: string, why: string): TablesUnavailable =>
  new TablesUnavailable({
    code,
    message: `The database did not answer (${why})`,
    hint: "A job tries the same epoch again by itself."
  })

/** The first words of statements, for the story. */
const told = (statements: ReadonlyArray<Statement>): string => {
  const seen = statements.map(({ sql }) =>
    /^\s*(\w+)(?:\s+(?:into|from|table|if|not|exists)\b)*\s*("?[\w.]+"?)?/.exec(sql)
  )
  return [...new Set(seen.map((match) => `${match?.[1] ?? "?"} ${match?.[2] ?? ""}`.trim()))].join(", ")
}
