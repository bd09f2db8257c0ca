/** The commands that control a job: alone, and beside a daemon that is killed while the job is paused. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { inProcess } from "./in-process.ts"
import { newFolder, says, start, weir } from "./program.ts"

const home = mkdtempSync(join(tmpdir(), "weir-control-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Rows of JSON that a command printed. */
const json = (out: string): ReadonlyArray<Record<string, unknown>> => JSON.parse(out)

describe("Without a daemon", { timeout: 120_000 }, () => {
  const environment = { WEIR_DATA: join(home, "alone") }
  const say = (...words: ReadonlyArray<string>) => inProcess(words, { environment })

  it("a job is checked, saved, brought back, and its savepoint removed", async () => {
    const first = await say("check", "orders", "--format", "json")
    expect([first.code, first.err]).toEqual([0, "Job orders has no checkpoint: its next start begins anew.\n"])
    expect(json(first.out).map(({ fate }) => fate)).toEqual(expect.arrayContaining(["new"]))
    await say("generate", "orders", "--count", "500", "--rate", "max")
    expect((await say("run", "orders", "--available-now")).code).toBe(0)
    expect((await say("savepoint", "orders", "early")).out).toMatch(/^savepoint early of job orders holds epoch \d+\n$/)
    const kept = await say("check", "orders", "--format", "json")
    expect([kept.code, new Set(json(kept.out).map(({ fate }) => fate))]).toEqual([0, new Set(["kept"])])
    const other = await say("check", "orders", "--set", "window=5s")
    expect([other.code, other.out]).toEqual([1, expect.stringMatching(/^step +income +changed +.*60000.*5000/m)])
    expect(other.err).toContain("--drop-state income")
    const dropped = await say("check", "orders", "--set", "window=5s", "--drop-state", "income")
    expect([dropped.code, dropped.out]).toEqual([0, expect.stringContaining("allowed to be lost")])
    for (const command of [
      ["check", "orders"],
      ["start", "orders", "--port", "0"]
    ]) {
      const mistyped = await say(...command, "--drop-state", "incme")
      expect([command[0], mistyped.code, mistyped.err]).toEqual([
        command[0],
        2,
        "There is no step, source or lookup 'incme' to drop the state of.\nDid you mean 'income'? `weir check <job>` lists them.\n"
      ])
    }
    const refused = await say("run", "orders", "--available-now", "--set", "window=5s")
    expect([refused.code, refused.err]).toEqual([1, other.err])
    const { out: table } = await say("query", "select * from shop_item_income order by 1, 2, 3, 4", "--format", "csv")
    await say("generate", "orders", "--count", "100", "--rate", "max", "--set", "seed=5")
    await say("run", "orders", "--available-now")
    const back = await say("run", "orders", "--available-now", "--from-savepoint", "early")
    expect(back.err).toContain("Job orders has lineage 2 now: it goes on from savepoint early")
    expect(back.err).toContain("shop_item_income: its rows stay; those of the same keys will be written over.")
    expect(back.code).toBe(0)
    expect(table.split("\n").length).toBeGreaterThan(10)
    await say("reset", "orders", "--yes")
    expect(json((await say("savepoints", "orders", "--format", "json")).out).map(({ name }) => name)).toEqual(["early"])
    expect(await say("restart", "orders")).toMatchObject({
      code: 1,
      err: "Job orders does not run.\nStart it: `weir start orders`.\n"
    })
    expect((await say("savepoints", "orders", "--remove", "early")).out).toBe(
      "savepoint early of job orders is removed\n"
    )
    expect((await say("savepoints", "orders", "--format", "json")).out).toBe("[]\n")
  })
})

describe("Beside a daemon", { timeout: 120_000 }, () => {
  it("a paused job stays paused when the daemon is killed with SIGKILL, and goes on where it was", async () => {
    const environment = { WEIR_DATA: newFolder() }
    const say = (...words: ReadonlyArray<string>) => weir(words, { environment })
    const state = async () => json((await say("jobs", "--format", "json")).out).find(({ job }) => job === "orders")
    await say("generate", "orders", "--count", "2000", "--rate", "max")
    const daemon = start(["start", "orders", "--port", "0"], { environment })
    await says(daemon, /job orders runs/)
    expect(await say("restart", "orders")).toMatchObject({ code: 0, out: expect.stringContaining("job orders is ") })
    const beside = await say("check", "orders")
    expect([beside.code, beside.err]).toEqual([
      0,
      expect.stringMatching(
        /^Job orders goes on from epoch \d+ with this code\.\nIt runs, .*`weir stop orders` ends the epoch/
      )
    ])
    const pausing = await say("pause", "orders")
    expect([pausing.code, pausing.out]).toEqual([0, expect.stringMatching(/^job orders is paused after epoch \d+\n$/)])
    const paused = await state()
    expect(paused).toMatchObject({ state: "paused" })
    await say("generate", "orders", "--count", "300", "--rate", "max", "--set", "seed=5")
    expect((await say("savepoint", "orders", "while-paused")).code).toBe(0)
    expect((await say("run", "orders", "--available-now")).err).toContain("weir resume orders")
    daemon.process.kill("SIGKILL")
    await daemon.ended
    expect(await state()).toMatchObject({ state: "paused", epoch: paused?.epoch })
    const next = start(["start", "orders", "--port", "0"], { environment })
    await says(next, /job orders is paused after epoch \d+: `weir resume orders`/)
    expect(await state()).toMatchObject({ state: "paused", rowsIn: paused?.rowsIn })
    expect((await say("check", "orders")).code).toBe(0)
    expect((await say("resume", "orders")).code).toBe(0)
    for (let i = 0; (await state())?.rowsIn !== 2300 && i < 60; i++) await new Promise((done) => setTimeout(done, 100))
    expect(await state()).toMatchObject({ state: "running", rowsIn: 2300 })
    expect((await say("stop", "orders")).out).toMatch(/^job orders is stopped after epoch \d+\n$/)
    expect((await say("stop", "orders")).err).toBe("Job orders does not run.\nStart it: `weir restart orders`.\n")
    expect((await say("restart", "orders")).out).toMatch(/^job orders is starting after epoch \d+\n$/)
    expect((await say("stop", "orders")).code).toBe(0)
    const mistyped = await say("run", "orders", "--available-now", "--drop-state", "incme")
    expect([mistyped.code, mistyped.err]).toEqual([2, expect.stringContaining("Did you mean 'income'?")])
    const back = await say("run", "orders", "--available-now", "--from-savepoint", "while-paused")
    expect([back.code, back.err]).toEqual([0, expect.stringContaining("lineage 2")])
    next.process.kill("SIGINT")
    expect((await next.ended).code).toBe(130)
    rmSync(environment.WEIR_DATA, { recursive: true, force: true })
  })
})
