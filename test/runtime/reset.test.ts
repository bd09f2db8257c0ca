/** A job that was reset begins anew: with its rows removed or written over, it ends with the same table. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Scope } from "effect"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import { Daemon } from "../../src/daemon/Daemon.ts"
import { Tables } from "../../src/flow/Tables.ts"
import * as World from "./World.ts"

const small = { count: 300, partitions: 2, rate: 3, items: 12, malformed: 0.02, late: 0.02, seed: 9 }
const options = { availableNow: true, final: true, set: { maxPerEpoch: "100" } }

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>
beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const rows = Effect.flatMap(Tables, (tables) =>
  tables.query({
    sql: "select region, itemid, window_start, gross_income, total_orders from shop_item_income order by 1, 2, 3",
    parameters: []
  })
)

describe.each([
  { checkpoints: "in the tables", remove: true },
  { checkpoints: "in the tables", remove: false },
  { checkpoints: "in files", remove: true }
] as const)("reset with checkpoints $checkpoints, rows removed: $remove", ({ checkpoints, remove }) => {
  it("begins a lineage that writes the same table", { timeout: 60_000 }, () =>
    Effect.gen(function* () {
      const world = yield* World.make(small, checkpoints)
      const life = Effect.gen(function* () {
        const daemon = yield* Daemon
        yield* daemon.start("orders", options)
        yield* daemon.ended("orders")
        const first = yield* rows
        expect(first.length).toBe(world.expected.rows.size)
        const said = yield* daemon.reset("orders", { tables: remove })
        expect(said[0]).toContain("lineage 2")
        expect(said.join("\n")).toContain(remove ? "shop_item_income: its rows were removed" : "written over")
        if (remove) expect(yield* rows).toEqual([])
        const { epoch: before } = yield* daemon.start("orders", options)
        yield* daemon.ended("orders")
        const [status] = yield* daemon.statuses
        expect(status?.state).toBe("finished")
        expect(status!.epoch).toBeGreaterThan(before)
        expect(yield* rows).toEqual(first)
      })
      yield* Effect.provide(life, World.daemonLayer(world))
    }).pipe(Effect.scoped, Effect.provide(World.context), Effect.provide(tables), Effect.runPromise)
  )
})
