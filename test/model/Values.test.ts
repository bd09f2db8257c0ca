import { FastCheck } from "effect"
import { describe, expect, test } from "vitest"
import * as Values from "../../src/model/Values.ts"

const values = FastCheck.anything({ withBigInt: true, withMap: true, maxDepth: 3 }).map((value) =>
  structuredClone(value)
)
const sign = (order: number): number => Math.sign(order)

describe("plain values", () => {
  test("have a total order, and are the same as their copies", () => {
    FastCheck.assert(
      FastCheck.property(values, values, values, (a, b, c) => {
        expect(Values.compare(a, structuredClone(a))).toBe(0)
        expect(sign(Values.compare(a, b))).toBe(-sign(Values.compare(b, a)) + 0)
        // A sort puts undefined last, whatever it is told: so each stands in a list.
        const [low, middle, high] = [[a], [b], [c]].sort(Values.compare)
        expect(Values.compare(low, middle)).toBeLessThanOrEqual(0)
        expect(Values.compare(middle, high)).toBeLessThanOrEqual(0)
        expect(Values.compare(low, high)).toBeLessThanOrEqual(0)
      }),
      { numRuns: 500 }
    )
  })

  test("stand in the order of their types, numbers from -Infinity to NaN with -0 before 0", () => {
    const inOrder = [
      undefined,
      null,
      false,
      true,
      Number.NEGATIVE_INFINITY,
      -1,
      -0,
      0,
      2,
      Number.NaN,
      -1n,
      2n,
      "",
      "B",
      "a",
      "b",
      new Uint8Array([1, 2]),
      new Uint8Array([2]),
      [],
      [1],
      [1, 0],
      [2],
      new Map([["a", 1]]),
      new Map([["a", 2]]),
      {},
      { a: 1 },
      { a: 1, b: 0 },
      { a: 2 }
    ]
    for (const [i, left] of inOrder.entries())
      for (const [j, right] of inOrder.entries())
        expect([i, j, sign(Values.compare(left, right))]).toEqual([i, j, sign(i - j)])
  })

  test("are the same in whatever order their names and entries were put", () => {
    expect(Values.compare({ a: 1, b: [2n, { c: Number.NaN }] }, { b: [2n, { c: Number.NaN }], a: 1 })).toBe(0)
    const [one, other] = [[1, "x"] as const, [2, "y"] as const]
    expect(Values.compare(new Map([one, other]), new Map([other, one]))).toBe(0)
  })

  test("leave what is not plain the same as itself only, unless it is made plain", () => {
    class Point {
      readonly x = 1
    }
    const [point, other] = [new Point(), new Point()]
    expect([Values.compare(point, point), Values.compare(point, other)]).toEqual([0, 1])
    expect(Values.compare(Values.plain(point), Values.plain(other))).toBe(0)
    const [date, set] = [new Date(0), new Set([1])]
    for (const thing of [date, set, "text", null, [point]]) expect(Values.plain(thing)).toBe(thing)
    expect(Values.compare(date, new Date(0))).not.toBe(0)
  })
})
