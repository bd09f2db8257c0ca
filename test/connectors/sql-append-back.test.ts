import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"

it.scoped(
  "a table that is appended to loses a job's rows of later epochs, of whatever lineage, and no others",
  () =>
    Effect.gen(function* () {
      const tables = yield* Tables
      const sink = Sql.append("visits", Schema.Struct({ n: Schema.Int }))
      // Nothing is there yet: nothing is to be removed.
      yield* sink.clearAfter!("count", 0)
      yield* tables.transaction([
        {
          sql: "create table visits (n integer, weir_job text, weir_lineage integer, weir_epoch bigint)",
          parameters: []
        },
        {
          sql: "insert into visits values (1, 'count', 1, 4), (2, 'count', 1, 5), (3, 'count', 1, 6), (4, 'count', 2, 9), (5, 'other', 1, 7)",
          parameters: []
        }
      ])
      yield* sink.clearAfter!("count", 5)
      const left = tables.query({ sql: "select n from visits order by n", parameters: [] })
      expect(yield* left).toEqual([{ n: 1 }, { n: 2 }, { n: 5 }])
      yield* sink.clear!("count")
      expect(yield* left).toEqual([{ n: 5 }])
    }).pipe(Effect.provide(layerMemory)),
  { timeout: 60_000 }
)
