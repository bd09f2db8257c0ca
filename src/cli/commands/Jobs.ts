/** `weir jobs`, `progress`, `reset`: what a person asks of jobs. */
import { Clock, Effect, Stream } from "effect"
import { WrongUsage } from "../../model/Errors.ts"
import { formatInstant } from "../../model/Time.ts"
import type { EpochProgress } from "../../observe/Progress.ts"
import * as Output from "../Output.ts"
import { Process } from "../Process.ts"
import * as Project from "../Project.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"

const jobName = Usage.argument("job", "the name of a job; `weir jobs` lists them")

export const jobs = Usage.command(
  "jobs",
  "lists the jobs: state, epoch, checkpoint, rows, lag",
  { format: Output.format, data: Session.data },
  ({ format, data }) =>
    Session.use({ data }, (weir) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const all = (yield* weir.statuses).map((status) => ({
          ...status,
          checkpointAgeMillis: status.checkpointAt === null ? null : Math.max(0, now - status.checkpointAt)
        }))
        yield* Output.print(format, {
          columns: [
            "job",
            "state",
            "epoch",
            "checkpoint_age_s",
            "rows_in",
            "rows_out",
            "lag",
            "restarts",
            "late",
            "dead_letters",
            "reason"
          ],
          rows: all.map((status) => [
            status.job,
            status.state,
            status.epoch,
            status.checkpointAgeMillis === null ? null : Number((status.checkpointAgeMillis / 1000).toFixed(1)),
            status.rowsIn,
            status.rowsOut,
            status.lag,
            status.restarts,
            status.late,
            status.deadLetters,
            status.reason === null ? null : status.reason.message
          ]),
          values: all
        })
        return 0
      })
    )
)

export const progress = Usage.command(
  "progress",
  "shows the last epochs of a job",
  {
    job: jobName,
    last: Usage.whole("last", "N", "how many (default: 10)"),
    format: Output.format,
    data: Session.data
  },
  ({ job: name, last, format, data }) =>
    Effect.gen(function* () {
      if (last !== undefined && last < 1)
        return yield* new WrongUsage({ message: `--last ${last} shows nothing`, hint: "Write a number from 1 on." })
      const job = yield* Project.job(name)
      const reports = yield* Session.use({ data }, (weir) => weir.progress(job.name, last ?? 10))
      yield* Output.print(format, progressListing(reports))
      return 0
    })
)

/** Every field of a report, a column each; what has several values in one is spelled `name value`. */
const progressColumns: Readonly<Record<string, (report: EpochProgress) => Output.Cell>> = {
  epoch: ({ epoch }) => epoch,
  triggered_at: ({ triggeredAt }) => formatInstant(triggeredAt),
  input_rows: ({ inputRows }) => inputRows,
  input_rows_per_s: ({ inputRowsPerSecond }) => Math.round(inputRowsPerSecond),
  processed_rows_per_s: ({ processedRowsPerSecond }) => Math.round(processedRowsPerSecond),
  cut_ms: ({ phases }) => Math.round(phases.cut),
  process_ms: ({ phases }) => Math.round(phases.process),
  prepare_ms: ({ phases }) => Math.round(phases.prepare),
  intent_ms: ({ phases }) => Math.round(phases.intent),
  sinks_ms: ({ phases }) => Math.round(phases.sinks),
  manifest_ms: ({ phases }) => Math.round(phases.manifest),
  watermark: ({ watermark }) => (watermark === null ? null : formatInstant(watermark)),
  state_rows: ({ stateRows }) => stateRows,
  state_bytes: ({ stateBytes }) => stateBytes,
  state_bytes_written: ({ stateBytesWritten }) => stateBytesWritten,
  sink_rows: ({ sinks }) => sinks.reduce((sum, sink) => sum + sink.rows, 0),
  late: ({ late }) => late,
  dead_letters: ({ deadLetters }) => deadLetters,
  sinks: ({ sinks }) => sinks.map(({ sink, rows }) => `${sink} ${rows}`).join(", "),
  offsets: ({ partitions }) =>
    partitions
      .map(({ source, partition, from, to, latest }) => `${source}/${partition} ${from}-${to} of ${latest}`)
      .join(", "),
  letters_replayed: ({ again }) => again?.records ?? 0,
  letters_succeeded: ({ again }) => again?.succeeded ?? 0,
  letters_late: ({ again }) => again?.late ?? 0,
  letters_again: ({ again }) => again?.deadLetters ?? 0,
  replayed: ({ replayed }) => replayed,
  job: ({ job }) => job,
  job_id: ({ jobId }) => jobId,
  run_id: ({ runId }) => runId
}

export const progressListing = (reports: ReadonlyArray<EpochProgress>): Output.Listing => ({
  columns: Object.keys(progressColumns),
  rows: reports.map((report) => Object.values(progressColumns).map((cell) => cell(report))),
  values: reports
})

export const reset = Usage.command(
  "reset",
  "forgets a job's checkpoints: its next start begins anew",
  {
    job: jobName,
    tables: Usage.flag("tables", "removes the rows of its tables too"),
    yes: Usage.flag("yes", "does not ask"),
    data: Session.data
  },
  ({ job: name, tables, yes, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const job = yield* Project.job(name)
      if (!yes && !(yield* agreed(job.name, tables))) {
        yield* process.report("Nothing was changed.\n")
        return 1
      }
      const remains = yield* Session.use({ data }, (weir) => weir.reset(job.name, { tables }))
      yield* process.print(`job ${job.name} was reset: its next start begins anew\n`)
      for (const sentence of remains) yield* process.print(`${sentence}\n`)
      return 0
    })
)

const agreed = (job: string, tables: boolean) =>
  Effect.gen(function* () {
    const process = yield* Process
    if (!process.isTerminal.input)
      return yield* new WrongUsage({
        message: `'weir reset ${job}' asks before it forgets, and there is no terminal to ask at`,
        hint: "Say --yes."
      })
    yield* process.report(
      `Forget all checkpoints of ${job}${tables ? " and remove the rows of its tables" : ""}? Type the job's name: `
    )
    const line = yield* process.input.pipe(Stream.decodeText(), Stream.splitLines, Stream.runHead)
    return line._tag === "Some" && line.value.trim() === job
  })
