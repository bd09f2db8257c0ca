/** Events in epochs for tests of operators: stories by chance, and a run with restarts, as a job runs its operators. */
import { FastCheck } from "effect"
import { expect } from "vitest"
import type { Barrier, Batch } from "../../src/model/Message.ts"
import type { Operator, Port } from "../../src/operator/Operator.ts"
import type { StatePart } from "../../src/state/StatePart.ts"

/** An event as it comes to an operator. */
export interface Arrival<A = unknown> {
  readonly value: A
  readonly origin: string
  readonly partition: number
  readonly offset: number
  readonly row: number
  readonly at: number
  /** The watermark of its partition before it. */
  readonly own: number
  readonly input: number
}

export interface Ending {
  readonly watermark?: number
  readonly closedAt?: number
  readonly final?: boolean
}

/** A row that an operator gave, with its place. */
export interface Given {
  readonly epoch: number
  readonly port: Port
  readonly value: unknown
  readonly origin: string
  readonly partition: number
  readonly offset: number
  readonly row: number
  readonly at: number | null
  readonly own: number | null
}

export const barrierOf = (epoch: number, ending: Ending = {}): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: 0,
  closedAt: ending.closedAt ?? epoch * 1000,
  final: ending.final ?? false,
  partitions: [],
  watermark: ending.watermark ?? Number.NEGATIVE_INFINITY,
  idle: false
})

/** Arrivals of one partition of one input as a batch. */
export const batchOf = (events: ReadonlyArray<Arrival>, timed = true): Batch => ({
  _tag: "Batch",
  origin: events[0]!.origin,
  partition: events[0]!.partition,
  openedAt: 0,
  values: events.map((event) => event.value),
  offsets: Float64Array.from(events, (event) => event.offset),
  rows: events.every((event) => event.row === 0) ? null : Float64Array.from(events, (event) => event.row),
  eventTimes: timed ? Float64Array.from(events, (event) => event.at) : null,
  ownWatermarks: timed ? Float64Array.from(events, (event) => event.own) : null,
  records: null,
  recordIndexes: null
})

/** Runs an operator with its state kept beside, and restarts it where it is told to. */
export class Run {
  readonly given: Array<Given> = []
  readonly #make: () => Operator
  readonly #timed: boolean
  readonly #kept = new Map<number, Array<StatePart>>()
  operator: Operator
  #epoch = 1

  constructor(operator: () => Operator, timed = true) {
    this.#make = operator
    this.#timed = timed
    this.operator = operator()
  }

  readonly #out = {
    emit: (port: Port, batch: Batch) => {
      expect(batch.offsets.length).toBe(batch.values.length)
      batch.values.forEach((value, i) => {
        this.given.push({
          epoch: this.#epoch,
          port,
          value,
          origin: batch.origin,
          partition: batch.partition,
          offset: batch.offsets[i]!,
          row: batch.rows?.[i] ?? 0,
          at: batch.eventTimes?.[i] ?? null,
          own: batch.ownWatermarks?.[i] ?? null
        })
      })
    }
  }

  /** Gives the events in their order, those that follow each other in one partition as batches of at most `batchMax`. */
  give(events: ReadonlyArray<Arrival>, batchMax = Number.POSITIVE_INFINITY): void {
    let from = 0
    for (let i = 1; i <= events.length; i++) {
      const [first, next] = [events[from]!, events[i]]
      const goesOn = next?.partition === first.partition && next.origin === first.origin && next.input === first.input
      if (goesOn && i - from < batchMax) continue
      this.operator.onBatch(batchOf(events.slice(from, i), this.#timed), this.#out, first.input)
      from = i
    }
  }

  barrier(ending: Ending = {}): Barrier {
    const passedOn = this.operator.onBarrier(barrierOf(this.#epoch, ending), this.#out)
    for (const part of this.operator.state!.snapshot(this.#epoch).parts) {
      const parts = this.#kept.get(part.keyGroup)
      if (part.kind === "base" || parts === undefined) this.#kept.set(part.keyGroup, [part])
      else parts.push(part)
    }
    this.#epoch++
    return passedOn
  }

  restart(): void {
    this.operator = this.#make()
    this.operator.state!.restore([...this.#kept.values()].flat())
  }

  from(port: Port): ReadonlyArray<Given> {
    return this.given.filter((given) => given.port === port)
  }
}

/** Epochs of events, and how they come: interleaved by `picks`, in batches of at most `batchMax`, with restarts. */
export interface Story<A> {
  readonly epochs: ReadonlyArray<ReadonlyArray<Arrival<A>>>
  readonly watermarks: ReadonlyArray<number>
  readonly closedAts: ReadonlyArray<number>
  readonly picks: ReadonlyArray<number>
  readonly batchMax: number
  readonly restarts: ReadonlyArray<boolean>
}

const partitions = 3
const outOfOrder = 6

/** Three partitions whose clocks go on by 3 for each event, more or less out of order; time begins before 1970. */
export const storyOf = <A>(value: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<Story<A>> =>
  FastCheck.record({
    epochs: FastCheck.array(
      FastCheck.record({
        events: FastCheck.array(
          FastCheck.record({
            partition: FastCheck.nat(partitions - 1),
            step: FastCheck.oneof(FastCheck.integer({ min: -6, max: 6 }), FastCheck.integer({ min: -40, max: 6 })),
            sameRecord: FastCheck.boolean(),
            value
          }),
          { maxLength: 14, size: "max" }
        ),
        pause: FastCheck.nat(30),
        restart: FastCheck.boolean()
      }),
      { minLength: 1, maxLength: 12, size: "max" }
    ),
    picks: FastCheck.array(FastCheck.nat(partitions - 1), { minLength: 24, maxLength: 24 }),
    batchMax: FastCheck.integer({ min: 1, max: 6 })
  }).map(({ batchMax, epochs, picks }) => {
    const clocks = Array.from({ length: partitions }, () => ({
      now: -40,
      highest: Number.NEGATIVE_INFINITY,
      offset: 0
    }))
    const rows = clocks.map(() => 0)
    let watermark = Number.NEGATIVE_INFINITY
    let closedAt = 0
    const told = epochs.map(({ events, pause, restart }) => {
      const arrivals = events.map(({ partition, sameRecord, step, value }): Arrival<A> => {
        const clock = clocks[partition]!
        clock.now += 3
        if (sameRecord && clock.offset > 0) rows[partition]!++
        else {
          clock.offset++
          rows[partition] = 0
        }
        const own = clock.highest - outOfOrder
        const at = clock.now + step
        clock.highest = Math.max(clock.highest, at)
        return { value, origin: "orders", partition, offset: clock.offset, row: rows[partition]!, at, own, input: 0 }
      })
      watermark = Math.max(watermark, Math.min(...clocks.map(({ highest }) => highest - outOfOrder)))
      closedAt += pause
      return { arrivals, watermark, closedAt, restart }
    })
    return {
      epochs: told.map(({ arrivals }) => arrivals),
      watermarks: told.map((one) => one.watermark),
      closedAts: told.map((one) => one.closedAt),
      restarts: told.map(({ restart }) => restart),
      picks,
      batchMax
    }
  })

/** The same events, partitions interleaved otherwise; each partition keeps its order. */
export const interleaved = <A>(
  events: ReadonlyArray<Arrival<A>>,
  picks: ReadonlyArray<number>
): ReadonlyArray<Arrival<A>> => {
  const queues = Array.from({ length: partitions }, (_, partition) =>
    events.filter((event) => event.partition === partition)
  )
  const order: Array<Arrival<A>> = []
  for (let i = 0; order.length < events.length; i++) {
    const next = queues[(picks[i % picks.length]! + Math.floor(i / picks.length)) % partitions]!.shift()
    if (next !== undefined) order.push(next)
  }
  return order
}

/** Tells a story to an operator: `shuffled` interleaves and cuts batches otherwise and restarts it. */
export const tell = <A>(story: Story<A>, operator: () => Operator, shuffled: boolean, timed = true): Run => {
  const run = new Run(operator, timed)
  story.epochs.forEach((events, i) => {
    if (shuffled) run.give(interleaved(events, story.picks), story.batchMax)
    else run.give(events)
    run.barrier({ watermark: story.watermarks[i]!, closedAt: story.closedAts[i]! })
    if (shuffled && story.restarts[i]) run.restart()
  })
  return run
}

/** What a batch cut or an order of arrival must not change: rows by epoch, port and place. */
export const byPlace = (given: ReadonlyArray<Given>): ReadonlyArray<Given> =>
  [...given].sort(
    (left, right) =>
      left.epoch - right.epoch ||
      (left.port < right.port ? -1 : left.port > right.port ? 1 : 0) ||
      left.partition - right.partition ||
      left.offset - right.offset ||
      left.row - right.row
  )
