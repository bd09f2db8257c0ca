/** Messages for tests of operators, and what an operator makes of them. */
import type { RecordBatch } from "../../src/model/Event.ts"
import type { Batch, Records } from "../../src/model/Message.ts"
import type { Operator, Port } from "../../src/operator/Operator.ts"

/** Records of partition 3 with every second offset from 10, and times from 1000. */
export const recordsOf = (
  values: ReadonlyArray<string>,
  keys: ReadonlyArray<string> = []
): Records & { readonly records: RecordBatch } => {
  const encoder = new TextEncoder()
  const texts = values.map((value, i) => [encoder.encode(keys[i] ?? ""), encoder.encode(value)] as const)
  const bytes = new Uint8Array(texts.reduce((size, [key, value]) => size + key.length + value.length, 0))
  const columns = [0, 1, 2, 3].map(() => new Int32Array(values.length)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array
  ]
  const [keyStarts, keyEnds, valueStarts, valueEnds] = columns
  let at = 0
  texts.forEach(([key, value], i) => {
    keyStarts[i] = keys[i] === undefined ? -1 : at
    bytes.set(key, at)
    at += key.length
    keyEnds[i] = valueStarts[i] = at
    bytes.set(value, at)
    at += value.length
    valueEnds[i] = at
  })
  const offsets = Float64Array.from(values, (_, i) => 10 + 2 * i)
  const timestamps = Float64Array.from(values, (_, i) => 1000 + i)
  const count = values.length
  return {
    _tag: "Records",
    origin: "orders",
    openedAt: 77,
    records: {
      partition: 3,
      count,
      offsets,
      timestamps,
      bytes,
      valueStarts,
      valueEnds,
      keyStarts,
      keyEnds,
      nextOffset: 10 + 2 * count
    }
  }
}

/** Values of partition 3 at the given offsets. */
export const batchOf = <A>(
  values: ReadonlyArray<A>,
  offsets: ReadonlyArray<number>,
  rows: ReadonlyArray<number> | null = null
): Batch<A> => ({
  _tag: "Batch",
  origin: "orders",
  partition: 3,
  openedAt: 77,
  values,
  offsets: Float64Array.from(offsets),
  rows: rows === null ? null : Float64Array.from(rows),
  eventTimes: Float64Array.from(offsets, (offset) => offset * 100),
  ownWatermarks: Float64Array.from(offsets, (offset) => offset * 100 - 5),
  records: null,
  recordIndexes: null
})

/** What an operator emits for a message, in order. */
export const collect = (
  operator: Operator,
  message: Batch | Records
): ReadonlyArray<Batch & { readonly port: Port }> => {
  const emitted: Array<Batch & { readonly port: Port }> = []
  operator.onBatch(message, { emit: (port, batch) => emitted.push({ ...batch, port }) }, 0)
  return emitted
}
