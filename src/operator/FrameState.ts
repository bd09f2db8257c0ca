/** What row frames keep: of each key the last rows, each an entry of its own, and the states of what slides over them. */
import type { Place } from "../flow/Aggregate.ts"
import type { Key } from "../model/Key.ts"
import * as Keys from "../model/Key.ts"
import type { Reader, Writer } from "../state/Encoding.ts"
import { Entry, type EntryCodec } from "../state/StateStore.ts"
import { hashOfKey, type KeyTable } from "./KeyTable.ts"

/** A row that a later frame of its key takes in. */
export class RowEntry extends Entry {
  readonly owner: KeyEntry
  /** Counts the rows of its key. */
  readonly number: number
  event: unknown
  place: Place

  constructor(owner: KeyEntry, number: number, event: unknown, place: Place) {
    super(owner.keyGroup)
    this.owner = owner
    this.number = number
    this.event = event
    this.place = place
  }
}

export class KeyEntry extends Entry {
  readonly key: Key
  readonly hash: number
  /** The last rows, the oldest at `first`. */
  rows: Array<RowEntry> = []
  first = 0
  /** Rows so far. */
  count = 0
  /** One for each frame whose aggregate slides, over the rows that the next row's frame takes in; else null. */
  states: Array<unknown> = []

  constructor(key: Key, hash: number) {
    super(Keys.keyGroupOf(key))
    this.key = key
    this.hash = hash
  }

  /** Drops the oldest row; answers it. */
  shift(): RowEntry {
    const row = this.rows[this.first++]!
    // Dropped rows lie before `first` until they are half of the list: a shift of the list for each row would move all.
    if (this.first * 2 > this.rows.length) {
      this.rows = this.rows.slice(this.first)
      this.first = 0
    }
    return row
  }
}

export type FrameEntry = KeyEntry | RowEntry

/** The entries while they are read back, in whatever order they come. */
export class Restored {
  readonly #table: KeyTable<KeyEntry>
  readonly #columns: number
  readonly #rows = new Map<KeyEntry, Map<number, RowEntry>>()

  constructor(table: KeyTable<KeyEntry>, columns: number) {
    this.#table = table
    this.#columns = columns
  }

  readonly codec: EntryCodec<FrameEntry> = {
    writeKey: (entry, writer) => {
      const key = entry instanceof KeyEntry ? entry.key : entry.owner.key
      writer.varint(entry instanceof KeyEntry ? 0 : entry.number)
      for (let i = 0; i < key.length; i++) writer.value(key[i])
    },
    writeValue: (entry, writer) => {
      if (entry instanceof KeyEntry) {
        writer.varint(entry.count)
        writer.value(entry.states)
      } else {
        writer.value(entry.event)
        writePlace(entry.place, writer)
      }
    },
    readKey: (reader) => {
      const number = reader.varint()
      const owner = this.#ownerOf(Array.from({ length: this.#columns }, () => reader.value()) as Key)
      if (number === 0) return owner
      return this.#rowsOf(owner).get(number) ?? new RowEntry(owner, number, null, nowhere)
    },
    readValue: (entry, reader) => {
      if (entry instanceof KeyEntry) {
        entry.count = reader.varint()
        entry.states = reader.value() as Array<unknown>
      } else {
        entry.event = reader.value()
        entry.place = readPlace(reader)
        this.#rowsOf(entry.owner).set(entry.number, entry)
      }
    },
    forget: (entry) => {
      if (entry instanceof RowEntry) this.#rows.get(entry.owner)?.delete(entry.number)
    },
    writeHeader: () => {},
    readHeader: () => {}
  }

  /** To be called once all is read: puts the rows of each key in order. */
  settle(): void {
    for (const [owner, rows] of this.#rows) {
      owner.rows = [...rows.values()].sort((left, right) => left.number - right.number)
      owner.first = 0
    }
    this.#rows.clear()
  }

  #ownerOf(key: Key): KeyEntry {
    const hash = hashOfKey(key)
    const known = this.#table.find(hash, key)
    if (known !== undefined) return known
    const entry = new KeyEntry(key, hash)
    this.#table.add(entry)
    return entry
  }

  #rowsOf(owner: KeyEntry): Map<number, RowEntry> {
    let rows = this.#rows.get(owner)
    if (rows === undefined) {
      rows = new Map()
      this.#rows.set(owner, rows)
    }
    return rows
  }
}

const nowhere: Place = { eventTime: 0, origin: "", partition: 0, offset: 0, row: 0 }

const writePlace = (place: Place, writer: Writer): void => {
  writer.double(place.eventTime)
  writer.value(place.origin)
  writer.varint(place.partition)
  writer.varint(place.offset)
  writer.varint(place.row)
}

const readPlace = (reader: Reader): Place => ({
  eventTime: reader.double(),
  origin: reader.value() as string,
  partition: reader.varint(),
  offset: reader.varint(),
  row: reader.varint()
})
