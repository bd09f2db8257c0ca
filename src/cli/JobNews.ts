/** What becomes of the jobs of a daemon, told on standard error as it happens. */
import { Effect, type Scope, Stream } from "effect"
import type { DaemonService } from "../daemon/Daemon.ts"
import type { JobStatus } from "../observe/Progress.ts"
import { Process } from "./Process.ts"
import * as ProgressLine from "./ProgressLine.ts"
import type { Failure } from "./Usage.ts"

/** Said at an interrupt of what runs jobs. */
export const draining = "Drains and commits; a second interrupt ends it at once.\n"

export interface JobNews {
  /** Tells what is new in a status; nothing if that was told already. */
  readonly hear: (status: Heard) => Effect.Effect<void>
  /** Tells that a job could not even be tried. */
  readonly refused: (job: string, why: Failure) => Effect.Effect<void>
}

/** What is told of a status. */
type Heard = Pick<JobStatus, "job" | "state" | "reason" | "restarts" | "runId" | "epoch" | "rowsIn">

interface Options {
  /** The jobs that were asked for: once each of them has failed, this is said too. */
  readonly jobs: ReadonlyArray<string>
  /** What is left then, as a sentence. */
  readonly remains: string
}

/** Listens until the scope closes. */
export const make = (
  daemon: DaemonService,
  { jobs, remains }: Options
): Effect.Effect<JobNews, never, Process | Scope.Scope> =>
  Effect.gen(function* () {
    const process = yield* Process
    const told = new Map<string, string>()
    const failed = new Set<string>()
    const fail = (job: string, sentences: string) =>
      Effect.suspend(() => {
        failed.add(job)
        const all = jobs.length > 0 && jobs.every((name) => failed.has(name))
        const also = !all ? "" : `${jobs.length === 1 ? "No job runs" : "All jobs have failed"}. ${remains}\n`
        return process.report(`job ${job} ${sentences}\n${also}`)
      })
    const hear = (status: Heard) =>
      Effect.suspend(() => {
        const key = `${status.state} ${status.restarts} ${status.runId} ${status.reason?.message}`
        if (told.get(status.job) === key) return Effect.void
        told.set(status.job, key)
        if (status.state === "failed") return fail(status.job, sentenceOf(status) ?? "failed")
        failed.delete(status.job)
        const sentence = sentenceOf(status)
        return sentence === null ? Effect.void : process.report(`job ${status.job} ${sentence}\n`)
      })
    yield* Effect.forkScoped(
      Stream.runForEach(daemon.events, (event) => (event._tag === "State" ? hear(event.status) : Effect.void))
    )
    return {
      hear,
      refused: (job, { _tag: tag, hint, message }) =>
        hear({ job, state: "failed", reason: { tag, message, hint }, restarts: 0, runId: null, epoch: 0, rowsIn: 0 })
    }
  })

/** What a status says after the job's name; `null`: nothing that a person waits for. */
export const sentenceOf = ({ epoch, reason, restarts, rowsIn, runId, state }: Heard): string | null => {
  switch (state) {
    case "running":
      if (reason !== null) return `waits, and asks again: ${explained(reason)}`
      return rowsIn === 0 ? "runs" : `runs, after epoch ${epoch} with ${ProgressLine.grouped(rowsIn)} rows in all`
    case "recovering":
      return "commits what it had begun before"
    case "backing off":
      return `backs off before restart ${restarts}${reason === null ? "" : `, because: ${explained(reason)}`}`
    case "failed":
      return `${runId === null ? "cannot start" : "failed"}${reason === null ? "" : `: ${explained(reason)}`}`
    case "finished":
    case "stopped":
      return `${state} after epoch ${epoch}`
    default:
      return null
  }
}

const explained = ({ hint, message }: { readonly message: string; readonly hint: string }): string =>
  [message, hint].map((text) => (/[.!?]$/.test(text) ? text : `${text}.`)).join(" ")
