/**
 * A short name of rows and their order: the same epoch, computed again, has the same. It tells a defect from a
 * replay; it does not resist someone who wants two epochs to be called the same.
 */
import type { SqlValue } from "../../flow/Tables.ts"

const words = new Int32Array(2)
const double = new Float64Array(words.buffer)
const integer = new BigInt64Array(words.buffer)

/** Two lanes of 32 bits. */
export interface Digest {
  low: number
  high: number
}

export const make = (): Digest => ({ low: 0x2545f491, high: 0x1b873593 })

export const format = (digest: Digest): string =>
  (digest.high >>> 0).toString(16).padStart(8, "0") + (digest.low >>> 0).toString(16).padStart(8, "0")

/** Adds encoded rows, column by column. */
export const addColumns = (digest: Digest, columns: ReadonlyArray<ReadonlyArray<SqlValue>>): void => {
  for (const values of columns) {
    mix(digest, 0x77, values.length)
    for (let i = 0; i < values.length; i++) add(digest, values[i]!)
  }
}

/** Adds one value; types and lengths are part of it, so that no two lists of values read the same. */
export const add = (digest: Digest, value: SqlValue): void => {
  if (typeof value === "number") {
    double[0] = value
    mix(digest, words[0]! ^ 0x11, words[1]!)
  } else if (typeof value === "bigint") {
    integer[0] = value
    mix(digest, words[0]! ^ 0x22, words[1]!)
  } else if (typeof value === "string") {
    mix(digest, 0x33, value.length)
    for (let i = 0; i < value.length; i += 2) mix(digest, value.charCodeAt(i), value.charCodeAt(i + 1) | 0)
  } else if (typeof value === "boolean") {
    mix(digest, 0x44, value ? 1 : 0)
  } else if (value === null) {
    mix(digest, 0x55, 0)
  } else {
    mix(digest, value instanceof Uint8Array ? 0x66 : 0x77, value.length)
    for (const part of value) add(digest, part)
  }
}

const mix = (digest: Digest, first: number, second: number): void => {
  let low = Math.imul(digest.low ^ first, 0x85ebca6b)
  low ^= low >>> 13
  let high = Math.imul(digest.high ^ second ^ low, 0xc2b2ae35)
  high ^= high >>> 16
  digest.low = (low + Math.imul(high, 5)) | 0
  digest.high = (high + Math.imul(low, 0x27d4eb2f)) | 0
}
