/**
 * What is tried of every case: no crash; a crash at each of its durable steps; crashes while it recovers; and the same
 * with checkpoints that are kept elsewhere, at some of the steps. `CRASH_SCALE=10` tries larger worlds, `CRASH_SEED=1`
 * others, `CRASH_STRIDE=1` every step with checkpoints of every kind.
 */
import { NodeContext } from "@effect/platform-node"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Scope } from "effect"
import { layerMemory } from "../../../src/connectors/sql/index.ts"
import type { Tables } from "../../../src/flow/Tables.ts"
import { isThorough, stride } from "../../Thorough.ts"
import type { Case } from "./Case.ts"
import * as CaseWorld from "./CaseWorld.ts"

/** Steps from one crash to the next where checkpoints are not in memory; `null`: few are tried. */
const elsewhere = process.env.CRASH_STRIDE === undefined ? null : Number(process.env.CRASH_STRIDE)
const timeout = 600_000

export const survives = (cases: ReadonlyArray<Case>): void => {
  let scope: Scope.CloseableScope
  let tables: Context.Context<Tables>
  beforeAll(async () => {
    scope = await Effect.runPromise(Scope.make())
    tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

  const run = <A, E>(
    effect: Effect.Effect<A, E, Layer.Layer.Success<typeof NodeContext.layer> | Tables | Scope.Scope>
  ): Promise<A> =>
    Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(NodeContext.layer), Effect.provide(tables)))

  describe.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
    beforeAll(() => run(CaseWorld.clear))

    it("writes what the oracle computes, in several epochs", { timeout }, () => run(lives(one)))

    it("writes the same after a crash at any durable step", { timeout }, () =>
      run(
        Effect.gen(function* () {
          const seen = yield* crashes(one, "in memory", stride)
          expect(seen.crashes * stride).toBeGreaterThan(30)
          expect(seen.replayed * stride).toBeGreaterThan(10)
          expect(seen.alreadyThere * stride).toBeGreaterThan(5)
          const edges = ["claim", "intent", "transaction", "manifest"].flatMap((step) => [
            `before ${step}`,
            `after ${step}`
          ])
          if (isThorough) expect([...seen.steps]).toEqual(expect.arrayContaining(edges))
        })
      )
    )

    it("writes the same after crashes while it recovers from crashes", { timeout }, () => run(crashesAgain(one)))

    it.each([
      { checkpoints: "in the tables", stride: elsewhere ?? 17 },
      { checkpoints: "in files", stride: elsewhere ?? 199 }
    ] as const)("writes the same with checkpoints $checkpoints", { timeout }, ({ checkpoints, stride }) =>
      run(Effect.map(crashes(one, checkpoints, stride), (seen) => expect(seen.crashes).toBeGreaterThan(1)))
    )
  })
}

const lives = (one: Case) =>
  Effect.gen(function* () {
    const world = yield* CaseWorld.make(one, "in memory")
    const { reports } = yield* CaseWorld.live(world)
    expect(reports.filter((report) => report.inputRows > 0).length).toBeGreaterThan(3)
    const happened = yield* CaseWorld.check(world, "without a crash")
    expect(Object.entries(happened).filter(([, times]) => times === 0)).toEqual([])
    const again = yield* CaseWorld.live(world)
    expect(again.reports.filter((report) => report.sinks.some((sink) => sink.rows > 0))).toEqual([])
    yield* CaseWorld.check(world, "started again")
  })

const crashes = (one: Case, checkpoints: CaseWorld.Checkpoints, stride: number) =>
  Effect.gen(function* () {
    const seen = { crashes: 0, replayed: 0, alreadyThere: 0, steps: new Set<string>() }
    for (let at = 1; ; at += stride) {
      // Neither the database nor a job keeps the event loop for long, but all worlds in a row would.
      yield* Effect.sleep("1 millis")
      const world = yield* CaseWorld.make(one, checkpoints)
      const { crashedAt } = yield* CaseWorld.live(world, at)
      if (crashedAt === null) return seen
      seen.crashes++
      seen.steps.add(crashedAt)
      const { reports } = yield* CaseWorld.live(world)
      seen.replayed += reports.filter((report) => report.replayed).length
      const outcomes = reports.flatMap((report) => report.sinks.map((sink) => sink.outcome))
      seen.alreadyThere += outcomes.filter((outcome) => outcome === "already there").length
      yield* CaseWorld.check(world, `crashed ${crashedAt}, step ${at}, checkpoints ${checkpoints}`)
    }
  })

const crashesAgain = (one: Case) =>
  Effect.gen(function* () {
    let whileRecovering = 0
    for (let first = 19; ; first += 7) {
      const world = yield* CaseWorld.make(one, "in memory")
      const steps = [first, 3 + (first % 11), 5 + (first % 7)]
      const [life, ...others] = yield* Effect.forEach(steps, (at) => CaseWorld.live(world, at))
      if (life!.crashedAt === null) break
      whileRecovering += others.filter(({ crashedAt }) => crashedAt !== null).length
      yield* CaseWorld.live(world)
      yield* CaseWorld.check(world, `crashed at the steps ${steps.join(", ")} of its lives`)
    }
    expect(whileRecovering).toBeGreaterThan(4)
  })
