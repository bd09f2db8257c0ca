/** Rows of windows as batches: one for each key group, with places that are the same at every replay. */
import type { Barrier, Batch } from "../model/Message.ts"
import { compare, type WindowEntry } from "./WindowEntry.ts"

/** Entries by key group, the groups in order, each sorted by key and window. */
export const inOrder = (
  entries: ReadonlyArray<WindowEntry>
): ReadonlyArray<readonly [keyGroup: number, sorted: ReadonlyArray<WindowEntry>]> => {
  const groups = new Map<number, Array<WindowEntry>>()
  for (const entry of entries) {
    const group = groups.get(entry.keyGroup)
    if (group === undefined) groups.set(entry.keyGroup, [entry])
    else group.push(entry)
  }
  for (const group of groups.values()) group.sort(compare)
  return [...groups].sort((left, right) => left[0] - right[0])
}

/** Rows of one key group as a batch. A row's event time is the last millisecond of its window. */
export const batchOf = <A>(rows: {
  /** Id of the step. */
  readonly origin: string
  readonly keyGroup: number
  readonly barrier: Barrier
  /** The watermark that was passed on at the barrier before this one: no row of the step is below it. */
  readonly watermark: number
  readonly values: ReadonlyArray<A>
  /** The end of each row's window. */
  readonly ends: ReadonlyArray<number>
}): Batch<A> => ({
  _tag: "Batch",
  origin: rows.origin,
  partition: rows.keyGroup,
  openedAt: rows.barrier.openedAt,
  values: rows.values,
  offsets: new Float64Array(rows.values.length).fill(rows.barrier.epoch),
  rows: Int32Array.from(rows.values, (_, index) => index),
  eventTimes: Float64Array.from(rows.ends, (end) => end - 1),
  ownWatermarks: new Float64Array(rows.values.length).fill(rows.watermark),
  records: null,
  recordIndexes: null
})
