/** One event that a join holds, the entry that keeps it beyond a barrier, and what a join knows of a key. */
import type { Offset } from "../model/Event.ts"
import type { Key } from "../model/Key.ts"
import * as Keys from "../model/Key.ts"
import type { Millis } from "../model/Time.ts"
import { Entry } from "../state/StateStore.ts"
import { hashOfKey } from "./KeyTable.ts"

/** Which input an event came by. */
export type Side = 0 | 1
export const left: Side = 0
export const right: Side = 1

/** Where an event stands among all events of its input: no other stands there. */
export interface EventPlace {
  readonly eventTime: Millis
  readonly origin: string
  readonly partition: number
  readonly offset: Offset
  readonly row: number
}

export class JoinEvent implements EventPlace {
  of: JoinKey
  readonly side: Side
  readonly value: unknown
  readonly eventTime: Millis
  readonly origin: string
  readonly partition: number
  readonly offset: Offset
  readonly row: number
  /** Has it had a partner? Kept up only where that matters. */
  matched = false
  /** Has it left without a partner, before its time was up? */
  emitted = false
  /** What keeps it in the state; `null`: it came after the last barrier, or has gone. */
  entry: JoinEntry | null = null

  constructor(of: JoinKey, side: Side, place: EventPlace, value: unknown) {
    this.of = of
    this.side = side
    this.value = value
    this.eventTime = place.eventTime
    this.origin = place.origin
    this.partition = place.partition
    this.offset = place.offset
    this.row = place.row
  }
}

/** An event that is kept beyond a barrier. */
export class JoinEntry extends Entry {
  /** Unlike that of any other entry of the step. */
  readonly serial: number
  event: JoinEvent

  constructor(keyGroup: number, serial: number, event: JoinEvent) {
    super(keyGroup)
    this.serial = serial
    this.event = event
  }
}

/** One key, and those of its events that are looked up by time: each side in the order of places. */
export class JoinKey {
  readonly key: Key
  readonly hash: number
  readonly keyGroup: number
  /** Events of both sides that the join holds, looked up by time or not. */
  size = 0
  lefts: ReadonlyArray<JoinEvent> = none
  rights: ReadonlyArray<JoinEvent> = none

  constructor(key: Key, hash = hashOfKey(key)) {
    this.key = key
    this.hash = hash
    this.keyGroup = Keys.keyGroupOf(key)
  }

  eventsOf(side: Side): ReadonlyArray<JoinEvent> {
    return side === left ? this.lefts : this.rights
  }

  insert(event: JoinEvent): void {
    const events = this.eventsOf(event.side) as Array<JoinEvent>
    // Most keys have one event, most others come in order.
    if (events.length === 0) this.#set(event.side, [event])
    else if (compare(events[events.length - 1]!, event) < 0) events.push(event)
    else events.splice(indexOf(events, event), 0, event)
  }

  /** Takes out the first events of a side. */
  dropFirst(side: Side, count: number): void {
    const events = this.eventsOf(side) as Array<JoinEvent>
    if (count === events.length) this.#set(side, none)
    else if (count > 0) events.splice(0, count)
  }

  #set(side: Side, events: ReadonlyArray<JoinEvent>): void {
    if (side === left) this.lefts = events
    else this.rights = events
  }
}

const none: ReadonlyArray<JoinEvent> = []

/** The order of places; zero for one event only. */
export const compare = (one: EventPlace, other: EventPlace): number =>
  one.eventTime - other.eventTime ||
  (one.origin === other.origin ? 0 : one.origin < other.origin ? -1 : 1) ||
  one.partition - other.partition ||
  one.offset - other.offset ||
  one.row - other.row

/** The index of the first event at or after a time. */
export const indexAtTime = (events: ReadonlyArray<EventPlace>, eventTime: Millis): number => {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (events[middle]!.eventTime < eventTime) low = middle + 1
    else high = middle
  }
  return low
}

/** The index of the first event after a time: times are whole milliseconds. */
export const indexAfterTime = (events: ReadonlyArray<EventPlace>, eventTime: Millis): number =>
  indexAtTime(events, eventTime + 1)

/** The index of the first event that is not before the place. */
const indexOf = (events: ReadonlyArray<EventPlace>, place: EventPlace): number => {
  let low = 0
  let high = events.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(events[middle]!, place) < 0) low = middle + 1
    else high = middle
  }
  return low
}
