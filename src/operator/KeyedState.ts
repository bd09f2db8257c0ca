/**
 * The entries of a step without windows, by key, and when each is due to be forgotten.
 *
 * An entry stands once in the calendar, at the time of an event of its key; when that falls due and a later event has
 * come, it is put at the time of the last. So an event costs the calendar nothing, and memory is one place a key.
 */
import type { EntryCodec } from "../state/StateStore.ts"
import { StateStore } from "../state/StateStore.ts"
import { readKey, readStates, writeKey, writeStates } from "./AggregateEntry.ts"
import { AggregateState, type AggregateStateOptions } from "./AggregateState.ts"
import { Calendar } from "./Calendar.ts"
import { KeyedEntry } from "./KeyedEntry.ts"
import { hashOfKey, KeyTable } from "./KeyTable.ts"

export class KeyedState extends AggregateState<KeyedEntry> {
  readonly store: StateStore<KeyedEntry>
  readonly #index = new KeyTable<KeyedEntry>()
  readonly #calendar = new Calendar<Array<KeyedEntry>>()
  readonly #keyColumns: number
  /** `null`: entries are kept for good. */
  readonly #timeToLiveMillis: number | null

  constructor(
    options: Omit<AggregateStateOptions, "bound" | "keepsBefore"> & {
      readonly timeToLiveMillis: number | null
      /** Entries that are kept as objects; others are packed. */
      readonly entriesMax: number
    }
  ) {
    super({
      ...options,
      keepsBefore: true,
      bound: { over: "", hint: "Give the step a timeToLive, or key by fewer distinct values." }
    })
    this.#keyColumns = options.columns.length
    this.#timeToLiveMillis = options.timeToLiveMillis
    // The calendar holds entries: with it, none could be packed.
    const entriesMax = options.timeToLiveMillis === null ? options.entriesMax : Number.POSITIVE_INFINITY
    this.store = new StateStore(this.#codec(), { entriesMax })
  }

  /** The entry of the event's key, made if there is none. */
  entryOf(event: never): KeyedEntry {
    const hash = this.keys.read(event)
    const known = this.#index.find(hash, this.keys.columns)
    if (known !== undefined) return known
    const entry = new KeyedEntry(this.keys.columns.slice(), hash, this.empty())
    this.keep(entry)
    this.#index.add(entry)
    return entry
  }

  /** Says of an entry that its last event came in an epoch that was closed then. */
  cameAt(entry: KeyedEntry, closedAt: number): void {
    const isNew = entry.lastAt === Number.NEGATIVE_INFINITY
    entry.lastAt = closedAt
    if (isNew) this.#enlist(entry)
  }

  /** Drops the entries whose last event came `timeToLive` or longer before this time; each with the row that it had. */
  forget(closedAt: number): ReadonlyArray<KeyedEntry> {
    if (this.#timeToLiveMillis === null) return []
    const limit = closedAt - this.#timeToLiveMillis
    const forgotten: Array<KeyedEntry> = []
    for (const entry of this.#calendar.takeUntil(limit).flat()) {
      if (entry.slot < 0) continue
      if (entry.lastAt > limit) {
        this.#enlist(entry)
        continue
      }
      this.touch(entry)
      this.drop(entry)
      forgotten.push(entry)
    }
    return forgotten
  }

  /** When the next entry may be due to be forgotten; infinity: none ever is. */
  dueAt(): number {
    return this.#timeToLiveMillis === null ? Number.POSITIVE_INFINITY : this.#calendar.earliest + this.#timeToLiveMillis
  }

  drop(entry: KeyedEntry): void {
    this.#index.remove(entry.hash, entry.key)
    this.store.remove(entry)
  }

  #enlist(entry: KeyedEntry): void {
    if (this.#timeToLiveMillis === null) return
    const entries = this.#calendar.get(entry.lastAt)
    if (entries === undefined) this.#calendar.put(entry.lastAt, [entry])
    else entries.push(entry)
  }

  #codec(): EntryCodec<KeyedEntry> {
    return {
      writeKey: (entry, writer) => writeKey(entry.key, writer),
      writeValue: (entry, writer) => {
        writer.varint(entry.live)
        writer.value(entry.lastAt)
        writeStates(entry, writer)
      },
      readKey: (reader) => {
        const key = readKey(this.#keyColumns, reader)
        const hash = hashOfKey(key)
        return this.#index.find(hash, key) ?? new KeyedEntry(key, hash, [])
      },
      readValue: (entry, reader) => {
        entry.live = reader.varint()
        const lastAt = reader.value() as number
        readStates(entry, reader)
        // What is kept was emitted at the barrier at which it was written.
        entry.emitted = true
        entry.lastAt = lastAt
      },
      place: (entry) => {
        if (this.#index.find(entry.hash, entry.key) !== undefined) return
        this.#index.add(entry)
        this.#enlist(entry)
      },
      forget: (entry) => this.#index.remove(entry.hash, entry.key),
      writeHeader: () => {},
      readHeader: () => {}
    }
  }
}
