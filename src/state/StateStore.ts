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
import { PackedEntries } from "./PackedEntries.ts"
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
  /** Has it changed since it was last looked at as one to be packed? */
  used = false

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
  /** Called while restoring, after its value was read: puts it into the index, if that is not `readKey`'s affair. */
  readonly place?: (entry: E) => void
  /** The entry is gone, or packed: drop it from the index. */
  readonly forget: (entry: E) => void
  /** When an entry falls due on each clock of the step; infinity: never. Absent: it has none. Read when it is packed. */
  readonly dueAt?: ReadonlyArray<(entry: E) => number>
  /** Values of the step itself, such as its watermark; they are kept with key group 0. */
  readonly writeHeader: (writer: Writer) => void
  readonly readHeader: (reader: Reader) => void
}

export class StateStore<E extends Entry> {
  /** Entries in all key groups, packed ones too. */
  size = 0
  /** Those of them that are packed. */
  packed = 0
  readonly #codec: EntryCodec<E>
  readonly #groups: ReadonlyArray<Group<E>>
  readonly #folding: Folding.Folding<E>
  readonly #writer: Writer
  #headerChanged = false
  /** Was what was restored migrated? Then the next snapshot writes all of it. */
  #migrated = false
  readonly #entriesMax: number
  /** Where the next entry to be packed is looked for. */
  #hand = { group: 0, index: 0 }

  /** `entriesMax`: more than so many are packed into bytes, those first that did not change for the longest. */
  constructor(
    codec: EntryCodec<E>,
    options: { readonly entriesMax: number } = { entriesMax: Number.POSITIVE_INFINITY }
  ) {
    this.#entriesMax = options.entriesMax
    const classes = codec.classes ?? Classes.none
    this.#codec = codec
    this.#writer = new Writer(65_536, classes)
    this.#groups = Array.from({ length: Limits.keyGroups }, (_, keyGroup) => new Group<E>(keyGroup))
    this.#folding = new Folding.Folding(
      this.#groups,
      (group, progress, writer, bytesMax) => this.#writeEntries(group, progress, writer, bytesMax),
      classes
    )
  }

  /** Takes an entry that is not in the store, as changed. */
  add(entry: E): void {
    this.#insert(entry)
    this.change(entry)
  }

  /**
   * Fills an entry that the index does not hold with what is packed under its key, as if it had never been gone; it is
   * in the store then, as changed. `false`: nothing is packed under its key.
   */
  recall(entry: E): boolean {
    const group = this.#groups[entry.keyGroup]!
    if (group.packed.size === 0) return false
    const value = this.#takePacked(group, entry)
    if (value === null) return false
    this.#codec.readValue(entry, new Reader(value, this.#codec.classes))
    this.change(entry)
    return true
  }

  /** Entries again of those packed ones that fall due on this clock at `limit` or before; the index does not hold them. */
  recallDue(clock: number, limit: number): ReadonlyArray<E> {
    const entries: Array<E> = []
    if (this.packed === 0) return entries
    for (const group of this.#groups) {
      group.packed.takeDue(clock, limit, (key, value) => {
        const entry = this.#codec.readKey(new Reader(key, this.#codec.classes), group.keyGroup)
        this.#unpacked(group, entry, key.length + value.length)
        this.#codec.readValue(entry, new Reader(value, this.#codec.classes))
        this.change(entry)
        entries.push(entry)
      })
    }
    return entries
  }

  /** No packed entry falls due on this clock before; infinity: none ever does. */
  packedDueAt(clock: number): number {
    if (this.packed === 0) return Number.POSITIVE_INFINITY
    return this.#groups.reduce(
      (earliest, { packed }) => Math.min(earliest, packed.earliest(clock)),
      Number.POSITIVE_INFINITY
    )
  }

  /** How many packed entries fall due on this clock. Looks at all of them. */
  packedDueCount(clock: number): number {
    return this.#groups.reduce((count, { packed }) => count + packed.dueCount(clock), 0)
  }

  /** Says that the entry is other than at the last snapshot. */
  change(entry: E): void {
    if (entry.changed) return
    entry.changed = true
    entry.used = true
    this.#groups[entry.keyGroup]!.changed.push(entry)
  }

  /** Drops an entry that is in the store; the next snapshot says so. */
  remove(entry: E): void {
    const group = this.#groups[entry.keyGroup]!
    group.takeOut(entry)
    this.size--
    group.liveBytes -= entry.bytes
    if (entry.bytes > 0) group.removed.push(entry)
  }

  /** Says that what `writeHeader` writes is other than at the last snapshot. */
  changeHeader(): void {
    this.#headerChanged = true
  }

  /** All entries of a key group that are not packed, in no order. */
  entriesOf(keyGroup: number): ReadonlyArray<E> {
    return this.#groups[keyGroup]!.entries
  }

  /** The entries changed since the last snapshot, each once; `slot` is -1 for those removed since. */
  changedOf(keyGroup: number): ReadonlyArray<E> {
    return this.#groups[keyGroup]!.changed
  }

  /** What changed since the last snapshot. Its work is bounded by what changed, plus a share of the whole (`Folding`). */
  snapshot(): Snapshot {
    if (this.#migrated) return this.#snapshotWhole()
    const parts: Array<StatePart> = []
    for (const group of this.#groups) {
      const bytes = this.#writeDelta(group)
      if (bytes === null) continue
      parts.push({ keyGroup: group.keyGroup, kind: group.storedBytes === 0 ? "base" : "delta", bytes })
      group.stored(bytes.length)
    }
    this.#headerChanged = false
    const folded = this.#folding.run(parts)
    this.#pack()
    let bytes = 0
    for (const group of this.#groups) bytes += group.storedBytes
    return { parts: folded, rows: this.size, bytes }
  }

  /**
   * Takes up what snapshots handed over: for each key group its base, then its deltas in order. Called once, while
   * the store is empty. Throws `StateUnreadable` for bytes that no snapshot wrote.
   *
   * `migrate` makes each entry, as an older code kept it, what it is now: called right after its value was read, which
   * may be more than once for a key. The next snapshot then writes every key group as a base.
   */
  restore(parts: ReadonlyArray<StatePart>, migrate?: (entry: E) => void): void {
    this.#migrated = migrate !== undefined
    for (const part of parts) {
      const group = this.#groups[part.keyGroup]
      if (group === undefined) throw unreadable(`there is no key group ${part.keyGroup}`, 0)
      if (part.kind === "base") this.#forgetAll(group)
      group.stored(part.bytes.length)
      this.#apply(group, new Reader(part.bytes, this.#codec.classes), migrate)
      this.#pack()
    }
  }

  /** Every key group that is stored, as a base: what no entry is left of, as an empty one. */
  #snapshotWhole(): Snapshot {
    const parts: Array<StatePart> = []
    let stored = 0
    for (const group of this.#groups) {
      if (group.storedBytes === 0 && group.entries.length === 0) continue
      const writer = this.#writer
      writer.clear()
      this.#writeEntries(group, { index: null, chunks: 0 }, writer, Number.POSITIVE_INFINITY)
      for (const entry of group.changed) entry.changed = false
      group.changed = []
      group.removed = []
      group.deltas = 0
      group.storedBytes = writer.length
      stored += writer.length
      parts.push({ keyGroup: group.keyGroup, kind: "base", bytes: writer.copy() })
    }
    this.#headerChanged = false
    this.#migrated = false
    return { parts, rows: this.size, bytes: stored }
  }

  #insert(entry: E): void {
    const group = this.#groups[entry.keyGroup]!
    entry.slot = group.entries.length
    group.entries.push(entry)
    this.size++
  }

  /** Packs entries until no more are left than may be. One that changed since the hand came by is passed over once. */
  #pack(): void {
    const hand = this.#hand
    while (this.size - this.packed > this.#entriesMax) {
      const group = this.#groups[hand.group]!
      const entry = group.entries[hand.index]
      if (entry === undefined) {
        if (!this.#folding.isFolding(group.keyGroup)) group.packed.tidy()
        hand.group = (hand.group + 1) % this.#groups.length
        hand.index = 0
      } else if (entry.used) {
        entry.used = false
        hand.index++
      } else this.#packEntry(group, entry)
    }
  }

  #packEntry(group: Group<E>, entry: E): void {
    const writer = this.#writer
    writer.clear()
    this.#codec.writeKey(entry, writer)
    const keyLength = writer.length
    this.#codec.writeValue(entry, writer)
    group.packed.put(
      writer.view(),
      keyLength,
      this.#codec.dueAt?.map((dueAt) => dueAt(entry))
    )
    group.takeOut(entry)
    this.#codec.forget(entry)
    this.packed++
  }

  /** Puts the entry in the place of what is packed under its key, and answers the bytes of its value; `null`: nothing is. */
  #takePacked(group: Group<E>, entry: E): Uint8Array | null {
    const writer = this.#writer
    writer.clear()
    this.#codec.writeKey(entry, writer)
    const value = group.packed.take(writer.view())
    if (value !== null) this.#unpacked(group, entry, writer.length + value.length)
    return value
  }

  #unpacked(group: Group<E>, entry: E, bytes: number): void {
    entry.bytes = 1 + bytes
    entry.slot = group.entries.length
    group.entries.push(entry)
    this.packed--
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

  /** Entries that were removed since moved others down: those were either written or are below the end. */
  #writeEntries(group: Folding.Foldable<E>, progress: Folding.Progress, writer: Writer, bytesMax: number): boolean {
    const end = writer.length + bytesMax
    if (progress.index === null && group.keyGroup === 0) this.#writeHeader(writer)
    let index = Math.min(progress.index ?? group.entries.length, group.entries.length)
    while (index > 0 && writer.length < end) this.#writeEntry(group, group.entries[--index]!, writer)
    progress.index = index
    if (index > 0) return false
    // What was packed since the fold began was an entry then, and is written; written twice it is the same.
    for (; progress.chunks < group.packed.chunks && writer.length < end; progress.chunks++) {
      group.packed.eachOf(progress.chunks, (record) => {
        writer.byte(records.entry)
        writer.raw(record)
      })
    }
    return progress.chunks >= group.packed.chunks
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

  #apply(group: Group<E>, reader: Reader, migrate?: (entry: E) => void): void {
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
      // What was packed is read again, or removed: its value is of no use.
      if (entry.slot < 0 && group.packed.size > 0) this.#takePacked(group, entry)
      if (record === records.removed) {
        if (entry.slot >= 0) this.#drop(group, entry)
        this.#codec.forget(entry)
        continue
      }
      if (entry.slot < 0) this.#insert(entry)
      this.#codec.readValue(entry, reader)
      migrate?.(entry)
      this.#codec.place?.(entry)
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
    this.size -= group.packed.size
    this.packed -= group.packed.size
    group.packed = new PackedEntries()
    group.liveBytes = 0
    group.storedBytes = 0
    group.deltas = 0
  }
}

/** One key group: its entries, and how much of it is stored. */
class Group<E extends Entry> implements Folding.Foldable<E> {
  readonly keyGroup: number
  readonly entries: Array<E> = []
  packed = new PackedEntries()
  changed: Array<E> = []
  removed: Array<E> = []
  liveBytes = 0
  storedBytes = 0
  /** Deltas since the base. */
  deltas = 0

  constructor(keyGroup: number) {
    this.keyGroup = keyGroup
  }

  /** Takes an entry out of `entries`: the last one moves to its place. */
  takeOut(entry: E): void {
    const last = this.entries.pop()!
    if (last !== entry) {
      this.entries[entry.slot] = last
      last.slot = entry.slot
    }
    entry.slot = -1
  }

  stored(bytes: number): void {
    if (this.storedBytes > 0) this.deltas++
    this.storedBytes += bytes
  }
}

const records = { entry: 1, removed: 2, header: 3 } as const
