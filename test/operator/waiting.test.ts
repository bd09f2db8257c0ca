/** What steps that hold events back say of them: how many wait, and until when. */
import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Frame from "../../src/flow/Frame.ts"
import type { SpecOf } from "../../src/flow/Topology.ts"
import * as Frames from "../../src/operator/Frames.ts"
import * as IntervalJoin from "../../src/operator/IntervalJoin.ts"
import type { Operator } from "../../src/operator/Operator.ts"
import * as Process from "../../src/operator/Process.ts"
import * as TemporalJoin from "../../src/operator/TemporalJoin.ts"
import { type Arrival, Run } from "./Epochs.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

interface Item {
  readonly key: string
}
const columns = [{ name: "key", of: ({ key }: Item) => key }]
const keyBy: SpecOf<"keyBy"> = { kind: "keyBy", columns }

const process = (timed: boolean): Operator =>
  Process.make({
    id: "step",
    keyBy,
    timed,
    process: {
      kind: "process",
      id: "step",
      state: { fingerprint: "none", encode: (value: unknown) => value, decode: (value: unknown) => value },
      onEvent: () => [],
      onTimer: null,
      onProcessingTimer: null,
      outputs: []
    } as unknown as SpecOf<"process">
  })

interface Step {
  readonly name: string
  readonly make: () => Operator
  /** How much later than an event the watermark must be for it to be let go; `null`: it does not wait. */
  readonly waits: (input: number) => number | null
  readonly inputs: number
}

const steps: ReadonlyArray<Step> = [
  {
    name: "an interval join",
    inputs: 2,
    waits: (input) => 3 + (input === 0 ? 20 : 5) + 1,
    make: () =>
      IntervalJoin.make({
        id: "step",
        join: { type: "inner", beforeMillis: 5, afterMillis: 20, allowedLatenessMillis: 3 },
        keys: [columns, columns],
        prototypes: [],
        appends: true
      })
  },
  {
    name: "a temporal join",
    inputs: 2,
    waits: (input) => (input === 0 ? 3 + 1 : null),
    make: () =>
      TemporalJoin.make({
        id: "step",
        join: { type: "left", allowedLatenessMillis: 3 },
        keys: [columns, columns],
        prototypes: []
      })
  },
  { name: "a user's own operator", inputs: 1, waits: () => 1, make: () => process(true) },
  {
    name: "frames",
    inputs: 1,
    waits: () => 1,
    make: () =>
      Frames.make({
        id: "step",
        keyBy,
        frames: {
          sales: Frame.rows(2, Aggregate.count)
        }
      })
  }
]

const times = FastCheck.array(
  FastCheck.record({
    at: FastCheck.integer({ min: -2_000, max: 4_000 }),
    input: FastCheck.nat(1),
    key: FastCheck.nat(2)
  }),
  { minLength: 1, maxLength: 30, size: "max" }
)

describe.each(steps)("$name", ({ inputs, make, waits }) => {
  const arrivals = (told: ReadonlyArray<{ at: number; input: number; key: number }>): ReadonlyArray<Arrival<Item>> =>
    told.map(({ at, input, key }, offset) => ({
      value: { key: `k${key}` },
      origin: `topic ${input % inputs}`,
      partition: 0,
      offset,
      row: 0,
      at,
      own: Number.NEGATIVE_INFINITY,
      input: input % inputs
    }))
  /** By the words of the rule: those that the watermark has not yet passed by as much as they wait. */
  const expected = (events: ReadonlyArray<Arrival<Item>>, watermark: number | null) => {
    const left = events
      .flatMap(({ at, input }) => {
        const by = waits(input)
        return by === null ? [] : [{ eventTime: at, until: at + by }]
      })
      .filter(({ until }) => watermark === null || until > watermark)
    return { waiting: left.length, untils: left.map(({ until }) => until).sort((a, b) => a - b), left }
  }
  const check = (run: Run, events: ReadonlyArray<Arrival<Item>>, watermark: number | null): number | null => {
    const said = run.operator.waiting!()
    const { left, untils, waiting } = expected(events, watermark)
    expect(said).toMatchObject({ kind: "events", watermark, waiting })
    if (said.kind !== "events" || said.first === null) {
      expect(waiting).toBe(0)
      return null
    }
    expect(said.first.until).toBe(untils[0])
    expect(left).toContainEqual(said.first)
    return said.first.until
  }

  test("says how many events wait and what the first of them waits for, before and after barriers and restarts", () => {
    FastCheck.assert(
      FastCheck.property(times, FastCheck.boolean(), (told, restarts) => {
        const events = arrivals(told)
        const run = new Run(make)
        expect(run.operator.waiting!()).toEqual({ kind: "events", watermark: null, waiting: 0, first: null })
        const half = events.length >> 1
        run.give(events.slice(0, half))
        check(run, events.slice(0, half), null)
        run.barrier()
        run.give(events.slice(half))
        let until = check(run, events, null)
        while (until !== null) {
          run.barrier({ watermark: until - 1 })
          if (restarts) run.restart()
          expect(check(run, events, until - 1)).toBe(until)
          run.barrier({ watermark: until })
          until = check(run, events, until)
        }
      }),
      { numRuns: 60 }
    )
  })
})

test("A user's own operator over events without time waits for the end of the epoch alone, and does not say so", () => {
  expect(process(false).waiting).toBeUndefined()
})
