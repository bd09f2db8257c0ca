/**
 * Who breaks a rule of the engine is noticed: every mutation has its place in the source, some are run here, and all of
 * them by `.ci/run`, which holds the table of the page to what it found.
 */
import { existsSync, readFileSync } from "node:fs"
import { transformSync } from "esbuild"
import { describe, expect, it } from "vitest"
import { jobs } from "../simulation/jobs.ts"
import { isThorough } from "../Thorough.ts"
import * as Campaign from "./Campaign.ts"
import { applied, type Catcher } from "./Mutation.ts"
import { mutationOf, mutations } from "./Mutations.ts"

const textOf = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8")

/** For each kind of catcher some that it notices at once. */
const sample = [
  "an epoch is committed while its intent is being written",
  "a commit is not tried again",
  "lateness goes by batches",
  "a table of keys alone is updated",
  "a row that changes may be appended"
]

describe("the list of mutations", () => {
  it("names each once, and breaks something at one place of a file", () => {
    expect(mutations.length).toBeGreaterThan(100)
    expect(new Set(mutations.map(({ name }) => name)).size).toBe(mutations.length)
    for (const mutation of mutations) {
      const text = textOf(`src/${mutation.file}`)
      expect(applied(mutation, text)).not.toBe(text)
      // What cannot be read breaks everything, and shows nothing.
      expect(() => transformSync(applied(mutation, text), { loader: "ts" }), mutation.name).not.toThrow()
    }
  })

  it("says who notices: jobs and tests that are there", () => {
    const isThere = (caught: Catcher): boolean => {
      if (caught.by === "nobody") return caught.why !== ""
      return caught.by === "simulation"
        ? jobs.some(({ name }) => name === caught.job)
        : existsSync(new URL(`../${caught.file}`, import.meta.url))
    }
    expect(mutations.filter(({ caught }) => !isThere(caught)).map(({ name }) => name)).toEqual([])
    expect(mutations.filter(({ caught }) => caught.by === "nobody").length).toBeLessThan(5)
  })

  it("is the one of the page", () => {
    const listed = Campaign.rowsOf(textOf("docs/guarantees.md")).map(Campaign.nameIn)
    expect(listed).toEqual(mutations.map(({ name }) => name))
  })
})

describe("a broken rule", () => {
  it("is noticed, and nothing is where none is broken", { timeout: 3_600_000 }, async () => {
    const results = await Campaign.run(isThorough ? mutations : sample.map(mutationOf))
    expect(results.filter(({ verdict }) => verdict.by === null).map(({ mutation }) => mutation.name)).toEqual([])
    expect(await Campaign.controls(results)).toEqual([])
    const rows = results.map(Campaign.rowOf)
    if (isThorough) expect(Campaign.rowsOf(textOf("docs/guarantees.md"))).toEqual(rows)
  })
})
