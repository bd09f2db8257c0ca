import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import type { JoinType } from "../../src/flow/Join.ts"
import { StateLimitExceeded, StepFailed } from "../../src/model/Errors.ts"
import { eventTimeMax, eventTimeMin } from "../../src/model/Time.ts"
import * as IntervalJoin from "../../src/operator/IntervalJoin.ts"
import type { Operator } from "../../src/operator/Operator.ts"
import { barrierOf, byPlace, Run } from "./Epochs.ts"
import {
  anywhere,
  type Came,
  farAhead,
  type Item,
  judged,
  numbersOn,
  one,
  pairs,
  type Row,
  rowsOf,
  sorted,
  story,
  type Told,
  tell
} from "./JoinStories.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

interface Bounds {
  readonly type: JoinType
  readonly before: number
  readonly after: number
  readonly lateness: number
}
const key = [{ name: "key", of: (item: Item) => item.key }]

const make = (bounds: Bounds, rest: Partial<IntervalJoin.Options> = {}): Operator =>
  IntervalJoin.make({
    id: "pairs",
    join: {
      type: bounds.type,
      beforeMillis: bounds.before,
      afterMillis: bounds.after,
      allowedLatenessMillis: bounds.lateness
    },
    keys: [key, key],
    prototypes: [],
    appends: true,
    ...rest
  })

// The oracle: all events at once, in the words of the rule.

const isPair = (left: Came, right: Came, { after, before }: Bounds): boolean =>
  left.value.key === right.value.key && right.at >= left.at - before && right.at <= left.at + after

const oracle = (told: Told, bounds: Bounds): ReadonlyArray<Row> => {
  const { lefts, rights } = judged(told, bounds.lateness)
  const rows: Array<Row> = []
  for (const left of lefts)
    for (const right of rights)
      if (isPair(left, right, bounds))
        rows.push({
          left: left.value.n,
          right: right.value.n,
          at: Math.max(left.at, right.at),
          epoch: Math.max(left.epoch, right.epoch)
        })
  // The first barrier from the event's own on at which no partner can come any more.
  const epochOf = (event: { readonly epoch: number; readonly at: number }, waits: number): number =>
    told.watermarks.findIndex(
      (watermark, epoch) => epoch >= event.epoch && event.at + waits + bounds.lateness < watermark
    )
  if (bounds.type !== "inner")
    for (const left of lefts)
      if (!rights.some((right) => isPair(left, right, bounds)))
        rows.push({ left: left.value.n, right: null, at: left.at, epoch: epochOf(left, bounds.after) })
  if (bounds.type === "outer")
    for (const right of rights)
      if (!lefts.some((left) => isPair(left, right, bounds)))
        rows.push({ left: null, right: right.value.n, at: right.at, epoch: epochOf(right, bounds.before) })
  return rows
}

const cases: ReadonlyArray<Bounds> = [
  { type: "inner", before: 4, after: 9, lateness: 0 },
  { type: "inner", before: 0, after: 0, lateness: 5 },
  { type: "left", before: 0, after: 12, lateness: 0 },
  { type: "left", before: 7, after: 3, lateness: 6 },
  { type: "outer", before: 5, after: 5, lateness: 0 },
  { type: "outer", before: 2, after: 8, lateness: 9 }
]

describe.each(cases)("a join, $type, from $before before to $after after, lateness $lateness", (bounds) => {
  const operator = () => make(bounds)

  test("gives in each epoch the rows that the rule gives for all events that are not late, wherever it is restarted", () => {
    let [rowsSeen, lateSeen] = [0, 0]
    FastCheck.assert(
      FastCheck.property(story("tardy"), (told) => {
        const ran = tell(told, operator, true)
        const expected = oracle(ran, bounds)
        expect(sorted(rowsOf(ran))).toEqual(sorted(expected))
        const { late, lateRight } = judged(ran, bounds.lateness)
        expect(numbersOn(ran, "late")).toEqual(late)
        expect(numbersOn(ran, "side late right")).toEqual(lateRight)
        rowsSeen += expected.length
        lateSeen += late.length + lateRight.length
      }),
      { numRuns: 150 }
    )
    expect(rowsSeen).toBeGreaterThan(80)
    expect(lateSeen).toBeGreaterThan(80)
  })

  test("gives the same rows and calls the same events late wherever epochs are cut, while no partition is idle", () => {
    let differently = 0
    FastCheck.assert(
      FastCheck.property(story("tardy"), story("tardy"), (told, other) => {
        const first = tell(told, operator, false)
        const second = tell({ ...other, events: told.events }, operator, true)
        expect(anywhere(rowsOf(second))).toEqual(anywhere(rowsOf(first)))
        for (const port of ["late", "side late right"] as const)
          expect(numbersOn(second, port)).toEqual(numbersOn(first, port))
        if (JSON.stringify(sorted(rowsOf(first))) !== JSON.stringify(sorted(rowsOf(second)))) differently++
      }),
      { numRuns: 40 }
    )
    expect(differently).toBeGreaterThan(5)
  })

  test("gives every pair where nothing is late: what the events alone say", () => {
    FastCheck.assert(
      FastCheck.property(story("punctual"), (told) => {
        const ran = tell(told, operator, true)
        expect(numbersOn(ran, "late")).toEqual([])
        expect(numbersOn(ran, "side late right")).toEqual([])
        const whole = told.events.map((event) => ({ ...event, epoch: 1, job: Number.NEGATIVE_INFINITY }))
        expect(anywhere(rowsOf(ran))).toEqual(anywhere(oracle({ ...ran, events: whole }, bounds)))
      }),
      { numRuns: 40 }
    )
  })

  test("gives rows in the same order and places in whatever order, batches and lives events came", () => {
    FastCheck.assert(
      FastCheck.property(story("tardy"), (told) => {
        const plain = tell(told, operator, false).run
        const shuffled = tell(told, operator, true).run
        expect(shuffled.from("out")).toEqual(plain.from("out"))
        expect(byPlace(shuffled.given)).toEqual(byPlace(plain.given))
        const places = plain.from("out").map(({ epoch, partition, row }) => `${epoch}/${partition}/${row}`)
        expect(new Set(places).size).toBe(places.length)
      }),
      { numRuns: 40 }
    )
  })

  test("passes on a watermark below which no row comes", () => {
    FastCheck.assert(
      FastCheck.property(story("tardy"), (told) => {
        const { passedOn, run, watermarks } = tell(told, operator, true)
        for (const { at, epoch, own } of run.from("out")) {
          expect(own).toBe(passedOn[epoch - 1])
          expect(at).toBeGreaterThanOrEqual(own!)
        }
        const lowered = { inner: 0, left: bounds.after, outer: Math.max(bounds.before, bounds.after) }[bounds.type]
        expect(passedOn).toEqual(watermarks.map((watermark) => watermark - lowered - bounds.lateness))
      }),
      { numRuns: 40 }
    )
  })

  test("keeps nothing once the watermark is far ahead", () => {
    FastCheck.assert(
      FastCheck.property(story("tardy"), (told) => {
        const { run } = tell(told, operator, true)
        expect(run.operator.counts!()).toMatchObject({ keys: 0, events: 0 })
        expect(run.operator.state!.snapshot(99).rows).toBe(0)
      }),
      { numRuns: 20 }
    )
  })
})

const outer: Bounds = { type: "outer", before: 5, after: 10, lateness: 0 }
const left: Bounds = { ...outer, type: "left" }

test.each([
  [94, false],
  [95, true],
  [100, true],
  [110, true],
  [111, false]
])("both ends of the interval belong to it: a right event at %i meets one at 100: %s", (at, meets) => {
  for (const order of [
    [one(0, 100), one(1, at)],
    [one(1, at), one(0, 100)]
  ]) {
    const run = new Run(() => make({ ...outer, type: "inner" }))
    run.give(order)
    run.barrier()
    expect(pairs(run)).toEqual(meets ? [[100, at]] : [])
  }
})

test.each([
  ["left", 0, 110, false],
  ["left", 0, 111, true],
  ["right", 1, 105, false],
  ["right", 1, 106, true]
])(
  "an event without a partner leaves when none can come any more: %s, of input %i at 100, watermark %i: %s",
  (_, input, watermark, leaves) => {
    const run = new Run(() => make(outer))
    run.give([one(input, 100)])
    run.barrier({ watermark })
    run.restart()
    expect(run.from("out").length).toBe(leaves ? 1 : 0)
    run.barrier({ watermark: farAhead })
    expect(pairs(run)).toEqual([input === 0 ? [100, null] : [null, 100]])
  }
)

describe("late", () => {
  test.each([
    ["its own watermark", 107, Number.NEGATIVE_INFINITY, 0, 0],
    ["its own watermark", 108, Number.NEGATIVE_INFINITY, 1, 0],
    ["the job's watermark", Number.NEGATIVE_INFINITY, 107, 0, 0],
    ["the job's watermark", Number.NEGATIVE_INFINITY, 108, 1, 1]
  ])("by %s: of %d and %d, %i events", (_, own, job, late, lateByOthers) => {
    for (const input of [0, 1]) {
      const run = new Run(() => make({ ...outer, lateness: 7 }))
      run.barrier({ watermark: job })
      run.barrier({ watermark: 3 })
      run.restart()
      run.give([one(input, 100, { own })])
      run.barrier({ watermark: farAhead })
      expect(run.from(input === 0 ? "late" : "side late right").length).toBe(late)
      expect(run.from("out").length).toBe(1 - late)
      expect(run.operator.counts!()).toMatchObject({
        lateByOthers,
        late: 0,
        lateOther: 0,
        [input === 0 ? "late" : "lateOther"]: late
      })
    }
  })
})

describe("a final barrier", () => {
  test("lets those go that could still have a partner, once", () => {
    const run = new Run(() => make(outer))
    run.give([one(0, 100), one(1, 200), one(0, 300), one(1, 300)])
    run.barrier({ watermark: 40 })
    run.barrier({ watermark: 50, final: true })
    expect(sorted(pairs(run))).toEqual(
      sorted([
        [100, null],
        [null, 200],
        [300, 300]
      ])
    )
    run.restart()
    run.barrier({ watermark: 50, final: true })
    run.barrier({ watermark: farAhead })
    expect(run.from("out").length).toBe(3)
  })

  test("closes them where rows are appended, and lets their pairs follow where rows are replaced", () => {
    for (const appends of [true, false]) {
      const run = new Run(() => make(left, { appends }))
      run.give([one(0, 100), one(0, 200), one(1, 201)])
      run.barrier({ watermark: 50, final: true })
      run.restart()
      run.give([one(1, 105)])
      run.barrier({ watermark: farAhead })
      const follows = appends ? [] : [[100, 105]]
      expect(sorted(pairs(run))).toEqual(sorted([[100, null], [200, 201], ...follows]))
    }
  })

  test("gives nothing more of an inner join", () => {
    const run = new Run(() => make({ ...outer, type: "inner" }))
    run.give([one(0, 100), one(1, 500)])
    run.barrier({ final: true })
    expect(run.given).toEqual([])
  })
})

/** Ends an epoch; the bytes that it writes. */
const snapshotOf = ({ operator }: Run, epoch: number): number => {
  operator.onBarrier(barrierOf(epoch), { emit: () => expect.fail("there are no rows") })
  return operator.state!.snapshot(epoch).parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
}

test("an epoch writes what changed, however many events a key has", () => {
  const run = new Run(() => make(left))
  run.give(Array.from({ length: 2_000 }, (_, i) => one(0, 100 + i)))
  const whole = snapshotOf(run, 1)
  run.give([one(0, 5_000)])
  const delta = snapshotOf(run, 2)
  expect(whole).toBeGreaterThan(50_000)
  expect(delta).toBeLessThan(100)
})

test("rows of one record stand in the order of their numbers, whichever comes first and after a restart", () => {
  const records = [3, 1, 2].map((row) => one(0, 100, { value: { key: "a", n: row }, row }))
  for (const order of [records, [...records].reverse()]) {
    const run = new Run(() => make(left))
    run.give([one(0, 99), ...order])
    run.barrier()
    run.restart()
    run.give([one(1, 101)])
    run.barrier({ watermark: farAhead })
    expect(pairs(run)).toEqual([
      [99, 101],
      [1, 101],
      [2, 101],
      [3, 101]
    ])
  }
})

test("lets go of the events whose time is up, of a key that always has others", async () => {
  const run = new Run(() => make({ type: "inner", before: 5, after: 5, lateness: 0 }))
  const held: Array<WeakRef<Item>> = []
  for (let epoch = 1; epoch <= 20; epoch++) {
    for (const input of [0, 1]) {
      const value = { key: "a", n: epoch }
      held.push(new WeakRef(value))
      // Far from the other side's: no row holds them.
      run.give([one(input, epoch * 100 + input * 50, { value })])
    }
    run.barrier({ watermark: epoch * 100 })
  }
  expect(run.operator.counts!()).toMatchObject({ keys: 1, events: 2 })
  // What a WeakRef was asked for, or made of, is held until the turn ends.
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  expect(held.filter((value) => value.deref() !== undefined).length).toBeLessThanOrEqual(4)
})

test("rows whose times are thousands of years apart and of the same milliseconds are in order of time and place", () => {
  const times = FastCheck.array(FastCheck.tuple(FastCheck.nat(3), FastCheck.nat(3)), { minLength: 40, maxLength: 60 })
  FastCheck.assert(
    FastCheck.property(times, (told) => {
      const run = new Run(() => make({ type: "left", before: 0, after: 0, lateness: 0 }))
      const at = (era: number) => eventTimeMin + Math.floor((era * (eventTimeMax - eventTimeMin)) / 3)
      run.give(told.map(([era, millis], n) => one(0, at(era) + millis, { value: { key: "a", n }, offset: n })))
      run.barrier({ final: true })
      const wanted = told.map(([era, millis], n) => [era, millis, n] as const)
      wanted.sort((one, other) => one[0] - other[0] || one[1] - other[1] || one[2] - other[2])
      expect(pairs(run)).toEqual(wanted.map(([, , n]) => [n, null]))
    }),
    { numRuns: 50 }
  )
})

describe("events that are instances", () => {
  class Order {
    readonly key = "a"
    readonly n: number
    constructor(n: number) {
      this.n = n
    }
    get double(): number {
      return 2 * this.n
    }
  }
  const order = one(0, 100, { value: new Order(100) })

  test("of a class of the job are instances after a restart", () => {
    const run = new Run(() => make(left, { prototypes: [Order.prototype] }))
    run.give([order])
    run.barrier()
    run.restart()
    run.barrier({ watermark: farAhead })
    const { left: kept } = run.from("out")[0]!.value as { readonly left: Order }
    expect(kept.double).toBe(200)
  })

  test("of another class are refused when they come, inner ones at the barrier, by their place", () => {
    const run = new Run(() => make(left))
    expect(() => run.give([order])).toThrow(StepFailed)
    expect(() => run.give([order])).toThrow(
      "Step 'pairs' cannot keep the event at orders, partition 0, offset 1100: it is a Order"
    )
    run.give([one(0, 101, { value: { key: "a", n: 1, inner: new Order(1) } as Item })])
    expect(() => run.barrier()).toThrow(
      "Step 'pairs' cannot keep the event at orders, partition 0, offset 1101: a Order cannot be kept in state"
    )
  })
})

test("state above its bound, and rows of an epoch above theirs, stop the step by name", () => {
  const full = new Run(() => make(left, { entriesMax: 2 }))
  full.give([one(0, 100), one(1, 500)])
  expect(() => full.give([one(0, 101)])).toThrow(StateLimitExceeded)
  const wide = new Run(() => make(left, { rowsMax: 3 }))
  wide.give([one(0, 100), one(1, 100), one(1, 101), one(1, 102)])
  expect(() => wide.give([one(1, 103)])).toThrow("Step 'pairs' would make more than 3 rows of the events of one epoch")
})

test("a key that cannot be read fails the step, and says at which event", () => {
  const run = new Run(() => make(left))
  const broken = one(0, 100, { value: { key: {} as string, n: 1 } })
  expect(() => run.give([broken])).toThrow(/^Step 'pairs' failed at orders, partition 0, offset 1100: a key column/)
})
