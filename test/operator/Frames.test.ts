import { FastCheck, Schema } from "effect"
import { describe, expect, test, vi } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Frame from "../../src/flow/Frame.ts"
import type { SpecOf } from "../../src/flow/Topology.ts"
import { StateLimitExceeded } from "../../src/model/Errors.ts"
import * as Limits from "../../src/model/Limits.ts"
import * as Frames from "../../src/operator/Frames.ts"
import type { Operator } from "../../src/operator/Operator.ts"
import { type Arrival, byPlace, Run, type Story, storyOf, tell } from "./Epochs.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

interface Day {
  readonly symbol: number
  readonly close: number
}

/** All texts of the frame in order: has no `remove`, and shows the order of rows. */
const texts = Aggregate.make({
  empty: () => "",
  add: (state, day: Day) => `${state} ${day.close}`,
  merge: (left, right) => left + right,
  result: (state) => state
})
const frames = {
  average: Frame.rows(
    3,
    Aggregate.avg((day: Day) => day.close)
  ),
  total: Frame.rows(
    1,
    Aggregate.sum((day: Day) => day.close),
    { minRows: 2 }
  ),
  own: Frame.rows(
    0,
    Aggregate.sum((day: Day) => day.close)
  ),
  highest: Frame.rows(
    2,
    Aggregate.max((day: Day) => day.close)
  ),
  first: Frame.rows(
    5,
    Aggregate.first((day: Day) => day.close),
    { minRows: 3 }
  ),
  texts: Frame.rows(4, texts)
}
const make = (of: SpecOf<"frames">["frames"] = frames, over: Partial<Frames.Options> = {}): Operator =>
  Frames.make({
    id: "averages",
    keyBy: { kind: "keyBy", columns: [{ name: "symbol", of: (day: Day) => day.symbol }] },
    frames: of,
    ...over
  })

const story = storyOf(FastCheck.record({ symbol: FastCheck.nat(2), close: FastCheck.integer({ min: -50, max: 50 }) }))

/** For each event the rows −n..0 among all that were handed out, by the words of the rule. */
const oracle = (told: Story<Day>) => {
  const handed: Array<Arrival<Day>> = []
  const made: Array<{ readonly epoch: number; readonly at: number; readonly value: unknown }> = []
  let late = 0
  let waiting: Array<Arrival<Day>> = []
  let passed = Number.NEGATIVE_INFINITY
  told.epochs.forEach((events, i) => {
    const inTime = events.filter((event) => event.at >= Math.max(event.own, passed))
    late += events.length - inTime.length
    passed = Math.max(passed, told.watermarks[i]!)
    const all = [...waiting, ...inTime]
    waiting = all.filter(({ at }) => at >= passed)
    const due = all
      .filter(({ at }) => at < passed)
      .sort((a, b) => a.at - b.at || a.partition - b.partition || a.offset - b.offset || a.row - b.row)
    for (const event of due) {
      handed.push(event)
      const closes = handed.filter(({ value }) => value.symbol === event.value.symbol).map(({ value }) => value.close)
      const frame = (before: number, minRows = 1) =>
        closes.length < minRows ? null : closes.slice(Math.max(0, closes.length - 1 - before))
      const sum = (values: ReadonlyArray<number> | null) => values?.reduce((total, value) => total + value, 0) ?? null
      made.push({
        epoch: i + 1,
        at: event.at,
        value: {
          ...event.value,
          average: sum(frame(3))! / frame(3)!.length + 0,
          total: sum(frame(1, 2)),
          own: sum(frame(0)),
          highest: Math.max(...frame(2)!) + 0,
          first: frame(5, 3)?.[0] ?? null,
          texts: frame(4)!
            .map((close) => ` ${close}`)
            .join("")
        }
      })
    }
  })
  return { made, late }
}

const bySymbol = (
  rows: ReadonlyArray<{ readonly epoch: number; readonly at: number | null; readonly value: unknown }>
) => {
  const groups: Record<number, Array<unknown>> = {}
  for (const { epoch, at, value } of rows) {
    const { symbol } = value as Day
    groups[symbol] ??= []
    groups[symbol].push({ epoch, at, value })
  }
  return groups
}

const day = (close: number, at: number, value: object = {}): Arrival<Day> => ({
  value: { symbol: 1, close, ...value },
  origin: "days",
  partition: 0,
  offset: at,
  row: 0,
  at,
  own: Number.NEGATIVE_INFINITY,
  input: 0
})
const place = { eventTime: 0, origin: "days", partition: 0, offset: 0, row: 0 }
const column = (run: Run, name: string) => run.from("out").map(({ value }) => (value as Record<string, unknown>)[name])

describe("row frames", () => {
  test("give each event with the rows before it, however they are cut, interleaved and restarted", () => {
    let [rows, late] = [0, 0]
    FastCheck.assert(
      FastCheck.property(story, (told) => {
        const run = tell(told, () => make(), true)
        const expected = oracle(told)
        expect(bySymbol(run.from("out"))).toEqual(bySymbol(expected.made))
        expect(run.from("late").length).toBe(expected.late)
        for (const { at, own } of run.from("out")) expect(own!).toBeLessThanOrEqual(at!)
        rows += expected.made.length
        late += expected.late
      }),
      { numRuns: 150 }
    )
    expect(rows).toBeGreaterThan(2_000)
    expect(late).toBeGreaterThan(100)
  })

  test("give their rows the same places whatever the order of arrival", () => {
    FastCheck.assert(
      FastCheck.property(story, (told) => {
        const [plain, shuffled] = [tell(told, () => make(), false), tell(told, () => make(), true)]
        expect(byPlace(shuffled.from("out"))).toEqual(byPlace(plain.from("out")))
      }),
      { numRuns: 50 }
    )
  })

  test("slide sums of any numbers exactly, as if each frame were summed anew", () => {
    const number = FastCheck.oneof(
      FastCheck.double(),
      FastCheck.constantFrom(0.1, 1e16, -1e16, 1e308, Number.NaN, Number.POSITIVE_INFINITY, -0)
    )
    const total = Aggregate.sum((value: Day) => value.close)
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(number, { minLength: 1, maxLength: 40 }),
        FastCheck.nat(6),
        (closes, before) => {
          const run = new Run(() => make({ total: Frame.rows(before, total) }))
          closes.forEach((close, i) => {
            run.give([day(close, i)])
            run.barrier({ watermark: i + 1 })
            run.restart()
          })
          const anew = closes.map((_, i) => {
            const frame = closes.slice(Math.max(0, i - before), i + 1)
            const state = frame.reduce((sum, close) => total.add(sum, { symbol: 1, close }, place), total.empty())
            return total.result(state)
          })
          expect(column(run, "total")).toEqual(anew)
        }
      ),
      { numRuns: 150 }
    )
  })

  test("keep of each key only the rows that its largest frame takes in, and write each row once", () => {
    const of = {
      total: Frame.rows(
        20,
        Aggregate.sum((value: Day) => value.close)
      )
    }
    const run = new Run(() => make(of))
    const sizes: Array<number> = []
    for (let i = 0; i < 200; i++) {
      run.operator.onBatch(
        {
          _tag: "Batch",
          origin: "days",
          partition: 0,
          openedAt: 0,
          values: [{ symbol: 1, close: 1, note: "x".repeat(1_000) }],
          offsets: Float64Array.of(i),
          rows: null,
          eventTimes: Float64Array.of(i),
          ownWatermarks: Float64Array.of(i - 1),
          records: null,
          recordIndexes: null
        },
        { emit: () => {} },
        0
      )
      run.barrier({ watermark: i + 1 })
    }
    expect(column(run, "total").at(-1)).toBe(21)
    for (let i = 0; i < 5; i++) {
      run.operator.onBarrier(
        {
          _tag: "Barrier",
          epoch: 300 + i,
          openedAt: 0,
          closedAt: 0,
          final: false,
          partitions: [],
          watermark: 200,
          idle: false
        },
        { emit: () => {} }
      )
      const { rows } = run.operator.state!.snapshot(300 + i)
      sizes.push(rows)
    }
    expect(sizes).toEqual([21, 21, 21, 21, 21])
  })

  test("take in at a final barrier what waits, once, and give class instances as rows with their columns", () => {
    class Quote extends Schema.Class<Quote>("Quote")({ symbol: Schema.Number, close: Schema.Number }) {}
    const of = {
      total: Frame.rows(
        1,
        Aggregate.sum((value: Day) => value.close)
      )
    }
    const run = new Run(() => make(of, { prototypes: [Quote.prototype] }))
    const quote = (close: number, at: number) => day(close, at, new Quote({ symbol: 1, close }))
    run.give([{ ...quote(1, 10), value: new Quote({ symbol: 1, close: 1 }) }, quote(2, 20)])
    run.barrier({ watermark: 5 })
    run.restart()
    run.barrier({ watermark: 5, final: true })
    run.restart()
    run.give([day(8, 19), day(4, 21)])
    run.barrier({ watermark: 30, final: true })
    expect(run.from("out").map(({ value }) => value)).toEqual([
      { symbol: 1, close: 1, total: 1 },
      { symbol: 1, close: 2, total: 3 },
      { symbol: 1, close: 4, total: 6 }
    ])
    expect(run.from("late").map(({ at }) => at)).toEqual([19])
  })

  test("give 21 rows for −20..0", () => {
    const of = { rows: Frame.rows(20, Aggregate.count), text: Frame.rows(20, texts) }
    const run = new Run(() => make(of))
    run.give(Array.from({ length: 30 }, (_, i) => day(i, i)))
    run.barrier({ watermark: 100 })
    expect(column(run, "rows")).toEqual(Array.from({ length: 30 }, (_, i) => BigInt(Math.min(21, i + 1))))
    expect(String(column(run, "text").at(-1)).trim().split(" ").length).toBe(21)
  })

  test("fail at their bound, and where a function of the job throws, with the event's place", () => {
    const full = new Run(() => make(frames, { stateKeysMax: 3 }))
    full.give([day(1, 1), day(1, 2), day(1, 3)])
    expect(() => full.barrier({ watermark: 10 })).toThrow(StateLimitExceeded)
    const broken = new Run(() =>
      make({
        sum: Frame.rows(
          1,
          Aggregate.sum((value: Day) => `${value.close}` as never)
        )
      })
    )
    broken.give([day(1, 17)])
    expect(() => broken.barrier({ watermark: 20 })).toThrow("at days, partition 0, offset 17")
  })

  test("refuse sizes that are none", () => {
    for (const before of [-1, 0.5, Limits.frameRowsMax + 1]) expect(() => Frame.rows(before, texts)).toThrow(RangeError)
    for (const minRows of [0, 1.5, 4]) expect(() => Frame.rows(2, texts, { minRows })).toThrow(RangeError)
  })
})
