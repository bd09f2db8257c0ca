/**
 * Keys: their canonical bytes, the key group these fall into, and their order.
 *
 * Equal keys have equal bytes on every machine and in every version: state lies in key groups, so a change of a byte
 * here would lose it. Golden vectors in the test hold both hashes and the bytes.
 */
import type { KeyValue } from "./Columns.ts"
import * as Limits from "./Limits.ts"

/** The values of a key's columns, in the order of `keyBy`. */
export type Key = ReadonlyArray<KeyValue>

/**
 * The canonical bytes of a key: each column a tag, then its content; text and whole numbers are preceded by their
 * length (4 bytes, big-endian). -0 is 0 and all NaNs are one; decimals are whole numbers of their scale; text is
 * UTF-8. Throws `TypeError` for a column that is no `KeyValue`.
 */
export const toBytes = (key: Key): Uint8Array => encoded(key).slice()

/** The key group of a key, without a copy of its bytes. */
export const keyGroupOf = (key: Key): number => keyGroup(encoded(key))

/** The key group of canonical key bytes: `[0, Limits.keyGroups)`. */
export const keyGroup = (bytes: Uint8Array): number => murmur3(bytes) % Limits.keyGroups

/** The partition that Kafka's default partitioner gives a record with these key bytes. */
export const kafkaPartition = (bytes: Uint8Array, partitions: number): number =>
  (murmur2(bytes) & 0x7fffffff) % partitions

/** Murmur3 of 32 bits (x86, seed 0), unsigned. */
export const murmur3 = (bytes: Uint8Array): number => {
  let hash = 0
  const blocks = bytes.length & ~3
  for (let i = 0; i < blocks; i += 4) {
    hash ^= scramble(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  let tail = 0
  for (let i = bytes.length - 1; i >= blocks; i--) tail = (tail << 8) | bytes[i]!
  if (blocks < bytes.length) hash ^= scramble(tail)
  hash ^= bytes.length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Murmur2 of 32 bits as Kafka has it, signed. */
export const murmur2 = (bytes: Uint8Array): number => {
  const factor = 0x5bd1e995
  let hash = 0x9747b28c ^ bytes.length
  const blocks = bytes.length & ~3
  for (let i = 0; i < blocks; i += 4) {
    let block = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24)
    block = Math.imul(block, factor)
    block = Math.imul(block ^ (block >>> 24), factor)
    hash = Math.imul(hash, factor) ^ block
  }
  for (let i = bytes.length - 1; i >= blocks; i--) hash ^= bytes[i]! << (8 * (i - blocks))
  if (blocks < bytes.length) hash = Math.imul(hash, factor)
  hash = Math.imul(hash ^ (hash >>> 13), factor)
  return hash ^ (hash >>> 15)
}

/**
 * A total order of key columns: null, false, true, numbers (NaN last), bigints, text by its UTF-16 units. Zero
 * exactly for values that are one key.
 */
export const compareValues = (left: KeyValue, right: KeyValue): number => {
  if (left === right) return 0
  if (typeof left !== typeof right || left === null || right === null) return rank(left) - rank(right)
  if (left < right) return -1
  if (left > right) return 1
  return Number(Number.isNaN(left)) - Number(Number.isNaN(right))
}

/** The order of keys, column by column; a key that another begins with comes before it. */
export const compare = (left: Key, right: Key): number => {
  const length = Math.min(left.length, right.length)
  for (let i = 0; i < length; i++) {
    const order = compareValues(left[i]!, right[i]!)
    if (order !== 0) return order
  }
  return left.length - right.length
}

const tags = { null: 0, false: 1, true: 2, number: 3, bigint: 4, text: 5 } as const
const encoder = new TextEncoder()

// Holds the bytes of one key at a time: a key group is asked for at each new entry, so it should cost no garbage.
let scratch = new Uint8Array(256)
let view = new DataView(scratch.buffer)

const reserve = (length: number): void => {
  if (length <= scratch.length) return
  const larger = new Uint8Array(Math.max(scratch.length * 2, length))
  larger.set(scratch)
  scratch = larger
  view = new DataView(larger.buffer)
}

/** A view of the key's bytes, valid until the next key. */
const encoded = (key: Key): Uint8Array => {
  // Encoding may replace the scratch: it has to be asked for afterwards.
  const length = encode(key)
  return scratch.subarray(0, length)
}

/** Writes the key's bytes to `scratch` and returns how many they are. */
const encode = (key: Key): number => {
  let length = 0
  for (let i = 0; i < key.length; i++) {
    const value = key[i]!
    reserve(length + 9)
    if (value === null) scratch[length++] = tags.null
    else if (value === false) scratch[length++] = tags.false
    else if (value === true) scratch[length++] = tags.true
    else if (typeof value === "number") {
      scratch[length] = tags.number
      // Adding 0 turns -0 into 0; the constant gives all NaNs the same bits.
      view.setFloat64(length + 1, Number.isNaN(value) ? Number.NaN : value + 0)
      length += 9
    } else if (typeof value === "string") length = encodeText(value, length)
    else if (typeof value === "bigint") {
      const content = bigintBytes(value)
      reserve(length + 5 + content.length)
      scratch.set(content, length + 5)
      length = frame(tags.bigint, length, content.length)
    } else throw new TypeError(`a key column must be text, a number, a boolean or null, not ${typeof value}`)
  }
  return length
}

const encodeText = (text: string, start: number): number => {
  reserve(start + 5 + text.length * 3)
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x80) return frame(tags.text, start, encoder.encodeInto(text, scratch.subarray(start + 5)).written)
    scratch[start + 5 + i] = unit
  }
  return frame(tags.text, start, text.length)
}

const frame = (tag: number, start: number, contentLength: number): number => {
  scratch[start] = tag
  view.setUint32(start + 1, contentLength)
  return start + 5 + contentLength
}

const rank = (value: KeyValue): number => {
  switch (typeof value) {
    case "boolean":
      return value ? 2 : 1
    case "number":
      return 3
    case "bigint":
      return 4
    case "string":
      return 5
    default:
      return 0
  }
}

/** Two's complement, big-endian, as few bytes as hold the sign; none for 0. */
const bigintBytes = (value: bigint): Uint8Array => {
  if (value === 0n) return new Uint8Array(0)
  const magnitude = value < 0n ? ~value : value
  const count = Math.floor(magnitude.toString(16).length / 2) + 1
  const digits = BigInt.asUintN(count * 8, value)
    .toString(16)
    .padStart(count * 2, "0")
  const bytes = new Uint8Array(count)
  for (let i = 0; i < count; i++) bytes[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16)
  // An even count of digits whose first is below 8 leaves a whole byte of sign too many.
  const spare = count > 1 && (bytes[0] === 0 ? bytes[1]! < 0x80 : bytes[0] === 0xff && bytes[1]! >= 0x80)
  return spare ? bytes.subarray(1) : bytes
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}
