/**
 * Row frames: aggregates over the row of an event and the rows of its key before it.
 *
 *     Frame.rows(20, Aggregate.avg((day) => day.close))       rows −20..0: 21 rows, fewer at the start
 */
import * as Limits from "../model/Limits.ts"
import type { Aggregate } from "./Aggregate.ts"

export interface Frame<in A, out B> {
  /** Rows before the current one that it takes in. */
  readonly before: number
  /** With fewer rows, the current one counted, there is no result: it is `null`. */
  readonly minRows: number
  readonly aggregate: Aggregate<A, any, unknown>
  /** Types only. */
  readonly result?: B
}

/**
 * The current row and the `before` rows of its key before it: `before + 1` rows, fewer at the start. `minRows`: with
 * fewer, the current one counted, the result is `null`; default 1.
 *
 * An aggregate with `remove` slides, whatever its frame's size; any other is computed anew over the frame for each
 * row. Throws `RangeError` for what is no number of rows from 0 to `Limits.frameRowsMax`.
 */
export const rows: {
  <A, B>(before: number, aggregate: Aggregate<A, any, B>): Frame<A, B>
  <A, B>(before: number, aggregate: Aggregate<A, any, B>, options: { readonly minRows: number }): Frame<A, B | null>
} = <A, B>(
  before: number,
  aggregate: Aggregate<A, any, B>,
  options?: { readonly minRows: number }
): Frame<A, never> => {
  const minRows = options?.minRows ?? 1
  if (!Number.isInteger(before) || before < 0 || before > Limits.frameRowsMax)
    throw new RangeError(`A frame takes 0 to ${Limits.frameRowsMax} rows before the current one, not ${before}`)
  if (!Number.isInteger(minRows) || minRows < 1 || minRows > before + 1)
    throw new RangeError(`A frame of ${before + 1} rows cannot ask for ${minRows} rows at least`)
  return { before, minRows, aggregate }
}

/** As the drawing shows it: `-20..0`. */
export const format = (frame: Frame<never, unknown>): string =>
  `${frame.before === 0 ? "0" : `-${frame.before}`}..0${frame.minRows > 1 ? `, at least ${frame.minRows} rows` : ""}`
