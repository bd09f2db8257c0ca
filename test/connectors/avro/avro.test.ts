/** The codec of Avro, against bytes that another implementation wrote: `vectors.py` says how they were made. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Layer, Redacted, Schema } from "effect"
import { afterAll, beforeAll, beforeEach } from "vitest"
import { Avro } from "../../../src/connectors/avro/index.ts"
import { layerRegistry } from "../../../src/connectors/registry/index.ts"
import { type Codec, Undecodable } from "../../../src/flow/Codec.ts"
import type { SchemaRegistry } from "../../../src/flow/SchemaRegistry.ts"
import { Decimal, Instant, InstantFromMillis, Int64 } from "../../../src/model/Columns.ts"
import { decodeAll, each, encode, framed } from "../registry/Framing.ts"
import { type RegistryServer, start } from "../registry/RegistryServer.ts"

interface Vector {
  readonly name: string
  readonly schema: object
  readonly bytes: string
}

const vectors = JSON.parse(readFileSync(`${import.meta.dirname}/avro.json`, "utf8")) as ReadonlyArray<Vector>
const vectorsOf = (prefix: string) => vectors.filter(({ name }) => name.startsWith(prefix))
const bytesOf = ({ bytes }: Vector) => Uint8Array.from(Buffer.from(bytes, "hex"))

let server: RegistryServer
let layer: Layer.Layer<SchemaRegistry, unknown>
beforeAll(async () => {
  server = await start()
  layer = layerRegistry({ url: Redacted.make(server.url) })
})
beforeEach(() => {
  server.fails = null
})
afterAll(() => server.stop())

const register = (schema: object | string): number =>
  server.add("any", { schema: typeof schema === "string" ? schema : JSON.stringify(schema) })

/** What a Schema makes of the bytes of vectors, each behind the number of its own schema. */
const read = <A, I>(schema: Schema.Schema<A, I>, given: ReadonlyArray<Vector>) =>
  decodeAll(
    Avro.codec(),
    schema,
    given.map((vector) => framed(register(vector.schema), bytesOf(vector)))
  ).pipe(Effect.provide(layer))

class Order extends Schema.Class<Order>("Order")({
  orderid: Int64,
  region: Schema.String,
  price: Decimal(12, 2),
  count: Int64,
  orderedAt: Instant,
  note: Schema.NullOr(Schema.String)
}) {}

const at = Date.UTC(2018, 8, 21, 7, 20, 30, 123)
/** By hand, from the list in `vectors.py`. */
const orders = [
  { orderid: 1n, region: "TW", price: 1234n, count: 3n, orderedAt: at, note: null },
  { orderid: 9007199254740993n, region: "Grüße 🎈", price: -5n, count: 3n, orderedAt: at, note: "x" },
  { orderid: -9223372036854775808n, region: "TW", price: 999999999999n, count: 3n, orderedAt: at, note: "" },
  { orderid: 9223372036854775807n, region: "Grüße 🎈", price: -12800n, count: 3n, orderedAt: at, note: "é".repeat(200) }
]

describe("Avro", () => {
  it.effect("reads rows of a class, every digit of them, as another implementation wrote them", () =>
    Effect.gen(function* () {
      const rows = yield* read(Order, vectorsOf("order"))
      expect(rows.map((row) => ({ ...(row as Order) }))).toEqual(orders)
      for (const row of rows) expect(row).toBeInstanceOf(Order)
    })
  )

  it.effect("reads longs and decimals of any size exactly", () =>
    Effect.gen(function* () {
      const longs = vectorsOf("long")
      const wanted = longs.map(({ name }) => ({ value: BigInt(name.slice(5)) }))
      expect(longs.length).toBe(18)
      expect(yield* read(Schema.Struct({ value: Int64 }), longs)).toEqual(wanted)
      const decimals = vectorsOf("decimal")
      const scaled = decimals.map(({ name }) => {
        const [whole, fraction = ""] = name.slice(8).split(".") as [string, string?]
        return { value: BigInt(whole + fraction.padEnd(6, "0")) }
      })
      expect(decimals.length).toBe(12)
      expect(yield* read(Schema.Struct({ value: Decimal(26, 6) }), decimals)).toEqual(scaled)
      expect(yield* read(Schema.Struct({ value: Decimal(18, 3) }), vectorsOf("fixed"))).toEqual([
        { value: -123456789n }
      ])
    })
  )

  it.effect("reads doubles, instants and days", () =>
    Effect.gen(function* () {
      const numbers = yield* read(Schema.Struct({ value: Schema.Number }), [
        ...vectorsOf("double"),
        ...vectorsOf("float")
      ])
      expect(numbers).toEqual([0, -0, 1.5, 1e300, Number.POSITIVE_INFINITY, 0.5].map((value) => ({ value })))
      const instants = [at, -1, at, -1]
      expect(yield* read(Schema.Struct({ value: Instant }), vectorsOf("timestamp"))).toEqual(
        instants.map((value) => ({ value }))
      )
      expect(yield* read(Schema.Struct({ value: InstantFromMillis }), vectorsOf("timestamp"))).toEqual(
        instants.map((value) => ({ value }))
      )
      expect(yield* read(Schema.Struct({ value: Instant }), vectorsOf("date"))).toEqual([
        { value: Date.UTC(2018, 8, 21) }
      ])
      expect(yield* read(Schema.Struct({ value: Schema.String }), vectorsOf("date"))).toEqual([{ value: "2018-09-21" }])
    })
  )

  it.effect("reads enums, lists, maps, bytes, records in records and unions", () =>
    Effect.gen(function* () {
      const Shape = Schema.Struct({
        kind: Schema.Literal("ROUND", "SQUARE"),
        sizes: Schema.Array(Int64),
        names: Schema.Record({ key: Schema.String, value: Schema.String }),
        raw: Schema.Uint8ArrayFromSelf,
        open: Schema.Boolean,
        inner: Schema.Struct({ n: Schema.Int }),
        either: Schema.NullOr(Schema.Union(Schema.String, Schema.Number, Schema.Struct({ n: Schema.Number })))
      })
      const rows = yield* read(Shape, [...vectorsOf("shape"), ...vectorsOf("empty")])
      const names = Object.fromEntries([["a", "b"]])
      Object.defineProperty(names, "__proto__", { value: "c", enumerable: true, configurable: true, writable: true })
      const shape = (either: unknown) => ({
        kind: "SQUARE",
        sizes: [1n, -1n, 2n ** 40n],
        names,
        raw: Uint8Array.of(0, 255, 7),
        open: true,
        inner: { n: -3 },
        either
      })
      const empty = { kind: "ROUND", sizes: [], names: {}, raw: new Uint8Array(0), open: false, inner: { n: 0 } }
      expect(rows).toEqual([shape(null), shape("text"), shape(5), shape({ n: 7 }), { ...empty, either: null }])
    })
  )

  it.effect(
    "takes an older schema for the job's: defaults for new fields, none of what was removed, wider numbers",
    () =>
      Effect.gen(function* () {
        const Now = Schema.Struct({
          id: Schema.propertySignature(Int64).pipe(Schema.fromKey("orderid")),
          count: Schema.Number,
          price: Decimal(14, 4),
          note: Schema.optionalWith(Schema.String, { nullable: true, default: () => "none" }),
          channel: Schema.optionalWith(Schema.String, { default: () => "shop" }),
          discount: Schema.optional(Schema.String)
        })
        const rows = yield* read(Now, vectorsOf("order").slice(0, 2))
        expect(rows).toEqual([
          { id: 1n, count: 3, price: 123400n, note: "none", channel: "shop" },
          { id: 9007199254740993n, count: 3, price: -500n, note: "x", channel: "shop" }
        ])
      })
  )

  it.effect("rounds no decimal, and drops what is behind the millisecond of an instant, also before 1970", () =>
    Effect.gen(function* () {
      const price = Schema.Struct({ price: Decimal(12, 1) })
      const [refused] = yield* read(price, vectorsOf("order"))
      expect((refused as Undecodable).message).toContain("price: expected a decimal of 12 digits, 1 behind the point")
      const micros = register({ type: "long", logicalType: "timestamp-micros" })
      // -1, -1000, -1001 and 1999 microseconds, as zigzag.
      const bytes = [[1], [0xcf, 0x0f], [0xd1, 0x0f], [0x9e, 0x1f]].map((value) =>
        framed(micros, Uint8Array.from(value))
      )
      expect(yield* Effect.provide(decodeAll(Avro.codec(), Instant, bytes), layer)).toEqual([-1, -1, -2, 1])
    })
  )

  it.effect("says of each record that it cannot use why, and reads the others", () =>
    Effect.gen(function* () {
      const [order] = vectorsOf("order") as [Vector]
      const id = register(order.schema)
      const whole = framed(id, bytesOf(order))
      const broken = register({ type: "record", name: "Broken", fields: [{ name: "a", type: "no.such.Type" }] })
      const proto = server.add("any", { schema: "message M {}", schemaType: "PROTOBUF" })
      const other = register({ type: "record", name: "Other", fields: [{ name: "orderid", type: "string" }] })
      const huge = register({ type: "array", items: "null" })
      const rows = yield* decodeAll(Avro.codec(), Order, [
        whole,
        new TextEncoder().encode('{"orderid":1}'),
        whole.slice(0, 3),
        framed(4_000_000_000, bytesOf(order)),
        whole.slice(0, -4),
        Uint8Array.of(...whole, 1),
        framed(broken, bytesOf(order)),
        framed(proto, bytesOf(order)),
        framed(other, Uint8Array.of(2, 65)),
        framed(huge, Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80, 0x40, 0)),
        whole
      ]).pipe(Effect.provide(layer))
      expect(rows.map((row) => (row instanceof Undecodable ? row.message : "a row"))).toEqual([
        "a row",
        "expected a zero byte and the number of a schema, found other bytes",
        "expected a zero byte and the number of a schema, found other bytes",
        "the schema registry knows no schema 4000000000",
        "the record ends within a value",
        "1 bytes are left behind the value",
        `schema ${broken} of the schema registry cannot be used: no type is called 'no.such.Type'`,
        `schema ${proto} of the schema registry cannot be used: it is of PROTOBUF, not of AVRO`,
        "orderid: expected a whole number of 64 bits, found A",
        "the record ends within a list: it says more elements than it has bytes",
        "a row"
      ])
    })
  )

  it.effect("never reads past a record that is cut short anywhere, nor fails otherwise than by saying so", () =>
    Effect.gen(function* () {
      const cut = [...vectorsOf("order"), ...vectorsOf("shape")].flatMap((vector) => {
        const bytes = bytesOf(vector)
        return Array.from({ length: bytes.length }, (_, length) =>
          framed(register(vector.schema), bytes.slice(0, length))
        )
      })
      const rows = yield* decodeAll(Avro.codec(), Schema.Unknown, cut).pipe(Effect.provide(layer))
      expect(rows.length).toBeGreaterThan(500)
      for (const row of rows) expect(row).toBeInstanceOf(Undecodable)
    })
  )

  it.effect("finds types in the schemas that a schema refers to", () =>
    Effect.gen(function* () {
      server.add("money", {
        schema: JSON.stringify({ type: "record", name: "shop.Money", fields: [{ name: "cents", type: "long" }] })
      })
      const references = [{ name: "shop.Money", subject: "money", version: 1 }]
      const schema = JSON.stringify({ type: "record", name: "shop.Sale", fields: [{ name: "price", type: "Money" }] })
      const id = server.add("sales-value", { schema, references })
      const gone = server.add("other", { schema: `${schema} `, references: [{ ...references[0], version: 7 }] })
      const Sale = Schema.Struct({ price: Schema.Struct({ cents: Int64 }) })
      const rows = yield* decodeAll(Avro.codec(), Sale, [
        framed(id, Uint8Array.of(14)),
        framed(gone, Uint8Array.of(14))
      ])
      expect(rows[0]).toEqual({ price: { cents: 7n } })
      expect((rows[1] as Undecodable).message).toContain("it refers to version 7 of money, which is gone")
    }).pipe(Effect.provide(layer))
  )

  it.effect("asks for each schema once, and once more only for those that are not known", () =>
    Effect.gen(function* () {
      const [first, second] = vectorsOf("order") as [Vector, Vector]
      const id = register(first.schema)
      const codec: Codec<unknown, SchemaRegistry> = Avro.codec()
      const reader = codec.reader(Order)
      const batch = [first, second, first].map((vector) => framed(id, bytesOf(vector)))
      server.asked.length = 0
      yield* reader.prepare!(each(batch))!
      expect(server.asked).toEqual([`GET /schemas/ids/${id}`])
      expect(reader.prepare!(each(batch))).toBeNull()
      const unknown = framed(77_777, bytesOf(first))
      for (let n = 1; n <= 2; n++) {
        yield* reader.prepare!(each([unknown, unknown]))!
        expect(server.asked.filter((path) => path.endsWith("/77777")).length).toBe(n)
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("writes what it reads, and what another schema of the subject says", () =>
    Effect.gen(function* () {
      const rows = orders.map((order) => new Order(order as never))
      const own = Avro.codec({ register: true })
      const written = yield* encode(own, Order, { topic: "out", part: "value" }, rows)
      expect((yield* decodeAll(Avro.codec(), Order, written)).map((row) => ({ ...(row as Order) }))).toEqual(orders)
      // The schema of the vectors, which another implementation wrote: equal rows are equal bytes.
      const vectors = vectorsOf("order")
      const id = server.add("exact-value", { schema: JSON.stringify(vectors[0]!.schema) })
      const wanted = vectors.map((vector) => framed(id, bytesOf(vector)))
      const Counted = Schema.Struct({ ...Order.fields })
      const given = orders as never as ReadonlyArray<typeof Counted.Type>
      const place = { topic: "exact", part: "value" } as const
      expect(yield* encode(Avro.codec({ version: 1 }), Counted, place, given)).toEqual(wanted)
      const schema = JSON.stringify(vectors[0]!.schema)
      expect(yield* encode(Avro.codec({ schema }), Counted, place, given)).toEqual(wanted)
    }).pipe(Effect.provide(layer))
  )

  it.effect("writes with no schema that is not registered, not compatible, or would lose a column", () =>
    Effect.gen(function* () {
      const place = { topic: "strict", part: "value" } as const
      const failure = (options: Parameters<typeof Avro.codec>[0], schema: Schema.Schema<any, any> = Order) =>
        Effect.map(Effect.flip(encode(Avro.codec(options), schema, place, [])), (error) => (error as Error).message)
      expect(yield* failure({})).toContain("has no such schema under the subject strict-value")
      expect(yield* failure({ version: 3 })).toContain("the subject strict-value has no version 3")
      server.isCompatible = false
      expect(yield* failure({ register: true })).toContain("it is not compatible")
      server.isCompatible = true
      const narrow = JSON.stringify({ type: "record", name: "N", fields: [{ name: "orderid", type: "long" }] })
      expect(yield* failure({ schema: narrow })).toContain("has no field 'region': its values would be lost")
      const wider = JSON.stringify({
        type: "record",
        name: "N",
        fields: [
          { name: "n", type: "long" },
          { name: "m", type: "int" }
        ]
      })
      expect(yield* failure({ schema: wider }, Schema.Struct({ n: Int64 }))).toContain(
        "field 'm' of record N has no default"
      )
      const text = JSON.stringify({ type: "record", name: "N", fields: [{ name: "n", type: "boolean" }] })
      expect(yield* failure({ schema: text }, Schema.Struct({ n: Int64 }))).toContain("n: Int64 is no boolean")
    }).pipe(Effect.provide(layer))
  )
})
