import { FastCheck as fc } from "effect"
import { describe, expect, test } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import type { Decimal, Int64 } from "../../src/model/Columns.ts"

interface Reading {
  readonly value: number
  readonly whole: Int64
  readonly place: Aggregate.Place
}

const fold = <A extends { readonly place: Aggregate.Place }, S, B>(
  aggregate: Aggregate.Aggregate<A, S, B>,
  events: ReadonlyArray<A>
): S => events.reduce((state, event) => aggregate.add(state, event, event.place), aggregate.empty())

const at = (i: number): Aggregate.Place => ({ eventTime: i % 3, origin: "in", partition: i % 2, offset: i % 5, row: i })

const doubles = fc.oneof(
  fc.double(),
  fc.double({ min: -1000, max: 1000, noNaN: true }),
  fc.integer(),
  fc.constantFrom(
    1e308,
    -1e308,
    1.7e308,
    -1.7e308,
    2 ** 900,
    -(2 ** 900),
    5e-324,
    -5e-324,
    0,
    -0,
    2 ** 53 - 1,
    1 - 2 ** 53,
    0.1,
    1e16
  )
)
const readings = fc
  .array(fc.record({ value: doubles, whole: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n) as fc.Arbitrary<Int64> }), {
    minLength: 1,
    maxLength: 12
  })
  .map((events) => events.map((event, i): Reading => ({ ...event, place: at(i) })))

/** The double nearest to `numerator / denominator`, by search among neighbours: no code is shared with the sum. */
const nearest = (numerator: bigint, denominator: bigint): number => {
  if (numerator < 0n) return -nearest(-numerator, denominator)
  const bits = new DataView(new ArrayBuffer(8))
  const doubleOf = (index: bigint): number => {
    bits.setBigUint64(0, index)
    return bits.getFloat64(0)
  }
  const infinity = 0x7ff0_0000_0000_0000n
  const exact = (index: bigint): readonly [bigint, bigint] =>
    index === infinity ? [2n ** 1024n, 1n] : rationalOf(doubleOf(index))
  let low = 0n
  let high = infinity
  while (high - low > 1n) {
    const middle = (low + high) / 2n
    const [top, bottom] = exact(middle)
    if (top * denominator <= numerator * bottom) low = middle
    else high = middle
  }
  const [lowTop, lowBottom] = exact(low)
  const [highTop, highBottom] = exact(high)
  const twice = 2n * numerator * lowBottom * highBottom
  const middle = (lowTop * highBottom + highTop * lowBottom) * denominator
  if (twice === middle) return doubleOf(low % 2n === 0n ? low : high)
  return doubleOf(twice < middle ? low : high)
}

const rationalOf = (value: number): readonly [bigint, bigint] => {
  let scaled = value
  let denominator = 1n
  while (!Number.isInteger(scaled)) {
    scaled *= 2
    denominator *= 2n
  }
  return [BigInt(scaled), denominator]
}

const exactSum = (values: ReadonlyArray<number>): number => {
  const special = values.filter((value) => !Number.isFinite(value))
  if (special.length > 0) return special.reduce((left, right) => left + right)
  let top = 0n
  let bottom = 1n
  for (const value of values) {
    const [numerator, denominator] = rationalOf(value)
    top = top * denominator + numerator * bottom
    bottom *= denominator
  }
  return nearest(top, bottom) + 0
}

const aggregates = {
  count: Aggregate.count,
  sum: Aggregate.sum((event: Reading) => event.value),
  wholeSum: Aggregate.sum((event: Reading) => event.whole),
  avg: Aggregate.avg((event: Reading) => event.value),
  wholeAvg: Aggregate.avg((event: Reading) => event.whole),
  min: Aggregate.min((event: Reading) => event.value),
  max: Aggregate.max((event: Reading) => event.value),
  first: Aggregate.first((event: Reading) => event.whole),
  last: Aggregate.last((event: Reading) => event.whole)
} satisfies Record<string, Aggregate.Aggregate<Reading, Aggregate.State, unknown>>

describe.each(Object.entries(aggregates))(
  "%s",
  (name, aggregate: Aggregate.Aggregate<Reading, Aggregate.State, unknown>) => {
    const resultOf = (events: ReadonlyArray<Reading>) => aggregate.result(fold(aggregate, events))

    test("gives the same result in any order of arrival", () => {
      fc.assert(
        fc.property(
          readings.chain((events) =>
            fc.tuple(fc.constant(events), fc.shuffledSubarray(events, { minLength: events.length }))
          ),
          ([events, shuffled]) => {
            expect(resultOf(shuffled)).toBe(resultOf(events))
          }
        )
      )
    })

    test("merges parts into what adding one by one gives, whichever side is which and wherever they are cut", () => {
      fc.assert(
        fc.property(readings, fc.nat(12), fc.nat(12), (events, one, other) => {
          const [from, to] = [Math.min(one, other), Math.max(one, other)]
          const [a, b, c] = [events.slice(0, from), events.slice(from, to), events.slice(to)].map((part) =>
            fold(aggregate, part)
          ) as [Aggregate.State, Aggregate.State, Aggregate.State]
          const { merge, result } = aggregate
          const whole = resultOf(events)
          expect(result(merge(merge(a, b), c))).toBe(whole)
          expect(result(merge(a, merge(b, c)))).toBe(whole)
          expect(result(merge(merge(c, b), a))).toBe(whole)
        })
      )
    })

    test("never changes a state in place", () => {
      fc.assert(
        fc.property(readings, ([first, ...others]) => {
          const state = fold(aggregate, [first!])
          const before = structuredClone(state)
          for (const other of others) {
            aggregate.add(state, other, other.place)
            aggregate.merge(state, fold(aggregate, others))
          }
          expect(state).toStrictEqual(before)
        })
      )
    })

    test("takes rows back, where it can", () => {
      const { remove } = aggregate
      if (remove === undefined) return void expect(["min", "max", "first", "last"]).toContain(name)
      fc.assert(
        fc.property(readings, readings, (kept, taken) => {
          const state = taken.reduce((all, event) => remove(all, event), fold(aggregate, [...kept, ...taken]))
          expect(aggregate.result(state)).toBe(resultOf(kept))
        })
      )
    })
  }
)

test("a sum of doubles is the exact sum, rounded once", () => {
  fc.assert(
    fc.property(fc.array(doubles, { minLength: 1, maxLength: 20 }), (values) => {
      const events = values.map((value, i) => ({ value, place: at(i) }))
      const sum = Aggregate.sum((event: { readonly value: number; readonly place: Aggregate.Place }) => event.value)
      expect(sum.result(fold(sum, events))).toBe(exactSum(values))
    }),
    { numRuns: 500 }
  )
})

test.each([
  [[0.1, 0.2, 0.3], 0.6],
  [[1e308, 1e308, -1e308], 1e308],
  [[1e308, 1e308], Number.POSITIVE_INFINITY],
  [[1, 1e100, 1, -1e100], 2],
  [[2 ** 53, 1, 2 ** -60], 2 ** 53 + 2],
  [[2 ** 53, 1, -(2 ** -60)], 2 ** 53],
  [[2 ** 1000, 2 ** 947], 2 ** 1000],
  [[2 ** 1000, 2 ** 948, 2 ** 947], 2 ** 1000 + 2 ** 949],
  [[-0, -0], 0],
  [[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], Number.NaN],
  [[Number.POSITIVE_INFINITY, 1e308, 1e308], Number.POSITIVE_INFINITY]
])("the sum of %j is %d", (values, expected) => {
  const sum = Aggregate.sum((event: { readonly value: number; readonly place: Aggregate.Place }) => event.value)
  const events = values.map((value, i) => ({ value, place: at(i) }))
  expect(sum.result(fold(sum, events))).toBe(expected)
})

test("an average of doubles does not overflow where their sum does", () => {
  const avg = Aggregate.avg((event: { readonly value: number; readonly place: Aggregate.Place }) => event.value)
  const events = [1e308, 1.5e308].map((value, i) => ({ value, place: at(i) }))
  expect(avg.result(fold(avg, events))).toBe(1.25e308)
})

test.each([
  [[1n, 2n], 0, 1_500_000n],
  [[1n, 1n, 2n], 0, 1_333_333n],
  [[-1n, -1n, -2n], 0, -1_333_333n],
  [[403n, 405n], 2, 4_040_000n],
  [[100_000_005n, 0n], 8, 500_000n],
  [[100_000_100n], 8, 1_000_001n],
  [[50n], 8, 0n],
  [[150n], 8, 2n],
  [[-150n], 8, -2n],
  [[250n], 8, 2n],
  [[151n], 8, 2n],
  [[251n], 8, 3n]
])("the average of %s of scale %i is %s millionths, rounded half to even", (values, scale, expected) => {
  const avg = Aggregate.avg(
    (event: { readonly value: Decimal<number>; readonly place: Aggregate.Place }) => event.value,
    { scale }
  )
  const events = values.map((value, i) => ({ value: value as Decimal<number>, place: at(i) }))
  expect(avg.result(fold(avg, events))).toBe(expected)
})

test("the smallest and the largest of 0 and -0 are 0, whichever came first", () => {
  const of = (event: { readonly value: number; readonly place: Aggregate.Place }) => event.value
  for (const values of [
    [0, -0],
    [-0, 0]
  ]) {
    const events = values.map((value, i) => ({ value, place: at(i) }))
    for (const aggregate of [Aggregate.min(of), Aggregate.max(of)]) {
      expect(aggregate.result(fold(aggregate, events))).toBe(0)
    }
  }
})

test("NaN is above every number", () => {
  const events = [3, Number.NaN, 1].map((value, i) => ({ value, place: at(i) }))
  const of = (event: { readonly value: number; readonly place: Aggregate.Place }) => event.value
  const [least, most] = [Aggregate.min(of), Aggregate.max(of)]
  expect(least.result(fold(least, events))).toBe(1)
  expect(most.result(fold(most, events))).toBeNaN()
})

test("first and last go by event time, then partition, offset and row", () => {
  const places: ReadonlyArray<Aggregate.Place> = [
    { eventTime: 2, origin: "in", partition: 0, offset: 0, row: 0 },
    { eventTime: 1, origin: "in", partition: 1, offset: 0, row: 0 },
    { eventTime: 1, origin: "in", partition: 0, offset: 9, row: 1 },
    { eventTime: 1, origin: "in", partition: 0, offset: 9, row: 0 },
    { eventTime: 2, origin: "in", partition: 0, offset: 1, row: 0 },
    { eventTime: 2, origin: "in", partition: 0, offset: 1, row: 1 }
  ]
  const events = places.map((place, value) => ({ value, place }))
  const of = (event: { readonly value: number; readonly place: Aggregate.Place }) => event.value
  const [first, last] = [Aggregate.first(of), Aggregate.last(of)]
  expect(first.result(fold(first, events))).toBe(3)
  expect(last.result(fold(last, events))).toBe(5)
})

test("keeps the place of first even if its giver writes another into the same object", () => {
  const first = Aggregate.first((event: string) => event)
  const place = { eventTime: 1, origin: "in", partition: 0, offset: 0, row: 0 }
  const state = first.add(first.empty(), "one", place)
  place.eventTime = 0
  expect(first.result(first.add(state, "two", place))).toBe("two")
})

test("refuses to add what is no number", () => {
  const sum = Aggregate.sum((event: { readonly price?: number }) => event.price as number)
  expect(() => sum.add(sum.empty(), {}, at(0))).toThrow("undefined is no number")
})
