/** The codec of Protobuf, against bytes that the library of its makers wrote: `vectors.py` says how they were made. */
import { readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import { Effect, type Layer, Redacted, Schema } from "effect"
import { afterAll, beforeAll } from "vitest"
import { Protobuf } from "../../../src/connectors/protobuf/index.ts"
import { layerRegistry } from "../../../src/connectors/registry/index.ts"
import { Undecodable } from "../../../src/flow/Codec.ts"
import type { SchemaRegistry } from "../../../src/flow/SchemaRegistry.ts"
import { Instant, Int64 } from "../../../src/model/Columns.ts"
import { decodeAll, encode, framed } from "../registry/Framing.ts"
import { type RegistryServer, start } from "../registry/RegistryServer.ts"

interface Vectors {
  readonly money: string
  readonly order: string
  readonly messages: Readonly<Record<"full" | "empty" | "inner" | "other", string>>
}

const vectors = JSON.parse(readFileSync(`${import.meta.dirname}/protobuf.json`, "utf8")) as Vectors
const bytesOf = (name: keyof Vectors["messages"]) => Uint8Array.from(Buffer.from(vectors.messages[name], "hex"))

let server: RegistryServer
let layer: Layer.Layer<SchemaRegistry, unknown>
let id: number
beforeAll(async () => {
  server = await start()
  layer = layerRegistry({ url: Redacted.make(server.url) })
  server.add("money", { schema: JSON.stringify({ compiled: vectors.money }), schemaType: "PROTOBUF" })
  const references = [{ name: "money.proto", subject: "money", version: 1 }]
  id = server.add("orders-value", {
    schema: JSON.stringify({ compiled: vectors.order }),
    schemaType: "PROTOBUF",
    references
  })
})
afterAll(() => server.stop())

/** Behind the number of the schema and the place of the message. */
const placed = (places: ReadonlyArray<number>, value: Uint8Array) => framed(id, Uint8Array.of(...places, ...value))

const Order = Schema.Struct({
  id: Schema.propertySignature(Int64).pipe(Schema.fromKey("orderId")),
  region: Schema.String,
  price: Schema.NullOr(Schema.Struct({ cents: Int64 })),
  count: Int64,
  orderedAt: Schema.NullOr(Instant),
  note: Schema.NullOr(Schema.String),
  kind: Schema.Literal("UNKNOWN", "ONLINE"),
  sizes: Schema.Array(Int64),
  tags: Schema.Record({ key: Schema.String, value: Schema.Int }),
  raw: Schema.Uint8ArrayFromSelf,
  rate: Schema.Number,
  big: Schema.BigInt,
  text: Schema.optional(Schema.String),
  number: Schema.NullOr(Int64)
})

/** By hand, from `vectors.py`. */
const tags = Object.fromEntries([["a", -1]])
Object.defineProperty(tags, "__proto__", { value: 2, enumerable: true, configurable: true, writable: true })
const full = {
  id: 9007199254740993n,
  region: "Grüße 🎈",
  price: { cents: -5n },
  count: 4294967295n,
  orderedAt: -1,
  note: "",
  kind: "ONLINE",
  sizes: [1n, -1n, -(2n ** 63n)],
  tags,
  raw: Uint8Array.of(0, 255),
  rate: 0.5,
  big: 2n ** 64n - 1n,
  number: -7n
}
const empty = {
  id: 0n,
  region: "",
  price: null,
  count: 0n,
  orderedAt: null,
  note: null,
  kind: "UNKNOWN",
  sizes: [],
  tags: {},
  raw: new Uint8Array(0),
  rate: 0,
  big: 0n,
  number: null
}

describe("Protobuf", () => {
  it.effect("reads messages as the library of its makers wrote them, also those in others and behind the first", () =>
    Effect.gen(function* () {
      const codec = Protobuf.codec()
      const orders = [placed([0], bytesOf("full")), placed([0], bytesOf("empty")), placed([2, 0], bytesOf("full"))]
      expect(yield* decodeAll(codec, Order, orders)).toEqual([full, empty, full])
      expect(server.asked).toEqual([
        `GET /schemas/ids/${id}?format=serialized`,
        "GET /subjects/money/versions/1?format=serialized"
      ])
      expect(
        yield* decodeAll(codec, Schema.Struct({ open: Schema.Boolean }), [placed([4, 0, 0], bytesOf("inner"))])
      ).toEqual([{ open: true }])
      expect(yield* decodeAll(codec, Schema.Struct({ n: Schema.Int }), [placed([2, 2], bytesOf("other"))])).toEqual([
        { n: -3 }
      ])
    }).pipe(Effect.provide(layer))
  )

  it.effect("says of each record that it cannot use why, however it is cut", () =>
    Effect.gen(function* () {
      const avro = server.add("other", { schema: '"string"' })
      const torn = server.add("torn", { schema: "no descriptor", schemaType: "PROTOBUF" })
      const bytes = bytesOf("full")
      const rows = yield* decodeAll(Protobuf.codec(), Order, [
        placed([0], bytes.slice(0, -1)),
        placed([2, 18], bytes),
        framed(id, new Uint8Array(0)),
        framed(avro, bytes),
        framed(torn, bytes)
      ])
      const messages = rows.map((row) => (row instanceof Undecodable ? row.message : "a row"))
      expect(messages[0]).toContain("the bytes are no such message")
      expect(messages[1]).toBe("its schema has no message at place 9")
      expect(messages[2]).toBe("the record ends within the place of its message")
      expect(messages[3]).toContain("it is of AVRO, not of PROTOBUF")
      expect(messages[4]).toContain("its descriptor cannot be read")
      const cut = Array.from({ length: bytes.length }, (_, length) => placed([0], bytes.slice(0, length)))
      // Cut between two fields, it is a message that has fewer.
      for (const row of yield* decodeAll(Protobuf.codec(), Order, cut))
        if (!(row instanceof Undecodable)) expect(row).toHaveProperty("region")
    }).pipe(Effect.provide(layer))
  )

  it.effect("writes what the library of its makers writes, by the version of the subject that is named", () =>
    Effect.gen(function* () {
      const place = { topic: "orders", part: "value" } as const
      const rows = [full, empty] as never as ReadonlyArray<typeof Order.Type>
      const written = yield* encode(Protobuf.codec({ version: 1 }), Order, place, rows)
      expect(yield* decodeAll(Protobuf.codec(), Order, written)).toEqual([full, empty])
      expect(written[1]).toEqual(placed([0], bytesOf("empty")))
      const inner = yield* encode(
        Protobuf.codec({ version: 1, message: [0, 0] }),
        Schema.Struct({ open: Schema.Boolean }),
        place,
        [{ open: true }]
      )
      expect(inner).toEqual([placed([4, 0, 0], bytesOf("inner"))])
      const failure = (options: Parameters<typeof Protobuf.codec>[0], schema: Schema.Schema<any, any> = Order) =>
        Effect.map(Effect.flip(encode(Protobuf.codec(options), schema, place, [])), (error) => (error as Error).message)
      expect(yield* failure(undefined)).toContain("no version of the subject orders-value is named")
      expect(yield* failure({ version: 9 })).toContain("the subject orders-value has no version 9")
      expect(yield* failure({ version: 1 }, Schema.Struct({ colour: Schema.String }))).toContain(
        "has no field 'colour'"
      )
    }).pipe(Effect.provide(layer))
  )
})
