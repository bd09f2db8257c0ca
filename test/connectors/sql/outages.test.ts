/** What becomes of tables when their server is away, or ends what is under way. */
import { describe, expect, it, layer as sharing } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { layerMysql, layerPostgres } from "../../../src/connectors/sql/index.ts"
import { Tables, type TablesService } from "../../../src/flow/Tables.ts"
import { databases } from "../../services/databases.ts"
import { freePort } from "../../services/Service.ts"

const found = (await databases()).filter(({ url }) => url !== undefined)

const layers = { Postgres: layerPostgres, MariaDB: layerMysql }

/** How each server says the same. */
const spelled = {
  Postgres: {
    endOwn: "select pg_terminate_backend(pg_backend_pid())",
    endOthers:
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    wait: "select pg_sleep(0.5)",
    waitLong: "select pg_sleep(20)",
    deadlock: "40P01",
    idle: "select setting as millis from pg_settings where name = 'idle_in_transaction_session_timeout'"
  },
  MariaDB: {
    endOwn: "kill connection_id()",
    endOthers: null,
    wait: "select sleep(0.5)",
    waitLong: "select count(*) from seq_1_to_100000 a, seq_1_to_100000 b",
    deadlock: "1213",
    idle: "select @@idle_transaction_timeout * 1000 as millis"
  }
}

const run = (tables: TablesService, ...statements: ReadonlyArray<string>) =>
  tables.transaction(statements.map((sql) => ({ sql, parameters: [] })))
const rows = (tables: TablesService, sql: string) => tables.query({ sql, parameters: [] })

for (const { layer, name, url } of found) {
  const server = name as keyof typeof spelled
  const words = spelled[server]

  describe(`the address of ${name}`, () => {
    const opened = (address: string) => Effect.scoped(Layer.build(layers[server]({ url: address })))
    const withSecret = (change: (address: URL) => void): string => {
      const address = new URL(url!)
      address.password = "s3cret-word"
      change(address)
      return address.href
    }

    it.live(
      "with a wrong password is refused at once, and the password is not shown",
      () =>
        Effect.gen(function* () {
          const [took, error] = yield* Effect.timed(Effect.flip(opened(withSecret(() => {}))))
          expect(error._tag).toBe("AccessRefused")
          expect(`${error.message} ${error.hint}`).not.toContain("s3cret")
          expect(error.hint).toContain("password")
          expect(Duration.toMillis(took)).toBeLessThan(5_000)
        }),
      { timeout: 60_000 }
    )

    it.live("that cannot be read is refused, and not shown", () =>
      Effect.gen(function* () {
        for (const wrong of ["s3cret-word", "http://u:s3cret-word@h/d", `${url!.split(":")[0]}://u:s3cret-word@/d`]) {
          const error = yield* Effect.flip(opened(wrong))
          expect(error._tag).toBe("InvalidConfiguration")
          expect(`${error.message} ${error.hint}`).not.toContain("s3cret")
        }
      })
    )

    it.live(
      "at which nobody answers is tried again for a while, and told without its password",
      () =>
        Effect.gen(function* () {
          const port = yield* Effect.promise(freePort)
          const address = withSecret((address) => {
            address.port = String(port)
          })
          const [took, error] = yield* Effect.timed(Effect.flip(opened(address)))
          expect(error._tag).toBe("TablesUnavailable")
          expect(`${error.message} ${error.hint}`).not.toContain("s3cret")
          expect(error.message).toContain(String(port))
          expect(Duration.toMillis(took)).toBeGreaterThan(8_000)
        }),
      { timeout: 60_000 }
    )
  })

  describe(name, () => {
    sharing(layer, { timeout: "60 seconds", excludeTestServices: true })((it) => {
      it.effect("says of itself where it is, without secrets", () =>
        Effect.gen(function* () {
          const { identity } = yield* Tables
          const { hostname, password, pathname, port } = new URL(url!)
          expect(identity).toContain(`${hostname}:${port}${pathname}`)
          expect(identity).not.toContain(password)
          expect(identity).not.toContain(decodeURIComponent(password))
        })
      )

      it.effect("keeps nothing of a transaction whose connection ends, and goes on with another", () =>
        Effect.gen(function* () {
          const tables = yield* Tables
          yield* run(tables, "create table ended (n integer)")
          const error = yield* Effect.flip(
            run(tables, "insert into ended values (1)", words.endOwn, "insert into ended values (2)")
          )
          expect(error._tag).toBe("TablesUnavailable")
          expect(yield* rows(tables, "select n from ended")).toEqual([])
          yield* run(tables, "insert into ended values (3)")
          expect(yield* rows(tables, "select n from ended")).toEqual([{ n: 3 }])
        })
      )

      it.effect("goes on when all connections that wait were ended", () =>
        Effect.gen(function* () {
          const tables = yield* Tables
          const many = Effect.forEach(Array.from({ length: 6 }), () => rows(tables, words.wait), {
            concurrency: "unbounded"
          })
          yield* many
          if (words.endOthers === null) {
            const others = yield* rows(
              tables,
              "select id from information_schema.processlist where db = database() and id <> connection_id()"
            )
            expect(others.length).toBeGreaterThan(0)
            for (const { id } of others) yield* rows(tables, `kill ${id}`)
          } else expect((yield* rows(tables, words.endOthers)).length).toBeGreaterThan(0)
          yield* Effect.sleep("300 millis")
          expect((yield* many).length).toBe(6)
        })
      )

      it.effect("asks for another try where two transactions wait for each other", () =>
        Effect.gen(function* () {
          const tables = yield* Tables
          yield* run(tables, "create table crossed (n integer primary key, m integer)")
          yield* run(tables, "insert into crossed values (1, 0), (2, 0)")
          const update = (n: number) => `update crossed set m = m + 1 where n = ${n}`
          const both = yield* Effect.all(
            [[1, 2] as const, [2, 1] as const].map(([one, other]) =>
              Effect.either(run(tables, update(one), words.wait, update(other)))
            ),
            { concurrency: "unbounded" }
          )
          const failed = both.flatMap((one) => (one._tag === "Left" ? [one.left] : []))
          expect(failed).toMatchObject([{ _tag: "TablesUnavailable", code: words.deadlock, retry: true }])
          expect(yield* rows(tables, "select m from crossed order by n")).toEqual([{ m: 1 }, { m: 1 }])
        })
      )

      it.effect("ends a question that computes for too long, and says so", () =>
        Effect.gen(function* () {
          const tables = yield* Tables
          const [took, error] = yield* Effect.timed(
            Effect.flip(tables.ask(words.waitLong, { rowsMax: 1, millisMax: 100 }))
          )
          expect(error).toMatchObject({ _tag: "StatementRefused", message: expect.stringContaining("longer") })
          expect(Duration.toMillis(took)).toBeLessThan(10_000)
        })
      )

      it.effect("takes back what waits in a transaction for longer than another waits for its locks", () =>
        Effect.gen(function* () {
          const [found] = yield* rows(yield* Tables, words.idle)
          expect(Number(found!.millis)).toBe(10_000)
        })
      )
    })
  })
}
