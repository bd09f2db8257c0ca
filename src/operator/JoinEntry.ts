/** One event that a join keeps, and all events of a key, each side in the order of places. */
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

/** Where an event stands among all events of its input. */
export interface EventPlace {
  readonly eventTime: Millis
  readonly origin: string
  readonly partition: number
  readonly offset: Offset
  readonly row: number
  /** Counts events of one place, as a flow merged with itself has them. */
  readonly copy: number
}

/** The events of one key. */
export class JoinKey {
  readonly key: Key
  readonly hash: number
  readonly keyGroup: number
  readonly sides: readonly [Array<JoinEntry>, Array<JoinEntry>] = [[], []]

  constructor(key: Key, hash = hashOfKey(key)) {
    this.key = key
    this.hash = hash
    this.keyGroup = Keys.keyGroupOf(key)
  }

  get isEmpty(): boolean {
    return this.sides[0].length === 0 && this.sides[1].length === 0
  }
}

export class JoinEntry extends Entry implements EventPlace {
  readonly of: JoinKey
  readonly side: Side
  readonly eventTime: Millis
  readonly origin: string
  readonly partition: number
  readonly offset: Offset
  readonly row: number
  readonly copy: number
  value: unknown
  /** Has it had a partner? Kept up only where that matters. */
  matched = false
  /** Has it left without a partner, before its time was up? */
  emitted = false

  constructor(of: JoinKey, side: Side, place: EventPlace, value: unknown) {
    super(of.keyGroup)
    this.of = of
    this.side = side
    this.eventTime = place.eventTime
    this.origin = place.origin
    this.partition = place.partition
    this.offset = place.offset
    this.row = place.row
    this.copy = place.copy
    this.value = value
  }
}

/** The order of places; zero for one event only. */
export const compare = (one: EventPlace, other: EventPlace): number =>
  one.eventTime - other.eventTime ||
  (one.origin === other.origin ? 0 : one.origin < other.origin ? -1 : 1) ||
  one.partition - other.partition ||
  one.offset - other.offset ||
  one.row - other.row ||
  one.copy - other.copy

/** The index of the first event that is not before the place. */
export const indexOf = (entries: ReadonlyArray<JoinEntry>, place: EventPlace): number => {
  let low = 0
  let high = entries.length
  // Most events come after those that are there.
  if (high > 0 && compare(entries[high - 1]!, place) < 0) return high
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(entries[middle]!, place) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The index of the first event after a time. */
export const indexAfterTime = (entries: ReadonlyArray<JoinEntry>, eventTime: Millis): number => {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (entries[middle]!.eventTime <= eventTime) low = middle + 1
    else high = middle
  }
  return low
}

/** The index of the first event at or after a time. */
export const indexAtTime = (entries: ReadonlyArray<JoinEntry>, eventTime: Millis): number => {
  let low = 0
  let high = entries.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (entries[middle]!.eventTime < eventTime) low = middle + 1
    else high = middle
  }
  return low
}
