/**
 * Internal consistency: whoever reads the tables of a job, at whatever moment, sees all of them as of one epoch. Money
 * is moved, never made: the balances of all accounts come to zero, in every table, while the job runs, dies and
 * recovers. With checkpoints in files each table commits by itself: then only each table alone is of one epoch.
 */
import { NodeContext } from "@effect/platform-node"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Scope } from "effect"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import { Tables, type TablesService } from "../../src/flow/Tables.ts"
import * as TransfersWorld from "./TransfersWorld.ts"
import type { Checkpoints } from "./World.ts"

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>
beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const run = <A, E>(
  effect: Effect.Effect<A, E, Layer.Layer.Success<typeof NodeContext.layer> | Tables | Scope.Scope>
): Promise<A> =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(NodeContext.layer), Effect.provide(tables)))

type Look = TransfersWorld.Look

/** What must hold of each table alone. */
const isBalanced = ({ balances, sides, total }: Look): boolean =>
  balances.sum === 0 && total.sum === 0 && sides.sum === 0

/** What must hold of tables that are of one epoch. */
const agree = ({ balances, epochs, sides, total }: Look): boolean =>
  (epochs.balances !== epochs.total || (total.accounts === balances.accounts && total.moves === balances.moves)) &&
  (epochs.balances !== epochs.sides || (sides.accounts === balances.uneven && sides.owned === balances.owned))

const epochsApart = ({ epochs }: Look): number =>
  Math.max(...Object.values(epochs)) - Math.min(...Object.values(epochs))

/** How often less was owned than before, and how often an account came to zero and so had no side any more. */
const takenBack = (looks: ReadonlyArray<Look>) => ({
  rows: looks.filter(({ sides }, i) => i > 0 && sides.owned < looks[i - 1]!.sides.owned).length,
  accounts: looks.filter(({ sides }, i) => i > 0 && sides.accounts < looks[i - 1]!.sides.accounts).length
})

/** Lives that end early, one after another, until one does not. */
const lives = (world: TransfersWorld.TransfersWorld, endings: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const seen = { crashes: 0, replayed: 0, late: 0 }
    for (let i = 0; i < 60; i++) {
      const { crashedAt, reports } = yield* TransfersWorld.live(world, { crashAt: endings[i % endings.length]! })
      seen.replayed += reports.filter(({ replayed }) => replayed).length
      seen.late += reports.reduce((sum, { late }) => sum + late, 0)
      if (crashedAt === null) return seen
      seen.crashes++
    }
    return expect.fail("no life came to its end")
  })

const balancesNow = Effect.gen(function* () {
  const rows = yield* (yield* Tables).query({ sql: "select account, balance, moves from balances", parameters: [] })
  return new Map(
    rows.map((row) => [row.account, [BigInt(String(row.balance).replace(".", "")), BigInt(String(row.moves))]])
  )
})

/** How many different balances it saw. */
const states = (looks: ReadonlyArray<Look>): number =>
  new Set(looks.filter(({ balances }) => balances.owned > 0).map((look) => JSON.stringify(look))).size

/** Lets the job live and die under the eyes of a reader; answers what it saw. */
const watched = (checkpoints: Checkpoints, endings: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const world = yield* TransfersWorld.make(checkpoints)
    const [seen, looks] = yield* TransfersWorld.watching(lives(world, endings))
    return { looks, seen, balances: yield* balancesNow }
  })

/** It ends as the oracle says, and what a reader saw would be worth nothing if little had happened. */
const expectEnd = ({ balances, looks, seen }: Effect.Effect.Success<ReturnType<typeof watched>>): void => {
  expect(balances).toEqual(TransfersWorld.expected())
  expect(seen.crashes).toBeGreaterThan(5)
  expect(seen.replayed).toBeGreaterThan(2)
  expect(seen.late).toBeGreaterThan(10)
  expect(states(looks)).toBeGreaterThan(12)
  expect(takenBack(looks).rows).toBeGreaterThan(2)
  expect(takenBack(looks).accounts).toBeGreaterThan(0)
}

describe("the transfers", () => {
  it("are in part confirmed, in part late, and move money to where it was not", () => {
    const expected = [...TransfersWorld.expected().values()]
    expect(expected.filter(([cents]) => cents !== 0n).length).toBeGreaterThan(5)
    expect(expected.reduce((sum, [cents]) => sum + cents, 0n)).toBe(0n)
    expect(Number(expected.reduce((sum, [, moves]) => sum + moves, 0n))).toBeGreaterThan(300)
    expect(TransfersWorld.lateRecords()).toBeGreaterThan(15)
  })
})

describe("a reader of all tables in one statement", () => {
  it(
    "sees balances that come to zero and tables that agree, while the job is killed and recovers",
    { timeout: 60_000 },
    () =>
      run(
        Effect.gen(function* () {
          const found = yield* watched("in the tables", [29, 24, 7, 37, 26])
          const { looks } = found
          expect(looks.filter((look) => !isBalanced(look))).toEqual([])
          expect(looks.filter((look) => !agree(look))).toEqual([])
          expect(looks.filter((look) => epochsApart(look) !== 0)).toEqual([])
          expectEnd(found)
        })
      )
  )

  it(
    "with checkpoints in files, sees each table balanced, and tables at most one epoch apart",
    { timeout: 60_000 },
    () =>
      run(
        Effect.gen(function* () {
          const found = yield* watched("in files", [200, 130, 60, 300, 170])
          const { looks } = found
          expect(looks.filter((look) => !isBalanced(look))).toEqual([])
          expect(looks.filter((look) => !agree(look))).toEqual([])
          expect(looks.filter((look) => epochsApart(look) > 1)).toEqual([])
          expect(looks.filter((look) => epochsApart(look) === 1).length).toBeGreaterThan(5)
          expectEnd(found)
        })
      )
  )
})

describe("the same reader", () => {
  /** Every statement in a transaction of its own. */
  const torn = (real: TablesService): TablesService => ({
    ...real,
    transaction: (statements) =>
      Effect.map(
        Effect.forEach(statements, (statement) =>
          Effect.zipLeft(real.transaction([statement]), Effect.sleep("2 millis"))
        ),
        (counts) => counts.flat()
      )
  })

  it("notices where rows of one epoch are not written together", { timeout: 60_000 }, () =>
    run(
      Effect.gen(function* () {
        const world = yield* TransfersWorld.make("in the tables")
        const [, looks] = yield* TransfersWorld.watching(TransfersWorld.live(world, { crashAt: 60, tables: torn }))
        expect(looks.filter((look) => !agree(look)).length).toBeGreaterThan(0)
      })
    )
  )

  it("notices where an aggregate does not take back what rows were before", { timeout: 60_000 }, () =>
    run(
      Effect.gen(function* () {
        const world = yield* TransfersWorld.make("in the tables")
        const [, looks] = yield* TransfersWorld.watching(TransfersWorld.live(world, { crashAt: 60, kind: "forgetful" }))
        expect(looks.filter((look) => !isBalanced(look)).length).toBeGreaterThan(0)
      })
    )
  )
})
