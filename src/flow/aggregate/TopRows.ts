/**
 * The rows with the n highest values, highest first. Rows with equal values stand in the order of what they hold, so
 * that it does not matter which of them came first, nor how often a row was replaced before it came to be as it is.
 */
import type { Ordered } from "../../model/Columns.ts"
import * as Values from "../../model/Values.ts"
import type { Aggregate } from "../Aggregate.ts"

/** At most n rows, in order; equal rows side by side. */
type Highest<A> = Array<readonly [by: Ordered, row: A]>
/** All rows, in order, and how often each is there: below zero while it was taken back and has not yet come. */
type Everything<A> = Array<[by: Ordered, row: A, count: number]>

/** Over events that are never taken back: a row that is not among the n highest can be forgotten. */
export const highest = <A>(n: number, by: (event: A) => Ordered): Aggregate<A, Highest<A>, ReadonlyArray<A>> => {
  const put = (state: Highest<A>, value: Ordered, event: A): Highest<A> => {
    if (state.length === n && compareValues(state[n - 1]![0], value) < 0) return state
    const row = Values.plain(event)
    const at = placeOf(state, value, row)
    if (at === n) return state
    state.splice(at, 0, [value, row])
    if (state.length > n) state.pop()
    return state
  }
  return {
    empty: () => [],
    add: (state, event) => put(state, by(event), event),
    merge: (left, right) => {
      for (const [value, row] of right) put(left, value, row)
      return left
    },
    result: (state) => state.map(([, row]) => row)
  }
}

/** Over rows that can be taken back: any row may come to be among the n highest. */
export const everything = <A>(
  n: number,
  by: (event: A) => Ordered
): Aggregate<A, Everything<A>, ReadonlyArray<A>> & {
  readonly remove: (state: Everything<A>, event: A) => Everything<A>
} => {
  const change = (state: Everything<A>, value: Ordered, event: A, count: number): Everything<A> => {
    const row = Values.plain(event)
    const at = placeOf(state, value, row)
    const found = state[at]
    if (found === undefined || comparePlaces(found[0], found[1], value, row) !== 0)
      state.splice(at, 0, [value, row, count])
    else {
      found[2] += count
      if (found[2] === 0) state.splice(at, 1)
    }
    return state
  }
  return {
    empty: () => [],
    add: (state, event) => change(state, by(event), event, 1),
    remove: (state, event) => change(state, by(event), event, -1),
    merge: (left, right) => {
      const [into, from] = left.length < right.length ? [right, left] : [left, right]
      for (const [value, row, count] of from) change(into, value, row, count)
      return into
    },
    result: (state) => {
      const rows: Array<A> = []
      for (const [, row, count] of state) {
        if (rows.length >= n) break
        for (let i = 0; i < count && rows.length < n; i++) rows.push(row)
      }
      return rows
    }
  }
}

// Private

/** Index of the first that does not stand before this row. */
const placeOf = <A>(rows: ReadonlyArray<readonly [Ordered, A, ...unknown[]]>, value: Ordered, row: A): number => {
  let from = 0
  let to = rows.length
  while (from < to) {
    const middle = (from + to) >> 1
    const [other, otherRow] = rows[middle]!
    if (comparePlaces(other, otherRow, value, row) < 0) from = middle + 1
    else to = middle
  }
  return from
}

const comparePlaces = (left: Ordered, leftRow: unknown, right: Ordered, rightRow: unknown): number =>
  compareValues(left, right) || Values.compare(leftRow, rightRow)

/** Highest first; NaN is above all numbers, -0 is 0. */
const compareValues = (left: Ordered, right: Ordered): number => {
  if (left > right) return -1
  if (left < right) return 1
  return Number(Number.isNaN(right)) - Number(Number.isNaN(left))
}
