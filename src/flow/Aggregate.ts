/**
 * What a group of events becomes. Four functions; `merge` joins two parts of a group; `remove` takes back a row that
 * has been replaced.
 *
 * `add` and `merge` commute and associate, so a result does not depend on the order of arrival; `AggregateLaws` of
 * `weir/testing` checks it. A state is plain data that one group owns: `add`, `remove` and `merge` may change the
 * states that they are given and return one of them, and whoever called them uses the returned one only. A group
 * without events has no result: nobody asks for it.
 */
import type { Schema } from "effect"
import type { Decimal, Int64, KeyValue, Numeric, Ordered } from "../model/Columns.ts"
import * as ExactSum from "../model/ExactSum.ts"
import * as Limits from "../model/Limits.ts"
import * as TopRows from "./aggregate/TopRows.ts"
import * as ValueCounts from "./aggregate/ValueCounts.ts"
import * as SchemaFingerprint from "./SchemaFingerprint.ts"

export interface Aggregate<in A, in out S, out B> {
  /** A state of its own at each call. */
  readonly empty: () => S
  /** `place` is overwritten for the next event: a state keeps a copy. */
  readonly add: (state: S, event: A, place: Place) => S
  /** Takes over both. */
  readonly merge: (left: S, right: S) => S
  /** What later happens to the state does not change what was returned. */
  readonly result: (state: S) => B
  /** Takes a row back. Within an epoch it may be called before the row is added. */
  readonly remove?: (state: S, event: A) => S
  /** What stands in for it over a flow of changes, where its own state cannot take a row back: one with `remove`. */
  readonly overChanges?: Aggregate<A, any, B>
  /** What its state is: kept state is restored only to an aggregate that says the same. Absent: `own`. */
  readonly keeps?: string
  /** How the type of its results follows from what it takes, for `explain`. Absent: its results are looked at. */
  readonly gives?: Gives<A>
}

/** How many, or several of the events; or, of what it takes of each, the sum, the mean, or one of the values. */
export type Gives<A> =
  | { readonly kind: "count" | "events" }
  | { readonly kind: "sum" | "mean" | "value"; readonly of: (event: A) => unknown }

/** Where an event stands: what `first` and `last` break ties by, so that they do not depend on the order of arrival. */
export interface Place {
  /** 0 in a flow without event time. */
  readonly eventTime: number
  /** Id of the source node, or of the stateful step, that gave the row its place. */
  readonly origin: string
  readonly partition: number
  readonly offset: number
  readonly row: number
}

/** An aggregate that can also be kept over a flow of changes: it has `remove`, or `overChanges`. */
export interface Retractable<in A, in out S, out B> extends Aggregate<A, S, B> {
  readonly isRetractable: true
}

/** The state of a built-in is its own affair. */
export interface State {
  readonly isState: true
}

/** The widened type: a sum of `1 | 2` is a number; Int64 and Decimal stay what they are. */
type Widen<N> = N extends number ? number : N
/** An average of exact numbers is exact to six places, rounded half to even. */
type Average<N> = N extends number ? number : Decimal<6>

/** What a state of this Schema is, for `keeps`: a change of the Schema then needs a `Migration`. */
export const kept = (state: Schema.Schema<any, any>): string => `own ${SchemaFingerprint.make(state)}`

/**
 * A user's own. With `remove`, or with `overChanges` in its stead, it can be kept over changes. `keeps:
 * Aggregate.kept(Schema)` lets a restart notice that the state has changed.
 */
export const make: {
  <A, S, B>(aggregate: Aggregate<A, S, B> & { readonly remove: (state: S, event: A) => S }): Retractable<A, S, B>
  <A, S, B>(aggregate: Aggregate<A, S, B> & { readonly overChanges: Retractable<A, any, B> }): Retractable<A, S, B>
  <A, S, B>(aggregate: Aggregate<A, S, B>): Aggregate<A, S, B>
} = <A, S, B>(aggregate: Aggregate<A, S, B>): never =>
  (aggregate.remove === undefined && aggregate.overChanges === undefined
    ? aggregate
    : { ...aggregate, isRetractable: true }) as never

/** How many events. */
export const count: Retractable<unknown, State, Int64> = builtIn<unknown, number, Int64>({
  keeps: "count",
  gives: { kind: "count" },
  empty: () => 0,
  add: (state) => state + 1,
  merge: (left, right) => left + right,
  result: (state) => BigInt(state) as Int64,
  remove: (state) => state - 1
})

/** An exact sum. Of numbers it is rounded once, at the end; of Int64 and Decimal it may outgrow their columns. */
export const sum = <A, N extends Numeric>(of: (event: A) => N): Retractable<A, State, Widen<N>> =>
  builtIn<A, Total, Widen<N>>({
    keeps: "sum",
    gives: { kind: "sum", of },
    empty: () => null,
    add: (state, event) => addTo(state, of(event)),
    merge: mergeTotals,
    result: (state) => (typeof state === "bigint" ? state : ExactSum.round(state ?? ExactSum.empty)) as Widen<N>,
    remove: (state, event) => takeFrom(state, of(event))
  })

/**
 * The mean: of numbers their exact sum, rounded, by their count; of Int64 and Decimal a decimal of six places. A
 * Decimal does not know its scale when the job runs, so it is said: `avg((order) => order.price, { scale: 2 })`.
 */
export const avg: {
  <A, Scale extends number>(
    of: (event: A) => Decimal<Scale>,
    options: { readonly scale: NoInfer<Scale> }
  ): Retractable<A, State, Decimal<6>>
  <A, N extends number | Int64>(of: (event: A) => N): Retractable<A, State, Average<N>>
} = <A>(of: (event: A) => Numeric, options?: { readonly scale: number }): Retractable<A, State, never> => {
  const scale = options?.scale ?? 0
  return builtIn<A, Mean, never>({
    keeps: "avg",
    gives: { kind: "mean", of },
    empty: () => [0, null],
    add: (mean, event) => {
      mean[1] = addTo(mean[1], of(event))
      mean[0]++
      return mean
    },
    merge: ([leftCount, left], [rightCount, right]) => [leftCount + rightCount, mergeTotals(left, right)],
    result: ([count, total]) =>
      (typeof total === "bigint"
        ? meanOf(total, count, scale)
        : ExactSum.quotient(total ?? ExactSum.empty, count)) as never,
    remove: ([count, total], event) => [count - 1, takeFrom(total, of(event))]
  })
}

/**
 * The smallest. Text is compared by UTF-16 code units; NaN is above all numbers.
 *
 * Over events it keeps one value. Over changes it keeps every distinct value of the group with its count, because any
 * may come to be the smallest: each epoch writes them all again for every group that it changed.
 */
export const min = <A, V extends Ordered>(of: (event: A) => V): Retractable<A, State, V> =>
  extreme("min", of, (value, than) => isBelow(value, than))

/** The largest; otherwise as `min`. */
export const max = <A, V extends Ordered>(of: (event: A) => V): Retractable<A, State, V> =>
  extreme("max", of, (value, than) => isBelow(than, value))

/**
 * How many distinct values: exact. All NaNs are one value, -0 is 0, null and an absent value are one; `1` and `1n` are
 * two.
 *
 * It keeps every distinct value of the group, over changes with its count: memory grows with them, and each epoch
 * writes them all again for every group that it changed. Fit for thousands of values a group, not for millions.
 */
export const distinctCount = <A>(of: (event: A) => KeyValue | undefined): Retractable<A, State, Int64> =>
  builtIn<A, Map<KeyValue, null>, Int64>({
    keeps: "distinct",
    gives: { kind: "count" },
    empty: () => new Map(),
    add: (seen, event) => seen.set(ValueCounts.canonical(of(event)), null),
    merge: (left, right) => {
      const [into, from] = left.size < right.size ? [right, left] : [left, right]
      for (const value of from.keys()) into.set(value, null)
      return into
    },
    result: (seen) => BigInt(seen.size) as Int64,
    overChanges: counting(of, (counts) => BigInt(counts.size) as Int64)
  })

/**
 * The rows with the `n` highest `by`, highest first: fewer while there are fewer. Rows with equal `by` stand in the
 * order of what they hold, column by column by name, so the result is a function of the rows alone. NaN is above all
 * numbers. Rows of a class come out as plain objects with its fields.
 *
 * Over events it keeps n rows. Over changes it keeps all rows of the group, because any may come to be among the
 * highest: each epoch writes them all again for every group that it changed. `n` is from 1 to `Limits.topRowsMax`.
 */
export const topN = <A>(n: number, by: (event: A) => Ordered): Retractable<A, State, ReadonlyArray<NoInfer<A>>> => {
  if (!(Number.isInteger(n) && n >= 1 && n <= Limits.topRowsMax))
    throw new RangeError(`Aggregate.topN: n must be a whole number from 1 to ${Limits.topRowsMax}, not ${n}`)
  return builtIn<A, any, ReadonlyArray<A>>({
    keeps: `top ${n}`,
    gives: { kind: "events" },
    ...TopRows.highest(n, by),
    overChanges: builtIn<A, any, ReadonlyArray<A>>({ keeps: "rows", ...TopRows.everything(n, by) })
  })
}

/** Of the earliest event: by event time, then origin, partition, offset and row. Cannot take a row back. */
export const first = <A, V>(of: (event: A) => V): Aggregate<A, State, V> =>
  placed("first", of, (place, than) => comparePlaces(place, than) < 0)

/** Of the latest event: by event time, then origin, partition, offset and row. Cannot take a row back. */
export const last = <A, V>(of: (event: A) => V): Aggregate<A, State, V> =>
  placed("last", of, (place, than) => comparePlaces(place, than) > 0)

/** `null`: of what kind the numbers are is not known before the first. */
type Total = ExactSum.ExactSum | bigint | null
type Mean = [count: number, total: Total]
type Placed = readonly [place: Place, value: unknown] | null

function builtIn<A, S, B>(
  aggregate: Aggregate<A, S, B> & { readonly remove: (state: S, event: A) => S }
): Retractable<A, State, B>
function builtIn<A, S, B>(
  aggregate: Aggregate<A, S, B> & { readonly overChanges: Retractable<A, any, B> }
): Retractable<A, State, B>
function builtIn<A, S, B>(aggregate: Aggregate<A, S, B>): Aggregate<A, State, B>
function builtIn<A, S, B>(aggregate: Aggregate<A, S, B>): unknown {
  return make(aggregate)
}

const addTo = (total: Total, value: Numeric): Total => {
  if (typeof value === "bigint") return wholeOf(total) + value
  if (typeof value !== "number") throw new TypeError(`${String(value)} is no number, so it cannot be added`)
  return ExactSum.add(doublesOf(total), value)
}

const takeFrom = (total: Total, value: Numeric): Total =>
  typeof value === "bigint" ? wholeOf(total) - value : ExactSum.remove(doublesOf(total), value)

const wholeOf = (total: Total): bigint => {
  if (total === null || typeof total === "bigint") return total ?? 0n
  throw otherKind("numbers", "Int64 or Decimal")
}
const doublesOf = (total: Total): ExactSum.ExactSum => {
  if (typeof total !== "bigint") return total ?? ExactSum.empty
  throw otherKind("Int64 or Decimal", "numbers")
}
const otherKind = (before: string, now: string): TypeError =>
  new TypeError(
    `its total is one of ${before} and cannot take ${now}: what is summed has changed its kind, so the step needs a new id`
  )

const mergeTotals = (left: Total, right: Total): Total => {
  if (left === null) return right
  if (right === null) return left
  if (typeof left === "bigint") return left + (right as bigint)
  return ExactSum.merge(left, right as ExactSum.ExactSum)
}

/** Decimals of an average. */
const meanScale = 6

const meanOf = (total: bigint, count: number, scale: number): bigint => {
  const shift = meanScale - scale
  const dividend = shift >= 0 ? total * 10n ** BigInt(shift) : total
  const divisor = shift >= 0 ? BigInt(count) : BigInt(count) * 10n ** BigInt(-shift)
  return divideToEven(dividend, divisor)
}

const divideToEven = (dividend: bigint, divisor: bigint): bigint => {
  const quotient = dividend / divisor
  const rest = dividend - quotient * divisor
  const twice = (rest < 0n ? -rest : rest) * 2n
  const up = twice > divisor || (twice === divisor && (quotient & 1n) === 1n)
  return up ? quotient + (dividend < 0n ? -1n : 1n) : quotient
}

const extreme = <A, V extends Ordered>(
  keeps: string,
  of: (event: A) => V,
  replaces: (value: V, than: V) => boolean
): Retractable<A, State, V> => {
  const choose = (state: V | null, value: V): V => (state === null || replaces(value, state) ? value : state)
  return builtIn<A, V | null, V>({
    keeps,
    gives: { kind: "value", of },
    empty: () => null,
    add: (state, event) => {
      const value = of(event)
      // -0 becomes 0, else the first of the two would be the result.
      return choose(state, value === 0 ? (0 as V) : value)
    },
    merge: (left, right) => (right === null ? left : choose(left, right)),
    result: (state) => state as V,
    overChanges: counting(of, (counts) => {
      let chosen: V | null = null
      for (const value of counts.keys()) chosen = choose(chosen, value as V)
      return chosen as V
    })
  })
}

/** Keeps each value with its count. */
const counting = <A, B>(
  of: (event: A) => KeyValue | undefined,
  result: (counts: ValueCounts.ValueCounts) => B
): Retractable<A, State, B> =>
  builtIn<A, ValueCounts.ValueCounts, B>({
    keeps: "values with counts",
    empty: () => new Map(),
    add: (counts, event) => ValueCounts.change(counts, of(event), 1),
    remove: (counts, event) => ValueCounts.change(counts, of(event), -1),
    merge: ValueCounts.merge,
    result
  })

const isBelow = (left: Ordered, right: Ordered): boolean => left < right || (Number.isNaN(right) && !Number.isNaN(left))

const placed = <A, V>(
  keeps: string,
  of: (event: A) => V,
  replaces: (place: Place, than: Place) => boolean
): Aggregate<A, State, V> =>
  builtIn<A, Placed, V>({
    keeps,
    gives: { kind: "value", of },
    empty: () => null,
    add: (state, event, place) => (state === null || replaces(place, state[0]) ? [{ ...place }, of(event)] : state),
    merge: (left, right) => (left === null || (right !== null && replaces(right[0], left[0])) ? right : left),
    result: (state) => state?.[1] as V
  })

const comparePlaces = (left: Place, right: Place): number =>
  left.eventTime - right.eventTime ||
  (left.origin === right.origin ? 0 : left.origin < right.origin ? -1 : 1) ||
  left.partition - right.partition ||
  left.offset - right.offset ||
  left.row - right.row
