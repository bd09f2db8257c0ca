/** The job `plant` in worlds where everything goes wrong, against an oracle that knows nothing of Weir. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import plantJob from "../../actors/plant.ts"
import { endStation, plant } from "../../fixtures/plant.ts"
import { expectedOf } from "../../fixtures/plant-oracle.ts"
import { Faults, JobTest, Simulate } from "../../src/testing/index.ts"
import { isThorough } from "../Thorough.ts"

const timeout = 240_000
const plan = [13, 27, 41]

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const records = [...plant({ units: 60, repeated: 0.05, malformed: 0.04 })].flatMap((block) => block.records)
const expected = expectedOf(
  records.map(({ key, value }) => ({ key: text(key!), value })),
  { endStation, plan }
)

describe("the plant", () => {
  it("has units that are finished, others that are not, defects of both, and repeats", () => {
    const [throughput] = expected.tables.plant_throughput!
    expect(throughput!.finished).toBeGreaterThan(throughput!.finishedOk!)
    expect(throughput!.finishedOk).toBeGreaterThan(0)
    expect(expected.tables.plant_nok![0]!.nok).toBeGreaterThan(3)
    expect(expected.tables.plant_running_total!.length).toBeGreaterThan(1)
    const rows = expected.tables.ucp!.map((row) => JSON.stringify(row))
    expect(new Set(rows).size).toBeLessThan(rows.length)
    expect(expected.unusable).toBeGreaterThan(10)
  })

  it.effect(
    "writes what an oracle says, however often it is killed",
    () =>
      Effect.map(
        Simulate.job(plantJob, {
          input: { TFI: records.map(({ key, value }) => JobTest.record(value, { key: text(key!) })) },
          partitions: 1,
          set: { trigger: "1 second", plan: plan.join(",") },
          seeds: isThorough ? 12 : 4,
          faults: Faults.all,
          oracle: () => expected.tables
        }),
        ({ replays, struck }) => {
          expect(struck.kill + struck["power loss"]).toBeGreaterThanOrEqual(10)
          expect(replays).toBeGreaterThan(0)
        }
      ),
    timeout
  )
})
