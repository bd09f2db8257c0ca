/**
 * Reads the numbers of JSON. Whole numbers of 64 bits and decimals go from digits to `bigint`; only what the Schema
 * calls a number becomes a double.
 */
import { fits, parseDecimal, parseInt64 } from "../../model/Columns.ts"
import { type Cursor, refuseFrom, type ValueReader } from "./Cursor.ts"
import { readString } from "./JsonString.ts"

/** Digits that a double always holds. */
const safeDigits = 15
const powers = Array.from({ length: 23 }, (_, i) => 10 ** i)

/** Reads a number as a double, rounded once. */
export const readNumber: ValueReader<number> = (cursor) => {
  const bytes = cursor.bytes
  const start = cursor.position
  let at = start
  let byte = bytes[at]!
  const negative = byte === 45
  if (negative) byte = bytes[++at]!
  const first = at
  let whole = 0
  while (byte >= 48 && byte <= 57) {
    whole = whole * 10 + (byte - 48)
    byte = bytes[++at]!
  }
  let digits = at - first
  if (digits === 0 || (digits > 1 && bytes[first] === 48)) return refuseFrom(cursor, start, "a number")
  let fraction = 0
  if (byte === 46) {
    const point = at
    byte = bytes[++at]!
    while (byte >= 48 && byte <= 57) {
      whole = whole * 10 + (byte - 48)
      byte = bytes[++at]!
    }
    fraction = at - point - 1
    if (fraction === 0) return refuseFrom(cursor, start, "a number")
    digits += fraction
  }
  if (digits > safeDigits || byte === 101 || byte === 69) return Number(numberText(cursor))
  cursor.position = at
  // Both are exact, so their quotient is rounded once.
  const value = fraction === 0 ? whole : whole / powers[fraction]!
  return negative ? -value : value
}

/** Reads a whole number that a double holds: what `Schema.Int` takes. */
export const readInteger: ValueReader<number> = (cursor) => {
  const start = cursor.position
  const value = readNumber(cursor)
  return Number.isSafeInteger(value) ? value : refuseFrom(cursor, start, "a whole number")
}

/** Reads a whole number of 64 bits, from a number or from text of one. */
export const readInt64: ValueReader<bigint> = (cursor) => {
  const bytes = cursor.bytes
  const start = cursor.position
  let at = start
  let byte = bytes[at]!
  const negative = byte === 45
  if (negative) byte = bytes[++at]!
  const first = at
  let whole = 0
  while (byte >= 48 && byte <= 57) {
    whole = whole * 10 + (byte - 48)
    byte = bytes[++at]!
  }
  const digits = at - first
  const plain = digits > 0 && digits <= safeDigits && (bytes[first] !== 48 || digits === 1)
  if (plain && byte !== 46 && byte !== 101 && byte !== 69) {
    cursor.position = at
    return bigintOf(negative ? -whole : whole)
  }
  const value = parseInt64(exactText(cursor, "a whole number of 64 bits"))
  return value ?? refuseFrom(cursor, start, "a whole number of 64 bits")
}

/** A reader of decimals, from numbers or from text of them, as bigints of 10^-scale. */
export const makeDecimalReader = (precision: number, scale: number): ValueReader<bigint> => {
  const expected = `a decimal of ${precision} digits, ${scale} behind the point`
  const bound = 10 ** Math.min(precision, safeDigits)
  return (cursor) => {
    const bytes = cursor.bytes
    const start = cursor.position
    let at = start
    let byte = bytes[at]!
    const negative = byte === 45
    if (negative) byte = bytes[++at]!
    const first = at
    let whole = 0
    while (byte >= 48 && byte <= 57) {
      whole = whole * 10 + (byte - 48)
      byte = bytes[++at]!
    }
    const digits = at - first
    let fraction = 0
    if (byte === 46) {
      const point = at
      byte = bytes[++at]!
      while (byte >= 48 && byte <= 57) {
        whole = whole * 10 + (byte - 48)
        byte = bytes[++at]!
      }
      fraction = at - point - 1
      if (fraction === 0) return refuseFrom(cursor, start, expected)
    }
    const plain = digits > 0 && (bytes[first] !== 48 || digits === 1) && fraction <= scale
    if (plain && digits + scale <= safeDigits && byte !== 101 && byte !== 69) {
      const value = whole * powers[scale - fraction]!
      if (value < bound) {
        cursor.position = at
        return bigintOf(negative ? -value : value)
      }
    }
    const value = parseDecimal(exactText(cursor, expected), scale)
    return value === null || !fits(value, precision) ? refuseFrom(cursor, start, expected) : value
  }
}

/** The text of the number, or of the string, at the cursor: its digits as they were written. */
const exactText = (cursor: Cursor, expected: string): string => {
  const byte = cursor.bytes[cursor.position]!
  if (byte === 34) return readString(cursor)
  if (byte !== 45 && !(byte >= 48 && byte <= 57)) return refuseFrom(cursor, cursor.position, expected)
  return numberText(cursor)
}

/** The text of the number at the cursor, which is refused if it is not one of JSON. */
export const numberText = (cursor: Cursor): string => {
  const start = cursor.position
  skipNumber(cursor)
  let text = ""
  for (let at = start; at < cursor.position; at++) text += String.fromCharCode(cursor.bytes[at]!)
  return text
}

/** Reads over a number, and refuses what is not one of JSON. */
export const skipNumber = (cursor: Cursor): void => {
  const bytes = cursor.bytes
  const start = cursor.position
  let at = bytes[start] === 45 ? start + 1 : start
  const whole = at
  at = afterDigits(bytes, at)
  if (at === whole || (at > whole + 1 && bytes[whole] === 48)) refuseFrom(cursor, start, "a number")
  if (bytes[at] === 46) {
    const fraction = at + 1
    at = afterDigits(bytes, fraction)
    if (at === fraction) refuseFrom(cursor, start, "a number")
  }
  if (bytes[at] === 101 || bytes[at] === 69) {
    at += bytes[at + 1] === 43 || bytes[at + 1] === 45 ? 2 : 1
    const exponent = at
    at = afterDigits(bytes, exponent)
    if (at === exponent) refuseFrom(cursor, start, "a number")
  }
  cursor.position = at
}

const afterDigits = (bytes: Uint8Array, start: number): number => {
  let at = start
  while (bytes[at]! >= 48 && bytes[at]! <= 57) at++
  return at
}

// A load from these is several times faster than BigInt(value), which is a call into the engine.
const words = new Int32Array(2)
const quad = new BigInt64Array(words.buffer)
const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
/** Small numbers are counts, and come again and again. */
const small = Array.from({ length: 1024 }, (_, i) => BigInt(i))

/** The bigint of a whole number below 2^53. */
export const bigintOf = (value: number): bigint => {
  if (value >= 0 && value < 1024) return small[value]!
  if (!littleEndian) return BigInt(value)
  const high = Math.floor(value / 4_294_967_296)
  words[0] = value - high * 4_294_967_296
  words[1] = high
  return quad[0]!
}
