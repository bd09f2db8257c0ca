import { FastCheck, Schema } from "effect"
import { describe, expect, test, vi } from "vitest"
import * as Codec from "../../src/flow/Codec.ts"
import { StateUnreadable } from "../../src/model/Errors.ts"
import * as Classes from "../../src/state/Classes.ts"
import { Reader, Writer } from "../../src/state/Encoding.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

const bytesOf = (value: unknown): Uint8Array => {
  const writer = new Writer(1)
  writer.value(value)
  return writer.copy()
}
const back = (value: unknown): unknown => {
  const reader = new Reader(bytesOf(value))
  const read = reader.value()
  expect(reader.atEnd).toBe(true)
  return read
}

const leaf = FastCheck.oneof(
  FastCheck.constantFrom(
    null,
    undefined,
    true,
    false,
    -0,
    0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    -(2 ** 53)
  ),
  FastCheck.double(),
  FastCheck.maxSafeInteger(),
  FastCheck.bigInt(),
  FastCheck.bigInt({ min: -(2n ** 200n), max: 2n ** 200n }),
  FastCheck.string({ unit: "binary" }),
  FastCheck.uint8Array()
)
const { tree } = FastCheck.letrec((tie) => ({
  tree: FastCheck.oneof(
    { maxDepth: 4 },
    leaf,
    FastCheck.array(tie("tree"), { maxLength: 4 }),
    FastCheck.dictionary(FastCheck.string({ unit: "binary" }), tie("tree"), { maxKeys: 4, noNullPrototype: true }),
    FastCheck.array(FastCheck.tuple(leaf, tie("tree")), { maxLength: 4 }).map((entries) => new Map(entries))
  )
}))

describe("values as bytes", () => {
  test("are read back as they were", () => {
    FastCheck.assert(
      FastCheck.property(tree, (value) => {
        expect(back(value)).toStrictEqual(value)
      }),
      { numRuns: 2000 }
    )
  })

  test.each([
    ["-0", -0],
    ["a lone surrogate", "a\ud800b"],
    ["long text", "x".repeat(10_000)],
    ["long text that is not ASCII", "λ".repeat(10_000)],
    ["a bigint of 4,000 bits", -(3n ** 2500n)]
  ])("hold %s exactly", (_, value) => expect(Object.is(back(value), value)).toBe(true))

  test("cannot set a prototype", () => {
    const value = JSON.parse('{"__proto__":{"polluted":true}}')
    const read = back(value) as Record<string, unknown>
    expect(Object.getPrototypeOf(read)).toBe(Object.prototype)
    expect(Object.keys(read)).toEqual(["__proto__"])
  })

  test.each([
    ["a function", () => 1],
    ["a Date", new Date(0)],
    ["an instance of a class", new (class A {})()],
    ["a Set", new Set()]
  ])("refuse %s when written", (_, value) => expect(() => bytesOf(value)).toThrow(TypeError))

  test("refuse a value that holds itself", () => {
    const value: Array<unknown> = []
    value.push(value)
    expect(() => bytesOf(value)).toThrow(TypeError)
  })
})

describe("damaged bytes", () => {
  const readAll = (bytes: Uint8Array): void => {
    const reader = new Reader(bytes)
    while (!reader.atEnd) reader.value()
  }
  const refused = (bytes: Uint8Array): boolean => {
    try {
      readAll(bytes)
      return false
    } catch (error) {
      expect(error).toBeInstanceOf(StateUnreadable)
      return true
    }
  }

  test("are refused where they end too early", () => {
    FastCheck.assert(
      FastCheck.property(tree, FastCheck.nat(), (value, at) => {
        const bytes = bytesOf(value)
        expect(refused(bytes.subarray(0, at % bytes.length)) || at % bytes.length === 0).toBe(true)
      }),
      { numRuns: 1000 }
    )
  })

  test("give a value or StateUnreadable, whatever they are", () => {
    let refusals = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.uint8Array({ maxLength: 64 }), (bytes) => {
        if (refused(bytes)) refusals++
      }),
      { numRuns: 5000 }
    )
    expect(refusals).toBeGreaterThan(1000)
  })

  test.each([13, 14, 15, 16, 11, 12])("with tag %i and a count of 2^50 allocate nothing", (tag) => {
    const writer = new Writer()
    writer.byte(tag)
    writer.varint(2 ** 50)
    expect(refused(writer.copy())).toBe(true)
  })

  test("nested a million times do not exhaust the stack", () => {
    const bytes = new Uint8Array(2_000_000)
    for (let i = 0; i < bytes.length; i += 2) bytes.set([14, 1], i)
    expect(refused(bytes)).toBe(true)
  })
})

describe("instances", () => {
  class Item extends Schema.Class<Item>("Item")({ name: Schema.String }) {
    get loud(): string {
      return this.name.toUpperCase()
    }
  }
  class Order extends Schema.Class<Order>("Order")({ id: Schema.Int, items: Schema.Array(Item) }) {}
  const classes = new Classes.Classes(Codec.prototypesOf(Schema.Struct({ order: Schema.NullOr(Order) })))
  const order = new Order({ id: 1, items: [new Item({ name: "a" })] })

  test("of the classes of a schema come back as instances, inner ones too", () => {
    const writer = new Writer(1, classes)
    writer.value({ order })
    const read = new Reader(writer.copy(), classes).value() as { readonly order: Order }
    expect(read.order).toBeInstanceOf(Order)
    expect(read.order.items[0]!.loud).toBe("A")
    expect(read).toEqual({ order })
  })

  test("of other classes are refused, when written and when read", () => {
    expect(() => new Writer().value(order)).toThrow("a Order cannot be kept in state: make it a plain object")
    const writer = new Writer(1, classes)
    writer.value(order)
    expect(() => new Reader(writer.copy()).value()).toThrow(StateUnreadable)
  })

  test("of two classes of one name keep theirs", () => {
    const other = (() => {
      class Item {
        readonly price = 1
      }
      return new Item()
    })()
    const both = new Classes.Classes([Item.prototype, Object.getPrototypeOf(other)])
    const writer = new Writer(1, both)
    writer.value([new Item({ name: "a" }), other])
    const read = new Reader(writer.copy(), both).value() as ReadonlyArray<object>
    expect(read.map(Object.getPrototypeOf)).toEqual([Item.prototype, Object.getPrototypeOf(other)])
  })
})
