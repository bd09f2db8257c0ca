/** `weir stop`, `pause`, `resume`, `restart`, `savepoint`, `savepoints`: what a person does to a job that a daemon has. */
import { Effect } from "effect"
import { formatInstant } from "../../model/Time.ts"
import type { JobStatus } from "../../observe/Progress.ts"
import * as Output from "../Output.ts"
import { Process } from "../Process.ts"
import * as Project from "../Project.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import type { SavepointLine, WeirService } from "../Weir.ts"

const jobName = Usage.argument("job", "the name of a job; `weir jobs` lists them")

/** A command that changes how a job stands, and says how it stands then. */
const turning = (
  name: string,
  summary: string,
  turn: (weir: WeirService, job: string) => Effect.Effect<JobStatus, Usage.Failure>
) =>
  Usage.command(name, summary, { job: jobName, data: Session.data }, ({ job: wanted, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const job = yield* Project.job(wanted)
      const status = yield* Session.use({ data }, (weir) => turn(weir, job.name))
      const where = status.epoch === 0 ? "" : ` after epoch ${status.epoch}`
      yield* process.print(`job ${job.name} is ${status.state}${where}\n`)
      return 0
    })
  )

export const stop = turning("stop", "drains a job of the daemon, commits, and ends it, or its pause", (weir, job) =>
  weir.stop(job)
)

export const pause = turning(
  "pause",
  "drains a job of the daemon and commits; it reads nothing until it is resumed",
  (weir, job) => weir.pause(job)
)

export const resume = turning(
  "resume",
  "lets a paused job go on where it was, with the options that it ran with",
  (weir, job) => weir.resume(job)
)

export const restart = turning(
  "restart",
  "stops a job of the daemon and starts it again with the same options",
  (weir, job) => weir.restart(job)
)

export const savepoint = Usage.command(
  "savepoint",
  "keeps a job's checkpoint under a name until it is removed",
  {
    job: jobName,
    name: Usage.optionalArgument("name", "letters, digits, '.', '_' and '-' (default: after its epoch)"),
    data: Session.data
  },
  ({ job: wanted, name, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const job = yield* Project.job(wanted)
      const taken = yield* Session.use({ data }, (weir) => weir.savepoint(job.name, name ?? null))
      yield* process.print(`savepoint ${taken.name} of job ${job.name} holds epoch ${taken.epoch}\n`)
      return 0
    })
)

export const savepoints = Usage.command(
  "savepoints",
  "lists the savepoints of a job, or removes one",
  {
    job: jobName,
    remove: Usage.text("remove", "NAME", "removes this savepoint and what it keeps"),
    format: Output.format,
    data: Session.data
  },
  ({ job: wanted, remove, format, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const job = yield* Project.job(wanted)
      if (remove !== undefined) {
        yield* Session.use({ data }, (weir) => weir.removeSavepoint(job.name, remove))
        yield* process.print(`savepoint ${remove} of job ${job.name} is removed\n`)
        return 0
      }
      yield* Output.print(format, listing(yield* Session.use({ data }, (weir) => weir.savepoints(job.name))))
      return 0
    })
)

const listing = (all: ReadonlyArray<SavepointLine>): Output.Listing => ({
  columns: ["name", "taken_at", "lineage", "epoch", "closed_at", "state_rows", "state_bytes"],
  rows: all.map(({ closedAt, epoch, lineage, name, stateBytes, stateRows, takenAt }) => [
    name,
    formatInstant(takenAt),
    lineage,
    epoch,
    formatInstant(closedAt),
    stateRows,
    stateBytes
  ]),
  values: all
})
