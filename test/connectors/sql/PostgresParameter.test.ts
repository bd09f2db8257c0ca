import { describe, expect, it } from "@effect/vitest"
import * as PostgresParameter from "../../../src/connectors/sql/PostgresParameter.ts"

/** By the name of the element's type: the object id of its array. */
const arrays = { bytea: 1001, integer: 1007, text: 1009, bigint: 1016, double: 1022, instant: 1185, numeric: 1231 }

describe("a parameter as text", () => {
  it.each([
    ["text", ["plain", "", 'a "quoted" one', "back\\slash", "comma,{brace}", null, "NULL"]],
    ["bytea", [new Uint8Array([0, 9, 10, 127, 128, 255]), new Uint8Array(0)]]
  ] as const)("quotes what stands in an array of %s", (type, values) => {
    const expected = {
      text: '{"plain","","a \\"quoted\\" one","back\\\\slash","comma,{brace}",NULL,"NULL"}',
      bytea: '{"\\\\x00090a7f80ff","\\\\x"}'
    }
    expect(PostgresParameter.text(arrays[type], values)).toBe(expected[type])
  })

  it.each([
    ["integer", [-2_147_483_648, null, 7], "{-2147483648,NULL,7}"],
    ["bigint", [9_223_372_036_854_775_807n, -1n, 12], "{9223372036854775807,-1,12}"],
    ["double", [-0, 1e300, Number.NaN, Number.NEGATIVE_INFINITY], "{-0,1e+300,NaN,-Infinity}"],
    ["numeric", ["12.50", "-0.01"], '{"12.50","-0.01"}'],
    [
      "instant",
      [0, 1_537_514_400_123, 0, null, 1_537_514_400_123],
      "{1970-01-01T00:00:00.000Z,2018-09-21T07:20:00.123Z,1970-01-01T00:00:00.000Z,NULL,2018-09-21T07:20:00.123Z}"
    ]
  ] as const)("spells an array of %s", (type, values, expected) => {
    expect(PostgresParameter.text(arrays[type], values)).toBe(expected)
  })

  it("spells bytes by themselves in hexadecimal digits", () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    expect(PostgresParameter.text(17, all)).toBe(`\\x${Buffer.from(all).toString("hex")}`)
  })
})
