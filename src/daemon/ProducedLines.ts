/** JSON lines on their way into a topic: one record a line, its key and partition decided as Kafka's producers do. */
import type { ProducedRecord } from "../flow/Topics.ts"
import { kafkaPartition } from "../model/Key.ts"

export interface LineOptions {
  /** The field that holds the key. A line without it, or that is no JSON object, has no key. */
  readonly key?: string | undefined
  /** Where all records go, whatever their key. */
  readonly partition?: number | undefined
  readonly partitions: number
  /** Where records without a key go: round robin by batch is the caller's to count. */
  readonly keyless: number
}

/** The records of the lines, by partition, in the order of the lines. Empty lines are passed over. */
export const recordsOf = (
  lines: Uint8Array,
  options: LineOptions
): ReadonlyMap<number, ReadonlyArray<ProducedRecord>> => {
  const records = new Map<number, Array<ProducedRecord>>()
  for (const value of splitLines(lines)) {
    const key = options.key === undefined ? null : keyOf(value, options.key)
    const partition = options.partition ?? (key === null ? options.keyless : kafkaPartition(key, options.partitions))
    const sofar = records.get(partition)
    if (sofar === undefined) records.set(partition, [{ key, value, headers: [] }])
    else sofar.push({ key, value, headers: [] })
  }
  return records
}

/** The bytes of a field of one JSON object: text as UTF-8, a number by its digits as they stand. */
const keyOf = (line: Uint8Array, field: string): Uint8Array | null => {
  const text = decoder.decode(line)
  let value: unknown
  try {
    const parsed: unknown = JSON.parse(text)
    value =
      typeof parsed === "object" && parsed !== null && Object.hasOwn(parsed, field) ? (parsed as never)[field] : null
  } catch {
    return null
  }
  if (value === null) return null
  if (typeof value === "string") return encoder.encode(value)
  if (typeof value === "number") return encoder.encode(digitsOf(text, field, value))
  return encoder.encode(JSON.stringify(value))
}

const decoder = new TextDecoder()
const encoder = new TextEncoder()
const lineFeed = 10
const carriageReturn = 13

/** Views of the lines, without line ends. */
const splitLines = (bytes: Uint8Array): ReadonlyArray<Uint8Array> => {
  const lines: Array<Uint8Array> = []
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(lineFeed, start)
    const end = found === -1 ? bytes.length : found
    const trimmed = end > start && bytes[end - 1] === carriageReturn ? end - 1 : end
    const line = bytes.subarray(start, trimmed)
    if (line.some((byte) => byte > 32)) lines.push(line)
    start = end + 1
  }
  return lines
}

// A number above 2^53 would lose digits in `JSON.parse`, and with them the key: its digits are taken from the text.
const digitsOf = (text: string, field: string, value: number): string => {
  if (Number.isSafeInteger(value)) return String(value)
  const name = JSON.stringify(field).replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
  const spellings = [...text.matchAll(new RegExp(`${name}\\s*:\\s*(-?[0-9][0-9.eE+-]*)`, "g"))].map(
    (match) => match[1]!
  )
  return spellings.findLast((digits) => Number(digits) === value) ?? String(value)
}
