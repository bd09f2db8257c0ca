import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { inProcess } from "./in-process.ts"

const root = join(import.meta.dirname, "../..")
const home = mkdtempSync(join(tmpdir(), "weir-dead-letters-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** A project whose job takes prices below a bound; what is above it is refused. */
const write = (folder: string, below: number): void => {
  mkdirSync(join(folder, "actors"), { recursive: true })
  writeFileSync(
    join(folder, `actors/sales.mjs`),
    `import { Schema } from ${JSON.stringify(join(root, "node_modules/effect/dist/esm/index.js"))}
     import { Flow, Job, Trigger, Aggregate, Window } from ${JSON.stringify(join(root, "src/index.ts"))}
     import { Topic } from ${JSON.stringify(join(root, "src/connectors/topic/index.ts"))}
     const Sale = Schema.Struct({ id: Schema.Int, at: Schema.Int, price: Schema.Int.pipe(Schema.lessThan(${below})) })
     export default Job.make("sales", {
       parameters: {},
       trigger: Trigger.every("50 millis"),
       outputs: () => {
         const kept = Flow.from(Topic.source("sales")).pipe(Flow.decode(Sale, { invalid: Topic.deadLetter("sales.invalid") }))
         const counted = kept.pipe(
           Flow.eventTime((sale) => sale.at, { maxOutOfOrderness: "0 seconds" }),
           Flow.keyBy(),
           Flow.window(Window.tumbling("10 seconds")),
           Flow.aggregate("counted", { sales: Aggregate.count })
         )
         return [kept.pipe(Flow.to(Topic.sink("sales.out", Sale))), counted.late.pipe(Flow.to(Topic.late("sales.late")))]
       }
     })`
  )
}

const sales = [
  { id: 1, at: 1_000, price: 5 },
  { id: 2, at: 2_000, price: 500 },
  { id: 3, at: 60_000, price: 7 },
  { id: 4, at: 3_000, price: 8 },
  { id: 5, at: 61_000, price: 5_000 }
]

const environment = { WEIR_DATA: join(home, "data") }
const [first, mended] = [join(home, "first"), join(home, "mended")]
write(first, 100)
write(mended, 1_000)

const weirOf =
  (project: string) =>
  (...words: ReadonlyArray<string>) =>
    inProcess(words, { environment, project })
const jsonOf =
  (project: string) =>
  async (...words: ReadonlyArray<string>) => {
    const { code, err, out } = await weirOf(project)(...words, "--format", "json")
    expect([code, err]).toEqual([0, ""])
    return JSON.parse(out)
  }

// Each command alone opens a database of its own: this is one story, not many tests.
describe("dead-letters", () => {
  it("replays a job that does not run, and says what became of it", { timeout: 60_000 }, async () => {
    const input = sales.map((sale) => JSON.stringify(sale)).join("\n")
    await inProcess(["produce", "sales", "--partition", "1"], { environment, project: first, input })
    expect(await weirOf(first)("run", "sales", "--available-now")).toMatchObject({ code: 0 })
    const failed = { replayed: 2, succeeded: 0, late: 0, deadLetters: 2, skipped: 0 }
    expect(await jsonOf(first)("dead-letters", "sales", "--replay")).toEqual([failed])
    const again = { records: 2, succeeded: 0, late: 0, deadLetters: 2, skipped: 0 }
    const reports: ReadonlyArray<{ readonly again?: unknown }> = await jsonOf(first)("progress", "sales")
    expect(reports.flatMap((report) => report.again ?? [])).toEqual([again])
  })

  it("works beside the process that runs the mended job", { timeout: 60_000 }, async () => {
    // That of the command before is still there: who takes the folder makes it anew.
    rmSync(join(environment.WEIR_DATA, "lock"), { force: true })
    const running = weirOf(mended)("run", "sales", "--for", "60s")
    await expect.poll(() => existsSync(join(environment.WEIR_DATA, "lock")), { timeout: 20_000 }).toBe(true)
    const json = jsonOf(mended)
    const letters = await json("dead-letters", "sales")
    expect(letters).toHaveLength(4)
    expect(letters[0]).toMatchObject({
      step: "decode",
      reason: "undecodable",
      source: "sales",
      partition: "1",
      offset: "1",
      letter: { partition: 1, offset: 0 },
      value: JSON.stringify(sales[1])
    })
    expect(letters[0].cause).toContain("price")
    const replays = async () => (await json("dead-letters", "sales")).map(({ replay }: { replay: string }) => replay)
    expect(await replays()).toEqual(["failed again", "failed again", "next", "next"])
    expect(await json("dead-letters", "sales", "--last", "1")).toEqual([letters[3]])
    expect(await json("dead-letters", "sales", "--step", "eventTime")).toEqual([])
    expect(await json("dead-letters", "sales", "--reason", "undecodable")).toHaveLength(4)
    const late = await json("dead-letters", "sales", "--late")
    expect(late).toMatchObject([{ step: "counted", reason: "late", partition: "1", offset: "3", source: "sales" }])
    expect([late[0].value, late[0].replay]).toEqual([JSON.stringify(sales[3]), null])

    await expect.poll(async () => (await json("jobs"))[0].state, { timeout: 20_000 }).toBe("running")
    const said = await weirOf(mended)("dead-letters", "sales", "--replay")
    expect([said.code, said.out.replaceAll(/ +/g, " ")]).toEqual([
      0,
      // Its price is right now, and its window is forgotten.
      "replayed succeeded late dead_letters skipped\n 2 0 1 1 0\n"
    ])
    const kept: ReadonlyArray<{ value: string }> = await json("tail", "sales.out")
    expect(kept.map(({ value }) => JSON.parse(value).id).sort()).toEqual([1, 2, 3, 4])
    expect(await replays()).toEqual(["failed again", "failed again", "done", "failed again", "next"])
    expect((await weirOf(mended)("dead-letters", "sales")).out).toMatch(/ failed again .*\n.* next /)
    expect(await weirOf(mended)("stop", "sales")).toMatchObject({ code: 0 })
    expect((await running).code).toBe(0)
  })

  it("refuses to replay late events, or some of the dead letters", async () => {
    const late = await weirOf(mended)("dead-letters", "sales", "--late", "--replay")
    expect([late.code, late.err]).toEqual([2, expect.stringContaining("their windows are forgotten")])
    const some = await weirOf(mended)("dead-letters", "sales", "--last", "1", "--replay")
    expect([some.code, some.err]).toEqual([2, expect.stringContaining("takes all dead letters")])
  })
})
