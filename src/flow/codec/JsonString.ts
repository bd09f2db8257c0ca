/** Reads the strings of JSON: well-formed UTF-8, no control characters, no half of a surrogate pair. */
import { type Cursor, refuseFrom, truncated } from "./Cursor.ts"
import { Undecodable } from "./Undecodable.ts"

/** Strings up to this length are remembered: regions, states and kinds come again and again. */
const rememberedMax = 16
/** Strings that one field remembers; a power of two. */
const remembered = 256
/** Above this length the platform's decoder is faster than character codes. */
const spelledMax = 32

/** A reader of one field's strings, which remembers short ones. */
export const makeStringReader = (): ((cursor: Cursor) => string) => {
  const memory: Array<string> = new Array(remembered).fill("")
  return (cursor) => {
    const bytes = cursor.bytes
    const start = cursor.position + 1
    if (bytes[start - 1] !== 34) return refuseFrom(cursor, cursor.position, "a string")
    let at = start
    let byte = bytes[at]!
    let hash = 0
    while (byte >= 32 && byte < 128 && byte !== 34 && byte !== 92) {
      hash = (Math.imul(hash, 31) + byte) | 0
      byte = bytes[++at]!
    }
    if (byte !== 34) return readAny(cursor, start, at)
    cursor.position = at + 1
    const length = at - start
    if (length > rememberedMax) return textOf(bytes, start, at)
    const slot = (hash ^ (hash >>> 8)) & (remembered - 1)
    const known = memory[slot]!
    if (known.length === length && spells(known, bytes, start)) return known
    const text = textOf(bytes, start, at)
    memory[slot] = text
    return text
  }
}

/** Reads a string that is not worth remembering. */
export const readString = (cursor: Cursor): string => {
  const { bytes, position } = cursor
  if (bytes[position] !== 34) return refuseFrom(cursor, position, "a string")
  const at = endOfAscii(bytes, position + 1)
  if (bytes[at] !== 34) return readAny(cursor, position + 1, at)
  cursor.position = at + 1
  return textOf(bytes, position + 1, at)
}

/** Reads over a string, and refuses what `readString` refuses. */
export const skipString = (cursor: Cursor): void => {
  const at = endOfAscii(cursor.bytes, cursor.position + 1)
  if (cursor.bytes[at] === 34) cursor.position = at + 1
  else readAny(cursor, cursor.position + 1, at)
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

const endOfAscii = (bytes: Uint8Array, start: number): number => {
  let at = start
  let byte = bytes[at]!
  while (byte >= 32 && byte < 128 && byte !== 34 && byte !== 92) byte = bytes[++at]!
  return at
}

const spells = (text: string, bytes: Uint8Array, start: number): boolean => {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}

const textOf = (bytes: Uint8Array, start: number, end: number): string => {
  if (end - start > spelledMax) return strict.decode(bytes.subarray(start, end))
  let text = ""
  let at = start
  for (; at + 4 <= end; at += 4) {
    text += String.fromCharCode(bytes[at]!, bytes[at + 1]!, bytes[at + 2]!, bytes[at + 3]!)
  }
  for (; at < end; at++) text += String.fromCharCode(bytes[at]!)
  return text
}

/** Reads a string with escapes or beyond ASCII: `from` is its first byte, all before `at` is plain. */
const readAny = (cursor: Cursor, from: number, at: number): string => {
  const bytes = cursor.bytes
  let text = ""
  let plain = from
  let escaped = false
  let stop = at
  while (bytes[stop] !== 34) {
    const byte = bytes[stop]!
    if (stop >= cursor.end) throw truncated(cursor)
    if (byte < 32) throw new Undecodable("a control character in a string", stop)
    if (byte !== 92) {
      stop++
      continue
    }
    text += decodeStrictly(bytes, plain, stop)
    const long = bytes[stop + 1] === 117
    text += long ? String.fromCharCode(codeUnit(bytes, stop)) : shortEscape(bytes, stop)
    stop += long ? 6 : 2
    plain = stop
    escaped = true
  }
  text += decodeStrictly(bytes, plain, stop)
  if (escaped && loneSurrogate.test(text)) throw new Undecodable("half of a surrogate pair in a string", from)
  cursor.position = stop + 1
  return text
}

const loneSurrogate = /\p{Surrogate}/u

const decodeStrictly = (bytes: Uint8Array, start: number, end: number): string => {
  try {
    return start === end ? "" : strict.decode(bytes.subarray(start, end))
  } catch {
    throw new Undecodable("a string that is not UTF-8", start)
  }
}

const escapes = new Map([...'"\\/bfnrt'].map((letter, i) => [letter.charCodeAt(0), '"\\/\b\f\n\r\t'[i]!]))

const shortEscape = (bytes: Uint8Array, at: number): string => {
  const text = escapes.get(bytes[at + 1]!)
  if (text === undefined) throw new Undecodable("an escape that JSON does not know", at)
  return text
}

const codeUnit = (bytes: Uint8Array, at: number): number => {
  let code = 0
  for (let i = 2; i < 6; i++) {
    const byte = bytes[at + i]!
    const digit =
      byte >= 48 && byte <= 57 ? byte - 48 : (byte | 32) >= 97 && (byte | 32) <= 102 ? (byte | 32) - 87 : Number.NaN
    if (Number.isNaN(digit)) throw new Undecodable("an escape without four hexadecimal digits", at)
    code = code * 16 + digit
  }
  return code
}
