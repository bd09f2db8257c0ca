import { describe, expect, it, vi } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { Tables } from "../../src/flow/Tables.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"
import { cleared, opened } from "../conformance/SqlPlace.ts"
import { databases } from "../services/databases.ts"

// A busy machine is slow; none of these waits for a time.
vi.setConfig({ testTimeout: 60_000 })

const found = await databases()

for (const { isThere, layer, name } of found) {
  describe.skipIf(!isThere)(`the checkpoint store in ${name}`, () => {
    it.layer(layer, { timeout: "60 seconds" })((it) => {
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
