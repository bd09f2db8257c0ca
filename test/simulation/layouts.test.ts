/** The job of orders wherever a world keeps its checkpoints and topics: on servers, or on a disk that loses its power. */
import { describe, expect, it } from "@effect/vitest"
import * as Database from "../../src/testing/simulation/Database.ts"
import * as Faults from "../../src/testing/simulation/Faults.ts"
import * as Scenario from "../../src/testing/simulation/Scenario.ts"
import type { Layout } from "../../src/testing/simulation/Stage.ts"
import * as Stage from "../../src/testing/simulation/Stage.ts"
import { isThorough } from "../Thorough.ts"
import { scenario } from "./Stories.ts"

const timeout = 240_000
const seeds = isThorough ? 12 : 4

const kindsOfDisks = ["power loss", "torn write", "full disk", "disk error", "slow disk"] as const
const layouts: ReadonlyArray<Layout> = [
  { checkpoints: "files", topics: "broker" },
  { checkpoints: "tables", topics: "log" },
  { checkpoints: "files", topics: "log" }
]

const run = async (layout: Layout, seed: number, faults: Faults.Faults = Faults.all): Promise<Scenario.Outcome> =>
  Scenario.run({ ...scenario, layout, faults, seed, makeDatabase: await Database.load() })

describe("a job whose machine has a disk", () => {
  it("writes in each layout what it would have written had nothing happened", { timeout }, async () => {
    const struck = new Set<string>()
    for (const layout of layouts) {
      let progress = 0
      let powerLosses = 0
      for (let seed = 1; seed <= seeds; seed++) {
        const outcome = await run(layout, seed)
        expect([layout, seed, outcome.failures]).toEqual([layout, seed, []])
        for (const kind of Faults.all) if (outcome.struck[kind] > 0) struck.add(kind)
        powerLosses += outcome.story.filter(({ fault }) => fault === "power loss").length
        progress += Math.min(...outcome.progress)
      }
      expect([layout, powerLosses > 0, progress > 0]).toEqual([layout, true, true])
    }
    for (const kind of kindsOfDisks) expect(struck).toContain(kind)
  })

  it("has every layout in some world", () => {
    const seen = new Set(Array.from({ length: 20 }, (_, seed) => Stage.told(Stage.layoutOf(seed))))
    expect(seen.size).toBe(4)
  })

  it("starts no second process while one that owns the log may live", { timeout }, async () => {
    let pauses = 0
    for (let seed = 1; seed <= 8; seed++) {
      const { failures, story } = await run({ checkpoints: "tables", topics: "log" }, seed, ["pause", "kill"])
      expect(failures).toEqual([])
      const still = new Set<string>()
      for (const { what, who } of story) {
        if (what === "stands still") still.add(who)
        if (what === "wakes up" || what === "is killed") still.delete(who)
        if (what === "the faults rest") still.clear()
        if (what === "starts") expect([seed, who, still.size]).toEqual([seed, who, 0])
        if (what === "stands still") pauses++
      }
    }
    expect(pauses).toBeGreaterThan(3)
  })
})
