/** Events of two inputs, for tests of joins: told with other cuts, interleavings, batches and restarts. */
import { FastCheck } from "effect"
import type { Port } from "../../src/flow/Topology.ts"
import type { Operator } from "../../src/operator/Operator.ts"
import { type Arrival, Run } from "./Epochs.ts"

export interface Item {
  readonly key: string
  readonly n: number
}
export type Came = Arrival<Item>

export interface Story {
  readonly events: ReadonlyArray<Came>
  /** After which events an epoch ends. */
  readonly cuts: ReadonlyArray<boolean>
  readonly restarts: ReadonlyArray<boolean>
  readonly picks: ReadonlyArray<number>
  readonly batchMax: number
}

const partitions = 2
const lanes = 2 * partitions
const outOfOrder = 6
/** Later than everything that an event of a story could wait for. */
export const farAhead = 10_000

const laneOf = ({ input, partition }: Came): number => input * partitions + partition

const flags = FastCheck.array(
  FastCheck.nat(3).map((chance) => chance === 0),
  { minLength: 80, maxLength: 80 }
)
const punctual = FastCheck.integer({ min: -3, max: 3 })
const tardy = FastCheck.oneof(FastCheck.integer({ min: -6, max: 6 }), FastCheck.integer({ min: -45, max: 6 }))

/**
 * Two partitions of each input, whose clocks go on by 3 for each event. `punctual` events are never late, whoever is
 * behind; of `tardy` ones some are.
 */
export const story = (kind: "punctual" | "tardy"): FastCheck.Arbitrary<Story> =>
  FastCheck.record({
    told: FastCheck.array(
      FastCheck.record({
        lane: FastCheck.nat(lanes - 1),
        step: kind === "punctual" ? punctual : tardy,
        key: FastCheck.constantFrom("a", "b", "c")
      }),
      { minLength: 1, maxLength: 80, size: "max" }
    ),
    cuts: flags,
    restarts: flags,
    picks: FastCheck.array(FastCheck.nat(lanes - 1), { minLength: 30, maxLength: 30 }),
    batchMax: FastCheck.integer({ min: 1, max: 6 })
  }).map(({ told, ...rest }) => {
    const clocks = Array.from({ length: lanes }, () => ({ now: -40, highest: Number.NEGATIVE_INFINITY, offset: 0 }))
    const events = told.map(({ key, lane, step }, n): Came => {
      const clock = clocks[lane]!
      clock.now += 3
      const own = clock.highest - outOfOrder
      const at = clock.now + step
      clock.highest = Math.max(clock.highest, at)
      const [input, partition] = [Math.floor(lane / partitions), lane % partitions]
      const origin = input === 0 ? "orders" : "payments"
      return { value: { key, n }, origin, partition, offset: clock.offset++, row: 0, at, own, input }
    })
    return { events, ...rest }
  })

/** The job's watermark after these events, all partitions active. */
const watermarkOf = (events: ReadonlyArray<Came>): number => {
  const highest = new Array<number>(lanes).fill(Number.NEGATIVE_INFINITY)
  for (const event of events) highest[laneOf(event)] = Math.max(highest[laneOf(event)]!, event.at)
  return Math.min(...highest) - outOfOrder
}

/** The same events, partitions and inputs interleaved otherwise; each partition keeps its order. */
const interleaved = (events: ReadonlyArray<Came>, picks: ReadonlyArray<number>): ReadonlyArray<Came> => {
  const queues = Array.from({ length: lanes }, (_, lane) => events.filter((event) => laneOf(event) === lane))
  const order: Array<Came> = []
  for (let i = 0; order.length < events.length; i++) {
    const next = queues[(picks[i % picks.length]! + Math.floor(i / picks.length)) % lanes]!.shift()
    if (next !== undefined) order.push(next)
  }
  return order
}

/** An event with what the rule needs to know of its epoch. */
export interface Known extends Came {
  readonly epoch: number
  /** The job's watermark at the start of its epoch. */
  readonly job: number
}

export interface Told {
  readonly run: Run
  readonly events: ReadonlyArray<Known>
  /** The watermark of each epoch, the first at 1; the last is far ahead. */
  readonly watermarks: ReadonlyArray<number>
  /** What was passed on at each barrier. */
  readonly passedOn: ReadonlyArray<number>
}

/** Tells a story, and ends with a barrier far ahead. `shuffled` interleaves, cuts batches and restarts. */
export const tell = (told: Story, operator: () => Operator, shuffled: boolean): Told => {
  const run = new Run(operator)
  const events: Array<Known> = []
  const watermarks = [Number.NEGATIVE_INFINITY]
  const passedOn = [Number.NEGATIVE_INFINITY]
  let epoch: Array<Came> = []
  const end = (watermark: number, restart: boolean): void => {
    const job = watermarks.at(-1)!
    if (shuffled) run.give(interleaved(epoch, told.picks), told.batchMax)
    else run.give(epoch)
    events.push(...epoch.map((event) => ({ ...event, epoch: watermarks.length, job })))
    epoch = []
    watermarks.push(Math.max(job, watermark))
    passedOn.push(run.barrier({ watermark }).watermark)
    if (shuffled && restart) run.restart()
  }
  told.events.forEach((event, i) => {
    epoch.push(event)
    if (told.cuts[i]! || i === told.events.length - 1) end(watermarkOf(told.events.slice(0, i + 1)), told.restarts[i]!)
  })
  end(farAhead, true)
  return { run, events, watermarks, passedOn }
}

/** A row, as the tests compare it: its events by number. */
export interface Row {
  readonly left: number | null
  readonly right: number | null
  readonly at: number
  readonly epoch: number
}

export const rowsOf = ({ run }: Told): ReadonlyArray<Row> =>
  run.from("out").map(({ at, epoch, value }) => {
    const { left, right } = value as { readonly left: Item | null; readonly right: Item | null }
    return { left: left?.n ?? null, right: right?.n ?? null, at: at!, epoch }
  })

export const sorted = <A>(rows: ReadonlyArray<A>): ReadonlyArray<string> =>
  rows.map((row) => JSON.stringify(row)).sort()

/** Rows without the epoch in which they came. */
export const anywhere = (rows: ReadonlyArray<Row>) => sorted(rows.map(({ at, left, right }) => ({ left, right, at })))

/** The numbers of the events on a port. */
export const numbersOn = ({ run }: Told, port: Port): ReadonlyArray<number> =>
  run
    .from(port)
    .map(({ value }) => (value as Item).n)
    .sort((one, other) => one - other)

/** By the rule: the events that are in time, and the numbers of those that are late. */
export const judged = ({ events }: Told, allowedLateness: number) => {
  const isLate = ({ at, job, own }: Known) => at + allowedLateness < Math.max(own, job)
  const late = (input: number) =>
    events
      .filter((event) => event.input === input && isLate(event))
      .map(({ value }) => value.n)
      .sort((one, other) => one - other)
  const inTime = (input: number) => events.filter((event) => event.input === input && !isLate(event))
  return { lefts: inTime(0), rights: inTime(1), late: late(0), lateRight: late(1) }
}

/** One event of an input, in time unless it is said. */
export const one = (input: number, at: number, rest: Partial<Came> & { readonly key?: string } = {}): Came => ({
  value: { key: rest.key ?? "a", n: at },
  origin: input === 0 ? "orders" : "payments",
  partition: 0,
  offset: at + 1_000,
  row: 0,
  at,
  own: Number.NEGATIVE_INFINITY,
  input,
  ...rest
})

/** Left and right numbers of the rows so far: `[[1, 2], [3, null]]`. */
export const pairs = (run: Run): ReadonlyArray<readonly [unknown, unknown]> =>
  run.from("out").map(({ value }) => {
    const { left, right } = value as { readonly left: Item | null; readonly right: Item | null }
    return [left?.n ?? null, right?.n ?? null] as const
  })
