/**
 * The bytes of Avro's values: whole numbers as zigzag of variable length, all else with its length before it.
 *
 * Nothing is read past the end of a record, and nothing is allocated by a length that the record cannot have: bytes that
 * are torn, or of somebody else, cost no more than their own length.
 */
import { Undecodable } from "../../flow/Codec.ts"
import { bigintOf } from "../../flow/codec/JsonNumber.ts"
import { decodeDepthMax } from "../../model/Limits.ts"

/** Elements without bytes of their own, such as nulls, that the lists of one record may hold beside its others. */
const emptyElementsMax = 1_024

/** Where a reader stands in the bytes of one record. */
export class AvroInput {
  #bytes: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  #end = 0
  #depth = 0
  /** Elements that its lists and maps may still have. */
  #elements = 0
  position = 0

  open(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    }
    this.position = start
    this.#end = end
    this.#depth = 0
    this.#elements = end - start + emptyElementsMax
  }

  /** Refuses bytes behind the value. */
  close(): void {
    const left = this.#end - this.position
    if (left > 0) throw this.refusal(`${left} bytes are left behind the value`)
  }

  refusal(reason: string): Undecodable {
    return new Undecodable(reason, this.position)
  }

  enter(): void {
    if (++this.#depth > decodeDepthMax) throw this.refusal(`nested deeper than ${decodeDepthMax} values`)
  }

  leave(): void {
    this.#depth--
  }

  byte(): number {
    if (this.position >= this.#end) throw this.#torn()
    return this.#bytes[this.position++]!
  }

  /** Exact where it is below 2^49; `null`: it is larger, and nothing was read. */
  #small(): number | null {
    const start = this.position
    let value = 0
    let factor = 1
    for (let i = 0; i < 7; i++) {
      const byte = this.byte()
      value += (byte & 127) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      factor *= 128
    }
    this.position = start
    return null
  }

  long(): bigint {
    const small = this.#small()
    if (small !== null) return bigintOf(small)
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte()
      value |= BigInt(byte & 127) << shift
      if (byte >= 128) continue
      if (value >= 1n << 64n) break
      return (value >> 1n) ^ -(value & 1n)
    }
    throw this.refusal("a whole number is longer than 64 bits")
  }

  int(): number {
    const value = this.#small()
    if (value === null || value < -2_147_483_648 || value > 2_147_483_647)
      throw this.refusal("a whole number is longer than 32 bits")
    return value
  }

  boolean(): boolean {
    const byte = this.byte()
    if (byte > 1) throw this.refusal(`expected true or false, found byte ${byte}`)
    return byte === 1
  }

  float(): number {
    return this.#view.getFloat32(this.#advance(4), true)
  }

  double(): number {
    return this.#view.getFloat64(this.#advance(8), true)
  }

  /** The length before bytes or text. */
  length(): number {
    const length = this.#small()
    if (length === null || length < 0 || length > this.#end - this.position)
      throw this.refusal(`the record ends within a value of ${length ?? "very many"} bytes`)
    return length
  }

  /** A copy: it outlives the batch. */
  fixed(length: number): Uint8Array {
    const start = this.#advance(length)
    return this.#bytes.slice(start, start + length)
  }

  text(): string {
    const length = this.length()
    const start = this.#advance(length)
    if (length <= shortText) {
      let text = ""
      for (let i = start; i < start + length; i++) {
        const byte = this.#bytes[i]!
        if (byte >= 128) return this.#decoded(start, length)
        text += String.fromCharCode(byte)
      }
      return text
    }
    return this.#decoded(start, length)
  }

  #decoded(start: number, length: number): string {
    try {
      return utf8.decode(this.#bytes.subarray(start, start + length))
    } catch {
      throw new Undecodable("expected UTF-8 text, found other bytes", start)
    }
  }

  /** Two's complement, the highest byte first. */
  unscaled(length: number): bigint {
    const start = this.#advance(length)
    if (length === 0) return 0n
    if (length <= 6) {
      let value = this.#bytes[start]! >= 128 ? -1 : 0
      for (let i = start; i < start + length; i++) value = value * 256 + this.#bytes[i]!
      return bigintOf(value)
    }
    let digits = ""
    for (let i = start; i < start + length; i++) digits += this.#bytes[i]!.toString(16).padStart(2, "0")
    return BigInt.asIntN(length * 8, BigInt(`0x${digits}`))
  }

  /** The elements of the next block of a list or map; 0: there is none. */
  block(): number {
    const count = this.#small()
    if (count === 0) return 0
    // A negative count has the length of the block behind it.
    if (count !== null && count < 0) this.length()
    const elements = Math.abs(count ?? Number.POSITIVE_INFINITY)
    this.#elements -= elements
    if (this.#elements < 0) throw this.refusal("the record ends within a list: it says more elements than it has bytes")
    return elements
  }

  #advance(length: number): number {
    const start = this.position
    if (length > this.#end - start) throw this.#torn()
    this.position += length
    return start
  }

  #torn(): Undecodable {
    return new Undecodable("the record ends within a value", this.#end)
  }
}

/** Texts up to so many bytes cost less byte by byte than by a decoder. */
const shortText = 24
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const encoder = new TextEncoder()

/** Bytes that grow while a record is written. */
export class AvroOutput {
  #bytes = new Uint8Array(256)
  #view = new DataView(this.#bytes.buffer)
  #position = 0

  clear(): void {
    this.#position = 0
  }

  /** A copy of what was written. */
  result(): Uint8Array {
    return this.#bytes.slice(0, this.#position)
  }

  byte(byte: number): void {
    const start = this.#room(1)
    this.#bytes[start] = byte
  }

  long(value: bigint): void {
    let left = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
    while (left >= 128n) {
      this.byte(Number(left & 127n) | 128)
      left >>= 7n
    }
    this.byte(Number(left))
  }

  int(value: number): void {
    this.long(bigintOf(value))
  }

  float(value: number): void {
    const start = this.#room(4)
    this.#view.setFloat32(start, value, true)
  }

  double(value: number): void {
    const start = this.#room(8)
    this.#view.setFloat64(start, value, true)
  }

  fixed(bytes: Uint8Array): void {
    const start = this.#room(bytes.length)
    this.#bytes.set(bytes, start)
  }

  bytes(bytes: Uint8Array): void {
    this.int(bytes.length)
    this.fixed(bytes)
  }

  text(text: string): void {
    this.bytes(encoder.encode(text))
  }

  /** Makes room for bytes that follow, maybe in a larger buffer; where they begin. */
  #room(length: number): number {
    const start = this.#position
    this.#position += length
    if (this.#position > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#position, this.#bytes.length * 2))
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    return start
  }
}

/** Two's complement of the fewest bytes, or of so many; `null`: it does not fit. */
export const unscaledBytes = (value: bigint, length?: number): Uint8Array | null => {
  let least = 1
  while (BigInt.asIntN(least * 8, value) !== value) least++
  if (length !== undefined && least > length) return null
  const bytes = new Uint8Array(length ?? least)
  let left = BigInt.asUintN(bytes.length * 8, value)
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(left & 255n)
    left >>= 8n
  }
  return bytes
}
