/**
 * Values as PostgreSQL's wire wants them, by the type of the parameter.
 *
 * Arrays go in binary: the server then parses no digits and no quotes, which is most of what a bulk statement costs it
 * otherwise. What has no binary form here goes as text, which every type understands.
 */
import type { SqlValue } from "../../flow/Tables.ts"

/** Object ids of element types, by object id of their array types. They are fixed for ever. */
const elementOf: Readonly<Record<number, number>> = {
  1000: 16, // boolean
  1001: 17, // bytea
  1005: 21, // smallint
  1007: 23, // integer
  1009: 25, // text
  1015: 1043, // varchar
  1016: 20, // bigint
  1022: 701, // double precision
  1185: 1184, // timestamptz
  1231: 1700, // numeric
  3807: 3802 // jsonb
}

/** One parameter: text, or bytes in the binary form of its type. */
export const encode = (type: number, value: Exclude<SqlValue, null>): string | Uint8Array => {
  if (!isArray(value)) return value instanceof Uint8Array && type === 17 ? value : textOf(type, value)
  const element = elementOf[type]
  if (element === undefined) return literal(0, value)
  return binaryArray(element, value) ?? literal(element, value)
}

const isArray = (value: SqlValue): value is ReadonlyArray<SqlValue> => Array.isArray(value)

// Text

const textOf = (type: number, value: Exclude<SqlValue, null>): string => {
  switch (typeof value) {
    case "string":
      return value
    case "number":
      return type === 1184 ? new Date(value).toISOString() : Object.is(value, -0) ? "-0" : String(value)
    case "boolean":
      return value ? "t" : "f"
    case "bigint":
      return String(value)
    default:
      return value instanceof Uint8Array ? `\\x${hex(value)}` : literal(0, value)
  }
}

const hex = (bytes: Uint8Array): string => {
  let text = ""
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0")
  return text
}

const literal = (element: number, values: ReadonlyArray<SqlValue>): string =>
  `{${values
    .map((value) => {
      if (value === null) return "NULL"
      return `"${textOf(element, value).replace(/["\\]/g, "\\$&")}"`
    })
    .join(",")}}`

// Binary

/** Bytes before the first element: dimensions, a flag for nulls, the element's type, length, lower bound. */
const headBytes = 20

interface Buffer {
  bytes: Uint8Array
  view: DataView
  length: number
}

/** Writes an element behind its length, or answers false if it is not of its type. */
type Write = (buffer: Buffer, value: SqlValue) => boolean

const binaryArray = (element: number, values: ReadonlyArray<SqlValue>): Uint8Array | null => {
  const write = writers[element]
  if (write === undefined) return null
  const bytes = new Uint8Array(headBytes + values.length * 16)
  const buffer: Buffer = { bytes, view: new DataView(bytes.buffer), length: headBytes }
  let nulls = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    reserve(buffer, 32)
    if (value === null) {
      nulls = 1
      buffer.view.setInt32(buffer.length, -1)
      buffer.length += 4
    } else if (!write(buffer, value)) return null
  }
  const head = [values.length === 0 ? 0 : 1, nulls, element, values.length, 1]
  for (let i = 0; i < head.length; i++) buffer.view.setInt32(i * 4, head[i]!)
  return buffer.bytes.subarray(0, values.length === 0 ? 12 : buffer.length)
}

const reserve = (buffer: Buffer, more: number): void => {
  if (buffer.length + more <= buffer.bytes.length) return
  const bytes = new Uint8Array((buffer.length + more) * 2)
  bytes.set(buffer.bytes.subarray(0, buffer.length))
  buffer.bytes = bytes
  buffer.view = new DataView(bytes.buffer)
}

const int64Min = -(2n ** 63n)
const int64Max = 2n ** 63n - 1n

const writeInt64: Write = (buffer, value) => {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) return false
    putSafeInteger(buffer, value)
    return true
  }
  if (typeof value !== "bigint" || value < int64Min || value > int64Max) return false
  buffer.view.setInt32(buffer.length, 8)
  buffer.view.setBigInt64(buffer.length + 4, value)
  buffer.length += 12
  return true
}

const putSafeInteger = (buffer: Buffer, value: number): void => {
  const high = Math.floor(value / 4_294_967_296)
  buffer.view.setInt32(buffer.length, 8)
  buffer.view.setInt32(buffer.length + 4, high)
  buffer.view.setUint32(buffer.length + 8, value - high * 4_294_967_296)
  buffer.length += 12
}

const writeInteger: Write = (buffer, value) => {
  if (typeof value !== "number" || (value | 0) !== value) return false
  buffer.view.setInt32(buffer.length, 4)
  buffer.view.setInt32(buffer.length + 4, value)
  buffer.length += 8
  return true
}

const writeDouble: Write = (buffer, value) => {
  if (typeof value !== "number") return false
  buffer.view.setInt32(buffer.length, 8)
  buffer.view.setFloat64(buffer.length + 4, value)
  buffer.length += 12
  return true
}

const writeBoolean: Write = (buffer, value) => {
  if (typeof value !== "boolean") return false
  buffer.view.setInt32(buffer.length, 1)
  buffer.bytes[buffer.length + 4] = value ? 1 : 0
  buffer.length += 5
  return true
}

/** Postgres counts microseconds from the year 2000. */
const postgresEpochMillis = 946_684_800_000

const writeInstant: Write = (buffer, value) => {
  const at = typeof value === "string" ? Date.parse(value) : value
  if (typeof at !== "number" || !Number.isInteger(at)) return false
  const micros = (at - postgresEpochMillis) * 1000
  if (Number.isSafeInteger(micros)) putSafeInteger(buffer, micros)
  else writeInt64(buffer, BigInt(at - postgresEpochMillis) * 1000n)
  return true
}

const encoder = new TextEncoder()

const writeText: Write = (buffer, value) => {
  if (typeof value !== "string") return false
  const length = value.length
  reserve(buffer, 4 + length * 3)
  const { bytes, view } = buffer
  const start = buffer.length + 4
  let written = 0
  for (; written < length; written++) {
    const code = value.charCodeAt(written)
    if (code > 127) break
    bytes[start + written] = code
  }
  if (written < length) written += encoder.encodeInto(value.slice(written), bytes.subarray(start + written)).written
  view.setInt32(buffer.length, written)
  buffer.length = start + written
  return true
}

/** The version byte of jsonb, then its text. */
const writeJson: Write = (buffer, value) => {
  if (typeof value !== "string") return false
  const start = buffer.length
  reserve(buffer, 8 + value.length * 3)
  buffer.length += 1
  writeText(buffer, value)
  const length = buffer.length - start - 4
  buffer.view.setInt32(start, length)
  buffer.bytes[start + 4] = 1
  return true
}

const writeBytes: Write = (buffer, value) => {
  if (!(value instanceof Uint8Array)) return false
  reserve(buffer, 4 + value.length)
  buffer.view.setInt32(buffer.length, value.length)
  buffer.bytes.set(value, buffer.length + 4)
  buffer.length += 4 + value.length
  return true
}

/** Digits in groups of four, counted from the point. */
const writeNumeric: Write = (buffer, value) => {
  const text = typeof value === "bigint" ? String(value) : value
  if (typeof text !== "string" || !/^-?\d+(\.\d+)?$/.test(text)) return false
  const first = text.charCodeAt(0) === 45 ? 1 : 0
  const point = text.indexOf(".")
  const whole = (point < 0 ? text.length : point) - first
  const scale = point < 0 ? 0 : text.length - point - 1
  const wholeGroups = Math.ceil(whole / 4)
  const groups = wholeGroups + Math.ceil(scale / 4)
  if (scale > 0x3fff || wholeGroups > 0x7fff) return false
  reserve(buffer, 16 + groups * 2)
  const { view } = buffer
  let at = buffer.length
  view.setInt32(at, 8 + groups * 2)
  view.setInt16(at + 4, groups)
  view.setInt16(at + 6, wholeGroups - 1)
  view.setUint16(at + 8, first === 1 ? 0x4000 : 0)
  view.setInt16(at + 10, scale)
  at += 12
  let digit = first
  let group = 0
  for (let left = whole; left > 0; left--) {
    group = group * 10 + text.charCodeAt(digit++) - 48
    if (left % 4 === 1) {
      view.setInt16(at, group)
      at += 2
      group = 0
    }
  }
  digit++
  for (let i = 0; i < Math.ceil(scale / 4) * 4; i++) {
    group = group * 10 + (i < scale ? text.charCodeAt(digit++) - 48 : 0)
    if (i % 4 === 3) {
      view.setInt16(at, group)
      at += 2
      group = 0
    }
  }
  buffer.length = at
  return true
}

const writers: Readonly<Record<number, Write>> = {
  16: writeBoolean,
  17: writeBytes,
  20: writeInt64,
  23: writeInteger,
  25: writeText,
  701: writeDouble,
  1184: writeInstant,
  1700: writeNumeric,
  3802: writeJson
}
