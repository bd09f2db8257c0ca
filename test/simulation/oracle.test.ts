/** What a user's own computation says must be found, and how a difference is told. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import orders from "../../actors/orders.ts"
import { expectedOf } from "../../fixtures/orders-oracle.ts"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Aggregate, Decimal, Flow, Instant, Int64, Job, Trigger } from "../../src/index.ts"
import { Faults, Simulate } from "../../src/testing/index.ts"
import { isThorough } from "../Thorough.ts"
import { values } from "./Stories.ts"

const timeout = 240_000

describe("the oracle of the orders", () => {
  it.effect(
    "says the rows that the job writes, the dead letters and the late ones",
    () =>
      Effect.map(
        Simulate.job(orders, {
          input: { orders: values },
          seeds: isThorough ? 12 : 4,
          // No partition falls idle: the verdict on what is late is the order of each partition's alone.
          faults: Faults.except("stalled topic"),
          oracle: (input) => {
            const { deadLetters, late, rows } = expectedOf(input.orders, { windowMillis: 60_000 })
            expect(late.length).toBeGreaterThan(0)
            expect(deadLetters.length).toBeGreaterThan(0)
            return { shop_item_income: [...rows.values()].map((row) => ({ ...row })) }
          }
        }),
        (summary) => expect(summary.replays).toBeGreaterThan(0)
      ),
    timeout
  )
})

const Payment = Schema.Struct({ shop: Schema.String, amount: Decimal(12, 2), at: Instant })
const Paid = Schema.Struct({
  shop: Schema.String,
  total: Decimal(18, 2),
  payments: Int64,
  lastPaid: Schema.NullOr(Instant)
})

const payments = Job.make("payments", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () => {
    const rows = Flow.from(Topic.source("payments")).pipe(Flow.decode(Payment))
    return [
      rows.pipe(
        Flow.keyBy("shop"),
        Flow.aggregate("sums", {
          total: Aggregate.sum((row) => row.amount),
          payments: Aggregate.count,
          lastPaid: Aggregate.max((row) => row.at)
        }),
        Flow.to(Sql.upsert("paid", Paid, { key: ["shop"] }))
      ),
      rows.pipe(
        Flow.filter((row) => row.amount > 1_000n),
        Flow.to(Topic.sink("large", Payment))
      )
    ]
  }
})

const input = {
  payments: Array.from({ length: 12 }, (_, i) => ({
    shop: `shop ${i % 2}`,
    amount: 2.5 * i,
    at: new Date(Date.UTC(2024, 0, 1, 0, i)).toISOString()
  }))
}
type Given = { readonly payments: ReadonlyArray<ReadonlyArray<(typeof input.payments)[number]>> }
type Rows = Readonly<Record<string, ReadonlyArray<Readonly<Record<string, unknown>>>>>

const judged = (oracle: (given: Given) => Rows) =>
  Effect.match(Simulate.job(payments, { input, oracle, faults: Faults.none, seeds: 1 }), {
    onSuccess: () => "right",
    onFailure: ({ message }) => message
  })
const rowsOf = ({ payments: all }: Given) =>
  ["shop 0", "shop 1"].map((shop) => {
    const own = all.flat().filter((payment) => payment.shop === shop)
    return {
      shop,
      total: own.reduce((sum, { amount }) => sum + amount, 0),
      payments: own.length,
      lastPaid: own
        .map(({ at }) => at)
        .sort()
        .at(-1)
    }
  })
const largeOf = ({ payments: all }: Given) => all.flat().filter(({ amount }) => amount > 10)

describe("an oracle", () => {
  it.effect("is told the values of the input by partition, and answers rows by the names of fields or columns", () =>
    Effect.gen(function* () {
      let partitions: ReadonlyArray<number> = []
      const found = yield* judged((given) => {
        partitions = given.payments.map((all) => all.length)
        return { paid: rowsOf(given), large: largeOf(given).map(({ shop, at }) => ({ shop, at })) }
      })
      expect(found).toBe("right")
      expect(partitions).toEqual([4, 4, 4])
      expect(
        yield* judged((given) => ({
          paid: rowsOf(given).map(({ lastPaid, shop }) => ({ shop, last_paid: new Date(lastPaid!) }))
        }))
      ).toBe("right")
    })
  )

  it.effect("is compared only with what it names", () =>
    Effect.gen(function* () {
      expect(yield* judged(() => ({}))).toBe("right")
      expect(yield* judged(() => ({ paid: [{ shop: "shop 0" }, { shop: "shop 1" }] }))).toBe("right")
    })
  )

  it.effect("is told how a row differs, by its key", () =>
    Effect.gen(function* () {
      const found = yield* judged((given) => ({
        paid: rowsOf(given).map((row) => (row.shop === "shop 1" ? { ...row, payments: 7, total: "90.10" } : row))
      }))
      expect(found).toContain(
        "by the oracle, table paid: shop shop 1: total is 90, and should be 90.1; payments is 6, and should be 7"
      )
      expect(found).not.toContain("shop 0: ")
    })
  )

  it.effect("is told which rows are missing and which too many, of topics too", () =>
    Effect.gen(function* () {
      const paid = yield* judged(() => ({ paid: [{ shop: "shop 0" }, { shop: "shop 2" }] }))
      expect(paid).toContain("by the oracle, table paid: missing: shop shop 2")
      expect(paid).toContain("by the oracle, table paid: too many: shop shop 1")
      const large = yield* judged((given) => ({
        large: largeOf(given)
          .slice(1)
          .map(({ at }) => ({ at }))
      }))
      expect(large).toMatch(/by the oracle, topic large: too many: at 2024-01-01T00:\d\d:00.000Z/)
      expect(yield* judged(() => ({ nowhere: [{ shop: "shop 0" }] }))).toContain(
        "by the oracle, topic nowhere: missing: shop shop 0"
      )
    })
  )
})

describe("a simulation in which too little happened", () => {
  const few = (mustStrike: boolean) =>
    Effect.match(
      Simulate.job(payments, {
        input,
        faults: ["kill", "torn write"],
        layout: { checkpoints: "tables", topics: "broker" },
        seeds: 1,
        mustStrike
      }),
      {
        onSuccess: ({ struck }) => String(struck["torn write"]),
        onFailure: ({ message }) => message
      }
    )
  it.effect("fails, and says what never struck", () =>
    Effect.gen(function* () {
      expect(yield* few(false)).toBe("0")
      expect(yield* few(true)).toMatch(
        /too little happened[\s\S]*- no torn write: it never struck[\s\S]*mustStrike: false/
      )
    })
  )

  it("says which half of the storm had no epoch, and that nothing was computed again", () => {
    const struck = Object.fromEntries(Faults.all.map((kind) => [kind, 3])) as Simulate.Summary["struck"]
    const summary = {
      seeds: 60,
      faults: Faults.all,
      struck,
      epochs: 40,
      progress: [40, 0],
      replays: 0,
      lives: 90,
      virtualMillis: 1,
      realMillis: 1
    } as const
    expect(Simulate.vacuity(summary)).toEqual([
      "no progress: no epoch with records became durable in the second half of any storm",
      "no replay: no epoch was computed again from its intent"
    ])
    expect(Simulate.vacuity({ ...summary, progress: [20, 20], replays: 2 })).toEqual([])
  })
})
