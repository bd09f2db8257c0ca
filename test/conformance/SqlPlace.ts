/** Where a checkpoint store keeps what it keeps in tables. */
import { Effect } from "effect"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { type SqlValue, Tables, type TablesService } from "../../src/flow/Tables.ts"
import type { Place } from "../../src/testing/StoreSuite.ts"

/** The tables, emptied: one database for all cases, since opening one takes longer than any of them. */
export const cleared = Effect.gen(function* () {
  const tables = yield* Tables
  const schema = tables.dialect.name === "postgres" ? "current_schema()" : "database()"
  const found = yield* tables.query({
    sql: `select table_name as name from information_schema.tables where table_schema = ${schema} and table_type = 'BASE TABLE'`,
    parameters: []
  })
  const drop = (name: unknown) => `drop table ${tables.dialect.quote(String(name))} cascade`
  yield* tables.transaction(found.map(({ name }) => ({ sql: drop(name), parameters: [] })))
  return tables
})

export const opened = (tables: TablesService) => Effect.provideService(SqlCheckpointStore.make, Tables, tables)

export const of = (tables: TablesService): Place => {
  const { parameter } = tables.dialect
  const run = (sql: string, parameters: ReadonlyArray<SqlValue>) =>
    Effect.asVoid(tables.transaction([{ sql, parameters, rowsExpected: 1 }]))
  const inBody = (table: string) => (job: string, epoch: number) =>
    run(`update ${table} set body = replace(body, '0', '1') where job = ${parameter(1)} and epoch = ${parameter(2)}`, [
      job,
      epoch
    ])
  /** Turns one bit of the bytes of the one row. */
  const inBytes = (table: string, second: string) => (job: string, of: SqlValue) =>
    Effect.gen(function* () {
      const where = (first: number) => `job = ${parameter(first)} and ${second} = ${parameter(first + 1)}`
      const sql = `select bytes from ${table} where ${where(1)}`
      const [row] = yield* tables.query({ sql, parameters: [job, of] })
      const bytes = Uint8Array.from(row!.bytes as Uint8Array)
      bytes[3]! ^= 1
      yield* run(`update ${table} set bytes = ${parameter(1)} where ${where(2)}`, [bytes, job, of])
    })
  return {
    open: opened(tables),
    damage: {
      manifest: inBody("weir_manifest"),
      intent: inBody("weir_intent"),
      state: inBytes("weir_state", "key_group = 8 and epoch"),
      lookup: inBytes("weir_lookup", "version")
    }
  }
}
