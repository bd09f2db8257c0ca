/**
 * The events that a join holds, of both sides by key. Those that are still there at the barrier of the epoch in which
 * they came become entries of the state, each its own: an epoch writes what is kept anew, what changed and what went.
 * Says too which events are late.
 */
import type { KeyColumn } from "../flow/Topology.ts"
import { StateLimitExceeded, StepFailed } from "../model/Errors.ts"
import type { Key } from "../model/Key.ts"
import type { Batch } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"
import { Classes } from "../state/Classes.ts"
import type { Reader, Writer } from "../state/Encoding.ts"
import type { StatePart } from "../state/StatePart.ts"
import { type EntryCodec, StateStore } from "../state/StateStore.ts"
import { type EventPlace, JoinEntry, JoinEvent, JoinKey, left, right, type Side } from "./JoinEvent.ts"
import { KeyReader, KeyTable } from "./KeyTable.ts"

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
    row: 0
  }
  /** Events that are late by the watermark of the job alone: another partition was ahead of theirs. */
  lateByOthers = 0
  /** By side: the earliest event since the last barrier; infinity if there is none. */
  readonly freshEarliest: [Millis, Millis] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  /** The events since the last barrier. */
  #fresh: Array<JoinEvent> = []
  readonly #keys = new KeyTable<JoinKey>()
  readonly #readers: readonly [KeyReader, KeyReader]
  readonly #options: JoinStateOptions
  readonly #classes: Classes
  #serial = 0
  /** While restoring: entries by their serial. */
  #restored = new Map<number, JoinEntry>()
  // One text for all events of an origin, after a restart too.
  readonly #origins = new Map<string, string>()

  constructor(options: JoinStateOptions) {
    this.#options = options
    this.#classes = new Classes(options.prototypes)
    this.#readers = [new KeyReader(options.keys[0]), new KeyReader(options.keys[1])]
    this.store = new StateStore(this.#codec())
  }

  /** Events that are held. */
  get size(): number {
    return this.store.size + this.#fresh.length
  }

  /** Keys of which events are held. */
  get keys(): number {
    return this.#keys.size
  }

  /** Holds the events of a batch that are not late, `came` hears of each; returns the indexes of the others. */
  take(batch: Batch, side: Side, came: (event: JoinEvent) => void): ReadonlyArray<number> {
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

  /** To be called once at each barrier: of the events since the last one, those go that `leaves` says it of. */
  settle(leaves: (event: JoinEvent) => boolean): void {
    const fresh = this.#fresh
    this.#fresh = []
    this.freshEarliest[left] = Number.POSITIVE_INFINITY
    this.freshEarliest[right] = Number.POSITIVE_INFINITY
    for (const event of fresh) {
      if (leaves(event)) this.#leave(event.of)
      else this.#keep(event)
    }
  }

  /** Says that an event is other than it was. */
  change({ entry }: JoinEvent): void {
    if (entry !== null) this.store.change(entry)
  }

  /** Lets an event go that is kept; with the last of both sides the key goes too. */
  remove(event: JoinEvent): void {
    this.store.remove(event.entry!)
    event.entry = null
    this.#leave(event.of)
  }

  /** Takes up what was kept; `found` hears of each event. */
  restore(parts: ReadonlyArray<StatePart>, found: (event: JoinEvent) => void): void {
    this.store.restore(parts)
    for (const { event } of this.#restored.values()) {
      event.of = this.#keyOf(event.of.hash, event.of.key, event.of)
      event.of.size++
      found(event)
    }
    this.#restored = new Map()
  }

  #add(side: Side, value: unknown): JoinEvent {
    const { place } = this
    const { entriesMax, step } = this.#options
    this.#check(value)
    if (this.size >= entriesMax) throw full(step, entriesMax)
    const reader = this.#readers[side]
    const of = this.#keyOf(reader.read(value as never), reader.columns)
    of.size++
    const event = new JoinEvent(of, side, place, value)
    this.#fresh.push(event)
    if (place.eventTime < this.freshEarliest[side]) this.freshEarliest[side] = place.eventTime
    return event
  }

  #keep(event: JoinEvent): void {
    event.entry = new JoinEntry(event.of.keyGroup, this.#serial++, event)
    this.store.add(event.entry)
    this.store.changeHeader()
  }

  #leave(of: JoinKey): void {
    if (--of.size === 0) this.#keys.remove(of.hash, of.key)
  }

  /** What is held under a key; else `made`, or a new one. */
  #keyOf(hash: number, columns: Key, made?: JoinKey): JoinKey {
    const known = this.#keys.find(hash, columns)
    if (known !== undefined) return known
    const of = made ?? new JoinKey(columns.slice(), hash)
    this.#keys.add(of)
    return of
  }

  /** Refuses at once what could not be kept: whether a job runs must not depend on where its epochs are cut. */
  #check(value: unknown): void {
    if (typeof value !== "object" || value === null) return
    const prototype: object | null = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null || this.#classes.nameOf(prototype) !== undefined) return
    throw unkept(this.#options.step, this.place, new TypeError(`it is a ${value.constructor?.name ?? "class"}`))
  }

  #codec(): EntryCodec<JoinEntry> {
    return {
      classes: this.#classes,
      writeKey: ({ serial }, writer) => writer.varint(serial),
      writeValue: ({ event }, writer) => this.#write(event, writer),
      readKey: (reader, keyGroup) => {
        const serial = reader.varint()
        return this.#restored.get(serial) ?? new JoinEntry(keyGroup, serial, none)
      },
      readValue: (entry, reader) => {
        entry.event = this.#read(reader)
        entry.event.entry = entry
        this.#restored.set(entry.serial, entry)
      },
      forget: ({ serial }) => {
        this.#restored.delete(serial)
      },
      writeHeader: (writer) => {
        writer.double(this.watermark)
        writer.double(this.forgottenUntil)
        writer.varint(this.#serial)
      },
      readHeader: (reader) => {
        this.watermark = reader.double()
        this.forgottenUntil = reader.double()
        this.#serial = reader.varint()
      }
    }
  }

  #write(event: JoinEvent, writer: Writer): void {
    const { key } = event.of
    for (let i = 0; i < key.length; i++) writer.value(key[i])
    writer.byte(
      (event.side === right ? flags.right : 0) |
        (event.matched ? flags.matched : 0) |
        (event.emitted ? flags.emitted : 0)
    )
    writer.double(event.eventTime)
    writer.value(event.origin)
    writer.varint(event.partition)
    writer.varint(event.offset)
    writer.varint(event.row)
    try {
      writer.value(event.value)
    } catch (error) {
      throw unkept(this.#options.step, event, error)
    }
  }

  #read(reader: Reader): JoinEvent {
    const key = Array.from(this.#options.keys[left], () => reader.value()) as Key
    const flag = reader.byte()
    const place: EventPlace = {
      eventTime: reader.double(),
      origin: this.#originOf(reader.value() as string),
      partition: reader.varint(),
      offset: reader.varint(),
      row: reader.varint()
    }
    const side = (flag & flags.right) === 0 ? left : right
    const event = new JoinEvent(new JoinKey(key), side, place, reader.value())
    event.matched = (flag & flags.matched) !== 0
    event.emitted = (flag & flags.emitted) !== 0
    return event
  }

  #originOf(text: string): string {
    const origin = this.#origins.get(text) ?? text
    this.#origins.set(origin, origin)
    return origin
  }
}

const flags = { matched: 1, emitted: 2, right: 4 } as const

const nowhere: EventPlace = { eventTime: 0, origin: "", partition: 0, offset: 0, row: 0 }
const none = new JoinEvent(new JoinKey([]), left, nowhere, null)

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

const unkept = (step: string, at: EventPlace, error: unknown): StepFailed =>
  new StepFailed({
    step,
    message: `Step '${step}' cannot keep the event at ${at.origin}, partition ${at.partition}, offset ${at.offset}: ${error instanceof Error ? error.message : String(error)}`,
    hint: "A join keeps events until their partners come: make them plain rows by a Flow.map before it. Instances of a Schema.Class that Flow.decode reads can be kept, if its constructor takes its fields as they are."
  })
