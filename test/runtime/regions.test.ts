/** Totals of windows that are updated, and a count of their rows per region, in tables: killed, recovered, and right. */
import { afterAll, beforeAll, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Schema, Scope } from "effect"
import { Order } from "../../actors/orders.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Aggregate, Decimal, Flow, Int64, Job, Trigger, Window } from "../../src/index.ts"
import * as World from "./World.ts"

const Region = Schema.Struct({
  region: Schema.String,
  rows: Int64,
  items: Int64,
  gross: Decimal(18, 2),
  most: Decimal(18, 2),
  shops: Int64
})
const Size = Schema.Struct({ rows: Int64, region: Schema.String })

const itemsMin = 3n

const job = Job.make("regions", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () => {
    const regions = Flow.from(Topic.source("orders")).pipe(
      Flow.decode(Order, { invalid: Topic.deadLetter("orders.invalid") }),
      Flow.eventTime((order) => order.orderedAt, { maxOutOfOrderness: "5 seconds" }),
      Flow.keyBy("region", "shopid", "itemid"),
      Flow.window(Window.tumbling("60 seconds"), { allowedLateness: "30 seconds" }),
      Flow.aggregate("income", {
        gross: Aggregate.sum((order) => order.price),
        items: Aggregate.sum((order) => order.count)
      }),
      Flow.filter((income) => income.items >= itemsMin),
      Flow.keyBy("region"),
      Flow.aggregate("regions", {
        rows: Aggregate.count,
        items: Aggregate.sum((income) => income.items),
        gross: Aggregate.sum((income) => income.gross),
        most: Aggregate.max((income) => income.gross),
        shops: Aggregate.distinctCount((income) => income.shopid)
      })
    )
    // Regions that have as many rows: keys of the table that pass from one to the other, and come and go.
    const sizes = regions.pipe(
      Flow.keyBy("rows"),
      Flow.aggregate("sizes", { region: Aggregate.min((one) => one.region) }),
      Flow.to(Sql.upsert("region_sizes", Size, { key: ["rows"] }))
    )
    return [regions.pipe(Flow.to(Sql.upsert("regions_now", Region, { key: ["region"] }))), sizes]
  }
})

/** What the tables must hold, from what the oracle says of the windows. */
const expectedOf = ({ expected }: World.World) => {
  const cents = (decimal: string): bigint => BigInt(decimal.replace(".", ""))
  const decimal = (value: bigint): string => `${value / 100n}.${String(value % 100n).padStart(2, "0")}`
  const rows = [...expected.rows.values()].filter(({ totalItems }) => totalItems >= itemsMin)
  const names = [...new Set(rows.map(({ region }) => region))].sort()
  const regions = names.map((region) => {
    const own = rows.filter((row) => row.region === region)
    const gross = own.map(({ grossIncome }) => cents(grossIncome))
    return {
      region,
      rows: String(own.length),
      items: String(own.reduce((sum, { totalItems }) => sum + totalItems, 0n)),
      gross: decimal(gross.reduce((sum, value) => sum + value, 0n)),
      most: decimal(gross.reduce((most, value) => (value > most ? value : most))),
      shops: String(new Set(own.map(({ shopid }) => shopid)).size)
    }
  })
  const sizes = [...new Set(regions.map(({ rows }) => rows))]
    .sort((left, right) => Number(left) - Number(right))
    .map((size) => ({ rows: size, region: regions.find(({ rows }) => rows === size)!.region }))
  return { regions, sizes }
}

const found = Effect.flatMap(Tables, (tables) =>
  Effect.all({
    regions: tables.query({ sql: "select * from regions_now order by region", parameters: [] }),
    sizes: tables.query({ sql: "select * from region_sizes order by rows", parameters: [] })
  })
)

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>
beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const small = { count: 320, partitions: 2, rate: 3, items: 6, outOfOrder: 0.1, late: 0.03, malformed: 0.02, seed: 7 }

it(
  "count the rows of updated windows as the oracle does, killed at durable steps and recovered",
  { timeout: 120_000 },
  () =>
    Effect.gen(function* () {
      const seen = { crashes: 0, replayed: 0 }
      for (let step = 0; ; step += step === 0 ? 5 : 11) {
        const world = yield* World.make(small, "in the tables")
        const life = yield* World.live(world, step, {}, job)
        if (step > 0 && life.crashedAt === null) break
        if (step > 0) {
          seen.crashes++
          const { reports } = yield* World.live(world, 0, {}, job)
          seen.replayed += reports.filter(({ replayed }) => replayed).length
        } else expect(life.reports.filter(({ inputRows }) => inputRows > 0).length).toBeGreaterThan(3)
        const expected = expectedOf(world)
        expect(yield* found).toEqual(expected)
        expect(expected.regions.length).toBeGreaterThan(2)
        expect(Number(expected.regions[0]!.rows)).toBeGreaterThan(2)
      }
      expect(seen.crashes).toBeGreaterThan(5)
      expect(seen.replayed).toBeGreaterThan(0)
    }).pipe(Effect.scoped, Effect.provide(World.context), Effect.provide(tables), Effect.runPromise)
)
