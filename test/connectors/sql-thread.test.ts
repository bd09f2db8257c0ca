import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { afterAll, expect } from "vitest"
import * as SqlClient from "../../src/connectors/sql/SqlClient.ts"
import { Tables, type TablesService } from "../../src/flow/Tables.ts"
import * as SqlThread from "../../src/platform/SqlThread.ts"
import { bundledWorker } from "./sql-worker.ts"

const root = mkdtempSync(join(tmpdir(), "weir-sql-thread-"))
const worker = await bundledWorker()
afterAll(() => {
  for (const folder of [root, worker.folder]) rmSync(folder, { recursive: true, force: true })
})

const thread = SqlThread.make(worker.module)

/** Starts threads as `thread` does, and keeps what was started and how many have ended. */
const watched = () => {
  const started: Array<ReturnType<typeof thread>> = []
  const seen = { started, ended: 0 }
  const start: typeof thread = (on) => {
    const one = thread({
      ...on,
      ended: (reason) => {
        seen.ended++
        on.ended(reason)
      }
    })
    started.push(one)
    return one
  }
  return { seen, start }
}

const within = <A, E>(
  folder: string | null,
  start: typeof thread,
  body: (tables: TablesService) => Effect.Effect<A, E>
) =>
  Effect.flatMap(Tables, body).pipe(
    Effect.provide(SqlClient.layerPGlite({ folder, thread: start })),
    Effect.provide(NodeContext.layer)
  )

const run = (tables: TablesService, sql: string) => tables.transaction([{ sql, parameters: [] }])
const rows = (tables: TablesService, sql: string) => tables.query({ sql, parameters: [] })
const column = { name: "n", type: { kind: "int64" }, nullable: false } as const

describe("the embedded database in a thread of its own", () => {
  it.layer(Layer.provide(SqlClient.layerPGlite({ folder: join(root, "suite"), thread }), NodeContext.layer), {
    timeout: "60 seconds"
  })((it) => {
    it.effect("tells the tag, the code and the statement of what was refused, and calls an outage one", () =>
      Effect.gen(function* () {
        const tables = yield* Tables
        const raised = (code: string) =>
          Effect.flip(run(tables, `do $$ begin raise 'told' using errcode = '${code}'; end $$`))
        const refused = yield* raised("23514")
        const sentence = { statement: expect.stringContaining("do $$"), message: expect.stringContaining("told") }
        expect(refused).toMatchObject({ _tag: "StatementRefused", code: "23514", ...sentence })
        expect(refused.hint).toContain("Nothing of the transaction was kept")
        expect(yield* raised("57P01")).toMatchObject({ _tag: "TablesUnavailable", code: "57P01" })
        expect(yield* Effect.flip(rows(tables, "select * from no_such_table"))).toMatchObject({ code: "42P01" })
      })
    )

    it.effect("leaves the bytes that it is given where they are", () =>
      Effect.gen(function* () {
        const tables = yield* Tables
        const large = new Uint8Array(1_000_000).fill(7)
        const part = large.subarray(10, 13)
        const sql = "select $1::bytea as one, ($2::bytea[])[2] as other"
        const [row] = yield* tables.query({ sql, parameters: [part, [null, part]] })
        expect(row).toEqual({ one: new Uint8Array([7, 7, 7]), other: new Uint8Array([7, 7, 7]) })
        expect([large.length, part.length]).toEqual([1_000_000, 3])
      })
    )

    it.effect("lets timers fire while a large statement runs", () =>
      Effect.gen(function* () {
        const tables = yield* Tables
        const { dialect } = tables
        yield* tables.transaction([dialect.createTable("large", [column], ["n"])])
        const values = Array.from({ length: 10_000 }, (_, n) => BigInt(n))
        const [large] = dialect.upsert("large", [column], ["n"], [values])
        let ticks = 0
        const ticking = setInterval(() => ticks++, 1)
        yield* Effect.ensuring(
          tables.transaction([large!, { sql: "select sum(i) from generate_series(1, 1000000) i", parameters: [] }]),
          Effect.sync(() => clearInterval(ticking))
        )
        expect(ticks).toBeGreaterThanOrEqual(10)
      })
    )
  })

  it.live(
    "keeps the rows in its folder, and its thread ends with the scope",
    () =>
      Effect.gen(function* () {
        const folder = join(root, "made", "deep")
        const { seen, start } = watched()
        const identity = yield* within(folder, start, (tables) =>
          Effect.as(run(tables, "create table kept as select 7 as n"), tables.identity)
        )
        expect([identity, seen.started.length, seen.ended]).toEqual([`pglite:${folder}`, 1, 1])
        expect(yield* within(folder, start, (tables) => rows(tables, "select n from kept"))).toEqual([{ n: 7 }])
        expect([seen.started.length, seen.ended]).toEqual([2, 2])
      }),
    60_000
  )

  it.live(
    "does not open what is no whole database, says why as without a thread, and its thread ends",
    () =>
      Effect.gen(function* () {
        const folder = join(root, "torn")
        mkdirSync(folder)
        writeFileSync(join(folder, "PG_VERSION"), "18\n")
        const { seen, start } = watched()
        const error = yield* Effect.flip(within(folder, start, (tables) => tables.list))
        expect(error).toMatchObject({ _tag: "StorageFailed", path: folder })
        expect(error.message).toContain(`The embedded database in ${folder} cannot be opened: `)
        expect([seen.started.length, seen.ended]).toEqual([1, 1])
      }),
    60_000
  )

  it.live("says so when there is no module for its thread", () =>
    Effect.gen(function* () {
      const missing = SqlThread.make(join(root, "no-module.mjs"))
      const error = yield* Effect.flip(within(join(root, "unstarted"), missing, (tables) => tables.list))
      expect(error).toMatchObject({ _tag: "StorageFailed", message: expect.stringContaining("no-module.mjs") })
    })
  )

  it.live(
    "starts another thread when one dies in a transaction, which is kept whole or not at all",
    () =>
      Effect.gen(function* () {
        const { seen, start } = watched()
        yield* within(join(root, "killed"), start, (tables) =>
          Effect.gen(function* () {
            yield* run(tables, "create table kept (n bigint primary key)")
            yield* run(tables, "insert into kept values (0)")
            const statements = ["insert into kept values (1)", "insert into kept select generate_series(2, 5000000)"]
            const long = yield* Effect.fork(
              Effect.flip(tables.transaction(statements.map((sql) => ({ sql, parameters: [] }))))
            )
            const behind = yield* Effect.fork(Effect.flip(rows(tables, "select 'behind'")))
            yield* Effect.sleep("100 millis")
            yield* Effect.promise(() => seen.started[0]!.end())
            const lost = yield* Fiber.join(long)
            expect(lost).toMatchObject({
              _tag: "TablesUnavailable",
              message: expect.stringContaining("its thread ended")
            })
            expect(lost.message).toContain("insert into kept values (1)")
            expect((yield* Fiber.join(behind))._tag).toBe("TablesUnavailable")
            expect(yield* rows(tables, "select n from kept")).toEqual([{ n: "0" }])
          })
        )
        expect([seen.started.length, seen.ended]).toEqual([2, 2])
      }),
    60_000
  )

  it.live(
    "in memory it is gone with its thread, and says so",
    () =>
      Effect.gen(function* () {
        const { seen, start } = watched()
        yield* within(null, start, (tables) =>
          Effect.gen(function* () {
            yield* Effect.promise(() => seen.started[0]!.end())
            const errors = [yield* Effect.flip(tables.list), yield* Effect.flip(tables.list)]
            for (const error of errors) expect(error).toMatchObject({ _tag: "TablesUnavailable", code: "unknown" })
          })
        )
        expect([seen.started.length, seen.ended]).toEqual([1, 1])
      }),
    60_000
  )
})
