/**
 * Plain values as bytes: what operators keep, read back exactly as it was.
 *
 * Null, undefined, booleans, doubles (-0 and NaN too), bigints of any size, text (lone surrogates too), `Uint8Array`,
 * arrays, plain objects, instances of given classes by their fields, and `Map`. Anything else is refused when it is written. Reading checks every bound before
 * it allocates: damaged bytes give `StateUnreadable`, never a hang and never more memory than the bytes themselves allow.
 */
import { StateUnreadable } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import * as Classes from "./Classes.ts"

/** Appends values to one growing buffer, which `clear` keeps for the next use. */
export class Writer {
  length = 0
  #bytes: Uint8Array
  #view: DataView
  readonly #classes: Classes.Classes

  /** `classes`: of which values may be instances. */
  constructor(capacity = 1024, classes: Classes.Classes = Classes.none) {
    this.#classes = classes
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  clear(): void {
    this.length = 0
  }

  /** A copy of what was written from `start` on. */
  copy(start = 0): Uint8Array {
    return this.#bytes.slice(start, this.length)
  }

  /** What was written, not copied: good until the next value is written. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length)
  }

  byte(value: number): void {
    this.#reserve(1)
    this.#bytes[this.length++] = value
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte, the lowest first. */
  varint(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest >= 0x80) {
      this.#bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.length++] = rest
  }

  double(value: number): void {
    this.#reserve(8)
    this.#view.setFloat64(this.length, value, true)
    this.length += 8
  }

  /** Bytes as they are, without their length. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  value(value: unknown): void {
    this.#value(value, 0)
  }

  #value(value: unknown, depth: number): void {
    if (typeof value === "number") this.#number(value)
    else if (typeof value === "string") this.#text(value)
    else if (typeof value === "bigint") this.#bigint(value)
    else if (typeof value === "boolean") this.byte(value ? tags.true : tags.false)
    else if (value === undefined) this.byte(tags.undefined)
    else if (value === null) this.byte(tags.null)
    else if (typeof value === "object") this.#compound(value, depth)
    else throw new TypeError(`a ${typeof value} cannot be kept in state`)
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.byte(tags.double)
      this.double(value)
    } else if (value >= 0) {
      this.byte(tags.positive)
      this.varint(value)
    } else {
      this.byte(tags.negative)
      this.varint(-value)
    }
  }

  #bigint(value: bigint): void {
    const magnitude = value < 0n ? -value : value
    if (magnitude <= safeMax) {
      this.byte(value < 0n ? tags.negativeBigint : tags.positiveBigint)
      this.varint(Number(magnitude))
    } else {
      this.byte(value < 0n ? tags.negativeLarge : tags.positiveLarge)
      this.#ascii(magnitude.toString(16))
    }
  }

  #text(value: string): void {
    for (let i = 0; i < value.length; i++) {
      if (value.charCodeAt(i) < 0x80) continue
      this.#wide(value)
      return
    }
    this.byte(tags.ascii)
    this.#ascii(value)
  }

  #ascii(value: string): void {
    this.varint(value.length)
    this.#reserve(value.length)
    const bytes = this.#bytes
    const start = this.length
    for (let i = 0; i < value.length; i++) bytes[start + i] = value.charCodeAt(i)
    this.length += value.length
  }

  #wide(value: string): void {
    this.byte(tags.wide)
    this.varint(value.length)
    this.#reserve(value.length * 2)
    for (let i = 0; i < value.length; i++) {
      this.#view.setUint16(this.length, value.charCodeAt(i), true)
      this.length += 2
    }
  }

  #compound(value: object, depth: number): void {
    if (depth >= Limits.stateDepthMax) throw new TypeError("a value is nested too deeply to be kept in state")
    if (Array.isArray(value)) {
      this.byte(tags.array)
      this.varint(value.length)
      for (let i = 0; i < value.length; i++) this.#value(value[i], depth + 1)
    } else if (value instanceof Uint8Array) {
      this.byte(tags.bytes)
      this.varint(value.length)
      this.raw(value)
    } else if (value instanceof Map) {
      this.byte(tags.map)
      this.varint(value.size)
      for (const [key, content] of value) {
        this.#value(key, depth + 1)
        this.#value(content, depth + 1)
      }
    } else this.#object(value, depth)
  }

  #object(value: object, depth: number): void {
    const prototype = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) this.byte(tags.object)
    else {
      const name = this.#classes.nameOf(prototype)
      if (name === undefined)
        throw new TypeError(`a ${value.constructor?.name ?? "object"} cannot be kept in state: make it a plain object`)
      this.byte(tags.instance)
      this.#text(name)
    }
    const names = Object.keys(value)
    this.varint(names.length)
    for (const name of names) {
      this.#text(name)
      this.#value((value as Record<string, unknown>)[name], depth + 1)
    }
  }

  #reserve(count: number): void {
    if (this.length + count <= this.#bytes.length) return
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + count))
    larger.set(this.#bytes.subarray(0, this.length))
    this.#bytes = larger
    this.#view = new DataView(larger.buffer)
  }
}

/** Reads what a `Writer` wrote, in the same order. Every method throws `StateUnreadable` where the bytes do not fit. */
export class Reader {
  position = 0
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #classes: Classes.Classes

  /** `classes`: those that the writer had. */
  constructor(bytes: Uint8Array, classes: Classes.Classes = Classes.none) {
    this.#classes = classes
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get atEnd(): boolean {
    return this.position >= this.#bytes.length
  }

  byte(): number {
    return this.#bytes[this.#take(1)]!
  }

  varint(): number {
    let value = 0
    for (let scale = 1; scale <= 2 ** 49; scale *= 0x80) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break
        return value
      }
    }
    throw unreadable("a number is longer than 53 bits", this.position)
  }

  double(): number {
    return this.#view.getFloat64(this.#take(8), true)
  }

  value(): unknown {
    return this.#value(0)
  }

  #value(depth: number): unknown {
    const tag = this.byte()
    switch (tag) {
      case tags.null:
        return null
      case tags.undefined:
        return undefined
      case tags.false:
        return false
      case tags.true:
        return true
      case tags.double:
        return this.double()
      case tags.positive:
        return this.varint()
      case tags.negative:
        return -this.varint()
      case tags.positiveBigint:
        return BigInt(this.varint())
      case tags.negativeBigint:
        return -BigInt(this.varint())
      case tags.positiveLarge:
        return this.#large()
      case tags.negativeLarge:
        return -this.#large()
      case tags.ascii:
      case tags.wide:
        return this.#text(tag)
      default:
        return this.#compound(tag, depth)
    }
  }

  #compound(tag: number, depth: number): unknown {
    if (depth >= Limits.stateDepthMax) throw unreadable("values are nested too deeply", this.position)
    switch (tag) {
      case tags.array: {
        const count = this.#count(1)
        const values: Array<unknown> = []
        for (let i = 0; i < count; i++) values.push(this.#value(depth + 1))
        return values
      }
      case tags.object:
        return this.#fields(depth)
      case tags.instance: {
        const name = this.#text(this.byte())
        const prototype = this.#classes.prototypeOf(name)
        if (prototype === undefined) throw unreadable(`the job has no class ${name}`, this.position)
        return Object.setPrototypeOf(this.#fields(depth), prototype)
      }
      case tags.map: {
        const count = this.#count(2)
        const values = new Map<unknown, unknown>()
        for (let i = 0; i < count; i++) values.set(this.#value(depth + 1), this.#value(depth + 1))
        return values
      }
      case tags.bytes: {
        const start = this.#take(this.#count(1))
        return this.#bytes.slice(start, this.position)
      }
      default:
        throw unreadable(`${tag} is no kind of value`, this.position - 1)
    }
  }

  #fields(depth: number): object {
    const count = this.#count(2)
    const values: Record<string, unknown> = {}
    for (let i = 0; i < count; i++) define(values, this.#text(this.byte()), this.#value(depth + 1))
    return values
  }

  #text(tag: number): string {
    if (tag === tags.ascii) return this.#units(Uint8Array, this.#count(1))
    if (tag === tags.wide) return this.#units(Uint16Array, this.#count(2))
    throw unreadable("text was expected", this.position - 1)
  }

  #units(kind: typeof Uint8Array | typeof Uint16Array, count: number): string {
    const width = kind.BYTES_PER_ELEMENT
    let text = ""
    for (let done = 0; done < count; done += 4096) {
      const units = new Array<number>(Math.min(4096, count - done))
      const start = this.#take(units.length * width)
      for (let i = 0; i < units.length; i++)
        units[i] = width === 1 ? this.#bytes[start + i]! : this.#view.getUint16(start + i * 2, true)
      text += String.fromCharCode.apply(null, units)
    }
    return text
  }

  #large(): bigint {
    const digits = this.#units(Uint8Array, this.#count(1))
    if (!/^[0-9a-f]+$/.test(digits)) throw unreadable("a whole number was expected", this.position)
    return BigInt(`0x${digits}`)
  }

  /** A count of things of at least `width` bytes each: no more than the rest of the bytes can hold. */
  #count(width: number): number {
    const count = this.varint()
    if (count * width > this.#bytes.length - this.position)
      throw unreadable(`${count} values do not fit into the rest`, this.position)
    return count
  }

  #take(count: number): number {
    const start = this.position
    if (start + count > this.#bytes.length) throw unreadable("the bytes end too early", start)
    this.position = start + count
    return start
  }
}

/** The error of bytes that no step wrote. */
export const unreadable = (what: string, position: number): StateUnreadable =>
  new StateUnreadable({
    position,
    message: `State: ${what}, at byte ${position}`,
    hint: "The checkpoint is damaged: restore its store from a copy, or start from an older savepoint."
  })

const safeMax = BigInt(Number.MAX_SAFE_INTEGER)

const tags = {
  null: 0,
  undefined: 1,
  false: 2,
  true: 3,
  double: 4,
  positive: 5,
  negative: 6,
  positiveBigint: 7,
  negativeBigint: 8,
  positiveLarge: 9,
  negativeLarge: 10,
  ascii: 11,
  wide: 12,
  bytes: 13,
  array: 14,
  object: 15,
  map: 16,
  instance: 17
} as const

// Assigning to `__proto__` would set the prototype.
const define = (values: Record<string, unknown>, name: string, value: unknown): void => {
  if (name === "__proto__")
    Object.defineProperty(values, name, { value, enumerable: true, configurable: true, writable: true })
  else values[name] = value
}
