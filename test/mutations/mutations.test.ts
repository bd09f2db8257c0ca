/**
 * Who breaks a rule of the engine is noticed: every mutation has its place in the source. Some are run here; all of them
 * by `npm run mutations`, which writes the table of the page.
 */
import { existsSync, readFileSync } from "node:fs"
import { transformSync } from "esbuild"
import { describe, expect, it } from "vitest"
import { jobs } from "../simulation/jobs.ts"
import { isThorough } from "../Thorough.ts"
import * as Campaign from "./Campaign.ts"
import { applied, type Catcher } from "./Mutation.ts"
import { mutationOf, mutations } from "./Mutations.ts"

/** Of all mutations, one of so many is run where tests are thorough. */
const thoroughShare = 6

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
    const more = isThorough ? mutations.filter((_, i) => i % thoroughShare === 0) : []
    const tried = new Set([...sample.map(mutationOf), ...more.filter(({ caught }) => caught.by !== "nobody")])
    const results = await Campaign.run([...tried])
    expect(results.filter(({ verdict }) => verdict.by === null).map(({ mutation }) => mutation.name)).toEqual([])
    expect(await Campaign.controls(results)).toEqual([])
  })
})
