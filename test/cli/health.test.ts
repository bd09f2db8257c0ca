/** `weir health`, as a health check asks it: beside nobody, a daemon that is well, one with a failed job, a stopped one. */
import { rmSync } from "node:fs"
import { afterAll, describe, expect, it } from "vitest"
import { inProcess } from "./in-process.ts"
import { newFolder, says, start } from "./program.ts"

const environment = { WEIR_DATA: newFolder() }
afterAll(() => rmSync(environment.WEIR_DATA, { recursive: true, force: true }))
const say = (...words: ReadonlyArray<string>) => inProcess(words, { environment })

describe("Health", { timeout: 120_000 }, () => {
  it("is 1 without a daemon, and opens no folder", async () => {
    expect(await say("health")).toEqual({
      code: 1,
      out: "",
      err: expect.stringContaining(`No process has the data folder ${environment.WEIR_DATA}.\nStart one with`)
    })
  })

  it("is 0 while jobs run, and 1 once a daemon is stopped in the middle", async () => {
    await say("generate", "orders", "--count", "300", "--rate", "max")
    const daemon = start(["start", "orders", "--port", "0"], { environment })
    await says(daemon, /job orders runs/)
    expect(await say("health")).toEqual({ code: 0, out: expect.stringContaining("job orders is running\n"), err: "" })
    daemon.process.kill("SIGSTOP")
    expect(await say("health")).toMatchObject({ code: 1, err: expect.stringContaining("does not answer") })
    daemon.process.kill("SIGCONT")
    daemon.process.kill("SIGTERM")
    expect((await daemon.ended).code).toBe(130)
    expect((await say("health")).code).toBe(1)
  })

  it("is 1 while a job has failed, and says why", async () => {
    expect((await say("reset", "orders", "--yes")).code).toBe(0)
    // State of other windows than those that the daemon runs it with.
    expect((await say("run", "orders", "--available-now", "--set", "window=5s")).code).toBe(0)
    const daemon = start(["start", "orders", "--port", "0"], { environment })
    await says(daemon, /job orders cannot start/)
    const { code, err, out } = await say("health")
    expect([code, err, out]).toEqual([1, "", expect.stringMatching(/^job orders is failed: .*income/m)])
    daemon.process.kill("SIGINT")
    await daemon.ended
  })
})
