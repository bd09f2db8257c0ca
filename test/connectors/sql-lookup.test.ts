import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Decimal, Instant, InstantFromMillis, Int64 } from "../../src/model/Columns.ts"

const Item = Schema.Struct({
  itemId: Int64,
  name: Schema.NullOr(Schema.String),
  price: Decimal(20, 4),
  soldAt: Instant,
  seenAt: Schema.NullOr(InstantFromMillis),
  count: Schema.Int,
  share: Schema.Number,
  isOpen: Schema.Boolean,
  tags: Schema.Array(Schema.String)
})

const prepared = Effect.gen(function* () {
  const tables = yield* Tables
  yield* tables.transaction([
    { sql: "drop table if exists items", parameters: [] },
    {
      sql: `create table items (item_id bigint, name text, price numeric(20,4), sold_at timestamptz, seen_at timestamptz,
        count bigint, share double precision, is_open boolean, tags jsonb)`,
      parameters: []
    },
    {
      sql: `insert into items values
        (9007199254740993, 'a', 1234567890123456.0001, '2023-11-14T22:13:20Z', null, 7, 0.5, true, '["x"]'),
        (2, null, 0.5, '2023-11-14T22:13:20Z', '2023-11-14T22:13:20Z', 8, 2, false, '[]')`,
      parameters: []
    }
  ])
})

const a = {
  itemId: 9_007_199_254_740_993n,
  name: "a",
  price: 12_345_678_901_234_560_001n,
  soldAt: 1_700_000_000_000,
  seenAt: null,
  count: 7,
  share: 0.5,
  isOpen: true,
  tags: ["x"]
}

describe("a lookup from a table", () => {
  it.layer(layerMemory, { timeout: "60 seconds" })((it) => {
    it.effect("reads every type with all digits, from a table and from a query", () =>
      Effect.gen(function* () {
        yield* prepared
        const { rows } = yield* Sql.lookup("items", Item, { key: ["itemId"] }).load
        expect(rows).toEqual([
          a,
          {
            ...a,
            itemId: 2n,
            name: null,
            price: 5000n,
            seenAt: 1_700_000_000_000,
            count: 8,
            share: 2,
            isOpen: false,
            tags: []
          }
        ])
        const some = Sql.lookup("select * from items where is_open;", Item, { key: ["itemId"], name: "open items" })
        expect((yield* some.load).rows).toEqual([a])
        expect([some.name, some.label]).toEqual(["open items", "query open items by itemId, fixed"])
      })
    )

    it.effect("names the column that is missing, and the field and row that do not fit", () =>
      Effect.gen(function* () {
        yield* prepared
        const Other = Schema.Struct({ itemId: Int64, colour: Schema.String })
        const missing = yield* Effect.flip(Sql.lookup("items", Other, { key: ["itemId"] }).load)
        expect(missing.message).toMatch(/Lookup items: there is no column colour .* but item_id, name/)
        const Named = Schema.Struct({ itemId: Int64, name: Schema.String })
        const bad = yield* Effect.flip(Sql.lookup("items", Named, { key: ["itemId"] }).load)
        expect(bad.message).toMatch(/name: .*null.* in row \{"item_id":"2"/)
        const none = yield* Effect.flip(Sql.lookup('no"table', Named, { key: ["itemId"] }).load)
        expect(none._tag).toBe("StatementRefused")
      })
    )
  })
})
