import { FastCheck as fc } from "effect"
import { describe, expect, test } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import type { Decimal, Int64, KeyValue } from "../../src/model/Columns.ts"
import { AggregateLaws } from "../../src/testing/index.ts"

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
  last: Aggregate.last((event: Reading) => event.whole),
  distinctCount: Aggregate.distinctCount((event: Reading) => event.value),
  topN: Aggregate.topN(3, (event: Reading) => event.value)
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
            expect(resultOf(shuffled)).toStrictEqual(resultOf(events))
          }
        )
      )
    })

    test("merges parts into what adding one by one gives, whichever side is which and wherever they are cut", () => {
      fc.assert(
        fc.property(readings, fc.nat(12), fc.nat(12), (events, one, other) => {
          const [from, to] = [Math.min(one, other), Math.max(one, other)]
          const states = () =>
            [events.slice(0, from), events.slice(from, to), events.slice(to)].map((part) => fold(aggregate, part)) as [
              Aggregate.State,
              Aggregate.State,
              Aggregate.State
            ]
          const { merge, result } = aggregate
          const whole = resultOf(events)
          const merged = (how: (a: Aggregate.State, b: Aggregate.State, c: Aggregate.State) => Aggregate.State) =>
            result(how(...states()))
          expect(merged((a, b, c) => merge(merge(a, b), c))).toStrictEqual(whole)
          expect(merged((a, b, c) => merge(a, merge(b, c)))).toStrictEqual(whole)
          expect(merged((a, b, c) => merge(merge(c, b), a))).toStrictEqual(whole)
        })
      )
    })

    test("keeps the laws, also where rows are taken back", () => {
      AggregateLaws.check(aggregate, { events: readings.map(([event]) => event!) })
    })

    test("can be kept over changes, unless it goes by the place of an event", () => {
      const takesBack = (aggregate.overChanges ?? aggregate).remove !== undefined
      expect(takesBack).toBe(!["first", "last"].includes(name))
      expect("isRetractable" in aggregate).toBe(takesBack)
    })
  }
)

const few = fc.constantFrom<KeyValue | undefined>(
  1,
  1n,
  "1",
  "",
  0,
  -0,
  Number.NaN,
  true,
  false,
  null,
  undefined,
  2n ** 70n
)

test("a distinct count tells apart what keys tell apart, and takes rows back", () => {
  const distinct = Aggregate.distinctCount((event: { readonly value: KeyValue | undefined }) => event.value)
  AggregateLaws.check(distinct, { events: fc.record({ value: few }) })
  const spelled = (value: unknown) => `${typeof (value ?? "")} ${Object.is(value, -0) ? 0 : (value ?? null)}`
  fc.assert(
    fc.property(fc.array(few, { minLength: 1 }), (values) => {
      const state = values.reduce((all, value, i) => distinct.add(all, { value }, at(i)), distinct.empty())
      expect(distinct.result(state)).toBe(BigInt(new Set(values.map((v) => (v == null ? "null" : spelled(v)))).size))
    })
  )
  expect(() => distinct.add(distinct.empty(), { value: {} as never }, at(0))).toThrow("not object")
})

const sized = fc.record({ size: fc.constantFrom(1, 2, 3, 0, -0, Number.NaN), name: fc.constantFrom("a", "b", "c") })

test("the top rows are the first n in the order of their values, then of what they hold", () => {
  const top = Aggregate.topN(4, (row: typeof sized extends fc.Arbitrary<infer A> ? A : never) => row.size)
  AggregateLaws.check(top, { events: sized, cases: 300 })
  const rank = (size: number) => (Number.isNaN(size) ? Number.POSITIVE_INFINITY : size)
  fc.assert(
    fc.property(fc.array(sized, { minLength: 1 }), (rows) => {
      const state = rows.reduce((all, row, i) => top.add(all, row, at(i)), top.empty())
      const sorted = [...rows].sort(
        (left, right) =>
          (rank(left.size) === rank(right.size) ? 0 : rank(right.size) - rank(left.size)) ||
          (left.name < right.name ? -1 : left.name > right.name ? 1 : 0) ||
          Number(Object.is(right.size, -0)) - Number(Object.is(left.size, -0))
      )
      expect(top.result(state)).toEqual(sorted.slice(0, 4))
    })
  )
})

test("top rows of a class are plain objects with its fields, and can be written", () => {
  class Bid {
    readonly price = 7
  }
  const top = Aggregate.topN(1, (bid: Bid) => bid.price)
  AggregateLaws.check(top, { events: fc.constant(new Bid()), cases: 3 })
  expect(top.result(top.add(top.empty(), new Bid(), at(0)))).toStrictEqual([{ price: 7 }])
})

test.each([0, -1, 1.5, 1_001, Number.NaN])("there are no top %d rows", (n) => {
  expect(() => Aggregate.topN(n, (event: Reading) => event.value)).toThrow(RangeError)
})

type Broken = Partial<Aggregate.Aggregate<number, Array<number>, number>>
const listed: Aggregate.Aggregate<number, Array<number>, number> = {
  empty: () => [],
  add: (state, event) => [...state, event],
  merge: (left, right) => [...left, ...right],
  result: (state) => state.reduce((sum, value) => sum + value, 0)
}
const shared: Array<number> = []

describe("the laws refuse an aggregate", () => {
  test.each<readonly [string, Broken, RegExp]>([
    ["that goes by the order of arrival", { result: (state) => state[0] ?? 0 }, /in any order/],
    ["that loses a part", { merge: (left, right) => (left.length === 0 ? right : left) }, /parts of the events/],
    ["whose empty state is shared", { empty: () => shared, add: pushed }, /./],
    [
      "whose state cannot be written",
      { empty: () => [new Date(0) as never], result: () => 0 },
      /cannot be kept in state/
    ],
    ["that cannot take back", { remove: (state) => state }, /added and taken back/],
    [
      "that cannot take back what is yet to come",
      { remove: (state, event) => state.filter((_, i) => i !== state.indexOf(event)) },
      /added and taken back/
    ],
    ["whose stand-in cannot take back", { overChanges: listed }, /overChanges takes rows back/],
    [
      "whose stand-in gives something else",
      { overChanges: { ...listed, remove: (state, event) => [...state, -event], result: (state) => state.length } },
      /overChanges/
    ]
  ])("%s", (_, broken, told) => {
    const events = fc.integer({ min: 1, max: 9 })
    expect(() => AggregateLaws.check(listed, { events })).not.toThrow()
    expect(() => AggregateLaws.check({ ...listed, ...broken }, { events, seed: 1 })).toThrow(told)
  })

  test("that hands its state out, and says for which events", () => {
    const { empty, merge } = listed
    const handing = { empty, merge, add: pushed, result: (state: Array<number>): ReadonlyArray<number> => state }
    const equals = (left: ReadonlyArray<number>, right: ReadonlyArray<number>) =>
      [...left].sort().join() === [...right].sort().join()
    expect(() => AggregateLaws.check(handing, { events: fc.constant(5), equals, seed: 1 })).toThrow(
      /^This aggregate breaks a law: a result stays what it was .*\n {2}It gave \[5,5(,5)*\], not \[5\]\n {2}for one event: \[5\]/
    )
  })
})

function pushed(state: Array<number>, event: number): Array<number> {
  state.push(event)
  return state
}

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

test("first and last go by event time, then origin, partition, offset and row", () => {
  const places: ReadonlyArray<Aggregate.Place> = [
    { eventTime: 2, origin: "in", partition: 0, offset: 0, row: 0 },
    { eventTime: 1, origin: "in", partition: 1, offset: 0, row: 0 },
    { eventTime: 1, origin: "in", partition: 0, offset: 9, row: 1 },
    { eventTime: 1, origin: "in", partition: 0, offset: 9, row: 0 },
    { eventTime: 2, origin: "in", partition: 0, offset: 1, row: 0 },
    { eventTime: 2, origin: "in", partition: 0, offset: 1, row: 1 },
    { eventTime: 1, origin: "out", partition: 0, offset: 0, row: 0 },
    { eventTime: 2, origin: "at", partition: 7, offset: 9, row: 9 }
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

describe("a sum", () => {
  test("says that what it is given has changed its kind, and what to do", () => {
    const place = { eventTime: 0, origin: "orders", partition: 0, offset: 0, row: 0 }
    const sum = Aggregate.sum((value: number | Int64) => value as number)
    const whole = sum.add(sum.empty(), 3n as Int64, place)
    const doubles = sum.add(sum.empty(), 0.5, place)
    expect(() => sum.add(whole, 0.5, place)).toThrow(/Int64 or Decimal and cannot take numbers.*new id/)
    expect(() => sum.add(doubles, 3n as Int64, place)).toThrow(/numbers and cannot take Int64 or Decimal.*new id/)
    expect(() => sum.remove!(whole, 0.5)).toThrow(/new id/)
  })
})
