/** The examples of the guide and of the comparison: their types, and what they answer. */
import { describe, expect, it } from "vitest"
import * as Examples from "./Examples.ts"

describe.each(["docs/guide.md", "docs/comparison.md"])("%s", { timeout: 120_000 }, (path) => {
  const page = Examples.textOf(path)

  it("names the file of each example, and types commands", () => {
    const { commands, files, unnamed } = Examples.countsOf(page)
    expect(unnamed).toBe(0)
    expect(files).toBeGreaterThan(4)
    expect(commands).toBeGreaterThan(8)
  })

  it("has the types that a project demands", async () => {
    expect(await Examples.typeErrors(page)).toBe("")
  })

  it("has tests that pass", () => Examples.runTests(page))

  it("shows what the commands answer (write it with `vitest -u`)", async () => {
    await expect(await Examples.follow(page)).toMatchFileSnapshot(`../../${path}`)
  })
})
