/** Tables in a MariaDB or MySQL server. */
import { Duration, Effect, Layer } from "effect"
import { Tables } from "../../flow/Tables.ts"
import type { AccessRefused, InvalidConfiguration, TablesUnavailable } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import * as AnswerBound from "./AnswerBound.ts"
import * as Mysql from "./Mysql.ts"
import * as MysqlCatalog from "./MysqlCatalog.ts"
import * as MysqlFailure from "./MysqlFailure.ts"
import * as MysqlQuestion from "./MysqlQuestion.ts"
import * as ServerAddress from "./ServerAddress.ts"
import * as ServerOpening from "./ServerOpening.ts"
import * as SqlTables from "./SqlTables.ts"

export interface MysqlOptions {
  /** `mysql://user:password@host:port/database`, or `mariadb://…`. */
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
export const layerMysql = (
  options: MysqlOptions
): Layer.Layer<Tables, AccessRefused | InvalidConfiguration | TablesUnavailable> =>
  Layer.scoped(
    Tables,
    Effect.gen(function* () {
      const address = yield* ServerAddress.parse(options.url, ["mysql", "mariadb"], 3306)
      const server = yield* Effect.promise(() => import("./MysqlServer.ts"))
      const clock = yield* Effect.clock
      const bound = AnswerBound.make(clock, Duration.decode(options.answerWithin ?? Limits.answerMillisMax))
      const { greeting, session } = yield* ServerOpening.open(address, {
        make: () =>
          server.open(options.url.replace(/^mariadb:/, "mysql:"), {
            now: () => clock.unsafeCurrentTimeMillis(),
            bound
          }),
        greeting: "select version() as version, @@max_allowed_packet as packet",
        ofStatement: MysqlFailure.ofStatement
      })
      return SqlTables.make(session, {
        identity: address.identity,
        dialect: Mysql.dialect({
          isMariadb: /mariadb/i.test(String(greeting.version)),
          packetBytesMax: Number(greeting.packet)
        }),
        isQuestion: MysqlQuestion.isQuestion,
        ofStatement: MysqlFailure.ofStatement,
        describe: MysqlCatalog.describe,
        list: MysqlCatalog.list,
        maintain: () => Effect.void
      })
    })
  )
