/** Tables of a simulated world: a database behind its network. */
import { Effect, Either, Exit, Layer } from "effect"
import { Tables, type TablesError, type TablesService } from "../../flow/Tables.ts"
import { TablesUnavailable } from "../../model/Errors.ts"
import type { Database } from "./Database.ts"
import type { Striker } from "./Faults.ts"
import type { Network, Server } from "./Network.ts"
import type { Process } from "./Process.ts"
import * as Requests from "./Requests.ts"
import { dialect } from "./Sqlite.ts"

export interface TablesServer {
  readonly database: Database
  readonly server: Server
  /** Called after each transaction that was kept, at that very moment, with what was done: what any reader could see now. */
  readonly onKept: (done: () => string) => void
}

const deadlockOdds = 0.02

export const layer = (
  process: Process,
  { database, onKept, server }: TablesServer,
  { network, striker }: { readonly network: Network; readonly striker: Striker }
): Layer.Layer<Tables> => {
  const ask: Ask = <A, E>(words: Requests.Words, changes: boolean, execute: () => Either.Either<A, E>) =>
    network.call(process, server, {
      ...words,
      changes,
      execute: () => Either.match(execute(), { onLeft: Exit.fail, onRight: Exit.succeed }) as Exit.Exit<A, E>,
      lost: () => unavailable("08006", "the connection was lost") as E
    })
  return Layer.succeed(Tables, {
    ...behind(database, ask),
    transaction: (statements) => {
      const words = Requests.of(statements)
      return ask(words, true, () => {
        if (striker.strikes("deadlock", deadlockOdds)) return Either.left(unavailable("40P01", "a deadlock"))
        const done = database.transaction(statements)
        if (Either.isRight(done)) onKept(() => `${process.name} ${Requests.said(words)}`)
        return done
      })
    }
  })
}

/** The database with nothing between it and who asks. */
export const layerAt = (database: Database): Layer.Layer<Tables> =>
  Layer.succeed(
    Tables,
    behind(database, (_, __, execute) => Effect.suspend(execute))
  )

/** How a question is put to the database: what it is, whether it changes anything, and what is done when it arrives. */
type Ask = <A, E>(words: Requests.Words, changes: boolean, execute: () => Either.Either<A, E>) => Effect.Effect<A, E>

const behind = (database: Database, ask: Ask): TablesService => ({
  identity: "simulated",
  dialect,
  transaction: (statements) => ask(Requests.of(statements), true, () => database.transaction(statements)),
  query: (statement) => ask(Requests.of([statement]), false, () => database.query(statement)),
  ask: (sql, { rowsMax }) => ask(plain("asks"), false, () => database.ask(sql, rowsMax)),
  describe: (table) =>
    ask<ReturnType<Database["describe"]>, TablesError>(plain(`describes ${table}`), false, () =>
      Either.right(database.describe(table))
    ),
  list: ask<ReadonlyArray<string>, TablesError>(plain("lists tables"), false, () => Either.right(database.list())),
  maintain: Effect.void
})

const unavailable = (code: string, why: string): TablesUnavailable =>
  new TablesUnavailable({
    code,
    message: `The database did not answer (${why})`,
    hint: "A job tries the same epoch again by itself."
  })

const plain = (what: string): Requests.Words => ({ what, details: () => "" })
