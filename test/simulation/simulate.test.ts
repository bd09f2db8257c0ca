/** The job of orders in simulated worlds: right in all of them. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import orders from "../../actors/orders.ts"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Aggregate, Flow, Int64, Job, Trigger } from "../../src/index.ts"
import { Faults, Simulate } from "../../src/testing/index.ts"
import * as Database from "../../src/testing/simulation/Database.ts"
import * as Scenario from "../../src/testing/simulation/Scenario.ts"
import { jobOf } from "./jobs.ts"
import { scenario, values } from "./Stories.ts"

const timeout = 120_000

describe("the job of orders", () => {
  it.effect(
    "writes in each of many worlds what it would have written had nothing happened",
    () =>
      Effect.map(Simulate.job(orders, { input: { orders: values }, seeds: 20 }), (summary) => {
        // Worlds in which nothing happens would show nothing.
        for (const kind of Faults.all) expect([kind, summary.struck[kind] > 0]).toEqual([kind, true])
        expect(summary.epochs).toBeGreaterThan(100)
        expect(summary.replays).toBeGreaterThan(10)
        expect(summary.lives).toBeGreaterThan(60)
        expect(summary.virtualMillis).toBeGreaterThan(20 * 30_000)
      }),
    timeout
  )
})

describe("a process that stands still before it has its job", () => {
  it.effect(
    "does not take the job from the last start: it would be a later start, and no zombie",
    () => {
      const { input, job, partitions, set } = jobOf("an interval join, outer")
      return Simulate.job(job, { input, partitions, set, seed: 1_007_393, seeds: 1 })
    },
    timeout
  )
})

describe("a world that is over", () => {
  it.effect(
    "keeps no fiber of the processes that were killed in it, and of no other world's",
    () =>
      Effect.gen(function* () {
        const before = new Set(yield* Fiber.roots)
        const summary = yield* Simulate.job(orders, { input: { orders: values }, seeds: 2 })
        expect(summary.struck.kill).toBeGreaterThan(0)
        expect([...(yield* Fiber.roots)].filter((fiber) => !before.has(fiber))).toEqual([])
      }),
    timeout
  )
})

describe("a job whose database loses requests", () => {
  it("asks again while it opens, and spends no restart on it", { timeout }, async () => {
    const makeDatabase = await Database.load()
    let lost = 0
    for (let seed = 1; seed <= 9; seed++) {
      const { failures, story, struck } = Scenario.run({
        ...scenario,
        faults: ["request lost", "kill"],
        seed,
        makeDatabase
      })
      lost += struck["request lost"]
      expect(failures).toEqual([])
      expect(story.filter(({ what }) => /restarts from its last checkpoint: .*database/.test(what))).toEqual([])
    }
    expect(lost).toBeGreaterThan(50)
  })
})

describe("a job that depends on something that is not in its input", () => {
  const Sale = Schema.Struct({ shop: Schema.String })
  const Total = Schema.Struct({ shop: Schema.String, total: Int64 })
  let calls = 0
  const careless = Job.make("careless", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () =>
      Flow.from(Topic.source("sales")).pipe(
        Flow.decode(Sale),
        Flow.map((sale) => ({ shop: sale.shop, weight: BigInt(++calls % 7) as typeof Int64.Type })),
        Flow.keyBy("shop"),
        Flow.aggregate("total", { total: Aggregate.sum((row) => row.weight) }),
        Flow.to(Sql.upsert("totals", Total, { key: ["shop"] }))
      )
  })

  it.effect(
    "is found, with the story and the seed",
    () =>
      Effect.map(
        Effect.flip(
          Simulate.job(careless, {
            input: { sales: Array.from({ length: 80 }, (_, i) => ({ shop: `shop ${i % 4}` })) },
            seeds: 10,
            seed: 40
          })
        ),
        (failure) => {
          expect(failure._tag).toBe("SimulationFailed")
          expect(failure.message).toMatch(/process \d+ +starts/)
          expect(failure.message).toMatch(
            /table totals: shop shop \d: total is \d+, and should be \d+|NotDeterministic/
          )
          expect(failure.message).toContain(`The same again: { seed: ${failure.seed}, seeds: 1 }`)
        }
      ),
    timeout
  )
})
