import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import { Sql } from "../../src/connectors/sql/index.ts"
import * as Postgres from "../../src/connectors/sql/Postgres.ts"
import * as RowOrder from "../../src/connectors/sql/RowOrder.ts"
import * as TableColumns from "../../src/connectors/sql/TableColumns.ts"
import type { Flow } from "../../src/flow/Flow.ts"
import { to } from "../../src/flow/Flow.ts"
import { Decimal, Instant, InstantFromMillis, InstantFromSeconds, Int64 } from "../../src/model/Columns.ts"

const spelled = (schema: Schema.Schema.AnyNoContext, key: ReadonlyArray<string> = []): ReadonlyArray<string> =>
  TableColumns.make("t", schema, key).map(
    (column) => `${column.name} ${Postgres.dialect.typeName(column.type)}${column.nullable ? "" : " not null"}`
  )

describe("columns of a Schema", () => {
  it.each([
    ["windowStart", "window_start"],
    ["zoneChargedId", "zone_charged_id"],
    ["ma20", "ma20"],
    ["shopid", "shopid"],
    ["avgPriceOf2018", "avg_price_of2018"],
    ["topHTTPCode", "top_http_code"],
    ["HTTPCode", "http_code"],
    ["already_snake", "already_snake"]
  ])("calls %s %s", (field, column) => expect(TableColumns.snakeCase(field)).toBe(column))

  it("have the types that the Schema says, and null only where it says so", () => {
    const Row = Schema.Struct({
      a: Int64,
      b: Decimal(18, 2),
      c: Instant,
      d: InstantFromSeconds,
      e: InstantFromMillis,
      f: Schema.String,
      g: Schema.Boolean,
      h: Schema.Int,
      i: Schema.Number,
      j: Schema.Uint8ArrayFromSelf,
      k: Schema.Array(Schema.String),
      l: Schema.Struct({ x: Int64 }),
      m: Schema.Literal("buy", "sell"),
      n: Schema.Literal(1, 2),
      o: Schema.NullOr(Int64),
      p: Schema.optional(Decimal(5, 1)),
      q: Schema.String.pipe(Schema.maxLength(8), Schema.brand("Region")),
      r: Schema.Int.pipe(Schema.positive()),
      s: Schema.NullishOr(Instant),
      u: Schema.NumberFromString
    })
    expect(spelled(Row)).toEqual([
      "a bigint not null",
      "b numeric(18, 2) not null",
      "c timestamptz not null",
      "d timestamptz not null",
      "e timestamptz not null",
      "f text not null",
      "g boolean not null",
      "h integer not null",
      "i double precision not null",
      "j bytea not null",
      "k jsonb not null",
      "l jsonb not null",
      "m text not null",
      "n integer not null",
      "o bigint",
      "p numeric(5, 1)",
      "q text not null",
      "r integer not null",
      "s timestamptz",
      "u double precision not null"
    ])
  })

  it("are those after decoding: classes, renamed, defaulted and filtered fields", () => {
    class Row extends Schema.Class<Row>("Row")({
      orderedAt: Schema.propertySignature(InstantFromSeconds).pipe(Schema.fromKey("timestamp")),
      price: Schema.optionalWith(Decimal(12, 2), { default: () => 0n as never }),
      count: Schema.optionalWith(Int64, { nullable: true }),
      items: Schema.optionalWith(Schema.NullOr(Int64), { default: () => null })
    }) {}
    const columns = ["ordered_at timestamptz not null", "price numeric(12, 2) not null", "count bigint", "items bigint"]
    expect(spelled(Row)).toEqual(columns)
    expect(spelled(Schema.Struct(Row.fields).pipe(Schema.filter(() => true)))).toEqual(columns)
  })

  it.each<[string, Schema.Schema.AnyNoContext, ReadonlyArray<string>, RegExp]>([
    ["no struct", Schema.String, [], /no struct/],
    ["no fields", Schema.Struct({}), [], /no fields/],
    ["a date", Schema.Struct({ a: Schema.Date }), [], /t\.a .*no column type/],
    ["several types", Schema.Struct({ a: Schema.Union(Schema.String, Schema.Number) }), [], /t\.a .*several types/],
    ["nothing but null", Schema.Struct({ a: Schema.Null }), [], /t\.a .*always null/],
    ["a key that may be null", Schema.Struct({ a: Schema.NullOr(Schema.String) }), ["a"], /t\.a may be null/],
    ["a key that is a list", Schema.Struct({ a: Schema.Array(Schema.String) }), ["a"], /t\.a is json/],
    ["a key that is no field", Schema.Struct({ a: Schema.String }), ["b"], /no field 'b'/],
    ["two names that become one", Schema.Struct({ aB: Schema.String, a_b: Schema.String }), [], /the same column/]
  ])("are refused when they would be made of %s", (_, schema, key, why) => {
    expect(() => TableColumns.make("t", schema, key)).toThrow(why)
  })

  it("are refused when the column of updatedAt is a field's already", () => {
    const Row = Schema.Struct({ a: Schema.String, updatedAt: Instant })
    expect(() => Sql.upsert("t", Row, { key: ["a"], updatedAt: "updatedAt" })).toThrow(/updated_at/)
  })

  it("take nested values as JSON whose numbers are exact, and refuse what JSON or the table would change", () => {
    const Row = Schema.Struct({ a: Schema.Struct({ x: Int64, y: Schema.Number, z: Schema.String }) })
    const [column] = TableColumns.make("t", Row, [])
    const encoded = (x: bigint, y: number, z: string) => column!.encode({ x, y, z })
    expect(encoded(2n ** 60n + 1n, 0.1, "é")).toBe('{"x":"1152921504606846977","y":0.1,"z":"é"}')
    expect(encoded(1n, 1, "\\u0000")).toBe('{"x":"1","y":1,"z":"\\\\u0000"}')
    expect(encoded(1n, Number.NaN, "")).toBeUndefined()
    expect(encoded(1n, 1, "\u0000")).toBeUndefined()
    expect(encoded(1n, 1, "\\\ud800")).toBeUndefined()
    expect(column!.encode("text")).toBeUndefined()
  })

  it("spell decimals exactly, on the quick way and on the slow one", () => {
    const [column] = TableColumns.make("t", Schema.Struct({ a: Decimal(38, 2) }), [])
    const cases: ReadonlyArray<[bigint, string | undefined]> = [
      [0n, "0.00"],
      [-1n, "-0.01"],
      [-100n, "-1.00"],
      [9_007_199_254_740_991n, "90071992547409.91"],
      [9_007_199_254_740_993n, "90071992547409.93"],
      [-(10n ** 38n - 1n), `-${"9".repeat(36)}.99`],
      [10n ** 38n, undefined]
    ]
    for (const [value, text] of cases) expect(column!.encode(value)).toBe(text)
  })
})

describe("the order of rows", () => {
  it("is by the first column, then the next, and of arrival among equal ones", () => {
    const { indexes, same } = RowOrder.make(6, [
      ["b", "a", "b", "a", "b", "a"],
      [2n, 10n, 1n, 9n, 2n, 10n]
    ])
    expect(Array.from(indexes)).toEqual([3, 1, 5, 2, 0, 4])
    expect([same(1, 5), same(0, 4), same(0, 2)]).toEqual([true, true, false])
  })

  it("puts NaN last and takes 0 and -0 for one", () => {
    const { indexes, same } = RowOrder.make(4, [[Number.NaN, 0, -1, -0]])
    expect(Array.from(indexes)).toEqual([2, 1, 3, 0])
    expect(same(1, 3)).toBe(true)
  })
})

// Must not compile.

const Total = Schema.Struct({ region: Schema.String, total: Int64 })
declare const totals: Flow<typeof Total.Type, never, never, { readonly changes: "rows replace earlier rows" }>
declare const narrow: Flow<{ readonly region: string }>

const refused = () => {
  totals.pipe(to(Sql.upsert("t", Total, { key: ["region"] })))
  // @ts-expect-error '"regoin"' is no field of the row
  Sql.upsert("t", Total, { key: ["regoin"] })
  // @ts-expect-error 'changes': this sink appends
  totals.pipe(to(Sql.append("t", Total)))
  // @ts-expect-error Property 'total' is missing
  narrow.pipe(to(Sql.append("t", Total)))
}
void refused
