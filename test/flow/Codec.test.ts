import { Arbitrary, Effect, Either, FastCheck as fc, ParseResult, Schema } from "effect"
import { describe, expect, test } from "vitest"
import { compile, encodeJson, Undecodable } from "../../src/flow/Codec.ts"
import { Decimal, Instant, InstantFromMillis, InstantFromSeconds, Int64 } from "../../src/model/Columns.ts"
import { decodeBytesMax, decodeDepthMax } from "../../src/model/Limits.ts"
import { exactParse } from "./ExactJson.ts"

const utf8 = new TextEncoder()
const bytesOf = (text: string | Uint8Array): Uint8Array => (typeof text === "string" ? utf8.encode(text) : text)

/** Reads from the middle of a buffer whose neighbours would go on with any value. */
const readBetween = <A, I>(schema: Schema.Schema<A, I>, text: string | Uint8Array): A => {
  const record = bytesOf(text)
  const before = utf8.encode('{"a":[12')
  const after = utf8.encode('34}"]}')
  const buffer = new Uint8Array([...before, ...record, ...after])
  return compile(schema).read(buffer, before.length, before.length + record.length)
}

const attempt = <A, I>(schema: Schema.Schema<A, I>, text: string | Uint8Array): Either.Either<A, string> => {
  try {
    return Either.right(readBetween(schema, text))
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error
    return Either.left(error.message)
  }
}
const messageOf = <A, I>(schema: Schema.Schema<A, I>, text: string | Uint8Array): string =>
  Either.match(attempt(schema, text), { onLeft: (message) => message, onRight: (value) => `read ${String(value)}` })

class Order extends Schema.Class<Order>("Order")({
  orderid: Int64,
  region: Schema.String,
  shopid: Schema.Int,
  price: Decimal(12, 2),
  orderedAt: Schema.propertySignature(InstantFromSeconds).pipe(Schema.fromKey("timestamp"))
}) {
  get text(): string {
    return `${this.region} ${this.price}`
  }
}
const orderText = '{"orderid": 1000000196283, "shopid": 100917, "price": 4.03, "timestamp": 1537514430, "region": "TW"}'

describe("an order", () => {
  test("is read with all its digits, as an instance of its class", () => {
    const order = readBetween(Order, orderText)
    expect(order).toBeInstanceOf(Order)
    expect(order.text).toBe("TW 403")
    expect(order).toStrictEqual(
      new Order({
        orderid: 1000000196283n as Int64,
        region: "TW",
        shopid: 100917,
        price: 403n as Decimal<2>,
        orderedAt: 1537514430000 as Instant
      })
    )
  })

  test("is read without any Schema", () => {
    expect(compile(Order)).toMatchObject({ slow: false, slowParts: [] })
  })

  test("is written and read back", () => {
    const text = new TextDecoder().decode(encodeJson(Order)(readBetween(Order, orderText)))
    expect(text).toBe('{"orderid":1000000196283,"region":"TW","shopid":100917,"price":4.03,"timestamp":1537514430}')
  })

  test("has its fields in the order of the Schema, whatever the order of the text", () => {
    const reader = compile(Order)
    for (const text of [orderText, '{"region":"a","timestamp":1,"price":1,"shopid":1,"orderid":1}', orderText]) {
      const record = bytesOf(text)
      expect(Object.keys(reader.read(record, 0, record.length))).toEqual([
        "orderid",
        "region",
        "shopid",
        "price",
        "orderedAt"
      ])
    }
  })
})

const row = <S extends Schema.Struct.Fields>(fields: S) => Schema.Struct(fields)
const A = <T, I>(schema: Schema.Schema<T, I>) => Schema.Struct({ a: schema })

describe("reads", () => {
  test.each<[string, Schema.Schema<any, any>, string, unknown]>([
    ["an Int64 beyond 2^53", A(Int64), '{"a":9007199254740993}', { a: 9007199254740993n }],
    ["the largest Int64", A(Int64), '{"a":9223372036854775807}', { a: 9223372036854775807n }],
    ["the smallest Int64", A(Int64), '{"a":-9223372036854775808}', { a: -9223372036854775808n }],
    ["an Int64 between the halves of a word", A(Int64), '{"a":-4294967297}', { a: -4294967297n }],
    ["an Int64 as text", A(Int64), '{"a":"-17"}', { a: -17n }],
    ["an Int64 with a point and an exponent", A(Int64), '{"a":1.5e3}', { a: 1500n }],
    ["an Int64 that is -0", A(Int64), '{"a":-0}', { a: 0n }],
    ["a decimal without a point", A(Decimal(12, 2)), '{"a":4}', { a: 400n }],
    ["a decimal with zeros behind its scale", A(Decimal(12, 2)), '{"a":4.0300}', { a: 403n }],
    ["a decimal with an exponent", A(Decimal(12, 2)), '{"a":1e3}', { a: 100000n }],
    ["a decimal as text", A(Decimal(12, 2)), '{"a":"-4.03"}', { a: -403n }],
    [
      "a decimal of 38 digits",
      A(Decimal(38, 2)),
      '{"a":123456789012345678901234567890123456.78}',
      { a: 12345678901234567890123456789012345678n }
    ],
    ["seconds", A(InstantFromSeconds), '{"a":1537514430.5}', { a: 1537514430500 }],
    ["milliseconds", A(InstantFromMillis), '{"a":1537514430123}', { a: 1537514430123 }],
    ["an instant with an offset", A(Instant), '{"a":"2020-01-01T01:00:00+01:00"}', { a: 1577836800000 }],
    ["-0 as a number", A(Schema.Number), '{"a":-0}', { a: -0 }],
    ["a number rounded once", A(Schema.Number), '{"a":0.1234567890123456789}', { a: 0.12345678901234568 }],
    ["a number beyond 2^53", A(Schema.Number), '{"a":9007199254740993}', { a: 9007199254740992 }],
    ["a number beyond all doubles", A(Schema.Number), '{"a":1e999}', { a: Number.POSITIVE_INFINITY }],
    ["escapes", A(Schema.String), String.raw`{"a":"\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00"}`, { a: '"\\/\b\f\n\r\té😀' }],
    ["text beyond ASCII", A(Schema.String), '{"a":"naïve 😀 日本"}', { a: "naïve 😀 日本" }],
    ["a long text", A(Schema.String), `{"a":"${"x".repeat(100)}"}`, { a: "x".repeat(100) }],
    ["a name with an escape", A(Schema.Int), String.raw`{"\u0061":1}`, { a: 1 }],
    ["a name that must be escaped", row({ 'a"\n': Schema.Int }), String.raw`{"a\"\n":1}`, { 'a"\n': 1 }],
    ["the last of two values", A(Schema.Int), '{"a":1,"a":2}', { a: 2 }],
    ["the last of two values where the first is none", A(Schema.Int), '{"a":[{"a":"x"}],"a":2}', { a: 2 }],
    ["past names that nobody knows", A(Schema.Int), '{"b":[1,{"c":null}],"a":1,"d":"\\u0041","e":-1.5e-3}', { a: 1 }],
    ["past spaces", A(Schema.Int), ' \t\r\n{ \n"a" \t: \r1 , "b" : [ 1 , { } ] } \n', { a: 1 }],
    ["an optional field that is absent", row({ a: Schema.optional(Schema.Int) }), "{}", {}],
    ["an exact optional field", row({ a: Schema.optionalWith(Schema.Int, { exact: true }) }), '{"a":1}', { a: 1 }],
    ["null", A(Schema.NullOr(Int64)), '{"a":null}', { a: null }],
    ["no null", A(Schema.NullOr(Int64)), '{"a":1}', { a: 1n }],
    [
      "null for a field that is left out then",
      row({ a: Schema.optionalWith(Schema.Int, { nullable: true }), b: Schema.Int }),
      '{"a":null,"b":1}',
      { b: 1 }
    ],
    [
      "a value after null for it",
      row({ a: Schema.optionalWith(Schema.Int, { nullable: true }) }),
      '{"a":null,"a":1}',
      { a: 1 }
    ],
    ["a default", row({ a: Schema.optionalWith(Schema.Int, { default: () => 7 }) }), "{}", { a: 7 }],
    ["literals", Schema.Array(Schema.Literal("a", 1, true, null)), '["a",1,true,null]', ["a", 1, true, null]],
    [
      "nested rows",
      A(Schema.Array(row({ b: Schema.Boolean }))),
      '{"a":[{"b":true},{"b":false}]}',
      { a: [{ b: true }, { b: false }] }
    ],
    ["an empty array", Schema.Array(Schema.Int), "[ ]", []],
    ["a number alone", Schema.Number, "12", 12],
    ["a text alone", Schema.String, '"12"', "12"],
    [
      "a field called __proto__",
      row({ ["__proto__"]: Schema.Int, a: Schema.Int }),
      '{"__proto__":1,"a":2}',
      Object.defineProperty({ a: 2 }, "__proto__", { value: 1, enumerable: true, writable: true, configurable: true })
    ],
    ["what a transformation makes", A(Schema.NumberFromString), '{"a":"12"}', { a: 12 }],
    [
      "digits under a transformation",
      A(Schema.Record({ key: Schema.String, value: Int64 })),
      '{"a":{"x":9007199254740993}}',
      { a: { x: 9007199254740993n } }
    ],
    [
      "digits in a union",
      A(Schema.Union(Int64, row({ b: Int64 }))),
      '{"a":{"b":9007199254740993}}',
      { a: { b: 9007199254740993n } }
    ],
    [
      "a double where its tag says so",
      Schema.Union(row({ k: Schema.Literal(1), v: Int64 }), row({ k: Schema.Literal(2), v: Schema.Number })),
      '{"k":2,"v":1.5}',
      { k: 2, v: 1.5 }
    ],
    ["a tuple", Schema.Tuple(Int64, Schema.String), '[9007199254740993,"a"]', [9007199254740993n, "a"]],
    ["anything", A(Schema.Unknown), '{"a":{"b":[1,"x",null,true]}}', { a: { b: [1, "x", null, true] } }],
    [
      "as deep as allowed",
      A(Schema.Int),
      `{"a":1,"b":${"[".repeat(decodeDepthMax - 1)}${"]".repeat(decodeDepthMax - 1)}}`,
      { a: 1 }
    ]
  ])("%s", (_, schema, text, expected) => {
    expect(readBetween(schema, text)).toStrictEqual(expected)
  })
})

describe("refuses", () => {
  test.each<[string, Schema.Schema<any, any>, string | Uint8Array, string]>([
    [
      "text that is no decimal",
      row({ price: Decimal(12, 2) }),
      '{"price":"abc"}',
      'price: expected a decimal of 12 digits, 2 behind the point, found "abc"'
    ],
    [
      "a decimal with too many digits behind the point",
      A(Decimal(12, 2)),
      '{"a":4.031}',
      "a: expected a decimal of 12 digits, 2 behind the point, found 4.031"
    ],
    [
      "a decimal with too many digits",
      A(Decimal(4, 2)),
      '{"a":100}',
      "a: expected a decimal of 4 digits, 2 behind the point, found 100"
    ],
    [
      "an Int64 of 65 bits",
      A(Int64),
      '{"a":9223372036854775808}',
      "a: expected a whole number of 64 bits, found 9223372036854775808"
    ],
    ["a fraction as Int64", A(Int64), '{"a":1.5}', "a: expected a whole number of 64 bits, found 1.5"],
    [
      "an Int beyond 2^53",
      A(Schema.Int),
      '{"a":9007199254740993}',
      "a: expected a whole number, found 9007199254740993"
    ],
    ["a field that is missing", A(Schema.Int), "{}", "a: is missing"],
    ["null for a value", A(Schema.Int), '{"a":null}', "a: expected a number, found null"],
    [
      "null for an optional field",
      row({ a: Schema.optional(Schema.Int) }),
      '{"a":null}',
      "a: expected a number, found null"
    ],
    ["the last of two values where it is none", A(Schema.Int), '{"a":1,"a":"x"}', 'a: expected a number, found "x"'],
    [
      "a value out of its bounds",
      A(Schema.Int.pipe(Schema.between(1, 5))),
      '{"a":7}',
      "a: Expected a number between 1 and 5, actual 7"
    ],
    [
      "a text that is too short",
      A(Schema.String.pipe(Schema.minLength(2))),
      '{"a":"x"}',
      'a: Expected a string at least 2 character(s) long, actual "x"'
    ],
    ["a literal that is none of them", A(Schema.Literal("b", "c")), '{"a":"d"}', 'a: expected "b" | "c", found "d"'],
    [
      "a year beyond 9999",
      A(InstantFromSeconds),
      '{"a":1e15}',
      "a: expected seconds of the years 1 to 9999, found 1e15"
    ],
    [
      "in nested rows, with the path",
      A(Schema.Array(row({ b: Schema.Int }))),
      '{"a":[{"b":1},{"b":"x"}]}',
      'a[1].b: expected a number, found "x"'
    ],
    [
      "what a transformation refuses, with the path",
      A(Schema.Struct({ b: Schema.NumberFromString })),
      '{"a":{"b":"x"}}',
      'a.b: Unable to decode "x" into a number'
    ],
    ["nothing", A(Schema.Int), "", "expected an object, found the end of the record"],
    ["spaces alone", A(Schema.Int), "  ", "expected an object, found the end of the record"],
    ["a record that is cut short", A(Schema.Int), '{"a":1', "the record ends within a value"],
    ["a record that is cut short in a text", A(Schema.String), '{"a":"x', "a: the record ends within a value"],
    ["a text that its neighbour would close", Schema.String, '"', "the record ends within a value"],
    ["what follows the value", A(Schema.Int), '{"a":1}}', "expected the end of the record, found }"],
    ["two values", A(Schema.Int), '{"a":1}{"a":1}', 'expected the end of the record, found {"a":1'],
    ["a byte order mark", A(Schema.Int), '\ufeff{"a":1}', 'expected an object, found \ufeff{"a":1'],
    ["a zero before a number", A(Schema.Number), '{"a":01}', "a: expected a number, found 01"],
    ["a zero before an Int64", A(Int64), '{"a":01}', "a: expected a number, found 01"],
    ["NaN", A(Schema.Number), '{"a":NaN}', "a: expected a number, found NaN"],
    ["a point without digits", A(Schema.Number), '{"a":1.}', "a: expected a number, found 1."],
    ["an exponent without digits", A(Schema.Number), '{"a":1e}', "a: expected a number, found 1e"],
    ["a plus", A(Schema.Number), '{"a":+1}', "a: expected a number, found +1"],
    ["a comma too many", A(Schema.Int), '{"a":1,}', "expected a field's name, found }"],
    ["a comma too many in a field that nobody reads", A(Schema.Int), '{"a":1,"b":[1,]}', "expected a value, found ]"],
    ["a control character", A(Schema.String), '{"a":"\n"}', "a: a control character in a string"],
    ["an unknown escape", A(Schema.String), String.raw`{"a":"\x"}`, "a: an escape that JSON does not know"],
    [
      "an escape without digits",
      A(Schema.String),
      String.raw`{"a":"\u00g0"}`,
      "a: an escape without four hexadecimal digits"
    ],
    [
      "half of a surrogate pair",
      A(Schema.String),
      String.raw`{"a":"\ud83d"}`,
      "a: half of a surrogate pair in a string"
    ],
    [
      "bytes that are not UTF-8",
      A(Schema.String),
      new Uint8Array([...bytesOf('{"a":"'), 0xc3, 0x28, ...bytesOf('"}')]),
      "a: a string that is not UTF-8"
    ],
    [
      "bytes that are not UTF-8 in a field that nobody reads",
      A(Schema.Int),
      new Uint8Array([...bytesOf('{"a":1,"b":"'), 0xff, ...bytesOf('"}')]),
      "a string that is not UTF-8"
    ],
    [
      "what is too deep, even where nobody reads it",
      A(Schema.Int),
      `{"a":1,"b":${"[".repeat(decodeDepthMax)}${"]".repeat(decodeDepthMax)}}`,
      `nested deeper than ${decodeDepthMax} arrays and objects`
    ],
    [
      "a hundred thousand brackets",
      A(Schema.Unknown),
      `{"a":${"[".repeat(100_000)}}`,
      `a: nested deeper than ${decodeDepthMax} arrays and objects`
    ]
  ])("%s", (_, schema, text, message) => {
    expect(messageOf(schema, text)).toBe(message)
  })

  test("a record that is too long, before it looks at it", () => {
    expect(() => compile(A(Schema.Int)).read(new Uint8Array(0), 0, decodeBytesMax + 1)).toThrow(
      expect.objectContaining({ reason: `longer than ${decodeBytesMax} bytes` })
    )
  })

  test("at the byte where it stands", () => {
    const buffer = bytesOf('   {"a":1, "b":"x"}')
    expect(() => compile(row({ a: Schema.Int, b: Schema.Int })).read(buffer, 3, buffer.length)).toThrow(
      expect.objectContaining({ position: 15 })
    )
    expect(() => compile(Schema.Int).read(bytesOf("  {1x"), 3, 5)).toThrow(expect.objectContaining({ position: 4 }))
  })

  test("a Schema that would have to wait, when it is compiled", () => {
    const waiting = Schema.transformOrFail(Schema.String, Schema.String, {
      decode: (text) => Effect.promise(() => Promise.resolve(text)),
      encode: (text) => ParseResult.succeed(text)
    })
    expect(() => compile(A(Schema.Array(waiting)))).toThrow("its transformation is effectful")
  })
})

describe("a codec", () => {
  test("says which parts the Schema itself decodes", () => {
    const schema = row({
      a: Schema.Int,
      b: Schema.Struct({ c: Schema.NumberFromString }),
      d: Schema.Union(Int64, Schema.Boolean)
    })
    expect(compile(schema)).toMatchObject({ slow: true, slowParts: ["b.c: NumberFromString", "d: Int64 | boolean"] })
  })

  test("calls the constructor of a class that sets more than its fields", () => {
    class Counted extends Schema.Class<Counted>("Counted")({ a: Schema.Int }) {
      readonly twice = this.a * 2
    }
    expect(readBetween(Counted, '{"a":2}').twice).toBe(4)
  })

  test("calls the constructor of a class that sets a field otherwise", () => {
    class Fixed extends Schema.Class<Fixed>("Fixed")({ a: Schema.Int }) {
      override readonly a = 5
    }
    expect(readBetween(Fixed, '{"a":2}').a).toBe(5)
  })

  test("does not take one short text for another that it remembers", () => {
    const reader = compile(Schema.String)
    for (let i = 0; i < 5000; i++) {
      const text = i.toString(36).padStart(3, "0")
      expect(reader.read(bytesOf(`"${text}"`), 0, 5)).toBe(text)
    }
  })

  test("reads on after a record that it refused", () => {
    const reader = compile(row({ a: Schema.Int, b: Schema.optional(Schema.Int) }))
    const read = (text: string) => reader.read(bytesOf(text), 0, bytesOf(text).length)
    expect(() => read('{"a":1,"b":2,"a":"x"}')).toThrow()
    expect(read('{"a":1}')).toStrictEqual({ a: 1 })
  })

  test("reads a Schema that refers to itself", () => {
    interface Tree {
      readonly size: Int64
      readonly parts: ReadonlyArray<Tree>
    }
    interface Encoded {
      readonly size: string
      readonly parts: ReadonlyArray<Encoded>
    }
    const Tree: Schema.Schema<Tree, Encoded> = row({
      size: Int64,
      parts: Schema.Array(Schema.suspend((): Schema.Schema<Tree, Encoded> => Tree))
    })
    const tree = readBetween(Tree, '{"size":9007199254740993,"parts":[{"size":9007199254740995,"parts":[]}]}')
    expect(tree).toStrictEqual({ size: 9007199254740993n, parts: [{ size: 9007199254740995n, parts: [] }] })
  })

  test("does not read a record's neighbour into it, however often", () => {
    const reader = compile(Schema.Array(Schema.Int))
    const buffer = bytesOf("[1,".repeat(1000))
    for (let i = 0; i < 1000; i++) expect(() => reader.read(buffer, i * 3, i * 3 + 3)).toThrow()
  })

  test.each<[Schema.Schema<any, any>, unknown, string]>([
    [A(Schema.NullOr(Int64)), { a: null }, '{"a":null}'],
    [A(Schema.Array(Decimal(12, 2))), { a: [-5n, 100n] }, '{"a":[-0.05,1.00]}'],
    [row({ a: Schema.optional(Schema.Int), b: Schema.Int }), { a: undefined, b: 1 }, '{"b":1}'],
    [A(Instant), { a: 0 }, '{"a":"1970-01-01T00:00:00.000Z"}'],
    [A(InstantFromSeconds), { a: 1500 }, '{"a":1.5}'],
    [A(Schema.NumberFromString), { a: 1 }, '{"a":"1"}'],
    [
      A(Schema.Record({ key: Schema.String, value: Int64 })),
      { a: { "x\n": 9007199254740993n } },
      '{"a":{"x\\n":9007199254740993}}'
    ],
    [A(Schema.Union(Int64, Schema.String)), { a: 'x"1' }, '{"a":"x\\"1"}'],
    [row({ a: Schema.optionalWith(Schema.Int, { default: () => 7 }) }), { a: 7 }, '{"a":7}']
  ])("writes %# with the digits and names of JSON", (schema, value, text) => {
    expect(new TextDecoder().decode(encodeJson(schema)(value))).toBe(text)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY])("refuses to write %d", (value) => {
    expect(() => encodeJson(A(Schema.Number))({ a: value })).toThrow(
      expect.objectContaining({ message: `JSON has no number ${value}` })
    )
  })
})

const wellFormed = Schema.String.pipe(Schema.filter((text) => !/\p{Surrogate}/u.test(text)))
const int64s = Int64.annotations({ arbitrary: () => (fc) => fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) as never })
const decimals = Decimal(20, 3).annotations({
  arbitrary: () => (fc) => fc.bigInt(-(10n ** 20n) + 1n, 10n ** 20n - 1n) as never
})
const seconds = InstantFromSeconds.annotations({
  arbitrary: () => (fc) => fc.integer().map((at) => at * 1000) as never
})
const Inner = Schema.Struct({ x: Schema.NullOr(int64s), "y z": Schema.optionalWith(decimals, { exact: true }) })
const Everything = Schema.Struct({
  int: Schema.Int,
  id: int64s,
  price: decimals,
  name: wellFormed,
  flag: Schema.Boolean,
  kind: Schema.Literal("one", "two", 3),
  size: Schema.Number.pipe(Schema.finite()),
  inner: Inner,
  inners: Schema.Array(Inner),
  bounded: Schema.Number.pipe(Schema.between(-1000, 1000)),
  short: Schema.optionalWith(wellFormed.pipe(Schema.maxLength(20)), { exact: true }),
  either: Schema.Union(int64s, Schema.Struct({ deep: Schema.Array(int64s) })),
  at: Schema.propertySignature(seconds).pipe(Schema.fromKey("timestamp"))
})

/** The same by the Schema: an exact parse, and then `decodeUnknownEither`. */
const bySchema = <A, I>(schema: Schema.Schema<A, I>, text: string | Uint8Array): Either.Either<A, unknown> =>
  Either.flatMap(exactParse(bytesOf(text), schema.ast), (value) => Schema.decodeUnknownEither(schema)(value))

const agree = (text: string | Uint8Array): void => {
  const expected = bySchema(Everything, text)
  const found = attempt(Everything, text)
  expect(Either.isRight(found)).toBe(Either.isRight(expected))
  if (Either.isRight(expected)) expect(Either.getOrThrow(found)).toStrictEqual(expected.right)
}

test("a reader and the Schema agree on every value, and on what is left of a text that was changed", () => {
  const write = encodeJson(Everything)
  const pieces = [
    '"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "1",
    "0",
    "-",
    ".",
    "e",
    " ",
    "\\",
    "null",
    "true",
    "\u0000",
    "é",
    '"int":1,',
    '"id":"x",',
    '"name":"\\ud800",',
    "00",
    "1e400"
  ]
  fc.assert(
    fc.property(
      Arbitrary.make(Everything),
      fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(3), fc.constantFrom(...pieces)), {
        maxLength: 3
      }),
      (value, changes) => {
        const bytes = write(value)
        expect(attempt(Everything, bytes)).toStrictEqual(Either.right(value))
        let text = new TextDecoder().decode(bytes)
        for (const [where, taken, piece] of changes) {
          const at = Math.floor(where * text.length)
          text = text.slice(0, at) + piece + text.slice(at + taken)
          agree(text)
        }
        const cut = Math.floor((changes[0]?.[0] ?? 0) * bytes.length)
        agree(bytes.slice(0, cut))
      }
    ),
    { numRuns: 300 }
  )
})
