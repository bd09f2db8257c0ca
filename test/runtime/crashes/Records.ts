/**
 * The records of the cases: out of order, some late, in three partitions of which one is behind the other; and the rule
 * that tells which are late.
 */
import * as Chance from "../../../src/testing/simulation/Chance.ts"

/** What a record says. */
export interface Said {
  readonly id: number
  readonly key: string
  readonly at: number
  readonly value: number
}

/** A record with its place. */
export interface Read extends Said {
  readonly partition: number
  readonly offset: number
  /** As its topic holds it. */
  readonly text: string
}

export const partitions = 3
export const outOfOrderMillis = 4_000
export const start = Date.UTC(2024, 0, 1)
/** From one record of a topic to the next. */
const stepMillis = 500
/** From one partition to the next: an event that is late for its own is often not behind the others. */
const aheadMillis = 4_000

export interface Options {
  readonly count?: number
  readonly keys?: number
  /** After so many records one key comes no more for a while, and another comes; absent: all keys come all the time. */
  readonly passing?: number
  /** One record in so many cannot be read; absent: all can. */
  readonly brokenEach?: number
}

/** Larger worlds, where they are asked for: `CRASH_SCALE=10`. */
export const scale = Number(process.env.CRASH_SCALE ?? 1)

export const make = (seed: number, options: Options = {}): ReadonlyArray<Read> => {
  const { brokenEach, keys = 5, passing } = options
  const count = (options.count ?? 108) * scale
  const chance = Chance.fromSeed(seed * 1_000 + Number(process.env.CRASH_SEED ?? 0))
  const offsets = new Array<number>(partitions).fill(0)
  return Array.from({ length: count }, (_, id): Read => {
    const first = passing === undefined ? 0 : Math.floor(id / passing)
    const partition = chance.below(partitions)
    const lateMillis = chance.below(5) === 0 ? outOfOrderMillis + chance.below(16_000) : chance.below(outOfOrderMillis)
    const said: Said = {
      id,
      key: `key ${(first + chance.below(keys)) % (passing === undefined ? keys : 3 * keys)}`,
      at: start + id * stepMillis + partition * aheadMillis - lateMillis,
      value: chance.below(90) - 20
    }
    const text = JSON.stringify(said)
    const isBroken = brokenEach !== undefined && chance.below(brokenEach) === 0
    return { ...said, partition, offset: offsets[partition]!++, text: isBroken ? text.slice(0, -4) : text }
  })
}

export const isBroken = ({ text }: Read): boolean => !text.endsWith("}")

/** By partition and offset. */
export const inPlace = (one: Read, other: Read): number => one.partition - other.partition || one.offset - other.offset
/** By time, then by place. */
export const inTime = (one: Read, other: Read): number => one.at - other.at || inPlace(one, other)

/** A record with the watermark of its own partition before it. */
export interface Judged extends Read {
  readonly own: number
}

export const judged = (records: ReadonlyArray<Read>): ReadonlyArray<Judged> => {
  const highest = new Map<number, number>()
  return [...records].sort(inPlace).map((record) => {
    const high = highest.get(record.partition) ?? Number.NEGATIVE_INFINITY
    highest.set(record.partition, Math.max(high, record.at))
    return { ...record, own: high - outOfOrderMillis }
  })
}

/** The records that are in time and those that are late, where lateness is of a record alone. */
export const parted = (records: ReadonlyArray<Read>, isLate: (record: Judged) => boolean) => {
  const all = judged(records)
  return { punctual: all.filter((record) => !isLate(record)), late: all.filter(isLate) }
}

export const grouped = <A>(all: Iterable<A>, keyOf: (one: A) => string): ReadonlyMap<string, ReadonlyArray<A>> => {
  const groups = new Map<string, Array<A>>()
  for (const one of all) {
    const group = groups.get(keyOf(one))
    if (group === undefined) groups.set(keyOf(one), [one])
    else group.push(one)
  }
  return groups
}

export const sumOf = (all: ReadonlyArray<{ readonly value: number }>): number =>
  all.reduce((sum, { value }) => sum + value, 0)

export const textsOf = (records: ReadonlyArray<Read>): ReadonlyArray<string> => records.map(({ text }) => text)
