import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import * as Key from "../../src/model/Key.ts"
import * as Limits from "../../src/model/Limits.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")

const value = FastCheck.oneof(
  FastCheck.string({ unit: "binary" }),
  FastCheck.double(),
  FastCheck.integer(),
  FastCheck.bigInt(),
  FastCheck.boolean(),
  FastCheck.constant(null)
)
const key = FastCheck.array(value, { maxLength: 4 })

describe("canonical bytes", () => {
  test.each([
    [[], ""],
    [[null], "00"],
    [[false, true], "0102"],
    [[1], "033ff0000000000000"],
    [[-0], "030000000000000000"],
    [[Number.NaN], "037ff8000000000000"],
    [["ab"], "05000000026162"],
    [["é"], "0500000002c3a9"],
    [["x", ""], "0500000001780500000000"],
    [[0n], "0400000000"],
    [[1n], "040000000101"],
    [[-1n], "0400000001ff"],
    [[127n], "04000000017f"],
    [[128n], "04000000020080"],
    [[-128n], "040000000180"],
    [[-129n], "0400000002ff7f"],
    [[255n], "040000000200ff"],
    [[256n], "04000000020100"],
    [[1234n], "040000000204d2"],
    [[2n ** 63n - 1n], "04000000087fffffffffffffff"],
    [[-(2n ** 63n)], "04000000088000000000000000"]
  ] as const)("of golden key %# are as they were", (columns, bytes) => expect(hex(Key.toBytes(columns))).toBe(bytes))

  test("are equal exactly for keys that compare as equal", () => {
    FastCheck.assert(
      FastCheck.property(key, key, (left, right) => {
        // Text that is not well-formed shares bytes with other such text; that only shares a key group.
        FastCheck.pre(
          JSON.stringify([left, right], (_, v) => (typeof v === "bigint" ? `${v}` : v)).match(/\\ud/) === null
        )
        expect(hex(Key.toBytes(left)) === hex(Key.toBytes(right))).toBe(Key.compare(left, right) === 0)
        expect(Key.keyGroupOf(left)).toBe(Key.keyGroup(Key.toBytes(left)))
      }),
      { numRuns: 2000 }
    )
  })

  test("tell values of different types apart", () => {
    const bytes = [["1"], [1], [1n], [true], [null], ["1", ""], ["", "1"]].map((columns) => hex(Key.toBytes(columns)))
    expect(new Set(bytes).size).toBe(bytes.length)
  })

  test("hold text longer than any buffer kept for them", () => {
    const text = "ä".repeat(5000)
    expect(Key.toBytes(["a".repeat(3000), text, 2n ** 9000n]).length).toBe(5 + 3000 + 5 + 10_000 + 5 + 1126)
  })

  test("refuse what is no key value", () => {
    expect(() => Key.toBytes([{} as never])).toThrow(TypeError)
  })
})

describe("hashes", () => {
  test.each([
    ["", 0],
    ["abc", 0xb3dd93fa],
    ["test", 0xba6bd213],
    ["hello", 0x248bfa47],
    ["hello, world", 0x149bbb7f],
    ["Hello, world!", 0xc0363e43],
    ["The quick brown fox jumps over the lazy dog", 0x2e4ff723]
  ])("murmur3 of '%s' is the published one", (text, hash) => expect(Key.murmur3(utf8(text))).toBe(hash))

  test.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107]
  ])("murmur2 of '%s' is Kafka's", (text, hash) => {
    expect(Key.murmur2(utf8(text))).toBe(hash)
    expect(Key.kafkaPartition(utf8(text), 7)).toBe((hash & 0x7fffffff) % 7)
  })

  test("key groups are as they were, and all are used", () => {
    expect(Key.keyGroupOf(["north", 1, 2n])).toBe(39)
    const groups = new Set(Array.from({ length: 2000 }, (_, i) => Key.keyGroupOf([i])))
    expect(groups.size).toBe(Limits.keyGroups)
  })
})

describe("the order of keys", () => {
  test("is null, false, true, numbers, NaN, bigints, text", () => {
    const sorted = [null, false, true, Number.NEGATIVE_INFINITY, -1, 0, 2, 10, Number.NaN, -5n, 3n, "", "10", "2", "a"]
    expect([...sorted].reverse().sort(Key.compareValues)).toEqual(sorted)
  })

  test("is total", () => {
    FastCheck.assert(
      FastCheck.property(key, key, key, (a, b, c) => {
        expect(Math.sign(Key.compare(a, b)) + Math.sign(Key.compare(b, a))).toBe(0)
        if (Key.compare(a, b) <= 0 && Key.compare(b, c) <= 0) expect(Key.compare(a, c)).toBeLessThanOrEqual(0)
      }),
      { numRuns: 1000 }
    )
  })
})
