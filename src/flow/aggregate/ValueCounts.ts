/**
 * How often each value came: what `min`, `max` and `distinctCount` keep over changes. A count is below zero while a
 * value was taken back and has not yet come.
 *
 * Values are canonical, as keys are: all NaNs are one, -0 is 0, an absent value is null; `1` and `1n` are two.
 */
import type { KeyValue } from "../../model/Columns.ts"

export type ValueCounts = Map<KeyValue, number>

/** Changes the count of a value, in place; a value whose count is zero is gone. */
export const change = (counts: ValueCounts, value: KeyValue | undefined, by: number): ValueCounts => {
  const known = canonical(value)
  const count = (counts.get(known) ?? 0) + by
  if (count === 0) counts.delete(known)
  else counts.set(known, count)
  return counts
}

/** Both together; takes over both. */
export const merge = (left: ValueCounts, right: ValueCounts): ValueCounts => {
  const [into, from] = left.size < right.size ? [right, left] : [left, right]
  for (const [value, count] of from) change(into, value, count)
  return into
}

/** The value as it is counted, -0 and NaN as a `Map` takes them; throws `TypeError` for what cannot be a key. */
export const canonical = (value: KeyValue | undefined): KeyValue => {
  if (value === undefined) return null
  if ((typeof value === "object" && value !== null) || typeof value === "function" || typeof value === "symbol")
    throw new TypeError(`only text, numbers, booleans and null can be counted as values, not ${typeof value}`)
  return value
}
