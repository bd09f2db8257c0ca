/** Raw records, taken out of their columns for a step that looks at them one by one. */
import { type RawEvent, rawEventAt } from "../model/Event.ts"
import type { Batch, Records } from "../model/Message.ts"

/** One raw event for each record: views of its bytes, not copies. */
export const fromRecords = (message: Records): Batch<RawEvent> => {
  const { records } = message
  return { ...columnsOf(message), values: Array.from({ length: records.count }, (_, i) => rawEventAt(records, i)) }
}

/** What stands beside the records, if each becomes one value. */
export const columnsOf = (message: Records): Omit<Batch<never>, "values"> => {
  const { records } = message
  const recordIndexes = new Int32Array(records.count)
  for (let i = 0; i < records.count; i++) recordIndexes[i] = i
  return {
    _tag: "Batch",
    origin: message.origin,
    partition: records.partition,
    openedAt: message.openedAt,
    offsets: records.offsets.subarray(0, records.count),
    rows: null,
    eventTimes: null,
    ownWatermarks: null,
    records,
    recordIndexes,
    again: message.again
  }
}
