/**
 * Reads the value of each record by a Schema.
 *
 * - **Emits** the values of a batch in the order of their records, with the raw records beside them
 * - **Keeps** nothing
 * - **Sets aside** records that the Schema refuses, on `invalid`, with a copy of their bytes and the cause
 * - **Restores** nothing
 * - **Fails with** `RecordUnusable` where the job has no `invalid` sink, `StepFailed` if a function of the Schema throws
 *
 *     records  {"n":1}  {"n":"x"}  {"n":2}      emits  1  2      invalid  {"n":"x"}: n: expected a number
 */
import * as Codec from "../flow/Codec.ts"
import type { SpecOf } from "../flow/Topology.ts"
import { RecordUnusable } from "../model/Errors.ts"
import { type Invalid, type RawEvent, rawEventAt } from "../model/Event.ts"
import type { Batch, Records } from "../model/Message.ts"
import type { Operator } from "./Operator.ts"
import * as RawBatch from "./RawBatch.ts"
import * as Selection from "./Selection.ts"
import { stepFailed } from "./StepFailure.ts"

export const make = (node: { readonly id: string; readonly spec: SpecOf<"decode"> }): Operator => {
  const { id, spec } = node
  const reader = Codec.compile(spec.schema)
  let deadLetters = 0

  const readAll = (message: Batch | Records): Decoded => {
    const decoded: Decoded = { values: [], indexes: [], invalid: [], invalidIndexes: [] }
    const count = message._tag === "Records" ? message.records.count : message.values.length
    const read = message._tag === "Records" ? recordReader(reader, message) : eventReader(reader, message)
    for (let i = 0; i < count; i++) {
      try {
        decoded.values.push(read(i))
        decoded.indexes.push(i)
      } catch (error) {
        decoded.invalid.push(refusal(message, i, error))
        decoded.invalidIndexes.push(i)
      }
    }
    return decoded
  }

  /** What is set aside of a record that cannot be decoded; throws where the job keeps no such thing. */
  const refusal = (message: Batch | Records, index: number, error: unknown): Invalid => {
    const event = eventAt(message, index)
    if (!(error instanceof Codec.Undecodable)) {
      throw stepFailed(id, { origin: message.origin, partition: event.partition }, event.offset, error)
    }
    if (spec.invalid === null) throw unusable(id, message.origin, event, error.message)
    return { event: copyOf(event), step: id, reason: "undecodable", cause: error.message }
  }

  return {
    id,
    onBatch: (message, out) => {
      const { indexes, invalid, invalidIndexes, values } = readAll(message)
      const columns = message._tag === "Records" ? RawBatch.columnsOf(message) : message
      if (invalid.length === 0) {
        if (values.length > 0) out.emit("out", { ...columns, values })
        return
      }
      deadLetters += invalid.length
      const all: Batch = { ...columns, values: [] }
      if (values.length > 0) out.emit("out", { ...Selection.select(all, indexes), values })
      const aside = Selection.select(all, invalidIndexes)
      out.emit("invalid", { ...aside, values: invalid, records: null, recordIndexes: null })
    },
    onBarrier: (barrier) => barrier,
    counts: () => ({ deadLetters })
  }
}

interface Decoded {
  readonly values: Array<unknown>
  readonly indexes: Array<number>
  readonly invalid: Array<Invalid>
  readonly invalidIndexes: Array<number>
}

const recordReader = (reader: Codec.Reader<unknown>, { records }: Records): ((index: number) => unknown) => {
  const { bytes, valueEnds, valueStarts } = records
  return (i) => reader.read(bytes, valueStarts[i]!, valueEnds[i]!)
}

const eventReader =
  (reader: Codec.Reader<unknown>, batch: Batch): ((index: number) => unknown) =>
  (i) => {
    const { value } = batch.values[i] as RawEvent
    return reader.read(value, 0, value.length)
  }

const eventAt = (message: Batch | Records, index: number): RawEvent =>
  message._tag === "Records" ? rawEventAt(message.records, index) : (message.values[index] as RawEvent)

/** A dead letter outlives its batch, so it must not hold the batch's buffer. */
const copyOf = (event: RawEvent): RawEvent => ({
  ...event,
  key: event.key === null ? null : event.key.slice(),
  value: event.value.slice()
})

const unusable = (step: string, origin: string, event: RawEvent, cause: string): RecordUnusable =>
  new RecordUnusable({
    step,
    source: origin,
    partition: event.partition,
    offset: event.offset,
    message: `Step '${step}': the record at ${origin}, partition ${event.partition}, offset ${event.offset} cannot be decoded: ${cause}`,
    hint: "Give Flow.decode an `invalid` sink, such as Topic.deadLetter(…): it keeps such records with their cause, and the job goes on."
  })
