import { execFile } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { newFolder, root, says, start, weir } from "./program.ts"

const data = newFolder()
const environment = { WEIR_DATA: data }
const lines = Array.from({ length: 5_000 }, (_, i) => JSON.stringify({ n: i, region: i % 2 ? "AMER" : "EMEA" })).join(
  "\n"
)

beforeAll(async () => {
  // Builds the bundle if the sources are newer.
  await weir(["--version"])
  const produced = await weir(["produce", "numbers", "--partition", "1"], { environment, input: lines })
  expect(produced).toMatchObject({ code: 0, out: "5000 records produced to numbers\n" })
}, 120_000)
afterAll(() => rmSync(data, { recursive: true, force: true }))

describe("The program", { timeout: 60_000 }, () => {
  it("ends with 0, 1 and 2: done, failed, wrongly used", async () => {
    const codes = [["topics"], ["tail", "nothing"], ["tial"]].map((words) => weir(words, { environment }))
    expect((await Promise.all(codes)).map(({ code }) => code)).toEqual([0, 1, 2])
  })

  it("ends with 130 soon after it was interrupted", async () => {
    const running = start(["generate", "orders", "--rate", "200"], { environment })
    await says(running, "orders")
    running.process.kill("SIGTERM")
    const began = performance.now()
    expect((await running.ended).code).toBe(130)
    expect(performance.now() - began).toBeLessThan(10_000)
  })

  it("ends quietly with 0 when its reader goes away", async () => {
    const command = `node bin/weir.mjs tail numbers; echo "code $?" >&2`
    const { stdout, stderr } = await new Promise<{ stdout: string; stderr: string }>((resolve) =>
      execFile(
        "bash",
        ["-c", `( ${command} ) | head -n 1`],
        { cwd: root, env: { ...process.env, ...environment } },
        (_, stdout, stderr) => resolve({ stdout, stderr })
      )
    )
    expect(stdout.split("\n")[0]).toContain('{"n":0,')
    expect(stderr).toBe("code 0\n")
  })

  it("speaks to the process that has the folder, as it would without one", async () => {
    const alone = await weir(["tail", "numbers", "--where", "region=AMER", "--count", "3", "--format", "json"], {
      environment
    })
    const owner = start(["start", "--port", "0"], { environment: { ...environment, WEIR_DATA: data } })
    await says(owner, /Weir is on http:\/\/127\.0\.0\.1:\d+/)
    const words = ["tail", "numbers", "--where", "region=AMER", "--count", "3", "--format", "json"]
    const beside = await weir(words, { environment })
    expect(beside).toEqual(alone)
    expect(await weir(["produce", "numbers"], { environment, input: '{"n":1}\n{"n":2}\n' })).toMatchObject({
      code: 0,
      out: "2 records produced to numbers\n"
    })
    expect((await weir(["query", "select 1 as one", "--format", "json"], { environment })).out).toBe(
      '[\n  {"one":1}\n]\n'
    )
    expect(await weir(["tail", "nothing"], { environment })).toMatchObject({ code: 1, out: "" })
    const second = await weir(["start", "--port", "0"], { environment })
    expect(second.code).toBe(1)
    expect(second.err).toContain(`process ${owner.process.pid}`)
    owner.process.kill("SIGINT")
    expect((await owner.ended).code).toBe(130)
  })

  it("loses and doubles no line of four that produce at once", async () => {
    const shared = newFolder()
    const all = await Promise.all(
      [0, 1, 2, 3].map(() =>
        weir(["produce", "t", "--partition", "0"], { environment: { WEIR_DATA: shared }, input: lines })
      )
    )
    // On a slow machine they say how far they are.
    const said = all.map(({ code, err }) => [code, err.replaceAll(/^into t: .*\n/gm, "")])
    expect(said).toEqual([0, 1, 2, 3].map(() => [0, ""]))
    const { out } = await weir(["topics", "--format", "json"], { environment: { WEIR_DATA: shared } })
    expect(JSON.parse(out)[0].partitions[0]).toEqual({ partition: 0, oldest: 0, latest: 20_000 })
    rmSync(shared, { recursive: true, force: true })
  })

  it.each([
    ["bun", [join(root, "node_modules/.bin/bun"), "bin/weir.mjs"]],
    ["deno", [join(root, "node_modules/.bin/deno"), "run", "-A", "bin/weir.mjs"]]
  ] as const)("says the same on %s, from the sources", async (_, [program, ...words]) => {
    const onNode = await weir(["tail", "numbers", "--count", "2"], { environment })
    const out = await new Promise<string>((resolve) =>
      execFile(
        program,
        [...words, "tail", "numbers", "--count", "2"],
        { cwd: root, env: { ...process.env, ...environment } },
        (_, stdout) => resolve(stdout)
      )
    )
    expect(out).toBe(onNode.out)
  })
})
