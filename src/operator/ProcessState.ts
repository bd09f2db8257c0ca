/** What a user's own operator keeps of each key: a state and timers; and how they are found and written. */
import type { StateCodec } from "../flow/Process.ts"
import type { KeyColumn } from "../flow/Topology.ts"
import type { Key } from "../model/Key.ts"
import * as Keys from "../model/Key.ts"
import { type Reader, unreadable } from "../state/Encoding.ts"
import { Entry, type EntryCodec } from "../state/StateStore.ts"
import { hashOfKey, KeyReader, KeyTable } from "./KeyTable.ts"
import { Timers } from "./Timers.ts"

export class KeptEntry extends Entry {
  readonly key: Key
  readonly hash: number
  /** The user's; `undefined`: none. */
  state: unknown
  readonly timers: Array<number> = []
  readonly processingTimers: Array<number> = []
  /** Has a call of this barrier made or changed it? */
  touched = false

  constructor(key: Key, hash: number) {
    super(Keys.keyGroupOf(key))
    this.key = key
    this.hash = hash
  }

  get isEmpty(): boolean {
    return this.state === undefined && this.timers.length === 0 && this.processingTimers.length === 0
  }
}

/** The clocks of `ProcessState.codec`. */
export const timerClocks = { timers: 0, processingTimers: 1 } as const

export class ProcessState {
  readonly codec: EntryCodec<KeptEntry>
  readonly timers = new Timers<KeptEntry>()
  readonly processingTimers = new Timers<KeptEntry>()
  readonly #columns: ReadonlyArray<KeyColumn>
  readonly #reader: KeyReader
  readonly #table = new KeyTable<KeptEntry>()
  /** Makes a state of what was kept under an older Schema, while that is restored. */
  migrate: ((kept: unknown) => unknown) | null = null

  constructor(columns: ReadonlyArray<KeyColumn>, state: StateCodec) {
    this.#columns = columns
    this.#reader = new KeyReader(columns)
    this.codec = this.#codecOf(state)
  }

  keyGroupOf(event: unknown): number {
    this.#reader.read(event as never)
    return Keys.keyGroupOf(this.#reader.columns)
  }

  /** The entry of the event's key, found from now on. `recall` fills one that is packed. */
  entryOf(event: unknown, recall: (entry: KeptEntry) => boolean): KeptEntry {
    const hash = this.#reader.read(event as never)
    const known = this.#table.find(hash, this.#reader.columns)
    if (known !== undefined) return known
    const entry = new KeptEntry(this.#reader.columns.slice(), hash)
    if (recall(entry)) this.put(entry)
    else this.#table.add(entry)
    return entry
  }

  /** Takes an entry that is not found, and sets its timers. */
  put(entry: KeptEntry): void {
    this.#table.add(entry)
    for (const at of entry.timers) this.timers.set(entry, at)
    for (const at of entry.processingTimers) this.processingTimers.set(entry, at)
  }

  /** Drops an entry, and its timers. */
  forget(entry: KeptEntry): void {
    this.#table.remove(entry.hash, entry.key)
    for (const at of entry.timers) this.timers.cancel(entry, at)
    for (const at of entry.processingTimers) this.processingTimers.cancel(entry, at)
  }

  /** The key's columns by name. */
  keyOf(entry: KeptEntry): Readonly<Record<string, unknown>> {
    const key: Record<string, unknown> = {}
    for (let i = 0; i < this.#columns.length; i++) key[this.#columns[i]!.name] = entry.key[i]
    return key
  }

  #codecOf(state: StateCodec): EntryCodec<KeptEntry> {
    return {
      writeKey: (entry, writer) => {
        for (let i = 0; i < entry.key.length; i++) writer.value(entry.key[i])
      },
      writeValue: (entry, writer) => {
        writer.byte(entry.state === undefined ? 0 : 1)
        if (entry.state !== undefined) writer.value(state.encode(entry.state as never))
        for (const times of [entry.timers, entry.processingTimers]) {
          writer.varint(times.length)
          for (const at of times) writer.double(at)
        }
      },
      readKey: (reader) => {
        const key = Array.from({ length: this.#columns.length }, () => reader.value()) as Key
        const hash = hashOfKey(key)
        return this.#table.find(hash, key) ?? new KeptEntry(key, hash)
      },
      readValue: (entry, reader) => {
        // It may be found already, with other timers.
        this.forget(entry)
        if (reader.byte() === 0) entry.state = undefined
        else entry.state = this.migrate === null ? decoded(state, reader) : this.migrate(reader.value())
        for (const times of [entry.timers, entry.processingTimers]) {
          times.length = 0
          for (let count = reader.varint(); count > 0; count--) times.push(reader.double())
        }
      },
      place: (entry) => this.put(entry),
      forget: (entry) => this.forget(entry),
      dueAt: [({ timers }) => Math.min(...timers), ({ processingTimers }) => Math.min(...processingTimers)],
      writeHeader: () => {},
      readHeader: () => {}
    }
  }
}

const decoded = (state: StateCodec, reader: Reader): unknown => {
  const kept = reader.value()
  try {
    return state.decode(kept)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw unreadable(`what is kept is no state of the step's schema (${why})`, reader.position)
  }
}
