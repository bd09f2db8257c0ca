/** Commands that write and read files in folders: generators of files, and questions over files. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { inProcess } from "./in-process.ts"

const folder = mkdtempSync(join(tmpdir(), "weir-files-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("generate, of files", { timeout: 60_000 }, () => {
  it("writes them into a folder, the same bytes for the same seed, and nothing half written", async () => {
    const textOf = async (name: string, seed: string) => {
      const to = join(folder, name)
      const words = ["generate", "stocks-files", "--folder", to, "--count", "190", "--seed", seed]
      // The list has two shares more than there are files.
      expect((await inProcess(words)).out).toBe(`211 records written to ${to}\n`)
      expect(readdirSync(to, { recursive: true }).filter((path) => String(path).endsWith(".part"))).toEqual([])
      expect(readdirSync(join(to, "stocks-small")).length).toBe(19)
      return readFileSync(join(to, "stocks-small/aapl.us.txt"), "utf8")
    }
    const one = await textOf("one", "7")
    expect(await textOf("again", "7")).toBe(one)
    expect(await textOf("other", "8")).not.toBe(one)
  })

  it.each([
    [["generate", "stocks-files", "--topic", "stocks"], "writes files", "--topic"],
    [["generate", "stocks-files", "--rate", "10"], "writes files", "--rate"],
    [["generate", "orders", "--folder", "x"], "writes into a topic", "--folder"]
  ])("refuses %j, which means nothing", async (words, why, option) => {
    const { code, err } = await inProcess(words)
    expect(code).toBe(2)
    expect(err).toContain(why)
    expect(err).toContain(option)
  })
})

describe("query --files", { timeout: 60_000 }, () => {
  const lines = join(folder, "lines")
  for (const year of [2016, 2017]) {
    mkdirSync(join(lines, `year=${year}`), { recursive: true })
    writeFileSync(join(lines, `year=${year}/one.jsonl`), `{"n":${year},"text":"a"}\n`)
  }
  mkdirSync(join(lines, ".weir"))
  writeFileSync(join(lines, ".weir/half.jsonl"), '{"n":1,"text":"no"}\n')

  it("answers of what is committed, with the columns that folders say", async () => {
    const words = ["query", "select n, year from files order by n", "--files", lines, "--format", "csv"]
    expect(await inProcess(words)).toMatchObject({ code: 0, out: "n,year\n2016,2016\n2017,2017\n" })
  })

  it("shows how many files there are, and how many an answer needs", async () => {
    const words = (where: string) => [
      ...["query", `select sum(n) from files${where}`],
      ...["--files", lines, "--explain", "--format", "json"]
    ]
    const [whole] = JSON.parse((await inProcess(words(""))).out)
    expect(whole).toEqual({ table: "files", files: 2, "files read": 2, folders: null })
    const [pruned] = JSON.parse((await inProcess(words(" where year = 2017"))).out)
    expect(pruned).toMatchObject({ table: "files", files: 2, "files read": 1 })
  })

  it.each([
    [["query", "select 1", "--explain"], 2, "--explain goes with --files only"],
    [["query", "--files", lines], 2, "--files takes a question"],
    [["query", "select 1", "--files", "orders"], 1, "Job orders writes no files"],
    [["query", "select 1", "--files", "nothing"], 2, "There is no job 'nothing'"],
    [["query", "select 1", "--files", `${folder}/absent`], 2, "is not there"]
  ])("refuses %j", async (words, code, why) => {
    const ended = await inProcess(words)
    expect([ended.code, ended.out]).toEqual([code, ""])
    expect(ended.err).toContain(why)
  })
})
