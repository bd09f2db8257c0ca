/** Tables in a PostgreSQL server. */
import { Duration, Effect, Layer } from "effect"
import { Tables } from "../../flow/Tables.ts"
import type { AccessRefused, InvalidConfiguration, TablesUnavailable } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import * as AnswerBound from "./AnswerBound.ts"
import * as PostgresFailure from "./PostgresFailure.ts"
import * as PostgresTables from "./PostgresTables.ts"
import * as ServerAddress from "./ServerAddress.ts"
import * as ServerOpening from "./ServerOpening.ts"

export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with options of the driver behind `?`, such as `ssl=require`. */
  readonly url: string
  /** A connection that is silent for longer, after it was asked, is given up. Absent: `Limits.answerMillisMax`. */
  readonly answerWithin?: Duration.DurationInput
}

/**
 * Tables in the database that the address names, over at most `Limits.tablesConnectionsMax` connections. A server that
 * does not answer is tried again for `Limits.tablesOpenMillisMax`; one that refuses the user fails at once with
 * `AccessRefused`, which never shows the password. What a connection does not answer in time has an unknown
 * outcome: it is closed, and `TablesUnavailable` says so.
 */
export const layerPostgres = (
  options: PostgresOptions
): Layer.Layer<Tables, AccessRefused | InvalidConfiguration | TablesUnavailable> =>
  Layer.scoped(
    Tables,
    Effect.gen(function* () {
      const address = yield* ServerAddress.parse(options.url, ["postgres", "postgresql"], 5432)
      const server = yield* Effect.promise(() => import("./PostgresServer.ts"))
      const clock = yield* Effect.clock
      const bound = AnswerBound.make(clock, Duration.decode(options.answerWithin ?? Limits.answerMillisMax))
      const { session } = yield* ServerOpening.open(address, {
        make: () => server.open(options.url, { now: () => clock.unsafeCurrentTimeMillis(), bound }),
        greeting: "select 1 as one",
        ofStatement: PostgresFailure.ofStatement
      })
      return PostgresTables.make(session, { identity: address.identity, maintain: () => Effect.void })
    })
  )
