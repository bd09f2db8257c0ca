/** The page on testing: its examples have types and pass, and what it says of a failure is what a failure says. */
import { describe, expect, it } from "vitest"
import * as ProjectTemplate from "../../src/cli/ProjectTemplate.ts"
import * as Examples from "./Examples.ts"

const path = "docs/testing-your-job.md"

describe(path, { timeout: 120_000 }, () => {
  const page = Examples.textOf(path)

  it("names the file of each example", () => {
    const { files, unnamed } = Examples.countsOf(page)
    expect([files, unnamed]).toEqual([5, 0])
  })

  it("has the types that a project demands", async () => {
    expect(await Examples.typeErrors(page)).toBe("")
  })

  it("has tests that pass", () => Examples.runTests(page))

  it("shows what a test says that expects something else", async () => {
    const wrong = page.replace("          bob     |   300\n", "          bob     |   400\n")
    expect(wrong).not.toBe(page)
    const golden = wrong.slice(0, wrong.indexOf("// test/properties.test.ts"))
    const said = /^```text\n(.*?)^```$/ms.exec(page)![1]!
    await expect(Examples.runTests(golden)).rejects.toThrow(said.trim())
  })
})

describe("the project that weir init makes", { timeout: 120_000 }, () => {
  const page = ProjectTemplate.files("examples", "file:weir")
    .flatMap(([file, text]) => (file.endsWith(".ts") ? [`\`\`\`ts\n// ${file}\n${text}\`\`\`\n`] : []))
    .join("\n")

  it("has types and tests that pass", async () => {
    expect(Examples.countsOf(page).files).toBe(2)
    expect(await Examples.typeErrors(page)).toBe("")
    await Examples.runTests(page)
  })

  it("has a test that fails for another result", async () => {
    const wrong = page.replace("12:01:00Z |      1\n", "12:01:00Z |      2\n")
    await expect(Examples.runTests(wrong)).rejects.toThrow("+ /     | 2026-01-01T12:01:00Z |      1")
  })
})
