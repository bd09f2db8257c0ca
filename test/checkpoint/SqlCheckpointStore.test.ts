import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import * as SqlClient from "../../src/connectors/sql/SqlClient.ts"
import { Tables, type TablesService } from "../../src/flow/Tables.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"

// A busy machine is slow; none of these waits for a time.
vi.setConfig({ testTimeout: 60_000 })

/** One database for all cases: opening one takes longer than any of them. */
const cleared = Effect.gen(function* () {
  const tables = yield* Tables
  const found = yield* tables.query({
    sql: "select tablename as name from pg_tables where schemaname = 'public'",
    parameters: []
  })
  yield* tables.transaction(found.map(({ name }) => ({ sql: `drop table ${name}`, parameters: [] })))
  return tables
})

const opened = (tables: TablesService) => Effect.provideService(SqlCheckpointStore.make, Tables, tables)

const placeIn = (tables: TablesService): StoreSuite.Place => {
  const damage = (sql: string) => (job: string, epoch: number) =>
    Effect.asVoid(tables.transaction([{ sql, parameters: [job, epoch], rowsExpected: 1 }]))
  const inBody = (table: string) =>
    damage(`update ${table} set body = replace(body, '0', '1') where job = $1 and epoch = $2`)
  return {
    open: opened(tables),
    damage: {
      manifest: inBody("weir_manifest"),
      intent: inBody("weir_intent"),
      state: damage(
        "update weir_state set bytes = set_byte(bytes, 3, get_byte(bytes, 3) # 1) where job = $1 and epoch = $2 and key_group = 8"
      ),
      lookup: (job, version) =>
        Effect.asVoid(
          tables.transaction([
            {
              sql: "update weir_lookup set bytes = set_byte(bytes, 3, get_byte(bytes, 3) # 1) where job = $1 and version = $2",
              parameters: [job, version],
              rowsExpected: 1
            }
          ])
        )
    }
  }
}

describe("the checkpoint store in a database", () => {
  it.layer(SqlClient.layerMemory, { timeout: "60 seconds" })((it) => {
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
