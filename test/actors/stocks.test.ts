/** The jobs over `stocks` in worlds where everything goes wrong, against an oracle that knows nothing of Weir. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import average from "../../actors/stocks-average.ts"
import inserts from "../../actors/stocks-inserts.ts"
import windowText from "../../actors/stocks-window-text.ts"
import windows from "../../actors/stocks-windows.ts"
import { stocks } from "../../fixtures/stocks.ts"
import { expectedOf } from "../../fixtures/stocks-oracle.ts"
import { Faults, Simulate } from "../../src/testing/index.ts"
import { isThorough } from "../Thorough.ts"

const timeout = 240_000

const values = [...stocks({ count: 400, malformed: 0.03 })].flatMap(({ records }) => records.map(({ value }) => value))
const input = { stocks: values }
/** No partition falls idle: the verdict on what is late is the order of each partition's alone. */
const options = {
  input,
  partitions: 1,
  // Epochs enough that some are cut short.
  set: { trigger: "1 second" },
  seeds: isThorough ? 12 : 5,
  faults: Faults.except("stalled topic")
} as const

const tried = ({ lives, replays, struck }: Simulate.Summary): void => {
  expect(struck.kill + struck["power loss"]).toBeGreaterThanOrEqual(10)
  expect(lives).toBeGreaterThan(10)
  expect(replays).toBeGreaterThan(0)
}

describe("prices of shares", () => {
  it.effect(
    "stand as rows of their own, also where they are equal",
    () =>
      Effect.map(
        Simulate.job(inserts, {
          ...options,
          // Everything twice: nothing but its place tells a record from its twin.
          input: { stocks: values.flatMap((value) => [value, value]) },
          oracle: (came) => {
            const { prices } = expectedOf(came.stocks, 30_000)
            return {
              streaming_inserts: prices.map(({ at, symbol, thousandths, volume }) => ({
                timestamp: at,
                symbol,
                price: Number(thousandths) / 1_000,
                volume
              }))
            }
          }
        }),
        tried
      ),
    timeout
  )

  it.effect(
    "have means and the five highest of them",
    () =>
      Effect.map(
        Simulate.job(average, {
          ...options,
          oracle: (came) => {
            const { averages, top } = expectedOf(came.stocks, 30_000)
            expect(averages.length).toBe(19)
            expect(top.length).toBe(5)
            return { stock_averages: averages, stock_top: top }
          }
        }),
        tried
      ),
    timeout
  )

  it.effect(
    "are put together by window, with two columns for it",
    () =>
      Effect.map(
        Simulate.job(windows, {
          ...options,
          oracle: (came) => {
            const expected = expectedOf(came.stocks, 30_000)
            expect(expected.late).toBeGreaterThan(0)
            expect(expected.unusable).toBeGreaterThan(0)
            return { streaming_inserts_avg_price_final: expected.windows }
          }
        }),
        tried
      ),
    timeout
  )

  it.effect(
    "are put together by window, with one text for it",
    () =>
      Effect.map(
        Simulate.job(windowText, {
          ...options,
          set: { ...options.set, window: "5 minutes" },
          oracle: (came) => {
            const secondsOf = (at: unknown) =>
              new Date(at as number).toISOString().replace("T", " ").replace(".000Z", "")
            return {
              streaming_inserts_avg_price: expectedOf(came.stocks, 300_000).windows.map(
                ({ windowEnd, windowStart, ...row }) => ({
                  ...row,
                  window: `${secondsOf(windowStart)} - ${secondsOf(windowEnd)}`
                })
              )
            }
          }
        }),
        tried
      ),
    timeout
  )

  it.effect(
    "are all of this at once, in one world",
    () =>
      Effect.map(
        Simulate.jobs(
          [average, inserts, windowText, windows].map((job) => ({ job: job as never })),
          {
            ...options,
            seeds: isThorough ? 6 : 2,
            oracle: (came) => {
              const { averages, prices, windows } = expectedOf(came.stocks, 30_000)
              return {
                stock_averages: averages,
                streaming_inserts_avg_price_final: windows,
                streaming_inserts: prices.map(({ at, symbol }) => ({ timestamp: at, symbol }))
              }
            }
          }
        ),
        ({ epochs }) => expect(epochs).toBeGreaterThan(10)
      ),
    timeout
  )
})
