/** The codecs that need nothing: text and bytes, and records of a key and a value. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Codec from "../../src/flow/Codec.ts"
import { Decimal, Int64 } from "../../src/model/Columns.ts"
import type { Invalid } from "../../src/model/Event.ts"
import type { Records } from "../../src/model/Message.ts"
import * as RawRecords from "../../src/model/RawRecords.ts"
import * as Decode from "../../src/operator/Decode.ts"
import { collect } from "../operator/Messages.ts"

const utf8 = new TextEncoder()
const place = { topic: "t", part: "value" } as const
const readAll = <A, I>(codec: Codec.Codec, schema: Schema.Schema<A, I>, values: ReadonlyArray<Uint8Array>) => {
  const { read } = codec.reader(schema)
  return values.map((value) => {
    try {
      return read(Uint8Array.of(9, ...value, 9), 1, value.length + 1)
    } catch (error) {
      if (error instanceof Codec.Undecodable) return error.message
      throw error
    }
  })
}

describe("Codec", () => {
  it("reads text by a Schema of text, and refuses what is no UTF-8", () => {
    const texts = ["", "é🎈", "12.50"].map((text) => utf8.encode(text))
    expect(readAll(Codec.text, Schema.String, texts)).toEqual(["", "é🎈", "12.50"])
    expect(readAll(Codec.text, Decimal(5, 2), [texts[2]!])).toEqual([1250n])
    expect(readAll(Codec.text, Int64, [utf8.encode("9007199254740993")])).toEqual([9007199254740993n])
    expect(readAll(Codec.text, Int64, [utf8.encode("x")])[0]).toContain("'x' is not a whole number of 64 bits")
    expect(readAll(Codec.text, Schema.String, [Uint8Array.of(65, 255)])).toEqual([
      "expected UTF-8 text, found other bytes"
    ])
    expect(() => Codec.text.reader(Schema.Struct({ a: Schema.String }))).toThrow("cannot be read from text")
  })

  it.effect("writes text and bytes as it reads them", () =>
    Effect.gen(function* () {
      const write = yield* Codec.text.writer(Int64, place)
      expect(write(-5n as Int64)).toEqual(utf8.encode("-5"))
      const bytes = yield* Codec.bytes.writer(Schema.Uint8ArrayFromSelf, place)
      expect(bytes(Uint8Array.of(0, 255))).toEqual(Uint8Array.of(0, 255))
      expect(yield* Effect.flip(Codec.bytes.writer(Schema.String, place))).toMatchObject({ _tag: "InvalidSchema" })
    })
  )

  it("hands on bytes of their own: they outlive the buffer that they came in", () => {
    const buffer = Uint8Array.of(1, 2, 3)
    const value = Codec.bytes.reader(Schema.Uint8ArrayFromSelf).read(buffer, 1, 3)
    buffer.fill(0)
    expect(value).toEqual(Uint8Array.of(2, 3))
  })

  it("reads the key and the value of a record, and says which of them it cannot read", () => {
    const decode = (key: Schema.Schema<any, any>) =>
      Decode.make({
        id: "decode",
        spec: {
          kind: "decode",
          schema: Schema.Unknown,
          value: { schema: Schema.Struct({ n: Schema.Int }), codec: Codec.json },
          key: { schema: key, codec: Codec.text },
          invalid: { name: "invalid" } as never
        }
      })
    const values = ['{"n":1}', '{"n":2}', '{"n":"x"}', '{"n":4}'].map((value) => utf8.encode(value))
    const keys = ["7", null, "8", "x"].map((key) => (key === null ? null : utf8.encode(key)))
    const events = values.map((value, offset) => ({ key: keys[offset]!, value, partition: 3, offset, timestamp: 0 }))
    const records: Records = {
      _tag: "Records",
      origin: "orders",
      openedAt: 0,
      records: RawRecords.fromEvents(3, events)
    }
    const causes = (key: Schema.Schema<any, any>) => {
      const [out, aside] = collect(decode(key), records)
      return [out!.values, aside!.values.map((letter) => (letter as Invalid).cause)]
    }
    const refused = ['value.n: expected a number, found "x"', "key: 'x' is not a whole number of 64 bits"]
    expect(causes(Int64)).toEqual([[{ key: 7n, value: { n: 1 } }], ["key: the record has none", ...refused]])
    const rows = [
      { key: 7n, value: { n: 1 } },
      { key: null, value: { n: 2 } }
    ]
    expect(causes(Schema.NullOr(Int64))[0]).toEqual(rows)
  })
})
