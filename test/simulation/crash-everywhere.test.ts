/** The job of orders, killed at every boundary between it and the world; and jobs that such a death breaks. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import orders from "../../actors/orders.ts"
import { orders as generate } from "../../fixtures/orders.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import type { Sink } from "../../src/flow/Sink.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import { Flow, Job, Trigger } from "../../src/index.ts"
import { Simulate } from "../../src/testing/index.ts"
import { isThorough } from "../Thorough.ts"
import * as UnsafeSinks from "./UnsafeSinks.ts"

const timeout = 600_000

const values: Array<Uint8Array> = []
for (const { records } of generate({ count: 60, items: 10, late: 0.04, outOfOrder: 0.1, malformed: 0.04, rate: 2 }))
  for (const { value } of records) values.push(value.slice())

const moments = ["to be sent", "done", "answered"]
const requests = [
  "claims orders",
  "writes an intent of orders",
  "commits an epoch of orders",
  "takes the fence of shop_item_income for orders",
  "opens the fence of orders.late",
  "writes an epoch to orders.late",
  "writes an epoch to orders.invalid",
  "reads orders"
]

describe("the job of orders", () => {
  const tries = (options: Omit<Simulate.CrashOptions, "input">) =>
    Effect.map(
      Simulate.crashEverywhere(orders, { input: { orders: values }, set: { maxPerEpoch: "20" }, ...options }),
      (summary) => {
        const { boundaries, ...figures } = summary
        const all = Object.values(boundaries)
        const [tried, of] = [all.reduce((sum, one) => sum + one.tried, 0), all.reduce((sum, one) => sum + one.of, 0)]
        console.log(`crash everywhere: ${JSON.stringify({ boundaries: { tried, of }, ...figures })}`)
        // Boundaries that nothing dies at would show nothing.
        expect(of).toBeGreaterThanOrEqual(200)
        expect(summary.turningPoints.tried).toBe(summary.turningPoints.of)
        expect(summary.struck.kill).toBeGreaterThan(tried)
        if (isThorough) expect(tried).toBe(of)
        return summary
      }
    )

  it.effect(
    "writes the same whatever boundary it dies at, and whichever its successor does",
    () =>
      Effect.map(
        tries(isThorough ? { steps: 40, pairs: 300 } : { stride: 7, steps: 5, pairs: 40 }),
        ({ boundaries, overtaken, replays, struck }) => {
          expect(Object.keys(boundaries)).toEqual(
            expect.arrayContaining(requests.flatMap((request) => moments.map((moment) => `${request}: ${moment}`)))
          )
          for (const request of requests.slice(0, -1))
            expect(boundaries[`${request}: to be sent`]!.tried).toBeGreaterThan(0)
          expect(replays).toBeGreaterThan(20)
          expect(struck.pause).toBeGreaterThan(10)
          expect(overtaken).toBeGreaterThan(5)
        }
      ),
    timeout
  )

  it.effect.skipIf(!isThorough)(
    "does so with checkpoints on a disk, killed or without power",
    () =>
      Effect.map(
        Simulate.crashEverywhere(orders, {
          input: { orders: values },
          set: { maxPerEpoch: "20" },
          layout: { checkpoints: "files", topics: "broker" },
          stride: Number.POSITIVE_INFINITY,
          steps: 0,
          pairs: 30
        }),
        ({ boundaries, struck, turningPoints }) => {
          const folders = ["intents", "states", "manifests"]
          for (const change of [
            ...folders
              .flatMap((folder) => [
                `sync /data/checkpoints/orders/${folder}/…`,
                `link /data/checkpoints/orders/${folder}/…`
              ])
              .map((what) => `${what}: to be done`),
            "writes an epoch of orders to shop_item_income: to be sent"
          ])
            expect([change, (boundaries[change]?.tried ?? 0) > 0]).toEqual([change, true])
          expect(turningPoints.tried).toBe(turningPoints.of)
          expect(struck["power loss"]).toBeGreaterThanOrEqual(turningPoints.of)
        }
      ),
    timeout
  )
})

describe("a job that a death breaks", () => {
  const job = (sink: Sink<UnsafeSinks.Note, unknown, Tables>) =>
    Job.make("notes", {
      parameters: {},
      trigger: Trigger.every("1 second"),
      outputs: () =>
        Flow.from(Topic.source("notes")).pipe(Flow.decode(Schema.Struct({ id: Schema.Int })), Flow.to(sink))
    })
  const input = { notes: Array.from({ length: 12 }, (_, id) => ({ id })) }
  const failureOf = (sink: Sink<UnsafeSinks.Note, unknown, Tables>, options: Partial<Simulate.CrashOptions>) =>
    Effect.flip(Simulate.crashEverywhere(job(sink), { input, set: { maxPerEpoch: "5" }, ...options }))

  it.effect(
    "is found, with the boundary and what shows it again",
    () =>
      Effect.gen(function* () {
        const failure = yield* failureOf(UnsafeSinks.unfenced, { stride: 7 })
        expect(failure._tag).toBe("SimulationFailed")
        expect(failure.message).toMatch(/process 1 +dies at boundary \d+, .*: \w+/)
        expect(failure.message).toMatch(/table note: too many: id \d+/)
        const [, at] = /The same again: \{ seed: 1, only: \{ at: \[(\d+)\] \} \}/.exec(failure.message)!
        const again = yield* failureOf(UnsafeSinks.unfenced, { seed: 1, only: { at: [Number(at)] } })
        expect(again.message).toBe(failure.message)
      }),
    timeout
  )

  it.effect(
    "is found where only a zombie beside its successor breaks it",
    () =>
      Effect.gen(function* () {
        const failure = yield* failureOf(UnsafeSinks.lookingFirst, {
          stride: Number.POSITIVE_INFINITY,
          steps: 0,
          pairs: Number.POSITIVE_INFINITY
        })
        expect(failure.message).toMatch(/process 1 +stands still at boundary \d+, .*: to be sent/)
        expect(failure.message).toMatch(/table note: too many: id \d+/)
        expect(failure.message).toMatch(/The same again: \{ seed: 1, only: \{ at: \[\d+, \d+\], by: "pause" \} \}/)
      }),
    timeout
  )
})
