/**
 * Steps that look at one event at a time: `map`, `filter`, `flatMap`, and taking raw records out of their columns.
 *
 * - **Emits** what the job's function makes of each event, in order; of a change, what it makes of both of its rows
 * - **Keeps** nothing
 * - **Sets aside** nothing
 * - **Restores** nothing
 * - **Fails with** `StepFailed` where the job's function throws, or `flatMap` makes too many rows of one event that is
 *   itself one of several rows
 *
 * Over changes, a row that no longer passes a filter is taken back (`before` alone), one that newly passes has no
 * `before`, and of a row that passed neither before nor after nothing is said.
 *
 * `flatMap` numbers the rows of a record: of the record's only row by their index, of others by
 * `row * Limits.rowsOfEventMax + index`, so that a row has one number however batches were cut.
 *
 *     events   1   2   3          map n × 10    10  20  30
 *                                 filter n > 1      2   3
 */
import type { SpecOf } from "../flow/Topology.ts"
import { StepFailed } from "../model/Errors.ts"
import type { Change } from "../model/Event.ts"
import { batchRecordsMax, rowsOfEventMax } from "../model/Limits.ts"
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
    for (let i = 0; i < batch.values.length; i++) {
      const first = batch.rows === null ? 0 : batch.rows[i]! * rowsOfEventMax
      const rowsMax = batch.rows === null ? Number.MAX_SAFE_INTEGER : Math.min(rowsOfEventMax, rowsAbove(first))
      let index = 0
      try {
        for (const value of step(batch.values[i])) {
          if (index >= rowsMax) throw tooManyRows(id, batch, i, index)
          made.values.push(value)
          made.indexes.push(i)
          made.rows.push(first + index++)
          if (made.values.length < batchRecordsMax) continue
          out.emit("out", flattened(batch, made))
          made = { values: [], indexes: [], rows: [] }
        }
      } catch (error) {
        throw stepFailed(id, batch, batch.offsets[i]!, error)
      }
    }
    if (made.values.length > 0) out.emit("out", flattened(batch, made))
  })

/** Whole numbers from `first` on that are exact. */
const rowsAbove = (first: number): number => Number.MAX_SAFE_INTEGER - first + 1

const tooManyRows = (step: string, batch: Batch, i: number, index: number): StepFailed => {
  const { origin: source, partition } = batch
  const offset = batch.offsets[i]!
  const isWide = index >= rowsOfEventMax
  return new StepFailed({
    step,
    source,
    partition,
    offset,
    message: `Step '${step}' failed at ${source}, partition ${partition}, offset ${offset}: ${isWide ? `it makes more than ${rowsOfEventMax} rows of one event that is one of several rows of its record` : "the number of a row of it would reach 2^53"}`,
    hint: isWide
      ? "Let the first Flow.flatMap of the flow make all rows of a record: it may make as many as it likes."
      : "Too many Flow.flatMap and Flow.merge stand behind each other: let one Flow.flatMap do what several do, or use Flow.map and Flow.filter."
  })
}

interface Made {
  readonly values: Array<unknown>
  readonly indexes: Array<number>
  readonly rows: Array<number>
}

const flattened = (batch: Batch, made: Made): Batch => ({
  ...selected(batch, made.indexes, made.values),
  rows: Float64Array.from(made.rows)
})

const selected = (batch: Batch, indexes: ReadonlyArray<number>, values: ReadonlyArray<unknown>): Batch => ({
  ...Selection.select({ ...batch, values: [] }, indexes),
  values
})
