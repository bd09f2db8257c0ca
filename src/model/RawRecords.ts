/** Raw events as the columns of a batch: over one buffer, each at its own place. */
import type { RawEvent, RecordBatch } from "./Event.ts"

/** A batch of these events, which are of one partition and in the order of their offsets. */
export const fromEvents = (partition: number, events: ReadonlyArray<RawEvent>): RecordBatch => {
  const count = events.length
  const batch = {
    partition,
    count,
    offsets: Float64Array.from(events, ({ offset }) => offset),
    timestamps: Float64Array.from(events, ({ timestamp }) => timestamp),
    bytes: new Uint8Array(events.reduce((sum, { key, value }) => sum + (key?.length ?? 0) + value.length, 0)),
    valueStarts: new Int32Array(count),
    valueEnds: new Int32Array(count),
    keyStarts: new Int32Array(count).fill(-1),
    keyEnds: new Int32Array(count).fill(-1),
    nextOffset: count === 0 ? 0 : events[count - 1]!.offset + 1
  }
  let at = 0
  for (const [i, { key, value }] of events.entries()) {
    if (key !== null) {
      batch.bytes.set(key, at)
      batch.keyStarts[i] = at
      at += key.length
      batch.keyEnds[i] = at
    }
    batch.bytes.set(value, at)
    batch.valueStarts[i] = at
    at += value.length
    batch.valueEnds[i] = at
  }
  return batch
}
