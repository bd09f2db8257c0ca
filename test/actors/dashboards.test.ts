/** The dashboards that come with Weir ask for what its jobs write. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Either, Schema } from "effect"
import { describe, expect, it } from "vitest"
import { Dashboard, DashboardName } from "../../src/daemon/DashboardSchemas.ts"

const actors = join(import.meta.dirname, "../../actors")
const { missingOf } = await import(
  /* @vite-ignore */ new URL("../../src/daemon/page/tile-answer.js", import.meta.url).href
)

const fileOf = (system: string) => join(actors, system, "dashboard.json")
const systems = readdirSync(actors).filter((name) => existsSync(fileOf(name)))
const dashboardOf = (system: string) =>
  Schema.decodeUnknownSync(Schema.parseJson(Dashboard))(readFileSync(fileOf(system), "utf8"))

/** What a job writes to, by name. */
const sinksOf = async (job: string): Promise<ReadonlyArray<string>> => {
  const { default: made } = await import(/* @vite-ignore */ join(actors, `${job}.ts`))
  const { topology } = Either.getOrThrow(made.configure({})) as any
  return topology.nodes.filter(({ spec }: any) => spec.kind === "sink").map(({ id }: any) => id)
}

describe("the dashboards of systems", () => {
  it("are those of stocks and of the plant", () => {
    expect(systems).toEqual(["plant", "stocks"])
    expect(systems.filter((system) => !Schema.is(DashboardName)(system))).toEqual([])
  })

  it.each(systems)("of %s reads tables of the job that each tile names", async (system) => {
    for (const tile of dashboardOf(system).tiles) {
      expect([tile.id, tile.job]).toEqual([tile.id, expect.any(String)])
      const job = tile.job!
      expect([tile.id, job, missingOf(tile, await sinksOf(job))]).toEqual([tile.id, job, []])
    }
  })
})
