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
const given = records.map(({ key, value }) => ({ key: text(key!), value }))
const input = { TFI: given.map(({ key, value }) => JobTest.record(value, { key })) }
const expected = expectedOf(given, { endStation, plan })

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
          input,
          partitions: 1,
          set: { trigger: "1 second", plan: plan.join(",") },
          seeds: isThorough ? 12 : 8,
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

  it.effect(
    "plans by a file, and counts a unit in the totals for as long as it lives",
    () => {
      const planned = new Map([[8, 11]])
      const minutes = 25
      const { tables } = expectedOf(given, {
        endStation,
        plan: [],
        planOf: (hour) => planned.get(new Date(hour).getUTCHours()) ?? null,
        timeToLiveMillis: minutes * 60_000 + 50
      })
      for (const name of ["unit_totals", "fail_totals"]) {
        expect(tables[name]!.length).toBeGreaterThan(0)
        expect(tables[name]!.length).toBeLessThan(expected.tables[name]!.length)
      }
      expect(new Set(tables.plant_running_total!.map(({ plan }) => plan))).toEqual(new Set([11, null]))
      return Effect.map(
        Simulate.job(plantJob, {
          input,
          partitions: 1,
          files: { "plans/day.csv": "hour,units\r\n8,11\r\n" },
          set: { trigger: "1 second", plan: "plans/day.csv", timeToLive: `${minutes} minutes 50 millis` },
          seeds: isThorough ? 8 : 2,
          oracle: () => tables
        }),
        ({ replays }) => expect(replays).toBeGreaterThan(0)
      )
    },
    timeout
  )
})
