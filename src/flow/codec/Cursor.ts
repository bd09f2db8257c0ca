/** Where a reader stands in the bytes of one record. One cursor serves every record of a codec. */
import { decodeDepthMax } from "../../model/Limits.ts"
import { Undecodable } from "./Undecodable.ts"

export class Cursor {
  bytes: Uint8Array = new Uint8Array(0)
  /** The next byte to read. A scalar may be read past `end` when a record is cut short; who closes it checks. */
  position = 0
  end = 0
  depth = 0
  /** Reads on after a field that failed, since a later field of the same name replaces it. */
  careful = false
}

/** Reads one value: from its first byte, to the byte after its last. */
export type ValueReader<out A = unknown> = (cursor: Cursor) => A

/** Refuses what stands at the cursor. */
export const refuse = (cursor: Cursor, expected: string): never => {
  throw new Undecodable(`expected ${expected}, found ${found(cursor)}`, cursor.position)
}

/** Refuses what was read from `start` on. */
export const refuseFrom = (cursor: Cursor, start: number, expected: string): never => {
  cursor.position = start
  return refuse(cursor, expected)
}

/** The position of the first byte at or after `position` that is no space. */
export const afterSpace = (bytes: Uint8Array, position: number): number => {
  let at = position
  while (isSpace(bytes[at]!)) at++
  return at
}

/** The position after the last byte before `end` that is no space. */
export const beforeSpace = (bytes: Uint8Array, start: number, end: number): number => {
  let at = end
  while (at > start && isSpace(bytes[at - 1]!)) at--
  return at
}

/** Steps into an array or an object. */
export const enter = (cursor: Cursor): void => {
  if (++cursor.depth > decodeDepthMax) {
    throw new Undecodable(`nested deeper than ${decodeDepthMax} arrays and objects`, cursor.position)
  }
  if (cursor.position >= cursor.end) throw truncated(cursor)
}

/** The record ends within a value. */
export const truncated = (cursor: Cursor): Undecodable =>
  new Undecodable("the record ends within a value", Math.min(cursor.position, cursor.end))

/** Reads over `true`, `false` or `null`, whose first byte has been seen. */
export const passWord = (cursor: Cursor, word: string): void => {
  for (let i = 0; i < word.length; i++) {
    if (cursor.bytes[cursor.position + i] !== word.charCodeAt(i)) refuse(cursor, word)
  }
  cursor.position += word.length
}

const isSpace = (byte: number): boolean => byte === 32 || byte === 10 || byte === 13 || byte === 9

/** Characters of a refused value that its error shows. */
const shownMax = 40
const lenient = new TextDecoder("utf-8", { ignoreBOM: true })

const found = (cursor: Cursor): string => {
  const { bytes, end, position } = cursor
  if (position >= end) return "the end of the record"
  let stop = position
  if (bytes[position] === 34) {
    stop++
    while (stop < end && bytes[stop] !== 34) stop += bytes[stop] === 92 ? 2 : 1
    stop++
  } else {
    while (stop < end && stop - position <= shownMax && !endsToken(bytes[stop]!)) stop++
    if (stop === position) stop++
  }
  const text = lenient.decode(bytes.subarray(position, Math.min(stop, end, position + 4 * shownMax)))
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
}

const endsToken = (byte: number): boolean => isSpace(byte) || byte === 44 || byte === 93 || byte === 125
