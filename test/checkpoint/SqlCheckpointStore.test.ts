import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { type SqlValue, Tables, type TablesService } from "../../src/flow/Tables.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"
import { databases } from "../services/databases.ts"

// A busy machine is slow; none of these waits for a time.
vi.setConfig({ testTimeout: 60_000 })

/** One database for all cases: opening one takes longer than any of them. */
const cleared = Effect.gen(function* () {
  const tables = yield* Tables
  const schema = tables.dialect.name === "postgres" ? "current_schema()" : "database()"
  const found = yield* tables.query({
    sql: `select table_name as name from information_schema.tables where table_schema = ${schema}`,
    parameters: []
  })
  yield* tables.transaction(found.map(({ name }) => ({ sql: `drop table ${name}`, parameters: [] })))
  return tables
})

const opened = (tables: TablesService) => Effect.provideService(SqlCheckpointStore.make, Tables, tables)

const placeIn = (tables: TablesService): StoreSuite.Place => {
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

const found = await databases()

for (const { isThere, layer, name } of found) {
  describe.skipIf(!isThere)(`the checkpoint store in ${name}`, () => {
    it.layer(layer, { timeout: "60 seconds" })((it) => {
      for (const { name, run } of StoreSuite.cases({ tables: true, damage: true })) {
        it.scoped(name, () => Effect.flatMap(cleared, (tables) => run(placeIn(tables))))
      }

      it.effect("refuses tables of a newer version and changes nothing in them", () =>
        Effect.gen(function* () {
          const tables = yield* cleared
          yield* opened(tables)
          yield* tables.transaction([{ sql: "update weir_version set version = 2", parameters: [] }])
          const error = yield* Effect.flip(opened(tables))
          expect(error._tag).toBe("FolderNewer")
          expect(yield* tables.query({ sql: "select version from weir_version", parameters: [] })).toEqual([
            { version: "2" }
          ])
        })
      )

      it.effect("opens as a layer over the tables", () =>
        Effect.gen(function* () {
          const tables = yield* cleared
          const over = SqlCheckpointStore.layer.pipe(Layer.provide(Layer.succeed(Tables, tables)))
          const store = yield* Effect.provide(CheckpointStore, over)
          expect(store.tables).toBe(tables)
          expect(yield* store.list).toEqual([])
        })
      )

      it.effect("leaves no more behind than the kept manifests need", () =>
        Effect.gen(function* () {
          const tables = yield* cleared
          const store = yield* opened(tables)
          const claim = yield* store.claim("orders", "job-1")
          for (let epoch = 1; epoch <= 12; epoch++) {
            yield* store.writeIntent(claim, StoreSuite.intentOf(claim, epoch))
            const handle = { step: "income", keyGroup: 1, baseEpoch: epoch, deltaEpochs: [] }
            const parts = [StoreSuite.part(1, "base", `base ${epoch}`)]
            yield* store.commit(
              claim,
              StoreSuite.epochOf(claim, epoch, { handles: [handle], state: [{ step: "income", parts }] })
            )
          }
          for (const table of ["weir_manifest", "weir_intent", "weir_state"]) {
            const rows = yield* tables.query({ sql: `select epoch from ${table} order by epoch`, parameters: [] })
            expect(rows.map((row) => row.epoch)).toEqual(["10", "11", "12"])
          }
        })
      )
    })
  })
}
