/** What makes a failing world smaller: lists, and a job that fails for one record among many. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Flow, Job, Trigger } from "../../src/index.ts"
import { Simulate } from "../../src/testing/index.ts"
import { minimize } from "../../src/testing/simulation/Shrink.ts"

const numbers = Array.from({ length: 100 }, (_, i) => i)
const never = () => false

describe("a list that shows something", () => {
  const cases: ReadonlyArray<readonly [what: string, needed: ReadonlyArray<number>]> = [
    ["one element", [41]],
    ["two far from each other", [3, 97]],
    ["several", [0, 17, 18, 50, 99]],
    ["all", numbers],
    ["none", []]
  ]
  it.effect.each(cases)("keeps %s", ([, needed]) =>
    Effect.gen(function* () {
      let tries = 0
      const left = yield* minimize(numbers, never, 0, (shorter) =>
        Effect.sync(() => {
          tries++
          expect(shorter.length).toBeLessThan(numbers.length)
          return needed.every((one) => shorter.includes(one))
        })
      )
      expect(left).toEqual(needed)
      expect(tries).toBeLessThan(400)
    })
  )

  it.effect("keeps so many at least, and ends when the time is over", () =>
    Effect.gen(function* () {
      expect((yield* minimize(numbers, never, 1, () => Effect.succeed(true))).length).toBe(1)
      let tries = 0
      const left = yield* minimize(
        numbers,
        () => tries === 2,
        0,
        () => Effect.sync(() => ++tries > 0)
      )
      expect([tries, left]).toEqual([2, []])
      const none = yield* minimize(
        numbers,
        () => true,
        0,
        () => Effect.die("no time is left")
      )
      expect(none).toBe(numbers)
    })
  )
})

describe("a world in which something is wrong", () => {
  const Amount = Schema.Struct({ id: Schema.Int, amount: Schema.Int })
  const mapped = (name: string, f: (row: typeof Amount.Type) => typeof Amount.Type) =>
    Job.make(name, {
      parameters: {},
      trigger: Trigger.every("1 second"),
      outputs: () =>
        Flow.from(Topic.source("amounts")).pipe(
          Flow.decode(Amount),
          Flow.map(f),
          Flow.to(Sql.upsert("amounts_seen", Amount, { key: ["id"] }))
        )
    })
  const refused = (row: typeof Amount.Type): typeof Amount.Type => {
    if (row.amount === 13) throw new Error("thirteen")
    return row
  }
  let calls = 0
  const fragile = mapped("fragile", refused)
  const unfussy = mapped("unfussy", (row) => row)
  /** Without the thirteenth it fails too, since it is never computed twice alike. */
  const careless = mapped("careless", (row) => ({ ...refused(row), amount: 100 + calls++ }))

  const shrunk = (job: typeof fragile, invariants: ReadonlyArray<ReturnType<typeof Simulate.invariant>> = []) =>
    Effect.map(
      Effect.flip(
        Simulate.job(job, {
          input: { amounts: Array.from({ length: 16 }, (_, id) => ({ id, amount: id })) },
          seeds: 1,
          seed: 3,
          faults: ["kill", "pause"],
          shrink: true,
          again: (seed) => `weir simulate fragile --seed ${seed}`,
          invariants
        })
      ),
      ({ message }) => {
        expect(message).toContain("It fails also with 1 of 16 records and without faults\n")
        expect(message).toContain('  amounts, partition 1: "{\\"id\\":13,\\"amount\\":13}"\n')
        expect(message).toMatch(/\nThe same again: weir simulate fragile --seed 3$/)
      }
    )

  it.effect("is made smaller: the one record that it needs, and no fault", () => shrunk(fragile), 60_000)

  it.effect(
    "is made smaller where an invariant is broken, whenever that is",
    () =>
      shrunk(unfussy, [
        Simulate.invariant("none is thirteen", {
          of: "amounts_seen",
          schema: Amount,
          holds: (rows) => rows.every(({ amount }) => amount !== 13)
        })
      ]),
    60_000
  )

  it.effect("is not taken for another in which something else is wrong", () => shrunk(careless), 60_000)
})
