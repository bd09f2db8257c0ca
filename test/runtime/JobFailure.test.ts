import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { Cause } from "effect"
import { afterAll, describe, expect, it, vi } from "vitest"
import { SinkBehind, StepFailed } from "../../src/model/Errors.ts"
import * as JobFailure from "../../src/runtime/JobFailure.ts"
import { inProcess } from "../cli/in-process.ts"

const root = resolve(import.meta.dirname, "../..")
const home = mkdtempSync(join(tmpdir(), "weir-failure-"))
afterAll(() => rmSync(home, { recursive: true, force: true }))

describe("a failure of a job", () => {
  it("names job, step, partition and offset, to a person and in the fields of a log line", async () => {
    mkdirSync(join(home, "actors"))
    writeFileSync(
      join(home, "actors/broken.ts"),
      `import { Schema } from "${root}/node_modules/effect/dist/esm/index.js"
       import { Flow, Job, Trigger } from "${root}/src/index.ts"
       import { Console } from "${root}/src/connectors/console/index.ts"
       import { Topic } from "${root}/src/connectors/topic/index.ts"
       const Thing = Schema.Struct({ n: Schema.Number })
       export default Job.make("broken", {
         parameters: {},
         trigger: Trigger.every("1 second"),
         outputs: () => [
           Flow.from(Topic.source("things")).pipe(
             Flow.decode(Thing),
             Flow.map((thing) => {
               if (thing.n === 3) throw new Error("three is refused")
               return thing
             }),
             Flow.to(Console.sink())
           )
         ]
       })`
    )
    const environment = { WEIR_DATA: join(home, "data") }
    const input = [1, 2, 3, 4].map((n) => JSON.stringify({ n })).join("\n")
    await inProcess(["produce", "things", "--partition", "2"], { environment, input, project: home })
    const lines: Array<string> = []
    const log = vi.spyOn(console, "error").mockImplementation((line) => {
      lines.push(String(line))
    })
    const words = ["run", "broken", "--available-now", "--log-level", "debug"]
    const { code, err } = await inProcess(words, { environment, project: home }).finally(() => log.mockRestore())
    expect(code).toBe(1)
    expect(err).toContain("Job broken: Step 'map' failed at things, partition 2, offset 2: three is refused.")
    const ofEpochs = lines.flatMap((line) => {
      const { annotations } = JSON.parse(line)
      return annotations?.epoch === undefined ? [] : [annotations]
    })
    expect(ofEpochs.length).toBeGreaterThan(0)
    for (const annotations of ofEpochs) expect(annotations.job).toBe("broken")
  }, 60_000)

  it("stays what it was: class, fields and hint", () => {
    const failed = new StepFailed({ step: "map", source: "orders", partition: 1, offset: 7, message: "It", hint: "so" })
    const told = JobFailure.explain("orders-2", Cause.fail(failed))
    expect(told).toBeInstanceOf(StepFailed)
    expect({ ...told }).toMatchObject({ _tag: "StepFailed", step: "map", fault: "user", retry: false, hint: "so" })
    expect([told.message, failed.message]).toEqual(["Job orders-2: It", "It"])
    expect(JobFailure.placeOf(told)).toEqual({ step: "map", source: "orders", partition: 1, offset: 7 })
  })

  it("does not name its job twice, and explains what nobody explained", () => {
    const behind = new SinkBehind({ sink: "s", sinkEpoch: 1, manifestEpoch: 2, message: "Job a: sink s", hint: "h" })
    expect(JobFailure.explain("a", Cause.fail(behind)).message).toBe("Job a: sink s")
    expect(JobFailure.explain("a", Cause.die(new TypeError("x is no function")))).toMatchObject({
      _tag: "Defect",
      message: "Job a: x is no function"
    })
  })
})
