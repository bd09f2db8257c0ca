/**
 * The keyed state of one step, in memory: entries in key groups, what changed since the last barrier, and their
 * snapshots.
 *
 * The step holds its entries in whatever index it looks them up by; the store knows which key group each belongs to
 * and which have changed. A snapshot writes one delta for each key group with changes, and, within a budget, folds
 * key groups into bases anew (`Folding`).
 */
import * as Limits from "../model/Limits.ts"
import * as Classes from "./Classes.ts"
import { Reader, unreadable, Writer } from "./Encoding.ts"
import * as Folding from "./Folding.ts"
import type { Snapshot, StatePart } from "./StatePart.ts"

/** What the store keeps with each entry. A step's entries extend it. */
export class Entry {
  readonly keyGroup: number
  /** Its index in its key group; -1 while it is not in the store. */
  slot = -1
  /** Bytes of its last record in a snapshot; 0 if none holds it yet. */
  bytes = 0
  /** Has it changed since the last snapshot? */
  changed = false

  constructor(keyGroup: number) {
    this.keyGroup = keyGroup
  }
}

/** How a step's entries become bytes. A reader method reads exactly what its writer wrote. */
export interface EntryCodec<E extends Entry> {
  /** Of which classes values may be instances; absent: of none. */
  readonly classes?: Classes.Classes
  readonly writeKey: (entry: E, writer: Writer) => void
  readonly writeValue: (entry: E, writer: Writer) => void
  /** Reads a key; the entry that the step has under it, else a new one in its index. The store adds it. */
  readonly readKey: (reader: Reader, keyGroup: number) => E
  readonly readValue: (entry: E, reader: Reader) => void
  /** Called while restoring: the entry is gone, drop it from the index. */
  readonly forget: (entry: E) => void
  /** Values of the step itself, such as its watermark; they are kept with key group 0. */
  readonly writeHeader: (writer: Writer) => void
  readonly readHeader: (reader: Reader) => void
}

export class StateStore<E extends Entry> {
  /** Entries in all key groups. */
  size = 0
  readonly #codec: EntryCodec<E>
  readonly #groups: ReadonlyArray<Group<E>>
  readonly #folding: Folding.Folding<E>
  readonly #writer: Writer
  #headerChanged = false

  constructor(codec: EntryCodec<E>) {
    const classes = codec.classes ?? Classes.none
    this.#codec = codec
    this.#writer = new Writer(65_536, classes)
    this.#groups = Array.from({ length: Limits.keyGroups }, (_, keyGroup) => new Group<E>(keyGroup))
    this.#folding = new Folding.Folding(
      this.#groups,
      (group, from, writer, bytesMax) => this.#writeEntries(group, from, writer, bytesMax),
      classes
    )
  }

  /** Takes an entry that is not in the store, as changed. */
  add(entry: E): void {
    this.#insert(entry)
    this.change(entry)
  }

  /** Says that the entry is other than at the last snapshot. */
  change(entry: E): void {
    if (entry.changed) return
    entry.changed = true
    this.#groups[entry.keyGroup]!.changed.push(entry)
  }

  /** Drops an entry that is in the store; the next snapshot says so. */
  remove(entry: E): void {
    const group = this.#groups[entry.keyGroup]!
    const last = group.entries.pop()!
    if (last !== entry) {
      group.entries[entry.slot] = last
      last.slot = entry.slot
    }
    entry.slot = -1
    this.size--
    group.liveBytes -= entry.bytes
    if (entry.bytes > 0) group.removed.push(entry)
  }

  /** Says that what `writeHeader` writes is other than at the last snapshot. */
  changeHeader(): void {
    this.#headerChanged = true
  }

  /** All entries of a key group, in no order. */
  entriesOf(keyGroup: number): ReadonlyArray<E> {
    return this.#groups[keyGroup]!.entries
  }

  /** The entries changed since the last snapshot, each once; `slot` is -1 for those removed since. */
  changedOf(keyGroup: number): ReadonlyArray<E> {
    return this.#groups[keyGroup]!.changed
  }

  /** What changed since the last snapshot. Its work is bounded by what changed, plus a share of the whole (`Folding`). */
  snapshot(): Snapshot {
    const parts: Array<StatePart> = []
    for (const group of this.#groups) {
      const bytes = this.#writeDelta(group)
      if (bytes === null) continue
      parts.push({ keyGroup: group.keyGroup, kind: group.storedBytes === 0 ? "base" : "delta", bytes })
      group.stored(bytes.length)
    }
    this.#headerChanged = false
    const folded = this.#folding.run(parts)
    let bytes = 0
    for (const group of this.#groups) bytes += group.storedBytes
    return { parts: folded, rows: this.size, bytes }
  }

  /**
   * Takes up what snapshots handed over: for each key group its base, then its deltas in order. Called once, while
   * the store is empty. Throws `StateUnreadable` for bytes that no snapshot wrote.
   */
  restore(parts: ReadonlyArray<StatePart>): void {
    for (const part of parts) {
      const group = this.#groups[part.keyGroup]
      if (group === undefined) throw unreadable(`there is no key group ${part.keyGroup}`, 0)
      if (part.kind === "base") this.#forgetAll(group)
      group.stored(part.bytes.length)
      this.#apply(group, new Reader(part.bytes, this.#codec.classes))
    }
  }

  #insert(entry: E): void {
    const group = this.#groups[entry.keyGroup]!
    entry.slot = group.entries.length
    group.entries.push(entry)
    this.size++
  }

  /** Removed keys before changed ones: a key may have been removed and made again. */
  #writeDelta(group: Group<E>): Uint8Array | null {
    const header = this.#headerChanged && group.keyGroup === 0
    if (!header && group.changed.length === 0 && group.removed.length === 0) return null
    const writer = this.#writer
    writer.clear()
    if (header) this.#writeHeader(writer)
    for (const entry of group.removed) {
      writer.byte(records.removed)
      this.#codec.writeKey(entry, writer)
    }
    for (const entry of group.changed) {
      entry.changed = false
      if (entry.slot >= 0) this.#writeEntry(group, entry, writer)
    }
    group.removed = []
    group.changed = []
    return writer.length === 0 ? null : writer.copy()
  }

  /** Writes entries from index `from - 1` down, until `bytesMax` are written; returns the index it came to. */
  #writeEntries(group: Folding.Foldable<E>, from: number, writer: Writer, bytesMax: number): number {
    if (from === group.entries.length && group.keyGroup === 0) this.#writeHeader(writer)
    const end = writer.length + bytesMax
    let index = from
    while (index > 0 && writer.length < end) this.#writeEntry(group, group.entries[--index]!, writer)
    return index
  }

  #writeEntry(group: Folding.Foldable<E>, entry: E, writer: Writer): void {
    const start = writer.length
    writer.byte(records.entry)
    this.#codec.writeKey(entry, writer)
    this.#codec.writeValue(entry, writer)
    group.liveBytes += writer.length - start - entry.bytes
    entry.bytes = writer.length - start
  }

  #writeHeader(writer: Writer): void {
    writer.byte(records.header)
    this.#codec.writeHeader(writer)
  }

  #apply(group: Group<E>, reader: Reader): void {
    while (!reader.atEnd) {
      const start = reader.position
      const record = reader.byte()
      if (record === records.header) {
        this.#codec.readHeader(reader)
        continue
      }
      if (record !== records.entry && record !== records.removed)
        throw unreadable(`${record} is no kind of state record`, start)
      const entry = this.#codec.readKey(reader, group.keyGroup)
      if (record === records.removed) {
        if (entry.slot >= 0) this.#drop(group, entry)
        this.#codec.forget(entry)
        continue
      }
      if (entry.slot < 0) this.#insert(entry)
      this.#codec.readValue(entry, reader)
      group.liveBytes += reader.position - start - entry.bytes
      entry.bytes = reader.position - start
    }
  }

  #drop(group: Group<E>, entry: E): void {
    this.remove(entry)
    group.removed = []
  }

  #forgetAll(group: Group<E>): void {
    for (const entry of [...group.entries]) {
      this.#drop(group, entry)
      this.#codec.forget(entry)
    }
    group.storedBytes = 0
    group.deltas = 0
  }
}

/** One key group: its entries, and how much of it is stored. */
class Group<E extends Entry> implements Folding.Foldable<E> {
  readonly keyGroup: number
  readonly entries: Array<E> = []
  changed: Array<E> = []
  removed: Array<E> = []
  liveBytes = 0
  storedBytes = 0
  /** Deltas since the base. */
  deltas = 0

  constructor(keyGroup: number) {
    this.keyGroup = keyGroup
  }

  stored(bytes: number): void {
    if (this.storedBytes > 0) this.deltas++
    this.storedBytes += bytes
  }
}

const records = { entry: 1, removed: 2, header: 3 } as const
