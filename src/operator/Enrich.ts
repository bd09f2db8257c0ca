/**
 * Puts to each event the row of a lookup that has its key.
 *
 * - **Emits** what `into` makes of the event and its row, with the event's time; of an event without a row, `left`
 *   what it makes of the event and `null`, `inner` nothing. Of a change, what it makes of both of its rows
 * - **Keeps** nothing: the version of the lookup stands in the barrier, and takes effect for the events after it
 * - **Sets aside** nothing
 * - **Restores** the version that the last manifest, or the first intent above it, names
 * - **Fails with** `StepFailed` where a function of the job throws
 *
 *     shops   v1 ────────────────│ v2 ──────────
 *     orders  ──o1────o2─────────│──o3────        (o1, v1) (o2, v1) (o3, v2)
 *                              barrier
 */
import type { SpecOf } from "../flow/Topology.ts"
import type { Change } from "../model/Event.ts"
import type { Batch, Records } from "../model/Message.ts"
import { type LookupTable, type LookupTables, readerOf } from "./LookupTable.ts"
import type { Operator } from "./Operator.ts"
import * as RawBatch from "./RawBatch.ts"
import * as Selection from "./Selection.ts"
import { stepFailed } from "./StepFailure.ts"

export interface Options {
  /** Do rows that replace earlier rows pass this step? */
  readonly changes: boolean
  readonly tables: LookupTables
}

type Key = (event: unknown) => unknown
type Into = (event: unknown, found: unknown) => unknown

/** Instead of an event that finds no row. */
const dropped: unique symbol = Symbol("dropped")

export const make = (node: { readonly id: string; readonly spec: SpecOf<"enrich"> }, options: Options): Operator => {
  const { id, spec } = node
  const { lookup } = spec
  const keyOf = spec.key as Key
  const into = spec.into as Into
  const isInner = spec.type === "inner"
  const reader = readerOf(lookup.key)
  const counts = { found: 0, notFound: 0 }
  // An operator may be made only to be asked what it keeps: no version is at hand then.
  let table: LookupTable | null = null

  const enriched = (event: unknown): unknown => {
    const hash = reader.read(keyOf(event) as never)
    const row = table!.find(hash, reader.columns)
    if (row !== undefined) {
      counts.found++
      return into(event, row)
    }
    counts.notFound++
    return isInner ? dropped : into(event, null)
  }
  const step = options.changes ? onRows(enriched) : enriched
  return {
    id,
    onBatch: (message: Batch | Records, out) => {
      const batch = message._tag === "Records" ? RawBatch.fromRecords(message) : message
      table ??= options.tables.first(lookup.name)
      const values: Array<unknown> = []
      const indexes: Array<number> = []
      let i = 0
      try {
        for (; i < batch.values.length; i++) {
          const value = step(batch.values[i])
          if (value === dropped) continue
          values.push(value)
          indexes.push(i)
        }
      } catch (error) {
        throw stepFailed(id, batch, batch.offsets[i]!, error)
      }
      if (values.length === 0) return
      const whole = values.length === batch.values.length
      out.emit("out", whole ? { ...batch, values } : { ...Selection.select({ ...batch, values: [] }, indexes), values })
    },
    onBarrier: (barrier) => {
      const version = barrier.lookups?.[lookup.name]
      if (version !== undefined && version !== table?.version) table = options.tables.of(lookup.name, version)
      return barrier
    },
    counts: () => ({ ...counts, lookupRows: table?.size ?? 0 })
  }
}

/** A change of which one row finds nothing takes that row back, or brings it; one of which neither does is dropped. */
const onRows =
  (enriched: (row: unknown) => unknown) =>
  (event: unknown): unknown => {
    const { after, before, key } = event as Change
    const left = before === undefined ? dropped : enriched(before)
    const right = after === undefined ? dropped : enriched(after)
    if (left === dropped) return right === dropped ? dropped : { key, after: right }
    return right === dropped ? { key, before: left } : { key, before: left, after: right }
  }
