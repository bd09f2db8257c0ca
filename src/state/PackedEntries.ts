/**
 * Entries of one key group as bytes: some 60 bytes each where an entry as objects takes 400.
 *
 * A record is found by the bytes of its key, or by when it falls due. It is put in when its entry has not been used for
 * a while, and taken out when the next event of its key comes. Records lie one behind the other in chunks, each of which
 * knows the earliest time of its records, so that what is due is found without a look at most others; places of those
 * taken out are given back when they are half of all.
 *
 *     record: a byte, whose lowest bit says that it is there, the others on which clocks it falls due; hash (4 bytes);
 *             when, for each such clock (8 bytes); varint length of the key; varint length of the value; both
 */
import { murmur3 } from "../model/Key.ts"

export class PackedEntries {
  /** Records in it. */
  size = 0
  #chunks: Array<Chunk> = []
  /** Open addressing by the key's hash: 1 + the record's place; 0: free; `gone`: one was taken out. */
  #slots = new Uint32Array(8)
  #used = 0
  #bytes = 0
  #takenOutBytes = 0
  readonly #record = new RecordCursor()

  /** Bytes that its records take. */
  get bytes(): number {
    return this.#bytes
  }

  /** Chunks, for `eachOf`. */
  get chunks(): number {
    return this.#chunks.length
  }

  /**
   * Puts a record in whose key is not there: the first `keyLength` bytes of it are the key's, the others the value's.
   * `dues`: when it falls due on each clock, of at most seven; infinity: never.
   */
  put(record: Uint8Array, keyLength: number, dues: ReadonlyArray<number> = []): void {
    const hash = murmur3(record.subarray(0, keyLength))
    if ((this.#used + 1) * 4 > this.#slots.length * 3) this.#rehash()
    this.#index(hash, this.#append(record, keyLength, hash, dues))
    this.size++
  }

  /** Takes the record with this key out: the bytes of its value, good until the next is put in; `null`: it is not there. */
  take(key: Uint8Array): Uint8Array | null {
    if (this.size === 0) return null
    const hash = murmur3(key)
    const mask = this.#slots.length - 1
    const record = this.#record
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = this.#slots[at]!
      if (slot === 0) return null
      if (slot === gone) continue
      const place = slot - 1
      record.read(this.#chunks[Math.floor(place / chunkBytes)]!, place % chunkBytes)
      if (record.hash !== hash || !record.hasKey(key)) continue
      this.#slots[at] = gone
      const value = record.bytes.subarray(record.valueStart, record.end)
      this.#remove(record)
      return value
    }
  }

  /** Takes out all records that fall due on this clock at `limit` or before, and hands them on. */
  takeDue(clock: number, limit: number, use: (key: Uint8Array, value: Uint8Array) => void): void {
    const taken: Array<Uint8Array> = []
    this.#chunks.forEach((chunk, index) => {
      if (earliestOf(chunk, clock) > limit) return
      let earliest = Number.POSITIVE_INFINITY
      this.#each(index, (record) => {
        const due = record.dues[clock] ?? Number.POSITIVE_INFINITY
        if (due > limit) earliest = Math.min(earliest, due)
        else if (due < Number.POSITIVE_INFINITY) taken.push(record.bytes.slice(record.keyStart, record.valueStart))
      })
      chunk.earliest[clock] = earliest
    })
    for (const key of taken) use(key, this.take(key)!)
  }

  /** No record falls due on this clock before; infinity: none ever does. */
  earliest(clock: number): number {
    let earliest = Number.POSITIVE_INFINITY
    for (const chunk of this.#chunks) earliest = Math.min(earliest, earliestOf(chunk, clock))
    return earliest
  }

  /** How many records fall due on this clock. Looks at every record. */
  dueCount(clock: number): number {
    let count = 0
    for (let chunk = 0; chunk < this.#chunks.length; chunk++)
      this.#each(chunk, ({ dues }) => {
        if ((dues[clock] ?? Number.POSITIVE_INFINITY) < Number.POSITIVE_INFINITY) count++
      })
    return count
  }

  /** Key and value of every record of a chunk, in order: views, not copies. */
  eachOf(chunk: number, use: (keyAndValue: Uint8Array) => void): void {
    this.#each(chunk, ({ bytes, end, keyStart }) => use(bytes.subarray(keyStart, end)))
  }

  /** Gives back the places of records that were taken out, if they are half of all: moves the others. */
  tidy(): void {
    if (this.#takenOutBytes * 2 < this.#bytes || this.#bytes < chunkBytes) return
    const before = new PackedEntries()
    before.#chunks = this.#chunks
    this.#chunks = []
    this.#bytes = 0
    this.#takenOutBytes = 0
    for (let chunk = 0; chunk < before.#chunks.length; chunk++)
      before.#each(chunk, ({ bytes, dues, end, hash, keyStart, valueStart }) => {
        this.#append(bytes.subarray(keyStart, end), valueStart - keyStart, hash, dues)
      })
    this.#rehash()
  }

  #each(chunk: number, use: (record: RecordCursor) => void): void {
    const record = new RecordCursor()
    const from = this.#chunks[chunk]!
    for (let at = 0; at < from.length; at = record.end) {
      record.read(from, at)
      if (record.isThere) use(record)
    }
  }

  #append(record: Uint8Array, keyLength: number, hash: number, dues: ReadonlyArray<number>): number {
    const wanted = headBytesMax + dues.length * 8 + record.length
    let chunk = this.#chunks[this.#chunks.length - 1]
    if (chunk === undefined || chunk.length + wanted > chunk.bytes.length) {
      chunk = chunkOf(new Uint8Array(Math.max(chunkBytes, wanted)))
      this.#chunks.push(chunk)
    }
    const { bytes, length, view } = chunk
    view.setUint32(length + 1, hash, true)
    let at = length + 5
    let clocks = 0
    for (let clock = 0; clock < dues.length; clock++) {
      const due = dues[clock]!
      if (due === Number.POSITIVE_INFINITY) continue
      clocks |= 1 << clock
      view.setFloat64(at, due, true)
      at += 8
      if (due < earliestOf(chunk, clock)) chunk.earliest[clock] = due
    }
    bytes[length] = 1 | (clocks << 1)
    at = writeLength(bytes, writeLength(bytes, at, keyLength), record.length - keyLength)
    bytes.set(record, at)
    chunk.length = at + record.length
    this.#bytes += chunk.length - length
    return (this.#chunks.length - 1) * chunkBytes + length
  }

  #remove(record: RecordCursor): void {
    record.bytes[record.start]! &= ~1
    this.#takenOutBytes += record.end - record.start
    this.size--
    if (this.size > 0) return
    this.#chunks = []
    this.#slots = new Uint32Array(8)
    this.#used = 0
    this.#bytes = 0
    this.#takenOutBytes = 0
  }

  #index(hash: number, place: number): void {
    const mask = this.#slots.length - 1
    let at = hash & mask
    while (this.#slots[at] !== 0) at = (at + 1) & mask
    this.#slots[at] = place + 1
    this.#used++
  }

  /** Makes an index with room for half as many records again, without those taken out. */
  #rehash(): void {
    let length = 8
    while (length * 2 < (this.size + 1) * 3) length *= 2
    this.#slots = new Uint32Array(length)
    this.#used = 0
    for (let chunk = 0; chunk < this.#chunks.length; chunk++)
      this.#each(chunk, ({ hash, start }) => this.#index(hash, chunk * chunkBytes + start))
  }
}

interface Chunk {
  readonly bytes: Uint8Array
  readonly view: DataView
  length: number
  /** By clock: no record of it falls due before. */
  readonly earliest: Array<number>
}

const chunkOf = (bytes: Uint8Array): Chunk => ({ bytes, view: new DataView(bytes.buffer), length: 0, earliest: [] })

const earliestOf = ({ earliest }: Chunk, clock: number): number => earliest[clock] ?? Number.POSITIVE_INFINITY

/** A place is chunk × this + where in the chunk it begins: a longer record has a chunk of its own. */
const chunkBytes = 65_536
const headBytesMax = 5 + 5 + 5
const gone = 0xffff_ffff

/** Where the parts of one record lie; set by `read`. */
class RecordCursor {
  bytes = new Uint8Array()
  isThere = false
  hash = 0
  /** By clock. */
  readonly dues: Array<number> = []
  start = 0
  keyStart = 0
  valueStart = 0
  end = 0

  read(chunk: Chunk, start: number): void {
    const { bytes, view } = chunk
    this.bytes = bytes as Uint8Array<ArrayBuffer>
    this.start = start
    this.isThere = (bytes[start]! & 1) === 1
    this.hash = view.getUint32(start + 1, true)
    this.end = start + 5
    this.#readDues(bytes[start]! >> 1, view)
    const keyLength = this.#length()
    const valueLength = this.#length()
    this.keyStart = this.end
    this.valueStart = this.keyStart + keyLength
    this.end = this.valueStart + valueLength
  }

  #readDues(clocks: number, view: DataView): void {
    const { dues } = this
    dues.length = 0
    for (let rest = clocks; rest > 0; rest >>= 1) {
      if ((rest & 1) === 0) dues.push(Number.POSITIVE_INFINITY)
      else {
        dues.push(view.getFloat64(this.end, true))
        this.end += 8
      }
    }
  }

  hasKey(key: Uint8Array): boolean {
    if (this.valueStart - this.keyStart !== key.length) return false
    for (let i = 0; i < key.length; i++) if (this.bytes[this.keyStart + i] !== key[i]) return false
    return true
  }

  /** The length at `end`, which moves behind it. */
  #length(): number {
    let length = 0
    for (let scale = 1; ; scale *= 0x80) {
      const byte = this.bytes[this.end++]!
      length += (byte & 0x7f) * scale
      if (byte < 0x80) return length
    }
  }
}

const writeLength = (bytes: Uint8Array, start: number, length: number): number => {
  let at = start
  let rest = length
  while (rest >= 0x80) {
    bytes[at++] = (rest % 0x80) | 0x80
    rest = Math.floor(rest / 0x80)
  }
  bytes[at++] = rest
  return at
}
