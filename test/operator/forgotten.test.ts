/** Restarts with another `allowedLateness`: what a step has forgotten stays forgotten. */
import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Window from "../../src/flow/Window.ts"
import type { Change } from "../../src/model/Event.ts"
import * as IntervalJoin from "../../src/operator/IntervalJoin.ts"
import type { Operator } from "../../src/operator/Operator.ts"
import * as TemporalJoin from "../../src/operator/TemporalJoin.ts"
import * as WindowAggregate from "../../src/operator/WindowAggregate.ts"
import { Run } from "./Epochs.ts"
import { type Came, farAhead, type Item, numbersOn, one, pairs, rowsOf, story, type Told, tell } from "./JoinStories.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

const key = [{ name: "key", of: (item: Item) => item.key }]
const hour = 3_600_000

/** Makes the operator with one lateness after the other, from the first again after the last. */
const inTurns = (latenesses: ReadonlyArray<number>, make: (lateness: number) => Operator): (() => Operator) => {
  let made = 0
  return () => make(latenesses[made++ % latenesses.length]!)
}
const turns = FastCheck.array(FastCheck.constantFrom(0, 3, 20, 60), { minLength: 2, maxLength: 6 })

interface SaleRow {
  readonly key: string
  readonly windowStart: number
  readonly windowEnd: number
  readonly count: bigint
}
type Mode = "onUpdate" | "onClose"
const windowed = (window: Window.Window, mode: Mode, entriesMax: number) => (allowedLatenessMillis: number) =>
  WindowAggregate.make({
    id: "sales",
    keyBy: { kind: "keyBy", columns: key },
    window: { kind: "window", window, allowedLatenessMillis },
    aggregate: { kind: "aggregate", id: "sales", aggregates: { count: Aggregate.count } },
    mode,
    appends: false,
    stateEntriesMax: entriesMax
  })

const windows: ReadonlyArray<readonly [string, Window.Window, number]> = [
  ["tumbling", Window.tumbling("10 millis"), 1000],
  ["tumbling and packed", Window.tumbling("10 millis"), 2],
  ["sliding", Window.sliding("10 millis", "5 millis"), 1000],
  ["session", Window.session("4 millis"), 1000]
]

/** Puts changes into a table as a sink does; each must say what it replaces. */
const replay = (run: Run): ReadonlyMap<string, SaleRow> => {
  const table = new Map<string, SaleRow>()
  for (const { value } of run.from("out")) {
    const { after, before, key } = value as Change<unknown, SaleRow>
    expect(before).toEqual(table.get(JSON.stringify(key)))
    if (after === undefined) table.delete(JSON.stringify(key))
    else table.set(JSON.stringify(key), after)
  }
  return table
}

const countedOf = (rows: Iterable<SaleRow>): number => [...rows].reduce((sum, { count }) => sum + Number(count), 0)
const inTimeOf = ({ run, events }: Told): number => events.length - run.from("late").length
/** All events by one input, as a windowed step has it. */
const ofOneInput = <A extends { readonly events: ReadonlyArray<Came> }>(told: A): A => ({
  ...told,
  events: told.events.map((event) => ({ ...event, origin: `${event.origin}${event.partition}` }))
})

describe.each(windows)("windows that are %s, whose lateness changes at restarts", (kind, window, entriesMax) => {
  test("replace no row by a part of it", () => {
    let late = 0
    FastCheck.assert(
      FastCheck.property(story("tardy"), turns, (told, latenesses) => {
        const ran = tell(ofOneInput(told), inTurns(latenesses, windowed(window, "onUpdate", entriesMax)), true)
        const table = replay(ran.run)
        if (!kind.startsWith("sliding")) expect(countedOf(table.values())).toBe(inTimeOf(ran))
        late += ran.run.from("late").length
      }),
      { numRuns: 100 }
    )
    expect(late).toBeGreaterThan(50)
  })

  test("give no row twice, and none that is late for the step after them", () => {
    FastCheck.assert(
      FastCheck.property(story("tardy"), turns, (told, latenesses) => {
        const ran = tell(ofOneInput(told), inTurns(latenesses, windowed(window, "onClose", entriesMax)), true)
        const rows = ran.run.from("out").map(({ value }) => value as SaleRow)
        expect(new Set(rows.map((row) => `${row.key} ${row.windowStart}`)).size).toBe(rows.length)
        if (!kind.startsWith("sliding")) expect(countedOf(rows)).toBe(inTimeOf(ran))
        for (const { at, epoch } of ran.run.from("out")) expect(at!).toBeGreaterThanOrEqual(ran.passedOn[epoch - 1]!)
        expect(ran.passedOn).toEqual([...ran.passedOn].sort((left, right) => left - right))
      }),
      { numRuns: 100 }
    )
  })
})

describe("an old event under a longer lateness", () => {
  test.each(windows)("is late where its window, %s, was forgotten, and the row stays", (_, window, entriesMax) => {
    const run = new Run(inTurns([0, hour], windowed(window, "onUpdate", entriesMax)))
    run.give([100, 101, 102].map((at) => one(0, at)))
    run.barrier({ watermark: 200 })
    const before = replay(run)
    run.restart()
    run.give([one(0, 101), one(0, 300)])
    run.barrier({ watermark: 201 })
    expect(run.from("late").map(({ value }) => (value as Item).n)).toEqual([101])
    for (const [id, row] of before) expect(replay(run).get(id)).toEqual(row)
    run.give([one(0, 301)])
    run.barrier({ watermark: 310 + hour })
    expect(run.from("late").length).toBe(1)
  })

  test("counts where its window ended after those that were forgotten", () => {
    const run = new Run(inTurns([0, hour], windowed(Window.tumbling("10 millis"), "onUpdate", 1000)))
    run.give([one(0, 105)])
    run.barrier({ watermark: 109 })
    run.restart()
    run.barrier({ watermark: 500 })
    run.give([one(0, 106)])
    run.barrier()
    expect([...replay(run).values()].map(({ count }) => count)).toEqual([2n])
    expect(run.from("late")).toEqual([])
  })

  test("is late where its window was forgotten several restarts ago", () => {
    const run = new Run(inTurns([0, hour, hour], windowed(Window.tumbling("10 millis"), "onUpdate", 1000)))
    run.give([one(0, 105)])
    run.barrier({ watermark: 200 })
    run.restart()
    run.barrier({ watermark: 300 })
    run.restart()
    run.give([one(0, 106), one(0, 195)])
    run.barrier()
    expect(run.from("late").map(({ value }) => (value as Item).n)).toEqual([106, 195])
  })

  test("is late for a join that has forgotten its partners", () => {
    for (const type of ["inner", "left", "outer"] as const) {
      const run = new Run(inTurns([0, hour], joined(type)))
      run.give([one(0, 100), one(1, 104)])
      run.barrier({ watermark: 200 })
      const rows = pairs(run)
      run.restart()
      run.give([one(1, 105), one(0, 101)])
      run.barrier({ watermark: farAhead + hour })
      expect([run.from("late").length, run.from("side late right").length]).toEqual([1, 1])
      expect(pairs(run)).toEqual(rows)
    }
  })
})

const joined = (type: "inner" | "left" | "outer") => (allowedLatenessMillis: number) =>
  IntervalJoin.make({
    id: "pairs",
    join: { type, beforeMillis: 4, afterMillis: 9, allowedLatenessMillis },
    keys: [key, key],
    prototypes: [],
    appends: true
  })
const versioned = (allowedLatenessMillis: number) =>
  TemporalJoin.make({ id: "versions", join: { type: "left", allowedLatenessMillis }, keys: [key, key], prototypes: [] })

/** The events of each side that were not set aside. */
const taken = (told: Told): readonly [ReadonlyArray<Came>, ReadonlyArray<Came>] => {
  const late = new Set([...numbersOn(told, "late"), ...numbersOn(told, "side late right")])
  const inTime = told.events.filter(({ value }) => !late.has(value.n))
  return [inTime.filter(({ input }) => input === 0), inTime.filter(({ input }) => input === 1)]
}
const found = (told: Told) => {
  const rows = rowsOf(told)
  for (const { at, epoch } of rows) expect(at).toBeGreaterThanOrEqual(told.passedOn[epoch - 1]!)
  expect(told.passedOn).toEqual([...told.passedOn].sort((left, right) => left - right))
  return rows.map(({ left, right }) => `${left} ${right}`).sort()
}

describe("joins whose lateness changes at restarts", () => {
  test.each(["inner", "left", "outer"] as const)("pair all events that are not late: %s", (type) => {
    FastCheck.assert(
      FastCheck.property(story("tardy"), turns, (told, latenesses) => {
        const ran = tell(told, inTurns(latenesses, joined(type)), true)
        const [lefts, rights] = taken(ran)
        const isPair = (left: Came, right: Came) =>
          left.value.key === right.value.key && right.at >= left.at - 4 && right.at <= left.at + 9
        const rows = lefts.flatMap((left) =>
          rights.filter((right) => isPair(left, right)).map((right) => `${left.value.n} ${right.value.n}`)
        )
        if (type !== "inner")
          for (const left of lefts) if (!rights.some((right) => isPair(left, right))) rows.push(`${left.value.n} null`)
        if (type === "outer")
          for (const right of rights) if (!lefts.some((left) => isPair(left, right))) rows.push(`null ${right.value.n}`)
        expect(found(ran)).toEqual(rows.sort())
      }),
      { numRuns: 100 }
    )
  })

  test("find the version that holds for each event that is not late", () => {
    FastCheck.assert(
      FastCheck.property(story("tardy"), turns, (told, latenesses) => {
        const ran = tell(told, inTurns(latenesses, versioned), true)
        const [lefts, versions] = taken(ran)
        const rows = lefts.map((left) => {
          const known = versions.filter(({ at, value }) => value.key === left.value.key && at <= left.at)
          const [latest] = known.sort(
            (one, other) => other.at - one.at || other.partition - one.partition || other.offset - one.offset
          )
          return `${left.value.n} ${latest?.value.n ?? null}`
        })
        expect(found(ran)).toEqual(rows.sort())
      }),
      { numRuns: 100 }
    )
  })
})
