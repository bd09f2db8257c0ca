import { FastCheck as fc, Schema } from "effect"
import { expect, test } from "vitest"
import {
  Decimal,
  fits,
  formatDecimal,
  Instant,
  InstantFromSeconds,
  Int64,
  parseDecimal,
  parseInstant,
  parseInt64
} from "../../src/model/Columns.ts"
import { eventTimeMax, eventTimeMin } from "../../src/model/Time.ts"

test("a decimal that is formatted and parsed is the same", () => {
  fc.assert(
    fc.property(fc.bigInt(), fc.nat(30), (value, scale) => {
      expect(parseDecimal(formatDecimal(value, scale), scale)).toBe(value)
    })
  )
})

test.each<[string, number, bigint | null]>([
  ["4.03", 2, 403n],
  ["-0.05", 2, -5n],
  ["1.2e3", 0, 1200n],
  ["1200e-2", 0, 12n],
  ["1.50", 1, 15n],
  ["1.55", 1, null],
  ["0.5", 0, null],
  ["1e999", 2, null],
  ["", 2, null],
  ["-", 2, null],
  [".5", 2, null],
  ["1.", 2, null],
  ["1 ", 2, null],
  ["0x1", 2, null],
  ["NaN", 2, null]
])("the decimal '%s' of scale %i is %s", (text, scale, expected) => {
  expect(parseDecimal(text, scale)).toBe(expected)
})

test.each<[string, bigint | null]>([
  ["9223372036854775807", 2n ** 63n - 1n],
  ["-9223372036854775808", -(2n ** 63n)],
  ["9223372036854775808", null],
  ["-9223372036854775809", null],
  ["1.0", 1n],
  ["1.5", null]
])("the whole number '%s' is %s", (text, expected) => {
  expect(parseInt64(text)).toBe(expected)
})

test.each<[string, string | null]>([
  ["2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z"],
  ["2020-01-01 00:00Z", "2020-01-01T00:00:00.000Z"],
  ["2020-01-01T00:00:00.123987Z", "2020-01-01T00:00:00.123Z"],
  ["2020-01-01T00:00:00.5Z", "2020-01-01T00:00:00.500Z"],
  ["2020-01-01T01:30:00+01:30", "2020-01-01T00:00:00.000Z"],
  ["2019-12-31T22:30:00-0130", "2020-01-01T00:00:00.000Z"],
  ["2020-02-29T00:00:00Z", "2020-02-29T00:00:00.000Z"],
  ["0050-03-01T00:00:00Z", "0050-03-01T00:00:00.000Z"],
  ["2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z"],
  ["2021-02-29T00:00:00Z", null],
  ["1900-02-29T00:00:00Z", null],
  ["2020-04-31T00:00:00Z", null],
  ["2020-13-01T00:00:00Z", null],
  ["2020-00-01T00:00:00Z", null],
  ["2020-01-00T00:00:00Z", null],
  ["2020-01-01T24:00:00Z", null],
  ["2020-01-01T00:60:00Z", null],
  ["2020-01-01T00:00:60Z", null],
  ["2020-01-01T00:00:00+24:00", null],
  ["2020-01-01T00:00:00+00:60", null],
  ["0000-12-31T00:00:00Z", null],
  ["2020-01-01T00:00:00", null],
  ["2020-01-01", null]
])("the instant '%s' is %s", (text, expected) => {
  const at = parseInstant(text)
  expect(at === null ? null : new Date(at).toISOString()).toBe(expected)
})

test("every instant that a table can hold is formatted and parsed to itself", () => {
  fc.assert(
    fc.property(fc.integer({ min: eventTimeMin, max: eventTimeMax }), (at) => {
      const text = Schema.encodeSync(Instant)(at as Instant)
      expect(Schema.decodeSync(Instant)(text)).toBe(at)
    })
  )
})

test("an instant of -0 seconds is 0", () => {
  expect(Schema.decodeSync(InstantFromSeconds)(-0)).toBe(0)
})

test("a decimal holds as many digits as its precision, whatever their sign", () => {
  expect([999n, -999n, 1000n, -1000n].map((value) => fits(value, 3))).toEqual([true, true, false, false])
  expect(() => Schema.decodeSync(Decimal(3, 1))("100")).toThrow(
    "'100' is not a decimal of 3 digits, 1 behind the point"
  )
  expect(Schema.decodeSync(Int64)("9007199254740993")).toBe(9007199254740993n)
})
