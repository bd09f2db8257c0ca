/** A seed shows the same world again, to the byte, wherever it is run: in a test, elsewhere, years later. */
import { execFile } from "node:child_process"
import { join } from "node:path"
import { promisify } from "node:util"
import { describe, expect, it } from "vitest"
import { seedsOfAll, stories } from "./Stories.ts"

const root = join(import.meta.dirname, "../..")
const program = join(import.meta.dirname, "tell.ts")
const run = promisify(execFile)
const here = await stories(seedsOfAll)

describe("the story of a seed", { timeout: 120_000 }, () => {
  it("is another one for another seed", () => {
    expect(new Set(here.map(({ story }) => JSON.stringify(story))).size).toBe(seedsOfAll.length)
    for (const { failures, story } of here) {
      expect(failures).toEqual([])
      expect(story.length).toBeGreaterThan(50)
    }
  })

  it("is the same when it is told again", async () => {
    expect(await stories(seedsOfAll)).toEqual(here)
  })

  it.each([
    ["bun", ["run"]],
    ["deno", ["run", "-A"]]
  ])("is the same on %s", async (runtime, words) => {
    const { stdout } = await run(join(root, "node_modules/.bin", runtime), [...words, program], {
      cwd: root,
      maxBuffer: 100_000_000
    })
    expect(stdout.length).toBeGreaterThan(10_000)
    expect(stdout).toBe(JSON.stringify(here))
  })
})
