import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import type { TemporalType } from "../../src/flow/Join.ts"
import { StateLimitExceeded } from "../../src/model/Errors.ts"
import type { Operator } from "../../src/operator/Operator.ts"
import * as TemporalJoin from "../../src/operator/TemporalJoin.ts"
import { byPlace, Run } from "./Epochs.ts"
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

interface Rule {
  readonly type: TemporalType
  readonly lateness: number
}
const key = [{ name: "key", of: (item: Item) => item.key }]

const make = ({ lateness, type }: Rule, rest: Partial<TemporalJoin.Options> = {}): Operator =>
  TemporalJoin.make({
    id: "versions",
    join: { type, allowedLatenessMillis: lateness },
    keys: [key, key],
    prototypes: [],
    ...rest
  })

// The oracle: all events at once, in the words of the rule.

const isNewer = (one: Came, other: Came): boolean => {
  if (one.at !== other.at) return one.at > other.at
  if (one.partition !== other.partition) return one.partition > other.partition
  return one.offset > other.offset
}

const versionOf = (left: Came, versions: ReadonlyArray<Came>): Came | null => {
  let newest: Came | null = null
  for (const version of versions) {
    if (version.value.key !== left.value.key || version.at > left.at) continue
    if (newest === null || isNewer(version, newest)) newest = version
  }
  return newest
}

const oracle = (told: Told, { lateness, type }: Rule): ReadonlyArray<Row> => {
  const { lefts, rights } = judged(told, lateness)
  return lefts.flatMap((left) => {
    const version = versionOf(left, rights)
    if (version === null && type === "inner") return []
    // The first barrier from the event's own on at which no version can come any more.
    const epoch = told.watermarks.findIndex((watermark, at) => at >= left.epoch && left.at + lateness < watermark)
    return [{ left: left.value.n, right: version?.value.n ?? null, at: left.at, epoch }]
  })
}

const rules: ReadonlyArray<Rule> = [
  { type: "inner", lateness: 0 },
  { type: "inner", lateness: 7 },
  { type: "left", lateness: 0 },
  { type: "left", lateness: 4 }
]

describe.each(rules)("a temporal join, $type, lateness $lateness", (rule) => {
  const operator = () => make(rule)

  test("gives in each epoch the rows that the rule gives for all events that are not late, wherever it is restarted", () => {
    let [rowsSeen, lateSeen] = [0, 0]
    FastCheck.assert(
      FastCheck.property(story("tardy"), (told) => {
        const ran = tell(told, operator, true)
        const expected = oracle(ran, rule)
        expect(sorted(rowsOf(ran))).toEqual(sorted(expected))
        const { late, lateRight } = judged(ran, rule.lateness)
        expect(numbersOn(ran, "late")).toEqual(late)
        expect(numbersOn(ran, "side late right")).toEqual(lateRight)
        rowsSeen += expected.filter(({ right }) => right !== null).length
        lateSeen += late.length + lateRight.length
      }),
      { numRuns: 100 }
    )
    expect(rowsSeen).toBeGreaterThan(300)
    expect(lateSeen).toBeGreaterThan(60)
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

  test("gives every event its version where nothing is late: what the events alone say", () => {
    FastCheck.assert(
      FastCheck.property(story("punctual"), (told) => {
        const ran = tell(told, operator, true)
        expect(numbersOn(ran, "late")).toEqual([])
        expect(numbersOn(ran, "side late right")).toEqual([])
        const whole = told.events.map((event) => ({ ...event, epoch: 1, job: Number.NEGATIVE_INFINITY }))
        expect(anywhere(rowsOf(ran))).toEqual(anywhere(oracle({ ...ran, events: whole }, rule)))
      }),
      { numRuns: 40 }
    )
  })

  test("gives rows in the order of time and place, in whatever order, batches and lives events came", () => {
    FastCheck.assert(
      FastCheck.property(story("tardy"), (told) => {
        const plain = tell(told, operator, false)
        const shuffled = tell(told, operator, true)
        expect(shuffled.run.from("out")).toEqual(plain.run.from("out"))
        expect(byPlace(shuffled.run.given)).toEqual(byPlace(plain.run.given))
        const byNumber = new Map(told.events.map((event) => [event.value.n, event]))
        const rows = plain.run.from("out")
        rows.slice(1).forEach((row, i) => {
          const [before, after] = [rows[i]!, row].map(({ value }) => byNumber.get((value as { left: Item }).left.n)!)
          if (rows[i]!.epoch === row.epoch && rows[i]!.partition === row.partition)
            expect(isNewer(after!, before!)).toBe(true)
        })
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
        expect(passedOn).toEqual(watermarks.map((watermark) => watermark - rule.lateness))
      }),
      { numRuns: 40 }
    )
  })

  test("keeps one version of each key once the watermark is far ahead", () => {
    FastCheck.assert(
      FastCheck.property(story("tardy"), (told) => {
        const ran = tell(told, operator, true)
        const keys = new Set(judged(ran, rule.lateness).rights.map(({ value }) => value.key))
        expect(ran.run.operator.counts!()).toMatchObject({ keys: keys.size, events: keys.size })
        expect(ran.run.operator.state!.snapshot(99).rows).toBe(keys.size)
      }),
      { numRuns: 20 }
    )
  })
})

const left: Rule = { type: "left", lateness: 0 }
const version = (at: number, n: number, rest: Partial<Came> = {}): Came =>
  one(1, at, { value: { key: "a", n }, offset: n, ...rest })

test("a version counts from its own time on; of equal times the one of the highest place", () => {
  const versions = [
    version(100, 2),
    version(100, 1),
    version(100, 3, { partition: 1, offset: 0 }),
    version(101, 9, { offset: 10 }),
    version(101, 8, { offset: 11 }),
    version(102, 5, { origin: "refunds" }),
    version(102, 6),
    version(103, 12, { offset: 20, row: 2 }),
    version(103, 13, { offset: 20, row: 1 })
  ]
  for (const order of [versions, [...versions].reverse()]) {
    const run = new Run(() => make(left))
    run.give([99, 100, 101, 102, 103].map((at) => one(0, at)))
    run.give(order)
    run.barrier({ watermark: 104 })
    expect(pairs(run)).toEqual([
      [99, null],
      [100, 3],
      [101, 8],
      [102, 5],
      [103, 12]
    ])
  }
})

test("events wait until the watermark has passed them", () => {
  const run = new Run(() => make(left))
  run.give([one(0, 100)])
  run.barrier({ watermark: 100 })
  expect(run.given).toEqual([])
  run.restart()
  run.give([version(100, 1, { own: 100 })])
  run.barrier({ watermark: 101 })
  expect(pairs(run)).toEqual([[100, 1]])
})

test("a version holds for events that come long after it, and for those before a newer one that may still come", () => {
  const run = new Run(() => make({ type: "inner", lateness: 10 }))
  run.give([version(0, 1)])
  run.barrier({ watermark: 1_000 })
  run.restart()
  run.give([version(995, 2), one(0, 994), one(0, 990)])
  run.barrier({ watermark: 1_005 })
  run.give([one(0, 996)])
  run.barrier({ watermark: 1_100 })
  expect(pairs(run)).toEqual([
    [990, 1],
    [994, 1],
    [996, 2]
  ])
  expect(run.operator.counts!()).toMatchObject({ keys: 1, events: 1, late: 0 })
})

test.each([
  ["its own watermark", 107, Number.NEGATIVE_INFINITY, 0],
  ["its own watermark", 108, Number.NEGATIVE_INFINITY, 1],
  ["the job's watermark", Number.NEGATIVE_INFINITY, 107, 0],
  ["the job's watermark", Number.NEGATIVE_INFINITY, 108, 1]
])("late by %s: of %d and %d, %i events", (_, own, job, late) => {
  for (const input of [0, 1]) {
    const run = new Run(() => make({ ...left, lateness: 7 }))
    run.barrier({ watermark: job })
    run.restart()
    run.give([one(input, 100, { own })])
    run.barrier({ watermark: farAhead })
    expect(run.from(input === 0 ? "late" : "side late right").length).toBe(late)
    expect(run.from("out").length).toBe(input === 0 ? 1 - late : 0)
  }
})

test("a final barrier lets waiting events go with the versions known so far, once", () => {
  const run = new Run(() => make(left))
  run.give([version(90, 1), one(0, 100), one(0, 80)])
  run.barrier({ watermark: 50, final: true })
  run.restart()
  run.give([version(95, 2), one(0, 96)])
  run.barrier({ watermark: 50, final: true })
  run.barrier({ watermark: farAhead })
  expect(sorted(pairs(run))).toEqual(
    sorted([
      [80, null],
      [100, 1],
      [96, 2]
    ])
  )
})

test("state above its bound stops the step by name", () => {
  const run = new Run(() => make(left, { entriesMax: 2 }))
  run.give([version(100, 1), one(0, 100)])
  expect(() => run.give([one(0, 101)])).toThrow(StateLimitExceeded)
})
