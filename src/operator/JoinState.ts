/**
 * The events that a join keeps, of both sides by key: each is an entry of its own, so an epoch writes what came, what
 * changed and what went. Says too which events are late.
 */
import type { KeyColumn } from "../flow/Topology.ts"
import { StateLimitExceeded, StepFailed } from "../model/Errors.ts"
import type { Key } from "../model/Key.ts"
import type { Batch } from "../model/Message.ts"
import { Classes } from "../state/Classes.ts"
import { type Reader, Writer } from "../state/Encoding.ts"
import type { StatePart } from "../state/StatePart.ts"
import { type EntryCodec, StateStore } from "../state/StateStore.ts"
import { compare, type EventPlace, indexOf, JoinEntry, JoinKey, type Side } from "./JoinEntry.ts"
import { hashOfKey, KeyReader, KeyTable } from "./KeyTable.ts"

export interface JoinStateOptions {
  readonly step: string
  /** How each side's key is read: columns of the same names, in the same order. */
  readonly keys: readonly [ReadonlyArray<KeyColumn>, ReadonlyArray<KeyColumn>]
  /** The prototypes that events may have beside the plain one. */
  readonly prototypes: ReadonlyArray<object>
  readonly allowedLatenessMillis: number
  readonly entriesMax: number
}

export class JoinState {
  readonly store: StateStore<JoinEntry>
  /** The watermark at the last barrier. */
  watermark = Number.NEGATIVE_INFINITY
  /** Partners of earlier events may have been forgotten. It never falls, whatever `allowedLateness` becomes. */
  forgottenUntil = Number.NEGATIVE_INFINITY
  /** Where the event stands that was looked at last. */
  readonly place: { -readonly [P in keyof EventPlace]: EventPlace[P] } = {
    eventTime: 0,
    origin: "",
    partition: 0,
    offset: 0,
    row: 0,
    copy: 0
  }
  /** Events that are late by the watermark of the job alone: another partition was ahead of theirs. */
  lateByOthers = 0
  readonly #keys = new KeyTable<JoinKey>()
  readonly #readers: readonly [KeyReader, KeyReader]
  readonly #options: JoinStateOptions
  readonly #classes: Classes
  // One text for all events of an origin, after a restart too.
  readonly #origins = new Map<string, string>()

  constructor(options: JoinStateOptions) {
    this.#options = options
    this.#classes = new Classes(options.prototypes)
    this.#readers = [new KeyReader(options.keys[0]), new KeyReader(options.keys[1])]
    this.store = new StateStore(this.#codec())
  }

  /** Keys of which events are kept. */
  get keys(): number {
    return this.#keys.size
  }

  /** Keeps the events of a batch that are not late, `came` hears of each; returns the indexes of the others. */
  take(batch: Batch, side: Side, came: (entry: JoinEntry) => void): ReadonlyArray<number> {
    const { eventTimes, offsets, ownWatermarks, rows, values } = batch
    const { allowedLatenessMillis, step } = this.#options
    if (eventTimes === null || ownWatermarks === null) throw untimed(step)
    const { forgottenUntil, place, watermark } = this
    const late: Array<number> = []
    place.partition = batch.partition
    place.origin = batch.origin
    for (let i = 0; i < values.length; i++) {
      place.eventTime = eventTimes[i]!
      place.offset = offsets[i]!
      place.row = rows === null ? 0 : rows[i]!
      const own = ownWatermarks[i]!
      const limit = own > watermark ? own : watermark
      if (place.eventTime + allowedLatenessMillis >= limit && place.eventTime >= forgottenUntil) {
        came(this.#add(side, values[i]))
        continue
      }
      late.push(i)
      if (own < watermark) this.lateByOthers++
    }
    return late
  }

  /** Takes the watermark of a barrier; it never falls. */
  advance(watermark: number): void {
    const reached = Math.max(this.watermark, watermark)
    const forgottenUntil = Math.max(this.forgottenUntil, reached - this.#options.allowedLatenessMillis)
    if (reached === this.watermark && forgottenUntil === this.forgottenUntil) return
    this.watermark = reached
    this.forgottenUntil = forgottenUntil
    this.store.changeHeader()
  }

  /** Says that an event is other than it was. */
  change(entry: JoinEntry): void {
    if (!entry.changed) this.store.change(entry)
  }

  /** Takes out the events of a side before an index; with the last of both sides the key goes too. */
  takeBefore(of: JoinKey, side: Side, index: number): ReadonlyArray<JoinEntry> {
    const taken = of.sides[side].splice(0, index)
    for (const entry of taken) this.store.remove(entry)
    this.#forgetKey(of)
    return taken
  }

  /** Takes up what was kept; `found` hears of each event. */
  restore(parts: ReadonlyArray<StatePart>, found: (entry: JoinEntry) => void): void {
    this.store.restore(parts)
    for (const { sides } of this.#keys.all()) for (const entries of sides) for (const entry of entries) found(entry)
  }

  #add(side: Side, value: unknown): JoinEntry {
    const { entriesMax, step } = this.#options
    this.#check(value)
    if (this.store.size >= entriesMax) throw full(step, entriesMax)
    const reader = this.#readers[side]
    const hash = reader.read(value as never)
    let of = this.#keys.find(hash, reader.columns)
    if (of === undefined) {
      of = new JoinKey(reader.columns.slice(), hash)
      this.#keys.add(of)
    }
    const entries = of.sides[side]
    const { place } = this
    place.copy = 0
    let index = indexOf(entries, place)
    for (; index < entries.length && compare(entries[index]!, place) === 0; index++) place.copy++
    const entry = new JoinEntry(of, side, place, value)
    if (index === entries.length) entries.push(entry)
    else entries.splice(index, 0, entry)
    this.store.add(entry)
    if (place.copy > 0) this.#tellApart(entries, index)
    return entry
  }

  /** Events of one place come in one epoch: their order is by what they are, not by which came first. */
  #tellApart(entries: ReadonlyArray<JoinEntry>, last: number): void {
    for (let i = last; entries[i]!.copy > 0; i--) {
      const [before, after] = [entries[i - 1]!, entries[i]!]
      if (compareBytes(this.#bytesOf(before.value), this.#bytesOf(after.value)) <= 0) return
      const { value } = before
      before.value = after.value
      after.value = value
    }
  }

  #bytesOf(value: unknown): Uint8Array {
    const writer = new Writer(1024, this.#classes)
    writer.value(value)
    return writer.copy()
  }

  /** Refuses at once what could not be kept: whether a job runs must not depend on where its epochs are cut. */
  #check(value: unknown): void {
    if (typeof value !== "object" || value === null) return
    const prototype: object | null = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null || this.#classes.nameOf(prototype) !== undefined) return
    throw unkept(this.#options.step, this.place, new TypeError(`it is a ${value.constructor?.name ?? "class"}`))
  }

  #forgetKey(of: JoinKey): void {
    if (of.isEmpty) this.#keys.remove(of.hash, of.key)
  }

  #codec(): EntryCodec<JoinEntry> {
    const { keys, step } = this.#options
    const columns = keys[0].length
    return {
      classes: this.#classes,
      writeKey,
      writeValue: (entry, writer) => writeValue(step, entry, writer),
      readKey: (reader) => {
        const key = Array.from({ length: columns }, () => reader.value()) as Key
        return this.#find(key, reader.byte() === 0 ? 0 : 1, readPlace(reader))
      },
      readValue,
      forget: (entry) => {
        const entries = entry.of.sides[entry.side]
        const index = indexOf(entries, entry)
        if (entries[index] === entry) entries.splice(index, 1)
        this.#forgetKey(entry.of)
      },
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

  /** The event at a place, made if it is not there. */
  #find(key: Key, side: Side, place: EventPlace): JoinEntry {
    const hash = hashOfKey(key)
    let of = this.#keys.find(hash, key)
    if (of === undefined) {
      of = new JoinKey(key, hash)
      this.#keys.add(of)
    }
    const origin = this.#origins.get(place.origin) ?? place.origin
    this.#origins.set(origin, origin)
    const entries = of.sides[side]
    const index = indexOf(entries, place)
    const found = entries[index]
    if (found !== undefined && compare(found, place) === 0) return found
    const entry = new JoinEntry(of, side, { ...place, origin }, undefined)
    entries.splice(index, 0, entry)
    return entry
  }
}

const writeKey = ({ copy, eventTime, of, offset, origin, partition, row, side }: JoinEntry, writer: Writer): void => {
  for (let i = 0; i < of.key.length; i++) writer.value(of.key[i])
  writer.byte(side)
  writer.value(eventTime)
  writer.value(origin)
  writer.varint(partition)
  writer.varint(offset)
  writer.varint(row)
  writer.varint(copy)
}

const readPlace = (reader: Reader): EventPlace => ({
  eventTime: reader.value() as number,
  origin: reader.value() as string,
  partition: reader.varint(),
  offset: reader.varint(),
  row: reader.varint(),
  copy: reader.varint()
})

const flags = { matched: 1, emitted: 2 } as const

const writeValue = (step: string, entry: JoinEntry, writer: Writer): void => {
  writer.byte((entry.matched ? flags.matched : 0) | (entry.emitted ? flags.emitted : 0))
  try {
    writer.value(entry.value)
  } catch (error) {
    throw unkept(step, entry, error)
  }
}

const readValue = (entry: JoinEntry, reader: Reader): void => {
  const flag = reader.byte()
  entry.matched = (flag & flags.matched) !== 0
  entry.emitted = (flag & flags.emitted) !== 0
  entry.value = reader.value()
}

const compareBytes = (one: Uint8Array, other: Uint8Array): number => {
  for (let i = 0; i < one.length && i < other.length; i++) if (one[i] !== other[i]) return one[i]! - other[i]!
  return one.length - other.length
}

const full = (step: string, keysMax: number): StateLimitExceeded =>
  new StateLimitExceeded({
    step,
    keysMax,
    message: `Step '${step}' would keep more than ${keysMax} events that wait for their partners`,
    hint: "Make within, allowedLateness or maxOutOfOrderness shorter, or look why one of the two flows is behind."
  })

const untimed = (step: string): StepFailed =>
  new StepFailed({
    step,
    message: `Step '${step}' received events without event time`,
    hint: "Put Flow.eventTime before the join, in both flows."
  })

const unkept = (step: string, entry: EventPlace, error: unknown): StepFailed =>
  new StepFailed({
    step,
    message: `Step '${step}' cannot keep the event at ${entry.origin}, partition ${entry.partition}, offset ${entry.offset}: ${error instanceof Error ? error.message : String(error)}`,
    hint: "A join keeps events until their partners come: make them plain rows by a Flow.map before it. Instances of a Schema.Class that Flow.decode reads can be kept, if its constructor takes its fields as they are."
  })
