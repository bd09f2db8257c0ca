/** `weir run`: one job in the foreground. */
import { Effect } from "effect"
import { WrongUsage } from "../../model/Errors.ts"
import type { JobStatus } from "../../observe/Progress.ts"
import type { RunOptions } from "../../runtime/Runner.ts"
import * as Configuration from "../Configuration.ts"
import * as JobNews from "../JobNews.ts"
import { Process } from "../Process.ts"
import * as ProgressLine from "../ProgressLine.ts"
import * as Project from "../Project.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import { durationOf, settingsOf } from "../Values.ts"
import type { WeirService } from "../Weir.ts"

export const run = Usage.command(
  "run",
  "runs one job in the foreground",
  {
    job: Usage.argument("job", "the name of a job"),
    "available-now": Usage.flag("available-now", "reads what is there when it starts, commits it, ends"),
    final: Usage.flag("final", "with --available-now: also emits every open window as if closed"),
    for: Usage.text("for", "DURATION", "ends after so long, such as 120s: drains and commits"),
    set: Usage.texts("set", "NAME=VALUE", "a parameter of the job; `weir explain` lists them"),
    "from-savepoint": Usage.text("from-savepoint", "NAME", "goes back to a savepoint first: a new lineage from there"),
    tables: Usage.flag("tables", "with --from-savepoint: removes the rows that were appended after it"),
    "drop-state": Usage.texts(
      "drop-state",
      "STEP",
      "begins without what is kept of a step or source, if this code cannot take it up"
    ),
    data: Session.data,
    checkpoints: Configuration.flagOf("checkpoints")
  },
  (given) =>
    Effect.gen(function* () {
      const process = yield* Process
      if (given.final && !given["available-now"])
        return yield* new WrongUsage({
          message: "--final goes with --available-now only",
          hint: `Write \`weir run ${given.job} --available-now --final\`.`
        })
      const savepoint = given["from-savepoint"]
      if (given.tables && savepoint === undefined)
        return yield* new WrongUsage({
          message: "--tables goes with --from-savepoint only",
          hint: `\`weir reset ${given.job} --tables\` removes all rows.`
        })
      const job = yield* Project.job(given.job)
      const set = yield* settingsOf(given.set)
      // Wrong parameters are told before anything is opened.
      const { trigger } = yield* job.configure(set)
      const limit = given.for === undefined ? null : yield* durationOf("--for", given.for)
      const dropState = given["drop-state"]
      const options: RunOptions = { availableNow: given["available-now"], final: given.final, set, dropState }
      const bounded = given["available-now"] || trigger.kind === "availableNow"
      yield* Session.use({ data: given.data, checkpoints: given.checkpoints }, (weir) =>
        Effect.gen(function* () {
          if (savepoint !== undefined) {
            const remains = yield* weir.rewind(job.name, { savepoint, tables: given.tables, set, dropState })
            for (const sentence of remains) yield* process.report(`${sentence}\n`)
          }
          // A run that computes all anew counts from nothing.
          const before = job.recomputes ? null : yield* statusOf(weir, job.name)
          yield* weir.start(job.name, options)
          yield* Effect.scoped(
            Effect.zipRight(
              ProgressLine.shown(progressOf(weir, job.name, { before, bounded })),
              limit === null
                ? weir.ended(job.name)
                : Effect.raceFirst(weir.ended(job.name), Effect.zipRight(Effect.sleep(limit), stopped(weir, job.name)))
            )
          ).pipe(
            Effect.onInterrupt(() =>
              Effect.zipRight(process.report(JobNews.draining), Effect.ignore(weir.stop(job.name)))
            )
          )
          yield* summarize(yield* statusOf(weir, job.name), before)
        })
      )
      return 0
    })
)

const stopped = (weir: WeirService, job: string) =>
  Effect.zipRight(
    weir.stop(job).pipe(
      Effect.catchIf(
        (error) => error._tag === "InvalidJob",
        () => Effect.void
      )
    ),
    weir.ended(job)
  )

const statusOf = (weir: WeirService, job: string): Effect.Effect<JobStatus | null, Usage.Failure> =>
  Effect.map(weir.statuses, (all) => all.find((status) => status.job === job) ?? null)

interface Shown {
  /** The totals that a run begins with are those of earlier runs. */
  readonly before: JobStatus | null
  readonly bounded: boolean
}

const progressOf = (weir: WeirService, job: string, { before, bounded }: Shown) =>
  Effect.map(statusOf(weir, job), (status): ProgressLine.Progress => {
    const done = sinceOf(status, before, "rowsIn")
    return {
      what: status === null ? job : `${job} ${status.state}, epoch ${status.epoch}`,
      done,
      unit: "rows",
      total: status === null || !bounded ? null : done + status.lag
    }
  })

const counts = ["rowsIn", "rowsOut", "late", "deadLetters"] as const

/** What a run has added to a count; a run that has not restored its checkpoint yet has added nothing. */
const sinceOf = (status: JobStatus | null, before: JobStatus | null, count: (typeof counts)[number]): number =>
  Math.max(0, (status?.[count] ?? 0) - (before?.[count] ?? 0))

/** What a run did, in one line; after earlier runs also what all of them did. */
export const summaryOf = (status: JobStatus, before: JobStatus | null): string => {
  const written = (of: (count: (typeof counts)[number]) => number) =>
    [
      `${ProgressLine.grouped(of("rowsIn"))} rows in`,
      `${ProgressLine.grouped(of("rowsOut"))} rows out`,
      `${ProgressLine.grouped(of("late"))} late`,
      `${ProgressLine.grouped(of("deadLetters"))} dead letters`
    ].join(", ")
  const restarts = status.restarts > 0 ? `, ${status.restarts} restarts` : ""
  const here = `epoch ${status.epoch}, ${written((count) => sinceOf(status, before, count))}${restarts}`
  return `${status.job} ${status.state}: ${here}${
    counts.some((count) => (before?.[count] ?? 0) > 0)
      ? `; in all ${written((count) => Math.max(status[count], before?.[count] ?? 0))}`
      : ""
  }`
}

const summarize = (status: JobStatus | null, before: JobStatus | null) =>
  status === null ? Effect.void : Effect.flatMap(Process, (process) => process.report(`${summaryOf(status, before)}\n`))
