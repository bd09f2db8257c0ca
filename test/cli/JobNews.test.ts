import { Effect, Layer, PubSub, Stream } from "effect"
import { describe, expect, it } from "vitest"
import { summaryOf } from "../../src/cli/commands/Run.ts"
import * as JobNews from "../../src/cli/JobNews.ts"
import { Process } from "../../src/cli/Process.ts"
import type { DaemonService } from "../../src/daemon/Daemon.ts"
import { InvalidJob } from "../../src/model/Errors.ts"
import type { JobEvent, JobStatus } from "../../src/observe/Progress.ts"
import { layer } from "../../src/platform/node.ts"

const status = (of: Partial<JobStatus>): JobStatus => ({
  job: "orders",
  state: "running",
  reason: null,
  runId: "run",
  jobId: "job",
  epoch: 0,
  checkpointAt: null,
  rowsIn: 0,
  rowsOut: 0,
  lag: 0,
  restarts: 0,
  late: 0,
  deadLetters: 0,
  replayed: 0,
  ...of
})
const reason = { tag: "StorageFailed", message: "The disk is full", hint: "Make room." }

/** What is told of statuses that a daemon reports one after the other. */
const told = (jobs: ReadonlyArray<string>, statuses: ReadonlyArray<JobStatus>, refused: ReadonlyArray<string> = []) =>
  Effect.gen(function* () {
    let said = ""
    const events = yield* PubSub.unbounded<JobEvent>()
    const daemon = { events: Stream.fromPubSub(events) } as DaemonService
    const modules = { root: "", actors: "", fixtures: "", page: "", weir: "", weirFixtures: "" }
    const captured = Layer.effect(
      Process,
      Effect.map(Process, (process) => ({
        ...process,
        report: (text: string) =>
          Effect.sync(() => {
            said += text
          })
      }))
    ).pipe(Layer.provide(layer(modules)))
    yield* Effect.gen(function* () {
      const news = yield* JobNews.make(daemon, { jobs, remains: "The page stays." })
      yield* Effect.sleep(10)
      for (const job of refused)
        yield* news.refused(job, new InvalidJob({ job, message: `Job ${job} has no sink`, hint: "Give it one" }))
      for (const status of statuses) yield* PubSub.publish(events, { _tag: "State", status })
      yield* Effect.sleep(10)
      const last = statuses.at(-1)
      if (last !== undefined) yield* news.hear(last)
    }).pipe(Effect.scoped, Effect.provide(captured))
    return said
  }).pipe(Effect.runPromise)

describe("The news of jobs", () => {
  it("are that one runs, restarts and runs again, each told once", async () => {
    const said = await told(
      ["orders"],
      [
        status({ state: "starting" }),
        status({}),
        status({ state: "backing off", restarts: 1, reason }),
        status({ state: "starting", restarts: 1 }),
        status({ restarts: 1, epoch: 7, rowsIn: 12_000 })
      ]
    )
    expect(said).toBe(
      "job orders runs\n" +
        "job orders backs off before restart 1, because: The disk is full. Make room.\n" +
        "job orders runs, after epoch 7 with 12,000 rows in all\n"
    )
  })

  it("are what one waits for, and that it goes on", async () => {
    const away = { tag: "TablesUnavailable", message: "The database did not answer", hint: "Start it." }
    const said = await told(
      ["orders"],
      [status({ rowsIn: 5, epoch: 1 }), status({ rowsIn: 5, epoch: 1, reason: away }), status({ rowsIn: 9, epoch: 2 })]
    )
    expect(said).toBe(
      "job orders runs, after epoch 1 with 5 rows in all\n" +
        "job orders waits, and asks again: The database did not answer. Start it.\n" +
        "job orders runs, after epoch 2 with 9 rows in all\n"
    )
  })

  it("are why one failed, and that none is left", async () => {
    const failed = status({ state: "failed", reason })
    const one = "job orders failed: The disk is full. Make room.\n"
    expect(await told(["orders", "plant"], [failed])).toBe(one)
    expect(await told(["orders"], [failed])).toBe(`${one}No job runs. The page stays.\n`)
    expect(await told(["orders", "plant"], [failed], ["plant"])).toBe(
      `job plant cannot start: Job plant has no sink. Give it one.\n${one}All jobs have failed. The page stays.\n`
    )
  })

  it("are that one cannot start, told once though its status says it too", async () => {
    const refused = {
      tag: "InvalidJob",
      message: "Job plant has no sink",
      hint: "Give it one"
    }
    const cannot = status({ job: "plant", state: "failed", runId: null, reason: refused })
    const said = "job plant cannot start: Job plant has no sink. Give it one.\n"
    expect(await told(["orders", "plant"], [cannot])).toBe(said)
    expect(await told(["orders", "plant"], [cannot], ["plant"])).toBe(said)
  })
})

describe("The summary of a run", () => {
  it("has the totals of this run, and beside them those of all runs", () => {
    const before = status({ rowsIn: 3_000, rowsOut: 90, epoch: 4 })
    const after = status({ state: "stopped", rowsIn: 3_500, rowsOut: 100, late: 2, epoch: 6 })
    expect(summaryOf(after, before)).toBe(
      "orders stopped: epoch 6, 500 rows in, 10 rows out, 2 late, 0 dead letters; " +
        "in all 3,500 rows in, 100 rows out, 2 late, 0 dead letters"
    )
    expect(summaryOf(after, null)).toBe("orders stopped: epoch 6, 3,500 rows in, 100 rows out, 2 late, 0 dead letters")
  })

  it("has nothing of earlier runs for one that did nothing", () => {
    const before = status({ rowsIn: 3_000, epoch: 4 })
    expect(summaryOf({ ...before, state: "stopped" }, before)).toContain("0 rows in, 0 rows out")
    // It ended before its checkpoint was restored.
    expect(summaryOf(status({ state: "failed" }), before)).toMatch(/epoch 0, 0 rows in.*in all 3,000 rows in/)
  })
})
