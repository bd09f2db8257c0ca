/** What all windowed steps do with their entries, whatever the windows: make, touch, add, drop, keep. */
import type { Aggregate, Place } from "../flow/Aggregate.ts"
import { StateLimitExceeded } from "../model/Errors.ts"
import type { Key } from "../model/Key.ts"
import type { Reader, Writer } from "../state/Encoding.ts"
import { type EntryCodec, StateStore } from "../state/StateStore.ts"
import { hashOfKey, type KeyReader } from "./KeyTable.ts"
import { type Row, WindowEntry } from "./WindowEntry.ts"

type AnyAggregate = Aggregate<never, any, unknown>

/** How entries are found. Windows of fixed places and sessions differ in nothing else. */
export interface WindowIndex {
  /** Counts the event into its windows; `false` if it is late for all of them. */
  readonly add: (event: never, eventTime: number, limit: number) => boolean
  /** Takes out of the index what closes at this watermark. */
  readonly close: (watermark: number) => ReadonlyArray<WindowEntry>
  /** The entry of this key and window, if there is one. */
  readonly find: (key: Key, start: number) => WindowEntry | undefined
  /** Puts an entry in that was restored; called again for a session that has grown. */
  readonly insert: (entry: WindowEntry) => void
  readonly forget: (entry: WindowEntry) => void
  /** Windows that hold entries. */
  readonly open: () => number
  /** How long after its end a window still takes events. */
  readonly closesAfterMillis: number
}

export class WindowState {
  readonly store: StateStore<WindowEntry>
  readonly keys: KeyReader
  /** The job's watermark at the last barrier. */
  watermark = Number.NEGATIVE_INFINITY
  /** Where the event that is being added stands. */
  readonly place: { -readonly [P in keyof Place]: Place[P] } = { eventTime: 0, partition: 0, offset: 0, row: 0 }
  /** Entries that went into others since the last barrier, and whose rows were emitted. */
  absorbed: Array<WindowEntry> = []
  readonly #step: string
  readonly #names: ReadonlyArray<string>
  readonly #aggregates: ReadonlyArray<AnyAggregate>
  readonly #keepsBefore: boolean
  readonly #keysMax: number
  readonly #template: Row

  constructor(options: {
    readonly step: string
    readonly keys: KeyReader
    readonly columns: ReadonlyArray<string>
    readonly aggregates: Readonly<Record<string, AnyAggregate>>
    readonly keepsBefore: boolean
    readonly keysMax: number
    readonly index: () => WindowIndex
  }) {
    this.#step = options.step
    this.keys = options.keys
    this.#names = [...options.columns, "windowStart", "windowEnd", ...Object.keys(options.aggregates)]
    this.#aggregates = Object.values(options.aggregates)
    this.#keepsBefore = options.keepsBefore
    this.#keysMax = options.keysMax
    this.#template = Object.fromEntries(this.#names.map((name) => [name, null]))
    this.store = new StateStore(this.#codec(options.index))
  }

  /** A new entry of the key that was read last, in the store but not in the index. */
  make(hash: number, start: number, end: number): WindowEntry {
    const entry = new WindowEntry(this.keys.columns.slice(), hash, start, end, this.#empty())
    if (this.store.size >= this.#keysMax) throw this.#full()
    this.store.add(entry)
    return entry
  }

  /** To be called before an entry is changed: keeps the row that was emitted. */
  touch(entry: WindowEntry): void {
    if (entry.emitted) {
      if (this.#keepsBefore) entry.before = this.rowOf(entry)
      entry.emitted = false
    }
    if (!entry.changed) this.store.change(entry)
  }

  /** Adds an event to an entry. `place` says where it stands. */
  add(entry: WindowEntry, event: never): void {
    this.touch(entry)
    const states = entry.states
    const aggregates = this.#aggregates
    for (let i = 0; i < aggregates.length; i++) states[i] = aggregates[i]!.add(states[i], event, this.place)
  }

  /** Joins `entry` into `target` and drops it. */
  absorb(target: WindowEntry, entry: WindowEntry): void {
    this.touch(entry)
    for (let i = 0; i < this.#aggregates.length; i++)
      target.states[i] = this.#aggregates[i]!.merge(target.states[i], entry.states[i])
    if (entry.end > target.end) target.end = entry.end
    if (entry.before !== null) this.absorbed.push(entry)
    this.store.remove(entry)
  }

  /** The row of an entry as it is now. */
  rowOf(entry: WindowEntry): Row {
    const names = this.#names
    const row: Record<string, unknown> = { ...this.#template }
    let at = 0
    for (; at < entry.key.length; at++) row[names[at]!] = entry.key[at]
    row.windowStart = entry.start
    row.windowEnd = entry.end
    at += 2
    for (let i = 0; i < this.#aggregates.length; i++) row[names[at + i]!] = this.#aggregates[i]!.result(entry.states[i])
    return row
  }

  /** Would a reader see any difference? Results that are objects always differ. */
  differ(before: Row, after: Row): boolean {
    for (const name of this.#names) if (!Object.is(before[name], after[name])) return true
    return false
  }

  #empty(): Array<unknown> {
    const states = new Array<unknown>(this.#aggregates.length)
    for (let i = 0; i < states.length; i++) states[i] = this.#aggregates[i]!.empty()
    return states
  }

  #full(): StateLimitExceeded {
    return new StateLimitExceeded({
      step: this.#step,
      keysMax: this.#keysMax,
      message: `Step '${this.#step}' would keep more than ${this.#keysMax} keys over all its open windows`,
      hint: "Make the window, allowedLateness or maxOutOfOrderness shorter, or key by fewer distinct values."
    })
  }

  #codec(index: () => WindowIndex): EntryCodec<WindowEntry> {
    return {
      writeKey: (entry, writer) => {
        writer.value(entry.start)
        for (let i = 0; i < entry.key.length; i++) writer.value(entry.key[i])
      },
      writeValue: writeValue,
      readKey: (reader) => {
        const start = reader.value() as number
        const key = Array.from({ length: this.#names.length - this.#aggregates.length - 2 }, () =>
          reader.value()
        ) as Key
        return index().find(key, start) ?? new WindowEntry(key, hashOfKey(key), start, start, [])
      },
      readValue: (entry, reader) => {
        readValue(entry, reader)
        index().insert(entry)
      },
      forget: (entry) => index().forget(entry),
      writeHeader: (writer) => writer.double(this.watermark),
      readHeader: (reader) => {
        this.watermark = reader.double()
      }
    }
  }
}

const flags = { emitted: 1, closed: 2 } as const

const writeValue = (entry: WindowEntry, writer: Writer): void => {
  writer.byte((entry.emitted ? flags.emitted : 0) | (entry.closed ? flags.closed : 0))
  writer.varint(entry.end - entry.start)
  writer.varint(entry.states.length)
  for (let i = 0; i < entry.states.length; i++) writer.value(entry.states[i])
}

const readValue = (entry: WindowEntry, reader: Reader): void => {
  const flag = reader.byte()
  entry.emitted = (flag & flags.emitted) !== 0
  entry.closed = (flag & flags.closed) !== 0
  entry.end = entry.start + reader.varint()
  entry.states = []
  for (let count = reader.varint(); count > 0; count--) entry.states.push(reader.value())
}
