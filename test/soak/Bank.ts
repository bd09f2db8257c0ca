/**
 * The transfers that the jobs read, made from a seed, and what the jobs must make of them, computed in another way:
 * everything at once, record by record, with nothing of Weir's own code.
 */
import * as Chance from "../../src/testing/simulation/Chance.ts"

export const partitions = 4
export const accounts = 60

/** Of a thousand records: those that are no transfer, and those that are minutes too late for their window. */
const brokenShare = 15
const lateShare = 15

/** Event time goes faster than life, so that windows close: milliseconds from one transfer to the next. */
const stepMillis = 250
const beganAt = Date.UTC(2020, 0, 1)

export interface Made {
  readonly id: number
  readonly partition: number
  /** JSON. */
  readonly text: string
}

/** The transfers of a seed, one after the other, without end. */
export function* transfers(seed: number): Generator<Made, never> {
  const chance = Chance.fromSeed(seed)
  for (let id = 1; ; id++) {
    const behindMillis = chance.below(1_000) < lateShare ? 240_000 : chance.below(4_000)
    const transfer = {
      id,
      debtor: chance.below(accounts),
      creditor: chance.below(accounts),
      amount: 1 + chance.below(100_000),
      at: Math.floor((beganAt + id * stepMillis - behindMillis) / 1_000)
    }
    const isBroken = chance.below(1_000) < brokenShare
    const text = JSON.stringify(isBroken ? { ...transfer, amount: "much" } : transfer)
    yield { id, partition: chance.below(partitions), text }
  }
}

/** What must be in the outputs of jobs that have read all of a topic; each text is there once. */
export interface Expected {
  readonly records: number
  /** `account|balance|movements` */
  readonly balances: ReadonlyArray<string>
  /** `id|debtor|creditor|amount` */
  readonly booked: ReadonlyArray<string>
  /** `debtor|windowStart|amount|transfers`, the start in seconds: what was paid in a minute, of what was not late. */
  readonly paid: ReadonlyArray<string>
  /** `partition/offset` of what is no transfer. */
  readonly invalid: ReadonlyArray<string>
  /** `partition/offset` of what is late for its minute. */
  readonly late: ReadonlyArray<string>
}

/** A record as a topic has it. */
export interface Stored {
  readonly partition: number
  readonly offset: number
  readonly text: string
}

/** Milliseconds, as the jobs say them. */
const outOfOrderness = 5_000
const lateness = 10_000
const windowMillis = 60_000

/** `records`: those of each partition in their order. */
export const expectedOf = (records: ReadonlyArray<Stored>): Expected => {
  const balances = new Map<number, { balance: bigint; movements: number }>()
  const paid = new Map<string, { amount: bigint; transfers: number }>()
  const highest = new Map<number, number>()
  const booked: Array<string> = []
  const invalid: Array<string> = []
  const late: Array<string> = []
  const move = (account: number, amount: bigint): void => {
    const before = balances.get(account) ?? { balance: 0n, movements: 0 }
    balances.set(account, { balance: before.balance + amount, movements: before.movements + 1 })
  }
  for (const { offset, partition, text } of records) {
    const { amount, at, creditor, debtor, id } = JSON.parse(text) as Record<string, number>
    if (typeof amount !== "number") {
      invalid.push(`${partition}/${offset}`)
      continue
    }
    booked.push(`${id}|${debtor}|${creditor}|${amount}`)
    move(debtor!, -BigInt(amount))
    move(creditor!, BigInt(amount))
    const time = at! * 1_000
    const start = Math.floor(time / windowMillis) * windowMillis
    const watermark = (highest.get(partition) ?? Number.NEGATIVE_INFINITY) - outOfOrderness
    highest.set(partition, Math.max(highest.get(partition) ?? time, time))
    if (start + windowMillis + lateness <= watermark) {
      late.push(`${partition}/${offset}`)
      continue
    }
    const key = `${debtor}|${start / 1_000}`
    const before = paid.get(key) ?? { amount: 0n, transfers: 0 }
    paid.set(key, { amount: before.amount + BigInt(amount), transfers: before.transfers + 1 })
  }
  return {
    records: records.length,
    balances: [...balances].map(([account, { balance, movements }]) => `${account}|${balance}|${movements}`),
    booked,
    paid: [...paid].map(([key, { amount, transfers }]) => `${key}|${amount}|${transfers}`),
    invalid,
    late
  }
}
