/**
 * Takes keys from events and finds what is kept under them, without making anything: one hash of the columns, then
 * an open table. A `Map` would need a text of all columns for each event, which costs more than the window itself.
 */
import type { KeyColumn } from "../flow/Topology.ts"
import type { KeyValue } from "../model/Columns.ts"
import type { Key } from "../model/Key.ts"

/** What a table holds: a key, and its hash from `KeyReader`. */
export interface Keyed {
  readonly key: Key
  readonly hash: number
}

/** Reads the key of one event at a time. */
export class KeyReader {
  /** The columns of the event read last: canonical, and overwritten by the next. */
  readonly columns: Array<KeyValue>
  readonly #readers: ReadonlyArray<(event: never) => KeyValue>

  constructor(columns: ReadonlyArray<KeyColumn>) {
    this.#readers = columns.map((column) => column.of)
    this.columns = this.#readers.map(() => null)
  }

  /** Sets `columns`; returns their hash. Throws `TypeError` for a column that is no `KeyValue`. */
  read(event: never): number {
    let hash = 0
    for (let i = 0; i < this.#readers.length; i++) {
      const value = canonical(this.#readers[i]!(event))
      this.columns[i] = value
      hash = Math.imul(hash ^ hashOf(value), 0x9e3779b1)
      hash ^= hash >>> 15
    }
    return hash
  }
}

/** The hash that `KeyReader.read` gives for these columns. */
export const hashOfKey = (key: Key): number => {
  let hash = 0
  for (const value of key) {
    hash = Math.imul(hash ^ hashOf(value), 0x9e3779b1)
    hash ^= hash >>> 15
  }
  return hash
}

export class KeyTable<A extends Keyed> {
  #size = 0
  #slots: Array<A | undefined> = new Array(8).fill(undefined)

  get size(): number {
    return this.#size
  }

  find(hash: number, columns: Key): A | undefined {
    const slots = this.#slots
    const mask = slots.length - 1
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const found = slots[at]
      if (found === undefined || (found.hash === hash && equal(found.key, columns))) return found
    }
  }

  /** Takes a thing whose key is not in the table. */
  add(thing: A): void {
    if (this.#size * 2 >= this.#slots.length) this.#grow()
    this.#place(thing)
    this.#size++
  }

  /** Drops what is kept under a key, if anything is. */
  remove(hash: number, key: Key): void {
    const slots = this.#slots
    const mask = slots.length - 1
    let gap = hash & mask
    for (; ; gap = (gap + 1) & mask) {
      const found = slots[gap]
      if (found === undefined) return
      if (found.hash === hash && equal(found.key, key)) break
    }
    // What follows moves up into the gap, unless that would put it before its own place.
    for (let at = (gap + 1) & mask; slots[at] !== undefined; at = (at + 1) & mask) {
      const home = slots[at]!.hash & mask
      if (((at - home) & mask) < ((at - gap) & mask)) continue
      slots[gap] = slots[at]
      gap = at
    }
    slots[gap] = undefined
    this.#size--
  }

  all(): ReadonlyArray<A> {
    return this.#slots.filter((thing) => thing !== undefined)
  }

  #grow(): void {
    const things = this.#slots
    this.#slots = new Array(things.length * 2).fill(undefined)
    for (const thing of things) if (thing !== undefined) this.#place(thing)
  }

  #place(thing: A): void {
    const mask = this.#slots.length - 1
    let at = thing.hash & mask
    while (this.#slots[at] !== undefined) at = (at + 1) & mask
    this.#slots[at] = thing
  }
}

/** An absent column is null, and -0 is 0: as in the canonical bytes. */
const canonical = (value: KeyValue | undefined): KeyValue => {
  if (value === undefined) return null
  if ((typeof value === "object" && value !== null) || typeof value === "function" || typeof value === "symbol")
    throw new TypeError(`a key column must be text, a number, a boolean or null, not ${typeof value}`)
  return value === 0 ? 0 : value
}

const equal = (left: Key, right: Key): boolean => {
  for (let i = 0; i < left.length; i++) {
    const a = left[i]
    const b = right[i]
    if (a !== b && !(Number.isNaN(a) && Number.isNaN(b))) return false
  }
  return true
}

const parts = new DataView(new ArrayBuffer(8))

const hashOf = (value: KeyValue): number => {
  if (typeof value === "string") {
    let hash = value.length
    for (let i = 0; i < value.length; i++) hash = (Math.imul(hash, 31) + value.charCodeAt(i)) | 0
    return mixed(hash)
  }
  if (typeof value === "number") {
    if ((value | 0) === value) return mixed(value)
    parts.setFloat64(0, value)
    return mixed(parts.getInt32(0) ^ Math.imul(parts.getInt32(4), 31))
  }
  if (typeof value === "bigint") return mixed(Number(BigInt.asIntN(32, value)) ^ (Number(value >> 32n) | 0))
  return value === null ? 1 : value ? 2 : 3
}

const mixed = (hash: number): number => {
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return once ^ (once >>> 13)
}
