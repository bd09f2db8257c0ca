/** `weir clean`: what a job that reads files is done with, and no more. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { inProcess } from "./in-process.ts"

const root = join(import.meta.dirname, "../..")
const home = mkdtempSync(join(tmpdir(), "weir-clean-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))

const input = join(home, "in")
const project = join(home, "project")
mkdirSync(input)
mkdirSync(join(project, "actors"), { recursive: true })
writeFileSync(
  join(project, "actors/lines.mjs"),
  `import { Schema } from ${JSON.stringify(join(root, "node_modules/effect/dist/esm/index.js"))}
   import { Files } from ${JSON.stringify(join(root, "src/connectors/files/index.ts"))}
   import { Topic } from ${JSON.stringify(join(root, "src/connectors/topic/index.ts"))}
   import { Flow, Job, Trigger } from ${JSON.stringify(join(root, "src/index.ts"))}
   const Line = Schema.Struct({ id: Schema.Int })
   export default Job.make("lines", {
     parameters: {},
     trigger: Trigger.every("50 millis"),
     outputs: () => [
       Flow.from(Files.jsonLines(${JSON.stringify(input)}, { settle: "50 millis" })).pipe(
         Flow.decode(Line),
         Flow.to(Topic.sink("lines", Line))
       )
     ]
   })`
)
const weir = (...words: ReadonlyArray<string>) =>
  inProcess(words, { environment: { WEIR_DATA: join(home, "data") }, project })

describe("clean", () => {
  it("takes away what a durable epoch covers, if it is old enough", { timeout: 120_000 }, async () => {
    for (const name of ["1.jsonl", "2.jsonl"]) writeFileSync(join(input, name), '{"id":1}\n')
    utimesSync(join(input, "2.jsonl"), 1_000, 1_000)
    expect((await weir("clean", "lines")).out).toBe(`0 files of ${input} taken away\n`)
    // It only looks: a folder that nobody has run in is not made.
    expect(existsSync(join(home, "data"))).toBe(false)
    expect(await weir("run", "lines", "--available-now")).toMatchObject({ code: 0 })
    writeFileSync(join(input, "3.jsonl"), '{"id":3}\n')
    expect((await weir("clean", "lines", "--older-than", "6h")).out).toBe(`1 file of ${input} taken away\n`)
    expect(readdirSync(input)).toEqual(["1.jsonl", "3.jsonl"])
    expect((await weir("clean", "lines")).out).toBe(`1 file of ${input} taken away\n`)
    expect(readdirSync(input)).toEqual(["3.jsonl"])
    expect(await weir("clean", "lines", "--older-than", "soon")).toMatchObject({ code: 2 })
  })
})
