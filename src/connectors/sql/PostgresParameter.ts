/**
 * Values as PostgreSQL's wire wants them, by the type of the parameter.
 *
 * Arrays go in binary: the server then parses no digits and no quotes, which is most of what a bulk statement costs it
 * otherwise. What has no binary form here goes as text, which every type understands.
 */
import type { SqlValue } from "../../flow/Tables.ts"

/** Object ids of element types, by object id of their array types. They are fixed for ever. */
export const elementOf: Readonly<Record<number, number>> = {
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

/** All types that are known here: arrays, their elements, and what has no array here. */
export const types: ReadonlyArray<number> = [
  ...Object.keys(elementOf).map(Number),
  ...Object.values(elementOf),
  114, // json
  700, // real
  1082, // date
  1083, // time
  1114, // timestamp
  1266 // timetz
]

/** One parameter as text, which every type understands. */
export const text = (type: number, value: Exclude<SqlValue, null>): string =>
  isArray(value) ? literal(elementOf[type] ?? 0, value) : textOf(type, value)

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

const hexDigits = new TextEncoder().encode("0123456789abcdef")
const ascii = new TextDecoder()

const hex = (bytes: Uint8Array): string => {
  const digits = new Uint8Array(bytes.length * 2)
  for (let i = 0; i < bytes.length; i++) {
    digits[2 * i] = hexDigits[bytes[i]! >>> 4]!
    digits[2 * i + 1] = hexDigits[bytes[i]! & 15]!
  }
  return ascii.decode(digits)
}

const literal = (element: number, values: ReadonlyArray<SqlValue>): string => {
  // Rows of one epoch have few instants: each is spelled once, which costs more than all else of a row.
  const spelled = new Map<number, string>()
  const texts = new Array<string>(values.length)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (value === null) texts[i] = "NULL"
    else if (typeof value === "bigint") texts[i] = String(value)
    else if (typeof value !== "number") texts[i] = quoted(textOf(element, value))
    else if (element !== 1184) texts[i] = textOf(element, value)
    else {
      let text = spelled.get(value)
      if (text === undefined) {
        text = textOf(element, value)
        spelled.set(value, text)
      }
      texts[i] = text
    }
  }
  return `{${texts.join(",")}}`
}

const quoted = (text: string): string => `"${/["\\]/.test(text) ? text.replace(/["\\]/g, "\\$&") : text}"`

// Binary

/** Bytes before the first element: dimensions, a flag for nulls, the element's type, length, lower bound. */
const headBytes = 20

interface Target {
  bytes: Uint8Array
  view: DataView
  length: number
}

/** Writes an element behind its length, or answers false if it is not of its type. */
type Write = (target: Target, value: SqlValue) => boolean

const binaryArray = (element: number, values: ReadonlyArray<SqlValue>): Uint8Array | null => {
  const write = writers[element]
  if (write === undefined) return null
  const bytes = new Uint8Array(headBytes + values.length * 16)
  const target: Target = { bytes, view: new DataView(bytes.buffer), length: headBytes }
  let nulls = 0
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    reserve(target, 32)
    if (value === null) {
      nulls = 1
      target.view.setInt32(target.length, -1)
      target.length += 4
    } else if (!write(target, value)) return null
  }
  const head = [values.length === 0 ? 0 : 1, nulls, element, values.length, 1]
  for (let i = 0; i < head.length; i++) target.view.setInt32(i * 4, head[i]!)
  return target.bytes.subarray(0, values.length === 0 ? 12 : target.length)
}

const reserve = (target: Target, more: number): void => {
  if (target.length + more <= target.bytes.length) return
  const bytes = new Uint8Array((target.length + more) * 2)
  bytes.set(target.bytes.subarray(0, target.length))
  target.bytes = bytes
  target.view = new DataView(bytes.buffer)
}

const writeInt64: Write = (target, value) => {
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) return false
    putSafeInteger(target, value)
    return true
  }
  if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) return false
  target.view.setInt32(target.length, 8)
  target.view.setBigInt64(target.length + 4, value)
  target.length += 12
  return true
}

const putSafeInteger = (target: Target, value: number): void => {
  const high = Math.floor(value / 4_294_967_296)
  target.view.setInt32(target.length, 8)
  target.view.setInt32(target.length + 4, high)
  target.view.setUint32(target.length + 8, value - high * 4_294_967_296)
  target.length += 12
}

const writeInteger: Write = (target, value) => {
  if (typeof value !== "number" || (value | 0) !== value) return false
  target.view.setInt32(target.length, 4)
  target.view.setInt32(target.length + 4, value)
  target.length += 8
  return true
}

const writeDouble: Write = (target, value) => {
  if (typeof value !== "number") return false
  target.view.setInt32(target.length, 8)
  target.view.setFloat64(target.length + 4, value)
  target.length += 12
  return true
}

const writeBoolean: Write = (target, value) => {
  if (typeof value !== "boolean") return false
  target.view.setInt32(target.length, 1)
  target.bytes[target.length + 4] = value ? 1 : 0
  target.length += 5
  return true
}

/** Postgres counts microseconds from the year 2000. */
const postgresEpochMillis = 946_684_800_000

const writeInstant: Write = (target, value) => {
  const at = typeof value === "string" ? Date.parse(value) : value
  if (typeof at !== "number" || !Number.isInteger(at)) return false
  const micros = (at - postgresEpochMillis) * 1000
  if (Number.isSafeInteger(micros)) putSafeInteger(target, micros)
  else writeInt64(target, BigInt(at - postgresEpochMillis) * 1000n)
  return true
}

const encoder = new TextEncoder()

const writeText: Write = (target, value) => {
  if (typeof value !== "string") return false
  const length = value.length
  reserve(target, 4 + length * 3)
  const { bytes, view } = target
  const start = target.length + 4
  let written = 0
  for (; written < length; written++) {
    const code = value.charCodeAt(written)
    if (code > 127) break
    bytes[start + written] = code
  }
  if (written < length) written += encoder.encodeInto(value.slice(written), bytes.subarray(start + written)).written
  view.setInt32(target.length, written)
  target.length = start + written
  return true
}

/** The version byte of jsonb, then its text. */
const writeJson: Write = (target, value) => {
  if (typeof value !== "string") return false
  const start = target.length
  reserve(target, 8 + value.length * 3)
  target.length += 1
  writeText(target, value)
  const length = target.length - start - 4
  target.view.setInt32(start, length)
  target.bytes[start + 4] = 1
  return true
}

const writeBytes: Write = (target, value) => {
  if (!(value instanceof Uint8Array)) return false
  reserve(target, 4 + value.length)
  target.view.setInt32(target.length, value.length)
  target.bytes.set(value, target.length + 4)
  target.length += 4 + value.length
  return true
}

/** Digits in groups of four, counted from the point. */
const writeNumeric: Write = (target, value) => {
  const text = typeof value === "bigint" ? String(value) : value
  if (typeof text !== "string" || !/^-?\d+(\.\d+)?$/.test(text)) return false
  const first = text.charCodeAt(0) === 45 ? 1 : 0
  const point = text.indexOf(".")
  const whole = (point < 0 ? text.length : point) - first
  const scale = point < 0 ? 0 : text.length - point - 1
  const wholeGroups = Math.ceil(whole / 4)
  const groups = wholeGroups + Math.ceil(scale / 4)
  if (scale > 0x3fff || wholeGroups > 0x7fff) return false
  reserve(target, 16 + groups * 2)
  const { view } = target
  let at = target.length
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
  target.length = at
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
