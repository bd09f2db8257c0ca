/** Rows of results as batches: one for each key group, with places that are the same at every replay. */
import type { Barrier, Batch } from "../model/Message.ts"
import type { AggregateEntry } from "./AggregateEntry.ts"
import type { Collector } from "./Operator.ts"

export interface ResultRows<E> {
  /** Id of the step. */
  readonly origin: string
  readonly barrier: Barrier
  /** The order in which rows leave. */
  readonly compare: (left: E, right: E) => number
  /** What leaves of an entry; `null`: nothing. */
  readonly valueOf: (entry: E) => unknown
  /** Of rows that have an event time. */
  readonly times: {
    readonly of: (entry: E) => number
    /** The watermark that was passed on at the barrier before this one: no row of the step is below it. */
    readonly watermark: number
  } | null
}

/** Emits the rows of entries, the key groups in order, each sorted; from then on the entries count as emitted. */
export const emit = <E extends AggregateEntry>(
  out: Collector,
  entries: ReadonlyArray<E>,
  rows: ResultRows<E>
): void => {
  for (const [keyGroup, sorted] of inOrder(entries, rows.compare)) {
    const values: Array<unknown> = []
    const times: Array<number> = []
    for (const entry of sorted) {
      const value = rows.valueOf(entry)
      entry.emitted = true
      entry.before = null
      if (value === null) continue
      values.push(value)
      if (rows.times !== null) times.push(rows.times.of(entry))
    }
    if (values.length > 0) out.emit("out", batchOf(keyGroup, values, times, rows))
  }
}

/** Entries by key group, the groups in order, each sorted. */
const inOrder = <E extends AggregateEntry>(
  entries: ReadonlyArray<E>,
  compare: (left: E, right: E) => number
): ReadonlyArray<readonly [keyGroup: number, sorted: ReadonlyArray<E>]> => {
  const groups = new Map<number, Array<E>>()
  for (const entry of entries) {
    const group = groups.get(entry.keyGroup)
    if (group === undefined) groups.set(entry.keyGroup, [entry])
    else group.push(entry)
  }
  for (const group of groups.values()) group.sort(compare)
  return [...groups].sort((left, right) => left[0] - right[0])
}

const batchOf = <E>(
  keyGroup: number,
  values: ReadonlyArray<unknown>,
  times: ReadonlyArray<number>,
  { barrier, origin, times: timed }: ResultRows<E>
): Batch => ({
  _tag: "Batch",
  origin,
  partition: keyGroup,
  openedAt: barrier.openedAt,
  values,
  offsets: new Float64Array(values.length).fill(barrier.epoch),
  rows: Float64Array.from(values, (_, index) => index),
  eventTimes: timed === null ? null : Float64Array.from(times),
  ownWatermarks: timed === null ? null : new Float64Array(values.length).fill(timed.watermark),
  records: null,
  recordIndexes: null
})
