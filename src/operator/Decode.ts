/**
 * Reads the value of each record by a Schema and a codec, and its key where the job wants it.
 *
 * - **Emits** the rows of a batch in the order of their records, with the raw records beside them
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
  const parts = partsOf(spec)
  let deadLetters = 0

  const readAll = (message: Batch | Records): Decoded => {
    const decoded: Decoded = { values: [], indexes: [], invalid: [], invalidIndexes: [] }
    const spans = spansOf(message)
    const readRow = rowReader(parts, message, spans)
    for (let i = 0; i < spans.count; i++) {
      try {
        decoded.values.push(readRow(i))
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
    prepare: prepareOf(parts),
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

/** Readers of the parts of a record. */
interface Parts {
  readonly value: Codec.Reader<unknown, unknown, unknown>
  readonly key: KeyReader | null
}

interface KeyReader extends Codec.Reader<unknown, unknown, unknown> {
  /** Does the Schema take a record without a key? */
  readonly takesNull: boolean
}

const partsOf = ({ key, value }: SpecOf<"decode">): Parts => ({
  value: value.codec.reader(value.schema),
  key: key === null ? null : { ...key.codec.reader(key.schema), takesNull: Codec.takesNull(key.schema) }
})

/** Where the parts of each record stand. */
interface Spans {
  readonly bytesOf: (part: keyof Parts, index: number) => Uint8Array
  /** Negative: the record has no such part. */
  readonly startOf: (part: keyof Parts, index: number) => number
  readonly endOf: (part: keyof Parts, index: number) => number
  readonly count: number
}

const spansOf = (message: Batch | Records): Spans => {
  if (message._tag === "Batch") {
    const partAt = (part: keyof Parts, i: number): Uint8Array | null => (message.values[i] as RawEvent)[part]
    return {
      bytesOf: (part, i) => partAt(part, i) ?? nothing,
      startOf: (part, i) => (partAt(part, i) === null ? -1 : 0),
      endOf: (part, i) => partAt(part, i)?.length ?? 0,
      count: message.values.length
    }
  }
  const { bytes, count, keyEnds, keyStarts, valueEnds, valueStarts } = message.records
  return {
    bytesOf: () => bytes,
    startOf: (part, i) => (part === "key" ? keyStarts : valueStarts)[i]!,
    endOf: (part, i) => (part === "key" ? keyEnds : valueEnds)[i]!,
    count
  }
}

const nothing = new Uint8Array(0)

/** Reads record `i` of a batch. */
const rowReader = ({ key, value }: Parts, message: Batch | Records, spans: Spans): ((i: number) => unknown) => {
  if (key === null && message._tag === "Records") {
    const { bytes, valueEnds, valueStarts } = message.records
    return (i) => value.read(bytes, valueStarts[i]!, valueEnds[i]!)
  }
  const readValue = (i: number): unknown =>
    value.read(spans.bytesOf("value", i), spans.startOf("value", i), spans.endOf("value", i))
  if (key === null) return readValue
  return (i) => ({ key: within("key", () => readKey(key, spans, i)), value: within("value", () => readValue(i)) })
}

const readKey = (key: KeyReader, spans: Spans, i: number): unknown => {
  const start = spans.startOf("key", i)
  if (start >= 0) return key.read(spans.bytesOf("key", i), start, spans.endOf("key", i))
  if (key.takesNull) return null
  throw new Codec.Undecodable("the record has none", 0)
}

const within = (part: keyof Parts, read: () => unknown): unknown => {
  try {
    return read()
  } catch (error) {
    throw error instanceof Codec.Undecodable ? error.within(part) : error
  }
}

/** What both parts need before a batch is read. */
const prepareOf = (parts: Parts): Operator["prepare"] => {
  const needing = (["value", "key"] as const).flatMap((part) => {
    const prepare = parts[part]?.prepare
    return prepare === undefined ? [] : [{ part, prepare }]
  })
  if (needing.length === 0) return undefined
  return (message) => {
    const spans = spansOf(message)
    return Codec.inTurn(
      needing.map(({ part, prepare }) =>
        prepare((see) => {
          for (let i = 0; i < spans.count; i++) {
            const start = spans.startOf(part, i)
            if (start >= 0) see(spans.bytesOf(part, i), start, spans.endOf(part, i))
          }
        })
      )
    )
  }
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
