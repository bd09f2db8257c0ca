import { expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"

it.scoped(
  "a table that is appended to loses the rows of later epochs, of whatever lineage, and no others",
  () =>
    Effect.gen(function* () {
      const tables = yield* Tables
      const sink = Sql.append("visits", Schema.Struct({ n: Schema.Int }))
      // Nothing is there yet: nothing is to be removed.
      yield* sink.clearAfter!(0)
      yield* tables.transaction([
        { sql: "create table visits (n integer, weir_lineage integer, weir_epoch bigint)", parameters: [] },
        { sql: "insert into visits values (1, 1, 4), (2, 1, 5), (3, 1, 6), (4, 2, 9)", parameters: [] }
      ])
      yield* sink.clearAfter!(5)
      expect(yield* tables.query({ sql: "select n from visits order by n", parameters: [] })).toEqual([
        { n: 1 },
        { n: 2 }
      ])
    }).pipe(Effect.provide(layerMemory)),
  { timeout: 60_000 }
)
