/** Batches of rows that a step makes at a barrier, with places that are the same at every replay. */
import type { Barrier, Batch } from "../model/Message.ts"

export interface Made {
  /** Id of the step. */
  readonly origin: string
  readonly partition: number
  readonly barrier: Barrier
  readonly values: ReadonlyArray<unknown>
  /** Where among the rows of its partition and barrier its first row stands. */
  readonly from: number
  /** Of rows that have an event time: it, and the watermark that was passed on at the barrier before this one. */
  readonly times: { readonly of: ReadonlyArray<number>; readonly watermark: number } | null
}

/** A row's place is the epoch, as its offset, and where it stands, as its row. */
export const make = ({ barrier, from, origin, partition, times, values }: Made): Batch => {
  const count = values.length
  const rows = new Float64Array(count)
  for (let i = 0; i < count; i++) rows[i] = from + i
  return {
    _tag: "Batch",
    origin,
    partition,
    openedAt: barrier.openedAt,
    values,
    offsets: new Float64Array(count).fill(barrier.epoch),
    rows,
    eventTimes: times === null ? null : new Float64Array(times.of),
    ownWatermarks: times === null ? null : new Float64Array(count).fill(times.watermark),
    records: null,
    recordIndexes: null
  }
}
