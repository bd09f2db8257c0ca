/** The rows of a join until the barrier: then they leave in batches, with places that are the same at every replay. */
import { StateLimitExceeded } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"
import { compare, type JoinEvent } from "./JoinEvent.ts"
import type { Collector } from "./Operator.ts"

/** The rows of a key group: row `i` is made of `lefts[i]` and `rights[i]`, one of which may be missing. */
interface Group {
  readonly times: Array<Millis>
  readonly lefts: Array<JoinEvent | null>
  readonly rights: Array<JoinEvent | null>
}

export class JoinRows {
  readonly #step: string
  readonly #rowsMax: number
  #groups: Array<Group | undefined> = []
  #size = 0

  constructor(step: string, rowsMax: number) {
    this.#step = step
    this.#rowsMax = rowsMax
  }

  add(keyGroup: number, left: JoinEvent | null, right: JoinEvent | null): void {
    if (++this.#size > this.#rowsMax) throw tooMany(this.#step, this.#rowsMax)
    let group = this.#groups[keyGroup]
    if (group === undefined) {
      group = { times: [], lefts: [], rights: [] }
      this.#groups[keyGroup] = group
    }
    group.times.push(timeOf(left, right))
    group.lefts.push(left)
    group.rights.push(right)
  }

  /**
   * Lets all rows go: by key group, then by time and by the places of their events. `watermark` is what was passed on
   * at the barrier before this one: no row is below it.
   */
  emit(barrier: Barrier, watermark: number, out: Collector): void {
    for (let keyGroup = 0; keyGroup < this.#groups.length; keyGroup++) {
      const group = this.#groups[keyGroup]
      if (group === undefined) continue
      const order = inOrder(group)
      for (let from = 0; from < order.length; from += Limits.batchRecordsMax) {
        const indexes = order.slice(from, from + Limits.batchRecordsMax)
        out.emit("out", this.#batch(group, indexes, { keyGroup, from, barrier, watermark }))
      }
    }
    this.#groups = []
    this.#size = 0
  }

  #batch(
    { lefts, rights, times }: Group,
    indexes: Float64Array,
    at: { readonly keyGroup: number; readonly from: number; readonly barrier: Barrier; readonly watermark: number }
  ): Batch {
    const count = indexes.length
    const values = new Array<unknown>(count)
    const rows = new Float64Array(count)
    const eventTimes = new Float64Array(count)
    for (let i = 0; i < count; i++) {
      const index = indexes[i]!
      const left = lefts[index]!
      const right = rights[index]!
      values[i] = { left: left === null ? null : left.value, right: right === null ? null : right.value }
      rows[i] = at.from + i
      eventTimes[i] = times[index]!
    }
    return {
      _tag: "Batch",
      origin: this.#step,
      partition: at.keyGroup,
      openedAt: at.barrier.openedAt,
      values,
      offsets: new Float64Array(count).fill(at.barrier.epoch),
      rows,
      eventTimes,
      ownWatermarks: new Float64Array(count).fill(at.watermark),
      records: null,
      recordIndexes: null
    }
  }
}

/**
 * The indexes of the rows in their order. Each is packed into one number with its time, in units so coarse that the
 * number is exact: numbers are sorted many times faster than by a function. Rows of one unit of time, most often of one
 * millisecond, are few; these are compared.
 */
const inOrder = ({ lefts, rights, times }: Group): Float64Array => {
  const count = times.length
  let least = Number.POSITIVE_INFINITY
  let most = Number.NEGATIVE_INFINITY
  for (let i = 0; i < count; i++) {
    least = Math.min(least, times[i]!)
    most = Math.max(most, times[i]!)
  }
  const unit = Math.ceil(((most - least + 1) * count) / packedMax)
  const order = new Float64Array(count)
  for (let i = 0; i < count; i++) order[i] = Math.floor((times[i]! - least) / unit) * count + i
  order.sort()
  const compareRows = (i: number, j: number): number =>
    times[i]! - times[j]! || compareSides(lefts[i]!, lefts[j]!) || compareSides(rights[i]!, rights[j]!)
  let begin = 0
  let beginTime = Number.NaN
  for (let i = 0; i < count; i++) {
    const time = Math.floor(order[i]! / count)
    order[i] = order[i]! - time * count
    if (time === beginTime) continue
    if (i - begin > 1) order.subarray(begin, i).sort(compareRows)
    begin = i
    beginTime = time
  }
  if (count - begin > 1) order.subarray(begin).sort(compareRows)
  return order
}

/** Far enough below 2^53 for a quotient to be rounded to no other whole number. */
const packedMax = 2 ** 50

/** A row is as late as the later of its events. */
const timeOf = (left: JoinEvent | null, right: JoinEvent | null): Millis => {
  if (left === null) return right!.eventTime
  return right === null || right.eventTime < left.eventTime ? left.eventTime : right.eventTime
}

/** None comes before any. */
const compareSides = (one: JoinEvent | null, other: JoinEvent | null): number => {
  if (one === other) return 0
  return one === null || other === null ? Number(one !== null) - Number(other !== null) : compare(one, other)
}

const tooMany = (step: string, keysMax: number): StateLimitExceeded =>
  new StateLimitExceeded({
    step,
    keysMax,
    message: `Step '${step}' would make more than ${keysMax} rows of the events of one epoch`,
    hint: "Make within shorter, key by more columns, or read fewer records an epoch with maxPerEpoch."
  })
