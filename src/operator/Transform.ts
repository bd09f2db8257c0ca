/**
 * Steps that look at one event at a time: `map`, `filter`, `flatMap`, and taking raw records out of their columns.
 *
 * - **Emits** what the job's function makes of each event, in order; of a change, what it makes of both of its rows
 * - **Keeps** nothing
 * - **Sets aside** nothing
 * - **Restores** nothing
 * - **Fails with** `StepFailed` where the job's function throws
 *
 * Over changes, a row that no longer passes a filter is taken back (`before` alone), one that newly passes has no
 * `before`, and of a row that passed neither before nor after nothing is said.
 *
 *     events   1   2   3          map n × 10    10  20  30
 *                                 filter n > 1      2   3
 */
import type { SpecOf } from "../flow/Topology.ts"
import type { Change } from "../model/Event.ts"
import { batchRecordsMax } from "../model/Limits.ts"
import type { Batch, Records } from "../model/Message.ts"
import type { Collector, Operator } from "./Operator.ts"
import * as RawBatch from "./RawBatch.ts"
import * as Selection from "./Selection.ts"
import { stepFailed } from "./StepFailure.ts"

export interface Options {
  /** Do rows that replace earlier rows pass this step? */
  readonly changes: boolean
}

export const make = (
  node: { readonly id: string; readonly spec: SpecOf<"map" | "filter" | "flatMap"> },
  options: Options
): Operator => {
  const { id, spec } = node
  switch (spec.kind) {
    case "map":
      return mapping(id, options.changes ? onRows(spec.f as Step) : (spec.f as Step))
    case "filter":
      return filtering(id, spec.predicate as Predicate, options.changes)
    case "flatMap":
      return flattening(id, spec.f as (event: unknown) => Iterable<unknown>)
  }
}

/** Hands on raw records as events. */
export const materialise = (id: string): Operator => operator(id, (batch, out) => out.emit("out", batch))

/** Hands on changes as rows of their own, without their key. */
export const updates = (id: string): Operator =>
  operator(id, (batch, out) => out.emit("out", { ...batch, values: batch.values.map(withoutKey) }))

const withoutKey = (value: unknown): unknown => {
  const { after, before } = value as Change
  if (before === undefined) return { after }
  return after === undefined ? { before } : { before, after }
}

type Step = (event: unknown) => unknown
type Predicate = (event: unknown) => boolean

const operator = (id: string, onBatch: (batch: Batch, out: Collector) => void): Operator => ({
  id,
  onBatch: (message: Batch | Records, out) =>
    onBatch(message._tag === "Records" ? RawBatch.fromRecords(message) : message, out),
  onBarrier: (barrier) => barrier
})

const mapping = (id: string, step: Step): Operator =>
  operator(id, (batch, out) => {
    const values = new Array<unknown>(batch.values.length)
    let i = 0
    try {
      for (; i < values.length; i++) values[i] = step(batch.values[i])
    } catch (error) {
      throw stepFailed(id, batch, batch.offsets[i]!, error)
    }
    out.emit("out", { ...batch, values })
  })

const onRows =
  (step: Step): Step =>
  (event) => {
    const { after, before, key } = event as Change
    if (before === undefined) return after === undefined ? { key } : { key, after: step(after) }
    return after === undefined ? { key, before: step(before) } : { key, before: step(before), after: step(after) }
  }

const filtering = (id: string, predicate: Predicate, changes: boolean): Operator => {
  const passed: Step = changes ? passedRows(predicate) : (event) => (predicate(event) ? event : dropped)
  return operator(id, (batch, out) => {
    const values: Array<unknown> = []
    const indexes: Array<number> = []
    let i = 0
    try {
      for (; i < batch.values.length; i++) {
        const value = passed(batch.values[i])
        if (value === dropped) continue
        values.push(value)
        indexes.push(i)
      }
    } catch (error) {
      throw stepFailed(id, batch, batch.offsets[i]!, error)
    }
    if (values.length === 0) return
    out.emit("out", values.length === batch.values.length ? { ...batch, values } : selected(batch, indexes, values))
  })
}

/** Instead of an event that did not pass. */
const dropped: unique symbol = Symbol("dropped")

const passedRows =
  (predicate: Predicate): Step =>
  (event) => {
    const { after, before, key } = event as Change
    const had = before !== undefined && predicate(before)
    const has = after !== undefined && predicate(after)
    if (had) return has ? event : { key, before }
    return has ? { key, after } : dropped
  }

const flattening = (id: string, step: (event: unknown) => Iterable<unknown>): Operator =>
  operator(id, (batch, out) => {
    let made: Made = { values: [], indexes: [], rows: [] }
    let row = 0
    for (let i = 0; i < batch.values.length; i++) {
      const offset = batch.offsets[i]!
      // Several events of one record stand side by side: their rows are counted on.
      if (i === 0 || batch.offsets[i - 1] !== offset) row = 0
      try {
        for (const value of step(batch.values[i])) {
          made.values.push(value)
          made.indexes.push(i)
          made.rows.push(row++)
          if (made.values.length < batchRecordsMax) continue
          out.emit("out", flattened(batch, made))
          made = { values: [], indexes: [], rows: [] }
        }
      } catch (error) {
        throw stepFailed(id, batch, offset, error)
      }
    }
    if (made.values.length > 0) out.emit("out", flattened(batch, made))
  })

interface Made {
  readonly values: Array<unknown>
  readonly indexes: Array<number>
  readonly rows: Array<number>
}

const flattened = (batch: Batch, made: Made): Batch => ({
  ...selected(batch, made.indexes, made.values),
  rows: Int32Array.from(made.rows)
})

const selected = (batch: Batch, indexes: ReadonlyArray<number>, values: ReadonlyArray<unknown>): Batch => ({
  ...Selection.select({ ...batch, values: [] }, indexes),
  values
})
