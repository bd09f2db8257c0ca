/** What all windowed steps do with their entries, whatever the windows: make, join, keep. */
import type { Key } from "../model/Key.ts"
import type { Reader, Writer } from "../state/Encoding.ts"
import { type EntryCodec, StateStore } from "../state/StateStore.ts"
import { type Row, readKey, readStates, writeKey, writeStates } from "./AggregateEntry.ts"
import { AggregateState, type AggregateStateOptions } from "./AggregateState.ts"
import { hashOfKey } from "./KeyTable.ts"
import type { OpenWindow } from "./Waiting.ts"
import { WindowEntry } from "./WindowEntry.ts"

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
  /** The windows that close first, at most so many. */
  readonly first: (count: number) => ReadonlyArray<OpenWindow>
  /** How long after its end a window still takes events. */
  readonly closesAfterMillis: number
}

export class WindowState extends AggregateState<WindowEntry> {
  readonly store: StateStore<WindowEntry>
  /** The job's watermark at the last barrier. */
  watermark = Number.NEGATIVE_INFINITY
  /** Windows that ended then or before have been forgotten. It never falls, whatever `allowedLateness` becomes. */
  forgottenUntil = Number.NEGATIVE_INFINITY
  /** Entries that went into others since the last barrier, and whose rows were emitted. */
  absorbed: Array<WindowEntry> = []
  readonly #keyColumns: number

  constructor(
    options: Omit<AggregateStateOptions, "bound"> & {
      readonly index: () => WindowIndex
      /** Entries that are kept as objects; others are packed. */
      readonly entriesMax: number
    }
  ) {
    super({
      ...options,
      columns: [...options.columns, "windowStart", "windowEnd"],
      bound: {
        over: " over all its open windows",
        hint: "Make the window, allowedLateness or maxOutOfOrderness shorter, or key by fewer distinct values."
      }
    })
    this.#keyColumns = options.columns.length
    this.store = new StateStore(this.#codec(options.index), options)
  }

  /** A new entry of the key that was read last, in the store but not in the index. */
  make(hash: number, start: number, end: number): WindowEntry {
    const entry = new WindowEntry(this.keys.columns.slice(), hash, start, end, this.empty())
    this.keep(entry)
    return entry
  }

  /** Entries again of those that are packed, of windows that end then or before. The index has none of them. */
  recallUntil(end: number): ReadonlyArray<WindowEntry> {
    return this.store.recallDue(0, end)
  }

  /** Takes the watermark of a barrier, at which windows close so long after their end. */
  advance(watermark: number, closesAfterMillis: number): void {
    const reached = Math.max(this.watermark, watermark)
    const forgottenUntil = Math.max(this.forgottenUntil, reached - closesAfterMillis)
    if (reached === this.watermark && forgottenUntil === this.forgottenUntil) return
    this.watermark = reached
    this.forgottenUntil = forgottenUntil
    this.store.changeHeader()
  }

  /** Joins `entry` into `target` and drops it. */
  absorb(target: WindowEntry, entry: WindowEntry): void {
    this.touch(entry)
    this.merge(target, entry)
    if (entry.end > target.end) target.end = entry.end
    if (entry.before !== null) this.absorbed.push(entry)
    this.store.remove(entry)
  }

  override rowOf(entry: WindowEntry): Row {
    const row = this.shown(entry)
    row.windowStart = entry.start
    row.windowEnd = entry.end
    return row
  }

  #codec(index: () => WindowIndex): EntryCodec<WindowEntry> {
    return {
      writeKey: (entry, writer) => {
        writer.value(entry.start)
        writeKey(entry.key, writer)
      },
      writeValue: writeValue,
      readKey: (reader) => {
        const start = reader.value() as number
        const key = readKey(this.#keyColumns, reader)
        return index().find(key, start) ?? new WindowEntry(key, hashOfKey(key), start, start, [])
      },
      readValue,
      place: (entry) => index().insert(entry),
      forget: (entry) => index().forget(entry),
      dueAt: [(entry) => entry.end],
      writeHeader: (writer) => {
        writer.double(this.watermark)
        writer.double(this.forgottenUntil)
      },
      readHeader: (reader) => {
        this.watermark = reader.double()
        this.forgottenUntil = reader.double()
      }
    }
  }
}

const flags = { emitted: 1, closed: 2 } as const

const writeValue = (entry: WindowEntry, writer: Writer): void => {
  writer.byte((entry.emitted ? flags.emitted : 0) | (entry.closed ? flags.closed : 0))
  writer.varint(entry.end - entry.start)
  writeStates(entry, writer)
}

const readValue = (entry: WindowEntry, reader: Reader): void => {
  const flag = reader.byte()
  entry.emitted = (flag & flags.emitted) !== 0
  entry.closed = (flag & flags.closed) !== 0
  entry.end = entry.start + reader.varint()
  readStates(entry, reader)
}
