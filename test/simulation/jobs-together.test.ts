/** Several jobs in one simulated world: on the same topics and tables, in one process or apart. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Aggregate, Flow, Int64, Job, Trigger } from "../../src/index.ts"
import { Faults, Simulate } from "../../src/testing/index.ts"
import * as Database from "../../src/testing/simulation/Database.ts"
import * as Input from "../../src/testing/simulation/Input.ts"
import * as Scenario from "../../src/testing/simulation/Scenario.ts"
import { isThorough } from "../Thorough.ts"

const timeout = 240_000
const seeds = isThorough ? 10 : 4

const Sale = Schema.Struct({ shop: Schema.String, amount: Int64 })
const Total = Schema.Struct({ shop: Schema.String, total: Int64 })

/** Passes sales of shops on that are open. */
const passing = Job.make("passing", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () =>
    Flow.from(Topic.source("sales")).pipe(
      Flow.decode(Sale),
      Flow.filter((sale) => sale.shop !== "shop 0"),
      Flow.to(Topic.sink("open", Sale))
    )
})

/** Adds up a topic into a table. */
const adding = (name: string, { from, table = "totals" }: { readonly from: string; readonly table?: string }) =>
  Job.make(name, {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () =>
      Flow.from(Topic.source(from)).pipe(
        Flow.decode(Sale),
        Flow.keyBy("shop"),
        Flow.aggregate("total", { total: Aggregate.sum((sale) => sale.amount) }),
        Flow.to(Sql.upsert(table, Total, { key: ["shop"] }))
      )
  })

const sales = Array.from({ length: 90 }, (_, i) => ({ shop: `shop ${(i * 7) % 5}`, amount: 1 + ((i * 31) % 20) }))
const totalsOf = (all: ReadonlyArray<(typeof sales)[number]>) => {
  const totals = new Map<string, number>()
  for (const { amount, shop } of all) totals.set(shop, (totals.get(shop) ?? 0) + amount)
  return [...totals].map(([shop, total]) => ({ shop, total }))
}

describe("a job that reads what another writes", () => {
  it.effect(
    "adds up each record once, whatever befalls both of them",
    () =>
      Effect.map(
        Simulate.jobs([{ job: adding("adding", { from: "open" }) }, { job: passing }], {
          input: { sales },
          seeds,
          oracle: (input) => {
            const open = input.sales.flat().filter(({ shop }) => shop !== "shop 0")
            return { totals: totalsOf(open), open }
          }
        }),
        (summary) => {
          expect(Simulate.vacuity({ ...summary, faults: ["kill"] })).toEqual([])
          expect(summary.epochs).toBeGreaterThan(8 * seeds)
        }
      ),
    timeout
  )
})

describe("two jobs that write to one table", () => {
  it.effect(
    "each its own keys: each keeps its own rows",
    () =>
      Simulate.jobs([{ job: adding("sold", { from: "sales" }) }, { job: adding("returned", { from: "returns" }) }], {
        input: { sales, returns: sales.slice(0, 40).map((sale) => ({ ...sale, shop: `returns of ${sale.shop}` })) },
        seeds,
        oracle: ({ returns, sales }) => ({ totals: totalsOf([...sales.flat(), ...returns.flat()]) })
      }),
    timeout
  )

  it.effect(
    "the same keys: is found, with the rows that are not as they should be",
    () =>
      Effect.map(
        Effect.flip(
          Simulate.jobs(
            [{ job: adding("sold", { from: "sales" }) }, { job: adding("returned", { from: "returns" }) }],
            { input: { sales, returns: sales.slice(0, 40) }, seeds: 1, faults: Faults.none }
          )
        ),
        ({ message }) => expect(message).toMatch(/the first wrong row: table totals: missing: shop shop \d, total \d+/)
      ),
    timeout
  )
})

describe("several jobs", () => {
  it("are in one process in some worlds, and apart in others", { timeout }, async () => {
    const makeDatabase = await Database.load()
    const told = new Set<string>()
    for (let seed = 1; told.size < 2 && seed <= 8; seed++) {
      const { failures, story } = Scenario.run({
        jobs: [
          { job: passing, set: {} },
          { job: adding("adding", { from: "open" }), set: {} }
        ],
        topics: { sales: 2 },
        records: Input.comingOf({ sales: sales.slice(0, 20) }, 2),
        faults: ["kill"],
        seed,
        makeDatabase
      })
      expect(failures).toEqual([])
      for (const { what } of story) if (/jobs are in one process|processes of its own/.test(what)) told.add(what)
      if (story.some(({ what }) => what === "each job has processes of its own"))
        expect(story.some(({ who }) => /^passing process \d+$/.test(who))).toBe(true)
    }
    expect([...told].sort()).toEqual(["all jobs are in one process", "each job has processes of its own"])
  })

  it("that read in a circle are refused", async () => {
    const circle = Job.make("circle", {
      parameters: {},
      trigger: Trigger.every("1 second"),
      outputs: () => Flow.from(Topic.source("open")).pipe(Flow.decode(Sale), Flow.to(Topic.sink("sales", Sale)))
    })
    await expect(
      Effect.runPromise(Simulate.jobs([{ job: passing }, { job: circle }], { input: { sales }, seeds: 1 }))
    ).rejects.toThrow(/where jobs read what they write, in a circle: passing, circle/)
  })
})
