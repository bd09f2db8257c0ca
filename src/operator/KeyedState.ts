/**
 * The entries of a step without windows, by key, and when each is due to be forgotten.
 *
 * An entry is due so long after an event of its key; when that time has come and a later event has come before, it is
 * put at the time of the last. So an event costs nothing beside its entry, and memory is one place a key. Packed entries
 * are found by when they are due.
 */
import type { EntryCodec } from "../state/StateStore.ts"
import { StateStore } from "../state/StateStore.ts"
import { readKey, readStates, writeKey, writeStates } from "./AggregateEntry.ts"
import { AggregateState, type AggregateStateOptions } from "./AggregateState.ts"
import { DueEntries } from "./DueEntries.ts"
import { KeyedEntry } from "./KeyedEntry.ts"
import { hashOfKey, KeyTable } from "./KeyTable.ts"

export class KeyedState extends AggregateState<KeyedEntry> {
  readonly store: StateStore<KeyedEntry>
  readonly #index = new KeyTable<KeyedEntry>()
  readonly #due = new DueEntries<KeyedEntry>()
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
    this.store = new StateStore(this.#codec(), options)
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
    entry.lastAt = closedAt
    if (entry.dueIndex < 0) this.#putDue(entry)
  }

  /** Drops the entries whose last event came `timeToLive` or longer before this time; each with the row that it had. */
  forget(closedAt: number): ReadonlyArray<KeyedEntry> {
    if (this.#timeToLiveMillis === null) return []
    const forgotten: Array<KeyedEntry> = [...this.store.recallDue(0, closedAt)]
    for (const entry of this.#due.takeUntil(closedAt)) {
      if (this.#isDueAt(entry) > closedAt) this.#putDue(entry)
      else forgotten.push(entry)
    }
    for (const entry of forgotten) {
      this.touch(entry)
      this.drop(entry)
    }
    return forgotten
  }

  /** When the next entry may be due to be forgotten; infinity: none ever is. */
  dueAt(): number {
    return Math.min(this.#due.earliest, this.store.packedDueAt(0))
  }

  drop(entry: KeyedEntry): void {
    this.#forget(entry)
    this.store.remove(entry)
  }

  #forget(entry: KeyedEntry): void {
    this.#index.remove(entry.hash, entry.key)
    this.#due.remove(entry)
  }

  #putDue(entry: KeyedEntry): void {
    if (this.#timeToLiveMillis !== null) this.#due.put(entry, this.#isDueAt(entry))
  }

  #isDueAt(entry: KeyedEntry): number {
    return this.#timeToLiveMillis === null ? Number.POSITIVE_INFINITY : entry.lastAt + this.#timeToLiveMillis
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
        this.#putDue(entry)
      },
      forget: (entry) => this.#forget(entry),
      dueAt: [(entry) => this.#isDueAt(entry)],
      writeHeader: () => {},
      readHeader: () => {}
    }
  }
}
