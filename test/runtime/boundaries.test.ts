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
import * as World from "./World.ts"

const text = new TextDecoder()
const small = {
  count: 420,
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
  { checkpoints: "in the tables", stride: 1 },
  { checkpoints: "in files", stride: 3 }
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

/** The written equals the expected: each row to the cent, each record in one place, nothing twice. */
const check = (world: World.World) =>
  Effect.gen(function* () {
    const { invalid, late, rows } = yield* World.written(world)
    const { expected } = world
    const found = new Map(rows.map((row) => [`${row.region}|${row.shopid}|${row.itemid}|${row.window_start}`, row]))
    expect(found.size).toBe(rows.length)
    expect([...found.keys()].sort()).toEqual([...expected.rows.keys()].sort())
    for (const [key, row] of expected.rows) {
      const { gross_income, total_items, total_orders, window_end } = found.get(key)!
      expect([key, gross_income, total_items, total_orders, window_end]).toEqual([
        key,
        row.grossIncome,
        String(row.totalItems),
        String(row.totalOrders),
        row.windowEnd
      ])
    }
    const place = (partition: unknown, offset: unknown) => `${partition}/${offset}`
    const headers = invalid.map((record) =>
      Object.fromEntries(record.headers.map(({ name, value }) => [name, text.decode(value)]))
    )
    expect(headers.map((about) => place(about["weir.partition"], about["weir.offset"])).sort()).toEqual(
      expected.deadLetters.map(({ offset, partition }) => place(partition, offset)).sort()
    )
    expect(late.length).toBe(expected.late.length)
    expect(rows.reduce((sum, row) => sum + Number(row.total_orders), 0) + late.length + invalid.length).toBe(
      small.count
    )
  })

describe.each(fates)("with checkpoints $checkpoints", ({ checkpoints, stride }) => {
  it(
    "writes what the oracle computes, in several epochs, without a crash",
    () =>
      run(
        Effect.gen(function* () {
          const world = yield* World.make(small, checkpoints)
          const life = yield* World.live(world)
          expect(life.reports.filter((report) => report.inputRows > 0).length).toBeGreaterThan(3)
          yield* check(world)
          expect(world.expected.late.length).toBeGreaterThan(0)
          expect(world.expected.deadLetters.length).toBeGreaterThan(0)
          const again = yield* World.live(world)
          expect(again.reports.filter((report) => report.sinks.some((sink) => sink.rows > 0))).toEqual([])
          yield* check(world)
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
            yield* check(world)
          }
          expect(seen.crashes).toBeGreaterThan(30)
          expect(seen.replayed).toBeGreaterThan(0)
          expect(seen.alreadyThere).toBeGreaterThan(0)
          expect([...seen.steps]).toEqual(
            expect.arrayContaining([
              "before transaction",
              "after transaction",
              "before sync",
              "after sync",
              "in the middle of write"
            ])
          )
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
            yield* check(world)
          }
          expect(whileRecovering).toBeGreaterThan(10)
        })
      ),
    120_000
  )
})
