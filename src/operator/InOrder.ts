/**
 * Events that wait for their turn: what every step needs whose result depends on the order of events.
 *
 * Timed: an event is handed out at the first barrier whose watermark passes it (event time < watermark), in the order
 * (event time, origin, partition, offset, row, input). One that comes when its time has been passed is late: its time is
 * below the larger of its own partition's watermark before it and what the step has handed out. Untimed: all events of
 * an epoch are handed out at its barrier, in the order (origin, partition, offset, row, input).
 *
 * A final barrier hands out all that wait, as if the watermark had passed them: from then on, what is earlier is late.
 * Events that wait beyond a barrier are entries of the step's state, each its own; those that are handed out at the
 * barrier of the epoch in which they came never are.
 *
 *     came        4 1 │ 3 6 2 │ 5 8 │
 *     watermark       2       4     7
 *     handed out      1      2 3  4 5 6        8 waits
 */
import { StateLimitExceeded } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import { eventTimeMax } from "../model/Time.ts"
import { Classes } from "../state/Classes.ts"
import type { Reader, Writer } from "../state/Encoding.ts"
import { Entry, type EntryCodec, StateStore } from "../state/StateStore.ts"
import { type Due, DueEntries } from "./DueEntries.ts"
import { type EventsWaiting, known } from "./Waiting.ts"

/** An event and where it stands. `eventTime` is 0 where events are untimed. */
export interface Waiting {
  readonly value: unknown
  readonly eventTime: number
  readonly origin: string
  readonly partition: number
  readonly offset: number
  readonly row: number
  /** By which input of the step it came. */
  readonly input: number
}

/** An event that waits beyond a barrier. */
export class WaitingEntry extends Entry implements Due {
  /** Unlike that of any other entry that waits. */
  readonly serial: number
  event: Waiting
  dueAt = 0
  dueIndex = -1

  constructor(keyGroup: number, serial: number, event: Waiting) {
    super(keyGroup)
    this.serial = serial
    this.event = event
  }
}

export interface Options<Own extends Entry> {
  readonly step: string
  /** Do the events have event time? Where several flows meet: do all of them? */
  readonly timed: boolean
  /** Of the classes that events may be instances of. */
  readonly prototypes: ReadonlyArray<object>
  /** The key group of an event's key. */
  readonly keyGroupOf: (event: Waiting) => number
  /** What else the step keeps, in the same store. */
  readonly own: EntryCodec<Own>
  /** Default `Limits.waitingEventsMax`. */
  readonly eventsMax?: number
  /** Entries that are kept as objects, events too; others are packed. Default: all. */
  readonly entriesMax?: number
}

export class InOrder<Own extends Entry> {
  /** What the step keeps: its own entries, and the events that wait. */
  readonly store: StateStore<Own | WaitingEntry>
  /** The job's watermark at the last barrier. */
  watermark = Number.NEGATIVE_INFINITY
  /** Everything earlier has been handed out: an event below it is late. Above the watermark after a final barrier. */
  passed = Number.NEGATIVE_INFINITY
  /** Late events so far, and how many of them their own partition's watermark had not passed. */
  late = 0
  lateByOthers = 0
  readonly #options: Options<Own>
  readonly #eventsMax: number
  readonly #classes: Classes
  readonly #kept = new DueEntries<WaitingEntry>(slotMillis)
  #keptSize = 0
  /** Timed events of this epoch. */
  #fresh: Array<Waiting> = []
  #freshEarliest = Number.POSITIVE_INFINITY
  /** Untimed events of this epoch, as they came. */
  #untimed: Array<Came> = []
  #untimedSize = 0
  #serial = 0
  /** While restoring: entries by their serial. */
  #restored = new Map<number, WaitingEntry>()

  constructor(options: Options<Own>) {
    this.#options = options
    this.#eventsMax = options.eventsMax ?? Limits.waitingEventsMax
    this.#classes = new Classes(options.prototypes)
    this.store = new StateStore<Own | WaitingEntry>(this.#codec(options.own), {
      entriesMax: options.entriesMax ?? Number.POSITIVE_INFINITY
    })
  }

  /** Events that wait now. */
  get size(): number {
    return this.#keptSize + this.#fresh.length + this.#untimedSize
  }

  /** Of those, the ones that are entries of the state, packed ones too. */
  get kept(): number {
    return this.#keptSize
  }

  /** What is earlier has been handed out: `passed`, and no limit where all partitions have finished. */
  get limit(): number {
    const passed = Math.max(this.passed, this.watermark)
    return passed >= eventTimeMax ? Number.POSITIVE_INFINITY : passed
  }

  /** What it waits for; to be asked of timed events only. */
  waiting(): EventsWaiting {
    const eventTime = Math.min(this.#freshEarliest, this.#keptEarliest())
    const first = this.size === 0 ? null : { eventTime, until: eventTime + 1 }
    return { kind: "events", watermark: known(this.watermark), waiting: this.size, first }
  }

  /** Takes the events of a batch; answers the indexes of those that are late. */
  add(batch: Batch, input = 0): ReadonlyArray<number> {
    const lateIndexes = this.#options.timed ? this.#addTimed(batch, input) : this.#addUntimed(batch, input)
    this.late += lateIndexes.length
    if (this.size > this.#eventsMax) throw this.#full()
    return lateIndexes
  }

  /**
   * To be called once at each barrier: the events whose turn has come, in order, to be gone through once; each is good
   * until the next is asked for. What is left is kept.
   */
  take(barrier: Barrier): Iterable<Waiting> {
    if (!this.#options.timed) return this.#takeUntimed()
    const fresh = this.#fresh
    this.#fresh = []
    this.#freshEarliest = Number.POSITIVE_INFINITY
    if (barrier.watermark > this.watermark) {
      this.watermark = barrier.watermark
      this.store.changeHeader()
    }
    const limit = barrier.final ? Number.POSITIVE_INFINITY : this.limit
    const due = this.#takeKept(limit)
    for (const event of fresh) {
      if (event.eventTime < limit) due.push(event)
      else this.#keep(event)
    }
    due.sort(inOrder)
    this.#pass(barrier.final && due.length > 0 ? due[due.length - 1]!.eventTime + 1 : this.watermark)
    return due
  }

  /** The step's own entries that are packed and fall due on this clock of theirs at `limit` or before, as `StateStore`. */
  recallOwn(clock: number, limit: number): ReadonlyArray<Own> {
    return this.store.recallDue(firstOwnClock + clock, limit) as ReadonlyArray<Own>
  }

  /** No packed entry of the step's own falls due on this clock of theirs before. */
  packedOwnDueAt(clock: number): number {
    return this.store.packedDueAt(firstOwnClock + clock)
  }

  /** Takes up what snapshots handed over. Called once, before the first batch. */
  restore(...of: Parameters<StateStore<Own | WaitingEntry>["restore"]>): void {
    this.store.restore(...of)
    for (const entry of this.#restored.values()) this.#kept.put(entry, entry.event.eventTime)
    this.#restored = new Map()
    this.#keptSize = this.#kept.size + this.store.packedDueCount(waitingClock)
  }

  #addTimed({ eventTimes, offsets, origin, ownWatermarks, partition, rows, values }: Batch, input: number) {
    const lateIndexes: Array<number> = []
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      const eventTime = eventTimes![i]!
      if (this.#isLate(eventTime, ownWatermarks![i]!)) {
        lateIndexes.push(i)
        continue
      }
      this.#check(value)
      const row = rows === null ? 0 : rows[i]!
      this.#fresh.push({ value, eventTime, origin, partition, offset: offsets[i]!, row, input })
      if (eventTime < this.#freshEarliest) this.#freshEarliest = eventTime
    }
    return lateIndexes
  }

  #addUntimed(batch: Batch, input: number): ReadonlyArray<number> {
    for (const value of batch.values) this.#check(value)
    if (batch.values.length > 0) this.#untimed.push({ batch, input })
    this.#untimedSize += batch.values.length
    return []
  }

  /** Most batches lie in order, one behind the other: then no event is an object of its own. */
  #takeUntimed(): Iterable<Waiting> {
    const came = this.#untimed.sort(firstInOrder)
    this.#untimed = []
    this.#untimedSize = 0
    return isOrdered(came) ? eventsOf(came) : Array.from(eventsOf(came), (event) => ({ ...event })).sort(inOrder)
  }

  #isLate(eventTime: number, own: number): boolean {
    if (eventTime >= own && eventTime >= this.passed) return false
    if (eventTime >= own) this.lateByOthers++
    return true
  }

  /** Refuses when it comes what could not be kept: whether a job runs must not depend on the cuts of its epochs. */
  #check(event: unknown): void {
    if (typeof event !== "object" || event === null) return
    const prototype: object | null = Object.getPrototypeOf(event)
    if (prototype === Object.prototype || prototype === null || this.#classes.nameOf(prototype) !== undefined) return
    if (Array.isArray(event) || event instanceof Uint8Array || event instanceof Map) return
    throw new TypeError(`a ${event.constructor?.name ?? "class"} cannot be kept: make it a plain object with Flow.map`)
  }

  #pass(eventTime: number): void {
    const passed = Math.max(this.passed, this.watermark, eventTime)
    if (passed === this.passed) return
    this.passed = passed
    this.store.changeHeader()
  }

  #keep(event: Waiting): void {
    const entry = new WaitingEntry(this.#options.keyGroupOf(event), this.#serial++, event)
    this.store.add(entry)
    this.store.changeHeader()
    this.#kept.put(entry, event.eventTime)
    this.#keptSize++
  }

  /** Costs a look at the events of one slot. */
  #keptEarliest(): number {
    const packed = this.store.packedDueAt(waitingClock)
    return this.#kept.first.reduce((earliest, { event }) => Math.min(earliest, event.eventTime), packed)
  }

  /** The kept events below the limit, dropped from the state; in no order. */
  #takeKept(limit: number): Array<Waiting> {
    const due = this.store.recallDue(waitingClock, limit - 1) as Array<WaitingEntry>
    for (const entry of this.#kept.takeUntil(limit - 1)) {
      if (entry.event.eventTime < limit) due.push(entry)
      else this.#kept.put(entry, entry.event.eventTime)
    }
    for (const entry of due) this.store.remove(entry)
    this.#keptSize -= due.length
    return due.map(({ event }) => event)
  }

  #full(): StateLimitExceeded {
    return new StateLimitExceeded({
      step: this.#options.step,
      keysMax: this.#eventsMax,
      message: `Step '${this.#options.step}' would hold more than ${this.#eventsMax} events that wait for the watermark`,
      hint: "Make maxOutOfOrderness or idleAfter shorter: a partition that is far behind the others makes theirs wait."
    })
  }

  #codec(own: EntryCodec<Own>): EntryCodec<Own | WaitingEntry> {
    return {
      classes: this.#classes,
      writeKey: (entry, writer) => {
        if (entry instanceof WaitingEntry) writer.varint(entry.serial + 1)
        else {
          writer.varint(0)
          own.writeKey(entry, writer)
        }
      },
      writeValue: (entry, writer) => {
        if (entry instanceof WaitingEntry) this.#write(entry.event, writer)
        else own.writeValue(entry, writer)
      },
      readKey: (reader, keyGroup) => {
        const serial = reader.varint() - 1
        return serial < 0
          ? own.readKey(reader, keyGroup)
          : (this.#restored.get(serial) ?? new WaitingEntry(keyGroup, serial, none))
      },
      readValue: (entry, reader) => {
        if (entry instanceof WaitingEntry) entry.event = this.#read(reader)
        else own.readValue(entry, reader)
      },
      place: (entry) => {
        if (entry instanceof WaitingEntry) this.#restored.set(entry.serial, entry)
        else own.place?.(entry)
      },
      forget: (entry) => {
        if (entry instanceof WaitingEntry) {
          this.#restored.delete(entry.serial)
          this.#kept.remove(entry)
        } else own.forget(entry)
      },
      dueAt: [
        (entry) => (entry instanceof WaitingEntry ? entry.event.eventTime : Number.POSITIVE_INFINITY),
        ...(own.dueAt ?? []).map(
          (dueAt) => (entry: Own | WaitingEntry) =>
            entry instanceof WaitingEntry ? Number.POSITIVE_INFINITY : dueAt(entry)
        )
      ],
      writeHeader: (writer) => {
        writer.double(this.watermark)
        writer.double(this.passed)
        writer.varint(this.#serial)
        own.writeHeader(writer)
      },
      readHeader: (reader) => {
        this.watermark = reader.double()
        this.passed = reader.double()
        this.#serial = reader.varint()
        own.readHeader(reader)
      }
    }
  }

  #write(event: Waiting, writer: Writer): void {
    writer.double(event.eventTime)
    writer.value(event.origin)
    writer.varint(event.partition)
    writer.varint(event.offset)
    writer.varint(event.row)
    writer.varint(event.input)
    writer.value(event.value)
  }

  #read(reader: Reader): Waiting {
    return {
      eventTime: reader.double(),
      origin: reader.value() as string,
      partition: reader.varint(),
      offset: reader.varint(),
      row: reader.varint(),
      input: reader.varint(),
      value: reader.value()
    }
  }
}

const none: Waiting = { value: null, eventTime: 0, origin: "", partition: 0, offset: 0, row: 0, input: 0 }

/** Milliseconds whose events stand together while they wait. */
const slotMillis = 1024

/** The clock of the store on which events that wait fall due; those of the step's own entries come after it. */
const waitingClock = 0
const firstOwnClock = 1

/** The order in which events are handed out. No two have one place. */
const inOrder = (left: Waiting, right: Waiting): number =>
  left.eventTime - right.eventTime ||
  (left.origin === right.origin ? 0 : left.origin < right.origin ? -1 : 1) ||
  left.partition - right.partition ||
  left.offset - right.offset ||
  left.row - right.row ||
  left.input - right.input

/** A batch, and by which input of the step it came. It has events. */
interface Came {
  readonly batch: Batch
  readonly input: number
}

/** The order of untimed batches by the places of their first events. */
const firstInOrder = (left: Came, right: Came): number => placesInOrder(left, 0, right, 0)

const placesInOrder = (left: Came, leftIndex: number, right: Came, rightIndex: number): number => {
  const [one, other] = [left.batch, right.batch]
  if (one.origin !== other.origin) return one.origin < other.origin ? -1 : 1
  return (
    one.partition - other.partition ||
    one.offsets[leftIndex]! - other.offsets[rightIndex]! ||
    rowOf(one, leftIndex) - rowOf(other, rightIndex) ||
    left.input - right.input
  )
}

const rowOf = ({ rows }: Batch, index: number): number => (rows === null ? 0 : rows[index]!)

/** Do the events of batches, one after the other, stand in the order of their places? */
const isOrdered = (batches: ReadonlyArray<Came>): boolean =>
  batches.every((came, at) => {
    const { batch } = came
    for (let i = 1; i < batch.values.length; i++) {
      const offsets = batch.offsets[i - 1]! - batch.offsets[i]!
      if (offsets > 0 || (offsets === 0 && rowOf(batch, i - 1) > rowOf(batch, i))) return false
    }
    const next = batches[at + 1]
    return next === undefined || placesInOrder(came, batch.values.length - 1, next, 0) < 0
  })

/** The events of untimed batches, one after the other, in one object. */
function* eventsOf(batches: ReadonlyArray<Came>): Generator<Waiting> {
  const event: { -readonly [P in keyof Waiting]: Waiting[P] } = { ...none }
  for (const { batch, input } of batches) {
    event.origin = batch.origin
    event.partition = batch.partition
    event.input = input
    for (let i = 0; i < batch.values.length; i++) {
      event.value = batch.values[i]
      event.offset = batch.offsets[i]!
      event.row = rowOf(batch, i)
      yield event
    }
  }
}
