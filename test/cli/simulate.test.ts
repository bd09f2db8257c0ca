/** `weir simulate`: what it runs, what it says, what it refuses. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it, vi } from "vitest"
import { inProcess } from "./in-process.ts"
import { root, says, start } from "./program.ts"

const project = mkdtempSync(join(tmpdir(), "weir-simulate-"))
afterAll(() => rmSync(project, { recursive: true, force: true }))

const job = (name: string, steps: string): void => {
  mkdirSync(join(project, "actors"), { recursive: true })
  writeFileSync(
    join(project, `actors/${name}.ts`),
    `import { Schema } from "${root}/node_modules/effect/dist/esm/index.js"
import { Aggregate, Flow, Int64, Job, Parameter, Trigger } from "${root}/src/index.ts"
import { Console } from "${root}/src/connectors/console/index.ts"
import { Avro } from "${root}/src/connectors/avro/index.ts"
import { Files } from "${root}/src/connectors/files/index.ts"
import { Sql } from "${root}/src/connectors/sql/index.ts"
import { Topic } from "${root}/src/connectors/topic/index.ts"
const Sale = Schema.Struct({ shop: Schema.String, amount: Int64 })
const Total = Schema.Struct({ shop: Schema.String, total: Int64 })
let calls = 0
export default Job.make("${name}", {
  parameters: { table: Parameter.text("totals", { meaning: "of the results" }) },
  trigger: Trigger.every("1 second"),
  outputs: ({ table }) => {
    const sales = Flow.from(Topic.source("sales"))
    ${steps}
  }
})
`
  )
}
const decoded = `sales.pipe(Flow.decode(Sale, { invalid: Topic.deadLetter("sales.invalid") }))`
const summed = `Flow.keyBy("shop"), Flow.aggregate("total", { total: Aggregate.sum((row) => row.weight) }),
  Flow.to(Sql.upsert(table, Total, { key: ["shop"] }))`
job("careful", `return ${decoded}.pipe(Flow.map((sale) => ({ shop: sale.shop, weight: 1n })), ${summed})`)
job(
  "careless",
  `return ${decoded}.pipe(Flow.map((sale) => ({ shop: sale.shop, weight: BigInt(++calls % 7) })), ${summed})`
)
job("printing", `return ${decoded}.pipe(Flow.to(Console.sink()))`)
job(
  "raw",
  `return sales.pipe(Flow.map((event) => ({ shop: String(event.offset), amount: 1n })), Flow.to(Sql.append(table, Sale)))`
)
job("avro", `return sales.pipe(Flow.decode(Sale, { codec: Avro.codec() }), Flow.to(Sql.append(table, Sale)))`)
job(
  "enriched",
  `const shops = Files.lookup("shops.csv", Schema.Struct({ shop: Schema.String, city: Schema.String }), { key: ["shop"] })
   return ${decoded}.pipe(Flow.enrich("city", shops, { type: "inner", key: (sale) => ({ shop: sale.shop }), into: (sale) => sale } as never),
     Flow.to(Sql.append(table, Sale)))`
)

const file = join(project, "sales.jsonl")
writeFileSync(file, '{"shop":"a","amount":1}\n\n{"shop":"b","amount":2}\n')

const simulate = (...words: ReadonlyArray<string>) => inProcess(["simulate", ...words], { project })

describe("weir simulate", { timeout: 120_000 }, () => {
  it("sums up what happened, and ends with 0 where all was right", async () => {
    const { code, out } = await simulate("careful", "--seeds", "4", "--seed", "5", "--count", "40")
    expect(code).toBe(0)
    const figures = new Map(out.split("\n").map((line) => line.split(/ {2,}/) as [string, string]))
    expect(figures.get("worlds that were right")).toBe("4")
    for (const name of ["epochs", "processes", "fault: kill", "virtual seconds"])
      expect([name, Number(figures.get(name)) > 0]).toEqual([name, true])
  })

  it("gives the same figures for the same seeds, as one JSON value, with the faults that were asked for alone", async () => {
    const words = ["careful", "--seeds", "2", "--count", "30", "--faults", "kill,reply-lost", "--format", "json"]
    const [first, second] = [await simulate(...words), await simulate(...words)].map(({ out }) => {
      const [{ realMillis, ...figures }] = JSON.parse(out)
      expect(realMillis).toBeGreaterThan(0)
      return figures
    })
    expect(first).toEqual(second)
    expect(first).toMatchObject({ job: "careful", seeds: 2, failure: null })
    expect(Object.keys(first.struck)).toEqual(["kill", "reply lost"])
    expect(first.struck.kill).toBeGreaterThan(0)
  })

  it("tells the story of a failure, and the command that shows it again", async () => {
    const words = ["careless", "--count", "20", "--faults", "kill,request lost", "--set", "table=all totals"]
    const failed = await simulate(...words, "--seeds", "20", "--seed", "40")
    expect(failed.code).toBe(1)
    expect(failed.err).toMatch(/^ +0\.000 s {2}process 1 +starts$/m)
    expect(failed.err).toMatch(/^table all totals: shop .*: total is \d+, and should be \d+$/m)
    expect(failed.err).toContain("\nIt fails also with 1 of 20 records and without faults\n  sales, partition ")
    const [, seed] = /\nThe same again: weir simulate careless --seed (\d+) --seeds 1 (.*)\n$/.exec(failed.err)!
    expect(failed.err).toContain(
      `--seed ${seed} --seeds 1 --faults 'kill,request lost' --count 20 --set 'table=all totals'\n`
    )
    expect(failed.out).toMatch(new RegExp(`seed of the world that was not +${seed}\n`))
    const again = await simulate(...words, "--seed", seed!, "--seeds", "1")
    expect(again.code).toBe(1)
    // Whatever it reads, and whenever: the same happens.
    const storyOf = (text: string) => text.split("\n").filter((line) => /^ +[\d.]+ s {2}(?!world)/.test(line))
    expect(storyOf(again.err)).toEqual(storyOf(failed.err))
    expect(storyOf(again.err).length).toBeGreaterThan(3)
  })

  it("takes records from a file", async () => {
    const { code, out } = await simulate("careful", "--seeds", "1", "--input", `sales=${file}`, "--format", "json")
    expect(code).toBe(0)
    expect(JSON.parse(out)[0].epochs).toBeLessThan(8)
    const raw = await simulate("raw", "--seeds", "1", "--input", `sales=${file}`)
    expect(raw.code).toBe(0)
  })

  it("takes records from the generator of a topic", async () => {
    const { code, out } = await inProcess(["simulate", "orders", "--seeds", "1", "--format", "csv"])
    expect(code).toBe(0)
    expect(out).toMatch(/^what,count\nworlds that were right,1\nepochs,\d+\n/)
  })

  it("prints nothing of what a job prints in its worlds", async () => {
    const printed = vi.spyOn(console, "log")
    const { code } = await simulate("printing", "--seeds", "1")
    expect([code, printed.mock.calls]).toEqual([0, []])
    printed.mockRestore()
  })

  it.each([
    ["careful --faults kil", 2, "there is no kind 'kil'", "Did you mean 'kill'?"],
    ["careful --input sale=x", 2, "does not read topic 'sale'", "Did you mean 'sales'?"],
    ["careful --input sales", 2, "names no topic", "--input <topic>=<file>"],
    ["careful --input sales=/no/such", 1, "/no/such cannot be read", "JSON lines"],
    ["careful --seeds 0", 2, "--seeds and --count begin at 1", "weir simulate careful"],
    ["careful --set tabel=x", 2, "'tabel'", "table"],
    ["carefull", 2, "no job 'carefull'", "Did you mean 'careful'?"],
    ["raw", 1, "no Schema says what the records of topic sales are", "--input <topic>=<file>"],
    ["avro", 1, "in the form avro cannot be made", "--input <topic>=<file>"],
    ["enriched", 1, "there is no file shops.csv", "reads topics and writes tables"],
    [`avro --input sales=${file}`, 1, "expected a zero byte and the number of a schema", "--input"]
  ])("refuses %s", async (words, code, what, how) => {
    const ended = await simulate(...words.split(" "))
    expect([ended.code, ended.out]).toEqual([code, ""])
    expect(ended.err).toContain(what)
    expect(ended.err).toContain(how)
    expect(ended.err).not.toMatch(/^\s+at /m)
  })

  it("says what was seen so far when it is interrupted", async () => {
    const running = start(["simulate", "orders", "--seeds", "100000"])
    await says(running, /orders: \d+ %, [1-9]\d* worlds/)
    running.process.kill("SIGINT")
    const { code, out } = await running.ended
    expect(code).toBe(130)
    expect(out).toMatch(/^worlds that were right +[1-9]/m)
  })
})
