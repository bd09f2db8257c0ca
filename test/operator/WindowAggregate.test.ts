import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import type { Aggregate } from "../../src/flow/Aggregate.ts"
import * as Window from "../../src/flow/Window.ts"
import { StateLimitExceeded, StepFailed } from "../../src/model/Errors.ts"
import type { Change } from "../../src/model/Event.ts"
import type { Barrier, Batch } from "../../src/model/Message.ts"
import type { Collector, Operator } from "../../src/operator/Operator.ts"
import * as WindowAggregate from "../../src/operator/WindowAggregate.ts"
import type { StatePart } from "../../src/state/StatePart.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

interface Sale {
  readonly region: string
  readonly item: number
  readonly price: number
}
interface SaleRow extends Record<string, unknown> {
  readonly region: string
  readonly item: number
  readonly windowStart: number
  readonly windowEnd: number
  readonly total: bigint
  readonly latest: string
}

const total: Aggregate<Sale, bigint, bigint> = {
  empty: () => 0n,
  add: (state, sale) => state + BigInt(sale.price),
  merge: (left, right) => left + right,
  result: (state) => state
}
/** The greatest place: needs `Place`, and has a state that is changed in place. */
const latest: Aggregate<Sale, Array<number>, string> = {
  empty: () => [],
  add: (state, _, { eventTime, partition, offset }) => {
    if (after([eventTime, partition, offset], state)) state.splice(0, 3, eventTime, partition, offset)
    return state
  },
  merge: (left, right) => (after(right, left) ? right : left),
  result: (state) => state.join("/")
}
const after = (left: ReadonlyArray<number>, right: ReadonlyArray<number>): boolean => {
  for (let i = 0; i < left.length; i++) {
    if (right[i] === undefined || left[i]! > right[i]!) return true
    if (left[i]! < right[i]!) return false
  }
  return false
}

const lateness = 7
const make = (
  window: Window.Window,
  options: { mode?: "onUpdate" | "onClose"; appends?: boolean; keysMax?: number; entriesMax?: number } = {}
): Operator =>
  WindowAggregate.make({
    id: "sales",
    keyBy: {
      kind: "keyBy",
      columns: [
        { name: "region", of: (sale: Sale) => sale.region },
        { name: "item", of: (sale: Sale) => sale.item }
      ]
    },
    window: { kind: "window", window, allowedLatenessMillis: lateness },
    aggregate: { kind: "aggregate", id: "sales", aggregates: { total, latest } },
    mode: options.mode ?? "onUpdate",
    appends: options.appends ?? false,
    ...(options.keysMax === undefined ? {} : { stateKeysMax: options.keysMax }),
    ...(options.entriesMax === undefined ? {} : { stateEntriesMax: options.entriesMax })
  })

/** An event as it comes: its partition, its time, and what it is. */
interface Arrival {
  readonly partition: number
  readonly at: number
  readonly sale: Sale
  readonly own: number
  readonly offset: number
}

const outOfOrder = 5
/** Gives each event its offset and its partition's watermark over the events before it. */
const arrivals = (
  events: ReadonlyArray<{ readonly partition: number; readonly at: number; readonly sale: Sale }>
): ReadonlyArray<Arrival> => {
  const highest = new Map<number, number>()
  const offsets = new Map<number, number>()
  return events.map((event) => {
    const high = highest.get(event.partition) ?? Number.NEGATIVE_INFINITY
    const offset = offsets.get(event.partition) ?? 0
    highest.set(event.partition, Math.max(high, event.at))
    offsets.set(event.partition, offset + 1)
    return { ...event, own: high - outOfOrder, offset }
  })
}

const batchOf = (events: ReadonlyArray<Arrival>): Batch => ({
  _tag: "Batch",
  origin: "orders",
  partition: events[0]!.partition,
  openedAt: 0,
  values: events.map((event) => event.sale),
  offsets: Float64Array.from(events, (event) => event.offset),
  rows: null,
  eventTimes: Float64Array.from(events, (event) => event.at),
  ownWatermarks: Float64Array.from(events, (event) => event.own),
  records: null,
  recordIndexes: null
})

const barrierOf = (epoch: number, watermark: number, final = false): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: 0,
  closedAt: 0,
  final,
  partitions: [],
  watermark,
  idle: false
})

/** Runs an operator as a job does, with its state kept beside, and restarts it where it is told to. */
class Run {
  readonly rows: Array<{ readonly epoch: number; readonly batch: Batch }> = []
  readonly late: Array<string> = []
  readonly #make: () => Operator
  operator: Operator
  passedOn = Number.NEGATIVE_INFINITY
  #kept = new Map<number, Array<StatePart>>()
  #epoch = 0

  constructor(operator: () => Operator) {
    this.#make = operator
    this.operator = operator()
  }

  readonly #out: Collector = {
    emit: (port, batch) => {
      if (port === "out") this.rows.push({ epoch: this.#epoch, batch })
      else
        batch.values.forEach((value, i) => {
          this.late.push(`${batch.partition}/${batch.offsets[i]}/${batch.eventTimes![i]}/${(value as Sale).price}`)
        })
    }
  }

  give(events: ReadonlyArray<Arrival>): void {
    let from = 0
    for (let i = 1; i <= events.length; i++) {
      if (i < events.length && events[i]!.partition === events[from]!.partition) continue
      if (i > from) this.operator.onBatch(batchOf(events.slice(from, i)), this.#out, 0)
      from = i
    }
  }

  barrier(watermark: number, final = false): void {
    this.#epoch++
    const before = this.rows.length
    this.passedOn = this.operator.onBarrier(barrierOf(this.#epoch, watermark, final), this.#out).watermark
    for (const { batch } of this.rows.slice(before)) expect(new Set(batch.offsets)).toEqual(new Set([this.#epoch]))
    for (const part of this.operator.state!.snapshot(this.#epoch).parts) {
      const parts = this.#kept.get(part.keyGroup)
      if (part.kind === "base" || parts === undefined) this.#kept.set(part.keyGroup, [part])
      else parts.push(part)
    }
  }

  restart(): void {
    this.operator = this.#make()
    this.operator.state!.restore([...this.#kept.values()].flat())
  }

  values<A>(): ReadonlyArray<A> {
    return this.rows.flatMap(({ batch }) => batch.values as ReadonlyArray<A>)
  }
}

// The oracle: all events at once, in the words of the rule.

const bounds = (window: Window.Window, at: number): ReadonlyArray<readonly [number, number]> => {
  if (window.kind === "session") return [[at, at + window.gapMillis]]
  const every = window.kind === "tumbling" ? window.sizeMillis : window.everyMillis
  const found: Array<readonly [number, number]> = []
  for (let start = -1000 * every; start <= at; start += every)
    if (at < start + window.sizeMillis) found.push([start, start + window.sizeMillis])
  return found
}

/** `jobs` holds the job's watermark at the start of each event's epoch. */
const oracle = (window: Window.Window, events: ReadonlyArray<Arrival>, jobs: ReadonlyArray<number>) => {
  const late: Array<string> = []
  const counted: Array<{ readonly event: Arrival; readonly start: number; readonly end: number }> = []
  events.forEach((event, i) => {
    const inTime = bounds(window, event.at).filter(([, end]) => !(end + lateness <= Math.max(event.own, jobs[i]!)))
    if (inTime.length === 0) late.push(`${event.partition}/${event.offset}/${event.at}/${event.sale.price}`)
    for (const [start, end] of inTime) counted.push({ event, start, end })
  })
  const groups = new Map<string, Array<{ event: Arrival; start: number; end: number }>>()
  const sorted = [...counted].sort((left, right) => left.start - right.start)
  for (const { event, start, end } of sorted) {
    const key = `${event.sale.region}|${event.sale.item}`
    const of = window.kind === "session" ? key : `${key}|${start}`
    const group = groups.get(of) ?? []
    groups.set(of, group)
    const open = window.kind === "session" ? group.findLast((entry) => start < entry.end) : group[0]
    const whole = open === undefined ? [start, end] : [open.start, Math.max(open.end, end)]
    if (open !== undefined) for (const entry of group) if (entry.start === open.start) entry.end = whole[1]!
    group.push({ event, start: whole[0]!, end: whole[1]! })
  }
  const rows = new Map<string, SaleRow>()
  for (const { event, start, end } of [...groups.values()].flat()) {
    const { region, item } = event.sale
    const id = JSON.stringify([region, item, start])
    const before = rows.get(id)
    const place = [event.at, event.partition, event.offset]
    rows.set(id, {
      region,
      item,
      windowStart: start,
      windowEnd: end,
      total: (before?.total ?? 0n) + BigInt(event.sale.price),
      latest:
        before === undefined || after(place, before.latest.split("/").map(Number)) ? place.join("/") : before.latest
    })
  }
  return { rows, late: late.sort() }
}

const idOf = (row: SaleRow): string => JSON.stringify([row.region, row.item, row.windowStart])

/** What a table holds after these changes; each must fit the one before it. */
const replay = (changes: ReadonlyArray<Change<ReadonlyArray<unknown>, SaleRow>>): Map<string, SaleRow> => {
  const rows = new Map<string, SaleRow>()
  for (const { key, before, after: next } of changes) {
    const id = JSON.stringify(key)
    expect(before).toEqual(rows.get(id))
    expect(before ?? next).toBeDefined()
    if (next === undefined) rows.delete(id)
    else {
      expect(idOf(next)).toBe(id)
      rows.set(id, next)
    }
  }
  return rows
}

const windows = [
  Window.tumbling("10 millis"),
  Window.sliding("20 millis", "8 millis"),
  Window.session("6 millis")
] as const

const story = FastCheck.record({
  events: FastCheck.array(
    FastCheck.record({
      partition: FastCheck.nat(2),
      step: FastCheck.oneof(FastCheck.integer({ min: -16, max: 8 }), FastCheck.integer({ min: -60, max: 8 })),
      item: FastCheck.nat(1),
      region: FastCheck.constantFrom("n", "s"),
      price: FastCheck.nat(9)
    }),
    { minLength: 1, maxLength: 120, size: "max" }
  ),
  cuts: FastCheck.array(FastCheck.nat(12), { minLength: 120, maxLength: 120 }),
  restarts: FastCheck.array(FastCheck.nat(3), { minLength: 120, maxLength: 120 })
})
type Story = typeof story extends FastCheck.Arbitrary<infer A> ? A : never

/** Time goes on by two for each event of a partition, more or less out of order; it begins before 1970. */
const eventsOf = (told: Story): ReadonlyArray<Arrival> => {
  const clocks = [-60, -60, -60]
  return arrivals(
    told.events.map(({ partition, step, ...sale }) => {
      clocks[partition]! += 2
      return { partition, at: clocks[partition]! + step, sale }
    })
  )
}

/** The job's watermark after these events, all three partitions active. */
const watermarkOf = (events: ReadonlyArray<Arrival>): number =>
  Math.min(
    ...[0, 1, 2].map((partition) =>
      Math.max(...events.filter((event) => event.partition === partition).map((event) => event.at - outOfOrder))
    )
  )

/** Runs a story with its cuts and restarts; gives the run and the watermark at the start of each event's epoch. */
const run = (told: Story, operator: () => Operator, events = eventsOf(told)) => {
  const ran = new Run(operator)
  const jobs: Array<number> = []
  let job = Number.NEGATIVE_INFINITY
  let from = 0
  events.forEach((_, i) => {
    jobs.push(job)
    if (told.cuts[i]! > 3 && i < events.length - 1) return
    ran.give(events.slice(from, i + 1))
    from = i + 1
    job = Math.max(job, watermarkOf(events.slice(0, i + 1)))
    ran.barrier(job)
    if (told.restarts[i] === 0) ran.restart()
  })
  return { ran, jobs, job }
}

const kinds = windows.flatMap((window) => [
  { window, entriesMax: 1_000 },
  { window, entriesMax: 2 }
])

describe.each(kinds)(
  "a window, $window.kind, of which $entriesMax entries are not packed",
  ({ entriesMax, window }) => {
    const making = (options: Parameters<typeof make>[1] = {}) => make(window, { ...options, entriesMax })

    test("updated at every barrier ends with the rows of all events that are not late, wherever it is cut and restarted", () => {
      let lateSeen = 0
      let rowsSeen = 0
      FastCheck.assert(
        FastCheck.property(story, (told) => {
          const events = eventsOf(told)
          const { ran, jobs } = run(told, () => making(), events)
          const expected = oracle(window, events, jobs)
          expect(replay(ran.values())).toEqual(expected.rows)
          expect([...ran.late].sort()).toEqual(expected.late)
          lateSeen += expected.late.length
          rowsSeen += expected.rows.size
        }),
        { numRuns: 50 }
      )
      expect(lateSeen).toBeGreaterThan(50)
      expect(rowsSeen).toBeGreaterThan(500)
    })

    test("gives each row once when it closes, and the same in all", () => {
      FastCheck.assert(
        FastCheck.property(story, (told) => {
          const events = eventsOf(told)
          const { ran, jobs, job } = run(told, () => making({ mode: "onClose" }), events)
          const closesAfter = lateness + (window.kind === "session" ? window.gapMillis : 0)
          const expected = oracle(window, events, jobs)
          const closed = [...expected.rows.values()].filter((row) => row.windowEnd + closesAfter <= job)
          const byId = (rows: ReadonlyArray<SaleRow>) => [...rows].sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1))
          expect(byId(ran.values())).toEqual(byId(closed))
          ran.barrier(10_000)
          expect(byId(ran.values())).toEqual(byId([...expected.rows.values()]))
          expect([...ran.late].sort()).toEqual(expected.late)
          expect(ran.operator.counts!()).toMatchObject({ keys: 0 })
        }),
        { numRuns: 50 }
      )
    })

    test("calls the same events late wherever it is cut, while no partition is idle", () => {
      let differently = 0
      FastCheck.assert(
        FastCheck.property(story, story, (told, other) => {
          const events = eventsOf(told)
          const first = run(told, () => making(), events)
          const second = run({ ...told, cuts: other.cuts }, () => making(), events)
          expect([...second.ran.late].sort()).toEqual([...first.ran.late].sort())
          if (first.ran.rows.length !== second.ran.rows.length) differently++
        }),
        { numRuns: 50 }
      )
      expect(differently).toBeGreaterThan(20)
    })

    test("gives rows in the same order and places, in whatever order partitions came", () => {
      FastCheck.assert(
        FastCheck.property(story, (told) => {
          const events = eventsOf(told)
          const one = new Run(() => making())
          const two = new Run(() => making())
          one.give(events)
          two.give([2, 0, 1].flatMap((partition) => events.filter((event) => event.partition === partition)))
          one.barrier(watermarkOf(events))
          two.barrier(watermarkOf(events))
          expect(two.rows).toEqual(one.rows)
          for (const { batch } of one.rows) {
            expect([...batch.rows!]).toEqual(batch.values.map((_, i) => i))
            const keys = (batch.values as ReadonlyArray<Change<ReadonlyArray<string | number>>>).map(({ key }) => key)
            const sorted = [...keys].sort(
              (a, b) => (a[0]! < b[0]! ? -1 : a[0]! > b[0]! ? 1 : 0) || +a[1]! - +b[1]! || +a[2]! - +b[2]!
            )
            expect(keys).toEqual(sorted)
          }
        }),
        { numRuns: 50 }
      )
    })

    test("passes on a watermark below which no row comes", () => {
      FastCheck.assert(
        FastCheck.property(story, (told) => {
          const { ran } = run(told, () => making({ mode: "onClose", appends: true }))
          ran.barrier(10_000)
          let seen = 0
          for (const { batch } of ran.rows) {
            batch.values.forEach((_, i) => {
              expect(batch.eventTimes![i]).toBe((batch.values[i] as SaleRow).windowEnd - 1)
              expect(batch.eventTimes![i]).toBeGreaterThanOrEqual(batch.ownWatermarks![i]!)
              seen++
            })
          }
          expect(seen).toBeGreaterThan(0)
        }),
        { numRuns: 50 }
      )
    })
  }
)

const sale = (price: number, item = 1): Sale => ({ region: "n", item, price })
const one = (at: number, price = 1, own = Number.NEGATIVE_INFINITY): ReadonlyArray<Arrival> => [
  { partition: 0, at, sale: sale(price), own, offset: 0 }
]

describe("late", () => {
  // A window [0, 10) with 7 of allowed lateness closes at 17.
  test.each([
    ["its own watermark", 16, Number.NEGATIVE_INFINITY, 0],
    ["its own watermark", 17, Number.NEGATIVE_INFINITY, 1],
    ["the job's watermark", Number.NEGATIVE_INFINITY, 16, 0],
    ["the job's watermark", Number.NEGATIVE_INFINITY, 17, 1]
  ])("by %s: of %d and %d, %i events", (_, own, job, late) => {
    const ran = new Run(() => make(Window.tumbling("10 millis")))
    ran.barrier(job)
    ran.give(one(5, 1, own))
    ran.barrier(job)
    expect(ran.late.length).toBe(late)
    expect(ran.rows.length).toBe(1 - late)
    expect(ran.operator.counts!()).toMatchObject({ late, lateByOthers: own === 17 ? 0 : late })
  })

  test("is judged by the watermark at the start of the epoch, which never falls and lives through a restart", () => {
    const ran = new Run(() => make(Window.tumbling("10 millis")))
    ran.barrier(17)
    ran.barrier(3)
    ran.restart()
    ran.give(one(5))
    expect(ran.late.length).toBe(1)
    ran.give(one(12))
    ran.barrier(27)
    expect(ran.rows.length).toBe(1)
  })

  test("for one sliding window counts in the others", () => {
    const ran = new Run(() => make(Window.sliding("20 millis", "10 millis")))
    ran.give(one(5, 1, 20))
    ran.give(one(5, 1, 16))
    ran.barrier(0)
    const rows = replay(ran.values())
    expect(new Set([...rows.values()].map((row) => `${row.windowStart}: ${row.total}`))).toEqual(
      new Set(["-10: 1", "0: 2"])
    )
    expect(ran.late).toEqual([])
  })
})

describe("sessions", () => {
  const gap = Window.session("10 millis")
  test("that an event joins become one, and the row of the later is removed in the same epoch", () => {
    const ran = new Run(() => make(gap))
    ran.give([...one(0, 1), ...one(15, 2)])
    ran.barrier(0)
    ran.give(one(8, 4))
    ran.barrier(0)
    const changes = ran.rows.filter(({ epoch }) => epoch === 2).flatMap(({ batch }) => batch.values as Array<Change>)
    expect(changes).toMatchObject([
      { key: ["n", 1, 0], before: { windowEnd: 10, total: 1n }, after: { windowEnd: 25, total: 7n } },
      { key: ["n", 1, 15], before: { total: 2n } }
    ])
    expect("after" in changes[1]!).toBe(false)
  })

  test("that begin earlier than thought have another row", () => {
    const ran = new Run(() => make(gap))
    ran.give(one(5))
    ran.barrier(0)
    ran.restart()
    ran.give(one(2))
    ran.barrier(0)
    expect([...replay(ran.values()).keys()]).toEqual(['["n",1,2]'])
  })

  test("do not join across a full gap", () => {
    const ran = new Run(() => make(gap))
    ran.give([...one(0), ...one(10), ...one(29), ...one(20)])
    ran.barrier(0)
    expect([...replay(ran.values()).values()].map((row) => row.windowStart).sort((a, b) => a - b)).toEqual([0, 10, 20])
  })
})

describe("a final barrier", () => {
  const tumbling = Window.tumbling("10 millis")
  test("gives the rows of open windows once, and full totals to events after it", () => {
    const ran = new Run(() => make(tumbling, { mode: "onClose" }))
    ran.give([...one(1, 1), ...one(11, 10)])
    ran.barrier(2, true)
    expect(ran.values<SaleRow>().map((row) => row.total)).toEqual([1n, 10n])
    ran.restart()
    ran.barrier(2, true)
    expect(ran.rows.flatMap(({ batch }) => batch.values).length).toBe(2)
    ran.give(one(3, 5))
    ran.barrier(100)
    expect(ran.values<SaleRow>().map((row) => row.total)).toEqual([1n, 10n, 6n])
    expect(ran.late).toEqual([])
  })

  test("closes the windows whose rows went to an append-only sink", () => {
    const ran = new Run(() => make(tumbling, { mode: "onClose", appends: true }))
    ran.give(one(1, 1))
    ran.barrier(2, true)
    ran.restart()
    ran.give([...one(3, 5), ...one(13, 2)])
    ran.barrier(2, true)
    ran.barrier(100)
    expect(ran.values<SaleRow>().map((row) => row.total)).toEqual([1n, 2n])
    expect(ran.late.length).toBe(1)
  })

  test("gives nothing more where rows are updated anyway", () => {
    const ran = new Run(() => make(tumbling))
    ran.give(one(1))
    ran.barrier(2)
    ran.barrier(2, true)
    expect(ran.rows.length).toBe(1)
  })
})

test("windows over windows lose no row", () => {
  const inner = new Run(() => make(Window.tumbling("10 millis"), { mode: "onClose", appends: true }))
  const outer = new Run(() => make(Window.tumbling("10 millis"), { mode: "onClose", appends: true }))
  let given = 0
  for (let at = 0; at < 300; at += 3) {
    inner.give(one(at, 1, at - 8))
    inner.barrier(at - 5)
    for (; given < inner.rows.length; given++) {
      const { batch } = inner.rows[given]!
      const sales = batch.values.map((row) => ({ ...(row as SaleRow), price: Number((row as SaleRow).total) }))
      outer.operator.onBatch({ ...batch, values: sales }, { emit: () => expect.fail("a row was late") }, 0)
    }
    outer.barrier(inner.passedOn)
  }
  outer.barrier(10_000)
  expect(inner.values<SaleRow>().length).toBeGreaterThan(20)
  expect(outer.values<SaleRow>()).toMatchObject(
    inner.values<SaleRow>().map(({ windowStart, total: sum }) => ({ windowStart, total: sum }))
  )
})

test("a row that comes out the same is no change", () => {
  const ran = new Run(() => make(Window.tumbling("10 millis")))
  ran.give(one(5, 3))
  ran.barrier(0)
  ran.give(one(4, 0))
  ran.barrier(0)
  expect(ran.rows.length).toBe(1)
})

test("state above its bound stops the step by name", () => {
  const ran = new Run(() => make(Window.tumbling("10 millis"), { keysMax: 2 }))
  ran.give([...one(5), ...one(15)])
  expect(() => ran.give(one(25))).toThrow(StateLimitExceeded)
})

test("an aggregate that throws fails the step, and says at which event", () => {
  const ran = new Run(() => make(Window.tumbling("10 millis")))
  const broken = () => ran.give([{ ...one(5)[0]!, sale: sale(0.5) }])
  expect(broken).toThrow(StepFailed)
  expect(broken).toThrow(/^Step '\w+' failed at \w+, partition 0, offset \d+: /)
})
