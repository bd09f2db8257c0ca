/** The rows of a join until the barrier: then they leave in batches, with places that are the same at every replay. */
import { StateLimitExceeded } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import { compare, type JoinEvent } from "./JoinEvent.ts"
import type { Collector } from "./Operator.ts"

/** Row `i` is made of `lefts[i]` and `rights[i]`, one of which may be missing. */
interface Group {
  readonly lefts: Array<JoinEvent | null>
  readonly rights: Array<JoinEvent | null>
}

export class JoinRows {
  readonly #step: string
  readonly #rowsMax: number
  #groups = new Map<number, Group>()
  #size = 0

  constructor(step: string, rowsMax: number) {
    this.#step = step
    this.#rowsMax = rowsMax
  }

  add(keyGroup: number, left: JoinEvent | null, right: JoinEvent | null): void {
    if (++this.#size > this.#rowsMax) throw tooMany(this.#step, this.#rowsMax)
    let group = this.#groups.get(keyGroup)
    if (group === undefined) {
      group = { lefts: [], rights: [] }
      this.#groups.set(keyGroup, group)
    }
    group.lefts.push(left)
    group.rights.push(right)
  }

  /**
   * Lets all rows go: by key group, then by time and by the places of their events. `watermark` is what was passed on
   * at the barrier before this one: no row is below it.
   */
  emit(barrier: Barrier, watermark: number, out: Collector): void {
    for (const [keyGroup, group] of [...this.#groups].sort(([one], [other]) => one - other)) {
      const order = inOrder(group)
      for (let from = 0; from < order.length; from += Limits.batchRecordsMax) {
        const indexes = order.slice(from, from + Limits.batchRecordsMax)
        out.emit("out", this.#batch(group, indexes, { keyGroup, from, barrier, watermark }))
      }
    }
    this.#groups = new Map()
    this.#size = 0
  }

  #batch(
    { lefts, rights }: Group,
    indexes: ReadonlyArray<number>,
    at: { readonly keyGroup: number; readonly from: number; readonly barrier: Barrier; readonly watermark: number }
  ): Batch {
    const count = indexes.length
    return {
      _tag: "Batch",
      origin: this.#step,
      partition: at.keyGroup,
      openedAt: at.barrier.openedAt,
      values: indexes.map((i) => ({ left: lefts[i]?.value ?? null, right: rights[i]?.value ?? null })),
      offsets: new Float64Array(count).fill(at.barrier.epoch),
      rows: Float64Array.from(indexes, (_, i) => at.from + i),
      eventTimes: Float64Array.from(indexes, (i) => timeOf(lefts[i]!, rights[i]!)),
      ownWatermarks: new Float64Array(count).fill(at.watermark),
      records: null,
      recordIndexes: null
    }
  }
}

const inOrder = ({ lefts, rights }: Group): ReadonlyArray<number> =>
  lefts
    .map((_, i) => i)
    .sort(
      (i, j) =>
        timeOf(lefts[i]!, rights[i]!) - timeOf(lefts[j]!, rights[j]!) ||
        compareSides(lefts[i]!, lefts[j]!) ||
        compareSides(rights[i]!, rights[j]!)
    )

/** A row is as late as the later of its events. */
const timeOf = (left: JoinEvent | null, right: JoinEvent | null): number => {
  if (left === null) return right!.eventTime
  return right === null || right.eventTime < left.eventTime ? left.eventTime : right.eventTime
}

/** None comes before any. */
const compareSides = (one: JoinEvent | null, other: JoinEvent | null): number =>
  one === null || other === null ? Number(one !== null) - Number(other !== null) : compare(one, other)

const tooMany = (step: string, keysMax: number): StateLimitExceeded =>
  new StateLimitExceeded({
    step,
    keysMax,
    message: `Step '${step}' would make more than ${keysMax} rows of the events of one epoch`,
    hint: "Make within shorter, key by more columns, or read fewer records an epoch with maxPerEpoch."
  })
