/**
 * Lets several flows go on as one.
 *
 * - **Emits** every batch of every input as it came. Where only some inputs carry changes, an event of the others is
 *   the change that brings its row. Where inputs share a source, or a step that makes rows, their row numbers are
 *   spread, so that no two rows have one place: `row * inputs + input`
 * - **Keeps** nothing
 * - **Sets aside** nothing
 * - **Passes on** the lowest watermark of its inputs, of which idle ones are left out
 * - **Restores** nothing
 * - **Fails with** `StepFailed` where a row number would reach 2^53: only behind many `flatMap`s
 *
 *     cards ──1───2─────3──
 *     cash  ────a────b─────     merge ──1─a─2──b─3──
 */
import { StepFailed } from "../model/Errors.ts"
import type { Change } from "../model/Event.ts"
import type { Batch, Records } from "../model/Message.ts"
import type { Operator } from "./Operator.ts"
import * as RawBatch from "./RawBatch.ts"

export const make = (options: {
  readonly id: string
  /** Of each input: does it carry changes? */
  readonly changes: ReadonlyArray<boolean>
  /** Can rows of one place come by several inputs? */
  readonly sharesPlaces: boolean
}): Operator => {
  const { changes, id, sharesPlaces } = options
  const isMixed = changes.includes(true) && changes.includes(false)
  return {
    id,
    onBatch: (message: Batch | Records, out, input) => {
      const batch = message._tag === "Records" ? RawBatch.fromRecords(message) : message
      const values = isMixed && !changes[input] ? batch.values.map(brought) : batch.values
      const rows = sharesPlaces ? spread(id, batch, changes.length, input) : batch.rows
      out.emit("out", { ...batch, values, rows })
    },
    onBarrier: (barrier) => barrier
  }
}

/** Row numbers that no other input has: in the order that they had, those of one number in the order of inputs. */
const spread = (step: string, batch: Batch, inputs: number, input: number): Float64Array => {
  const { rows } = batch
  const spreadRows = new Float64Array(batch.values.length).fill(input)
  if (rows === null) return spreadRows
  for (let i = 0; i < spreadRows.length; i++) {
    const row = rows[i]! * inputs + input
    if (row > Number.MAX_SAFE_INTEGER) throw tooDeep(step, batch, i)
    spreadRows[i] = row
  }
  return spreadRows
}

const tooDeep = (step: string, { offsets, origin: source, partition }: Batch, index: number): StepFailed =>
  new StepFailed({
    step,
    source,
    partition,
    offset: offsets[index]!,
    message: `Step '${step}' failed at ${source}, partition ${partition}, offset ${offsets[index]}: the number of a row of it would reach 2^53`,
    hint: "Too many Flow.flatMap and Flow.merge stand behind each other: let one Flow.flatMap do what several do, or use Flow.map and Flow.filter."
  })

/** Rows of events are never replaced, so their changes need no key. */
const brought = (row: unknown): Change => ({ key: null, after: row })
