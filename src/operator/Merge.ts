/**
 * Lets several flows go on as one.
 *
 * - **Emits** every batch of every input as it came. Where only some inputs carry changes, an event of the others is
 *   the change that brings its row
 * - **Keeps** nothing
 * - **Sets aside** nothing
 * - **Passes on** the lowest watermark of its inputs, of which idle ones are left out
 * - **Restores** nothing
 * - **Fails with** nothing
 *
 *     cards ──1───2─────3──
 *     cash  ────a────b─────     merge ──1─a─2──b─3──
 */
import type { Change } from "../model/Event.ts"
import type { Batch, Records } from "../model/Message.ts"
import type { Operator } from "./Operator.ts"
import * as RawBatch from "./RawBatch.ts"

export const make = (options: {
  readonly id: string
  /** Of each input: does it carry changes? */
  readonly changes: ReadonlyArray<boolean>
}): Operator => {
  const { changes, id } = options
  const isMixed = changes.includes(true) && changes.includes(false)
  return {
    id,
    onBatch: (message: Batch | Records, out, input) => {
      const batch = message._tag === "Records" ? RawBatch.fromRecords(message) : message
      out.emit("out", isMixed && !changes[input] ? { ...batch, values: batch.values.map(brought) } : batch)
    },
    onBarrier: (barrier) => barrier
  }
}

/** Rows of events are never replaced, so their changes need no key. */
const brought = (row: unknown): Change => ({ key: null, after: row })
