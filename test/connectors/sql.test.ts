import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import * as SqlClient from "../../src/connectors/sql/SqlClient.ts"
import { Tables } from "../../src/flow/Tables.ts"

describe("the embedded database", () => {
  it.layer(SqlClient.layerMemory, { timeout: "60 seconds" })((it) => {
    it.effect("vacuums tables of which much has been rewritten, and no others", () =>
      Effect.gen(function* () {
        const tables = yield* Tables
        const run = (sql: string) => tables.transaction([{ sql, parameters: [] }])
        for (const table of ["rewritten", "quiet"]) {
          yield* run(`create table ${table} (n bigint primary key)`)
          yield* run(`insert into ${table} select generate_series(1, 3000)`)
        }
        yield* tables.maintain
        const vacuumed = tables.query({
          sql: "select relname, n_dead_tup, vacuum_count from pg_stat_user_tables where relname in ('rewritten', 'quiet') order by 1",
          parameters: []
        })
        const [quiet, rewritten] = yield* vacuumed
        yield* run("update rewritten set n = n + 10000")
        yield* tables.maintain
        expect(yield* vacuumed).toEqual([
          quiet,
          { relname: "rewritten", n_dead_tup: "0", vacuum_count: String(Number(rewritten!.vacuum_count) + 1) }
        ])
      })
    )

    it.effect("says what the server said of a refused row, and tells an outage from a full disk", () =>
      Effect.gen(function* () {
        const tables = yield* Tables
        const raise = (code: string) =>
          Effect.flip(
            tables.transaction([{ sql: `do $$ begin raise 'told' using errcode = '${code}'; end $$`, parameters: [] }])
          )
        const outages = ["40001", "40P01", "53200", "08006", "57P01"]
        for (const code of outages) expect(yield* raise(code)).toMatchObject({ _tag: "TablesUnavailable", code })
        expect(yield* raise("53100")).toMatchObject({ _tag: "StorageFailed", message: expect.stringContaining("told") })
        const refused = yield* raise("23514")
        expect(refused).toMatchObject({
          _tag: "StatementRefused",
          code: "23514",
          statement: expect.stringContaining("do $$")
        })
        expect(refused.message).toContain("told")
      })
    )
  })
})
