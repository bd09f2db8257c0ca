/** What `weir explain` says of the last checkpoint: alone, and beside a daemon. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { inProcess } from "./in-process.ts"
import { says, start } from "./program.ts"

const home = mkdtempSync(join(tmpdir(), "weir-explain-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))
const environment = { WEIR_DATA: join(home, "data") }
const say = (...words: ReadonlyArray<string>) => inProcess(words, { environment })

/** The section of the text. */
const told = async (...set: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const { code, out } = await say("explain", "orders", ...set)
  expect(code).toBe(0)
  return out.split("The last checkpoint\n\n")[1]!.split("\n\n")[0]!.trimEnd().split("\n")
}
const value = async (...set: ReadonlyArray<string>) =>
  JSON.parse((await say("explain", "orders", "--format", "json", ...set)).out).checkpoint

const never = "Job orders has no checkpoint: its next start begins anew."
const goesOn = /^This code can restore epoch \d+: every step, lookup, source and sink goes on\.$/

const expectRefusal = async (): Promise<void> => {
  const lines = await told("--set", "window=5s")
  expect(lines[0]).toMatch(/^This code cannot restore epoch \d+:$/)
  expect(lines).toContain("  source orders: kept: goes on where it stood")
  expect(lines).toContain("  sink shop_item_income: kept: goes on")
  expect(lines.find((line) => line.startsWith("  step income: changed, refused: "))).toMatch(/60000.*5000/)
  expect(lines.at(-1)).toContain("--drop-state income")
  const { parts, refusal, restorable } = await value("--set", "window=5s")
  expect([restorable, refusal.hint]).toEqual([false, lines.at(-1)])
  expect(parts).toContainEqual(expect.objectContaining({ part: "step", id: "income", fate: "changed", refuses: true }))
}

describe("weir explain", { timeout: 90_000 }, () => {
  it("says that a job has no checkpoint, that all of it goes on, or what does not and the way out", async () => {
    expect([await told(), await value()]).toEqual([[never], null])
    await say("generate", "orders", "--count", "300", "--rate", "max")
    expect([await told(), await value()]).toEqual([[never], null])
    await say("run", "orders", "--available-now")
    expect(await told()).toEqual([expect.stringMatching(goesOn)])
    expect(await value()).toMatchObject({ restorable: true, refusal: null, intents: [] })
    await expectRefusal()
  })

  it("says the same beside a daemon that runs the job", async () => {
    const daemon = start(["start", "orders", "--port", "0"], { environment })
    await says(daemon, /job orders runs/)
    expect(await told()).toEqual([expect.stringMatching(goesOn)])
    await expectRefusal()
    daemon.process.kill("SIGINT")
    await daemon.ended
  })
})
