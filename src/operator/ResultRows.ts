/** Rows of results as batches: one for each key group, with places that are the same at every replay. */
import type { Barrier } from "../model/Message.ts"
import type { AggregateEntry } from "./AggregateEntry.ts"
import * as MadeBatch from "./MadeBatch.ts"
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
  const { barrier, origin, times: timed } = rows
  for (const [partition, sorted] of inOrder(entries, rows.compare)) {
    const values: Array<unknown> = []
    const times: Array<number> = []
    for (const entry of sorted) {
      const value = rows.valueOf(entry)
      entry.emitted = true
      entry.before = null
      if (value === null) continue
      values.push(value)
      if (timed !== null) times.push(timed.of(entry))
    }
    if (values.length === 0) continue
    const of = timed === null ? null : { of: times, watermark: timed.watermark }
    out.emit("out", MadeBatch.make({ origin, partition, barrier, values, from: 0, times: of }))
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
