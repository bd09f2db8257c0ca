/** Some of a batch's values, with everything that stands beside them. */
import type { Batch } from "../model/Message.ts"

/** The values at `indexes`, in that order, as a batch of the same partition. */
export const select = <A>(batch: Batch<A>, indexes: ReadonlyArray<number>): Batch<A> => ({
  _tag: "Batch",
  origin: batch.origin,
  partition: batch.partition,
  openedAt: batch.openedAt,
  values: indexes.map((index) => batch.values[index]!),
  offsets: doubles(batch.offsets, indexes),
  rows: batch.rows === null ? null : doubles(batch.rows, indexes),
  eventTimes: batch.eventTimes === null ? null : doubles(batch.eventTimes, indexes),
  ownWatermarks: batch.ownWatermarks === null ? null : doubles(batch.ownWatermarks, indexes),
  records: batch.records,
  recordIndexes: batch.recordIndexes === null ? null : integers(batch.recordIndexes, indexes),
  again: batch.again,
  isComplete: batch.isComplete
})

const doubles = (column: Float64Array, indexes: ReadonlyArray<number>): Float64Array => {
  const selected = new Float64Array(indexes.length)
  for (let i = 0; i < indexes.length; i++) selected[i] = column[indexes[i]!]!
  return selected
}

const integers = (column: Int32Array, indexes: ReadonlyArray<number>): Int32Array => {
  const selected = new Int32Array(indexes.length)
  for (let i = 0; i < indexes.length; i++) selected[i] = column[indexes[i]!]!
  return selected
}
