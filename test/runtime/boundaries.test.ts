/**
 * A crash at every durable step of the orders job leads to the table that no crash leads to.
 *
 * Durable steps are changes of files and transactions: intent, log append, rows, fence, manifest, collection, and the
 * steps of opening. After each crash the job is started again, and in some worlds crashes again while it recovers.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Scope } from "effect"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import { stride as every, isThorough } from "../Thorough.ts"
import * as World from "./World.ts"

const small = {
  count: 320,
  partitions: 2,
  rate: 3,
  items: 12,
  outOfOrder: 0.1,
  late: 0.03,
  malformed: 0.02,
  farFuture: 0.01,
  seed: 7
}

const fates: ReadonlyArray<{ readonly checkpoints: World.Checkpoints; readonly stride: number }> = [
  { checkpoints: "in the tables", stride: every },
  { checkpoints: "in files", stride: isThorough ? 5 : 13 }
]

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>

beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const run = <A, E>(
  effect: Effect.Effect<A, E, Layer.Layer.Success<typeof World.context> | Tables | Scope.Scope>
): Promise<A> => Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(World.context), Effect.provide(tables)))

describe.each(fates)("with checkpoints $checkpoints", ({ checkpoints, stride }) => {
  it(
    "writes what the oracle computes, in several epochs, without a crash",
    () =>
      run(
        Effect.gen(function* () {
          const world = yield* World.make(small, checkpoints)
          const life = yield* World.live(world)
          expect(life.reports.filter((report) => report.inputRows > 0).length).toBeGreaterThan(3)
          yield* World.check(world)
          expect(world.expected.late.length).toBeGreaterThan(0)
          expect(world.expected.deadLetters.length).toBeGreaterThan(0)
          const again = yield* World.live(world)
          expect(again.reports.filter((report) => report.sinks.some((sink) => sink.rows > 0))).toEqual([])
          yield* World.check(world)
        })
      ),
    60_000
  )

  it(
    "writes the same after a crash at any durable step",
    () =>
      run(
        Effect.gen(function* () {
          const seen = { crashes: 0, replayed: 0, alreadyThere: 0, steps: new Set<string>() }
          for (let step = 1; ; step += stride) {
            const world = yield* World.make(small, checkpoints)
            const life = yield* World.live(world, step)
            if (life.crashedAt === null) break
            seen.crashes += 1
            seen.steps.add(life.crashedAt)
            const { reports } = yield* World.live(world)
            seen.replayed += reports.filter((report) => report.replayed).length
            seen.alreadyThere += reports
              .flatMap((report) => report.sinks)
              .filter((sink) => sink.outcome === "already there").length
            yield* World.check(world)
          }
          expect(seen.crashes).toBeGreaterThan(isThorough ? 30 : 10)
          expect(seen.replayed).toBeGreaterThan(0)
          expect(seen.alreadyThere).toBeGreaterThan(0)
          if (isThorough) {
            expect([...seen.steps]).toEqual(
              expect.arrayContaining([
                "before transaction",
                "after transaction",
                "before sync",
                "after sync",
                "in the middle of write"
              ])
            )
          }
        })
      ),
    240_000
  )

  it(
    "writes the same after crashes while it recovers from crashes",
    () =>
      run(
        Effect.gen(function* () {
          let whileRecovering = 0
          for (let first = 40; first < 130; first += 17) {
            const world = yield* World.make(small, checkpoints)
            const life = yield* World.live(world, first)
            if (life.crashedAt === null) break
            for (const second of [4, 9, 15, 22]) {
              const { crashedAt } = yield* World.live(world, second)
              if (crashedAt !== null) whileRecovering += 1
            }
            yield* World.live(world)
            yield* World.check(world)
          }
          expect(whileRecovering).toBeGreaterThan(10)
        })
      ),
    120_000
  )
})
