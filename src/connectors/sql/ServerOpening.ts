/** Opening sessions of a database server: it is asked for a sign of life before anything is built on it. */
import { Duration, Effect, Schedule, type Scope } from "effect"
import { isOutage } from "../../flow/Patience.ts"
import type { TablesError } from "../../flow/Tables.ts"
import { AccessRefused, InvalidConfiguration, StatementRefused, TablesUnavailable } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import type { ServerAddress } from "./ServerAddress.ts"
import type { Row, SqlSession, StatementFailure } from "./SqlSession.ts"

export interface ServerOpening {
  readonly make: () => SqlSession
  /** A statement that answers one row. */
  readonly greeting: string
  readonly ofStatement: (failure: StatementFailure) => TablesError
}

/** Sessions that end with the scope, and the server's answer to the greeting. */
export const open = (
  address: ServerAddress,
  { greeting, make, ofStatement }: ServerOpening
): Effect.Effect<
  { readonly session: SqlSession; readonly greeting: Row },
  AccessRefused | InvalidConfiguration | TablesUnavailable,
  Scope.Scope
> =>
  Effect.gen(function* () {
    const session = yield* Effect.acquireRelease(Effect.sync(make), (session) =>
      Effect.ignore(Effect.tryPromise(() => session.close()))
    )
    const greeted = Effect.flatMap(
      Effect.promise(() => session.query({ sql: greeting, parameters: [] })),
      (outcome) =>
        "failure" in outcome ? Effect.fail(ofStatement(outcome.failure)) : Effect.succeed(outcome.value[0]!)
    )
    const answer = yield* greeted.pipe(
      Effect.retry({
        while: isOutage,
        schedule: Schedule.spaced(Duration.millis(Limits.restartBackoffMillis)).pipe(
          Schedule.upTo(Duration.millis(Limits.tablesOpenMillisMax))
        )
      }),
      Effect.mapError((error) => unopened(address, error))
    )
    return { session, greeting: answer }
  })

const unopened = (
  { identity }: ServerAddress,
  error: TablesError
): AccessRefused | InvalidConfiguration | TablesUnavailable => {
  const refused = {
    message: `The database ${identity} lets nobody in with this address: ${error.message}`,
    hint: "Check user, password and database in DATABASE_URL, and that the user may connect from here."
  }
  if (error instanceof AccessRefused) return new AccessRefused({ system: "database", ...refused })
  return error instanceof StatementRefused
    ? new InvalidConfiguration({ name: "DATABASE_URL", ...refused })
    : new TablesUnavailable({
        code: error._tag === "TablesUnavailable" ? error.code : "unknown",
        message: `The database ${identity} does not answer: ${error.message}`,
        hint: "Check that the server runs and can be reached from here, and the host and port of the address."
      })
}
