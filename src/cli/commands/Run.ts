/** `weir run`: one job in the foreground. */
import { Effect } from "effect"
import { WrongUsage } from "../../model/Errors.ts"
import type { JobStatus } from "../../observe/Progress.ts"
import type { RunOptions } from "../../runtime/Runner.ts"
import * as Configuration from "../Configuration.ts"
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
    data: Session.data,
    checkpoints: Configuration.flagOf("checkpoints")
  },
  (given) =>
    Effect.gen(function* () {
      if (given.final && !given["available-now"])
        return yield* new WrongUsage({
          message: "--final goes with --available-now only",
          hint: `Write \`weir run ${given.job} --available-now --final\`.`
        })
      const job = yield* Project.job(given.job)
      const set = yield* settingsOf(given.set)
      // Wrong parameters are told before anything is opened.
      const { trigger } = yield* job.configure(set)
      const limit = given.for === undefined ? null : yield* durationOf("--for", given.for)
      const options: RunOptions = { availableNow: given["available-now"], final: given.final, set }
      const bounded = given["available-now"] || trigger.kind === "availableNow"
      yield* Session.use({ data: given.data, checkpoints: given.checkpoints }, (weir) =>
        Effect.gen(function* () {
          yield* weir.start(job.name, options)
          yield* Effect.scoped(
            Effect.zipRight(
              ProgressLine.shown(progressOf(weir, job.name, bounded)),
              limit === null
                ? weir.ended(job.name)
                : Effect.raceFirst(weir.ended(job.name), Effect.zipRight(Effect.sleep(limit), stopped(weir, job.name)))
            )
          ).pipe(Effect.onInterrupt(() => Effect.ignore(weir.stop(job.name))))
          yield* summarize(yield* statusOf(weir, job.name))
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

const progressOf = (weir: WeirService, job: string, bounded: boolean) =>
  Effect.map(
    statusOf(weir, job),
    (status): ProgressLine.Progress => ({
      what: status === null ? job : `${job} ${status.state}, epoch ${status.epoch}`,
      done: status?.rowsIn ?? 0,
      unit: "rows",
      total: status === null || !bounded ? null : status.rowsIn + status.lag
    })
  )

const summarize = (status: JobStatus | null) =>
  Effect.gen(function* () {
    if (status === null) return
    const process = yield* Process
    const { job, state, epoch, rowsIn, rowsOut, late, deadLetters, restarts } = status
    const counts = [
      `epoch ${epoch}`,
      `${ProgressLine.grouped(rowsIn)} rows in`,
      `${ProgressLine.grouped(rowsOut)} rows out`,
      `${late} late`,
      `${deadLetters} dead letters`,
      ...(restarts > 0 ? [`${restarts} restarts`] : [])
    ]
    yield* process.report(`${job} ${state}: ${counts.join(", ")}\n`)
  })
