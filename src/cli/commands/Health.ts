/** `weir health`: what a health check asks of whoever has the data folder. */
import { Effect } from "effect"
import * as DataFolder from "../../daemon/DataFolder.ts"
import { SourceUnavailable } from "../../model/Errors.ts"
import type { JobState, JobStatus } from "../../observe/Progress.ts"
import * as Configuration from "../Configuration.ts"
import { Process } from "../Process.ts"
import * as RemoteWeir from "../RemoteWeir.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"

/** A job that is to run and does not. */
const unwell: ReadonlySet<JobState> = new Set(["starting", "recovering", "backing off", "failed"])

export const health = Usage.command(
  "health",
  "says whether a daemon answers and its jobs run: ends with 0 or 1, for health checks",
  { data: Session.data },
  (flags) =>
    Effect.gen(function* () {
      const process = yield* Process
      const { data } = yield* Configuration.load(flags)
      const owner = yield* DataFolder.look(data)
      if (owner === null) return yield* nobody(data)
      const statuses = yield* (yield* RemoteWeir.make(data, owner)).statuses
      yield* process.print(statuses.map(lineOf).join(""))
      return statuses.some(({ state }) => unwell.has(state)) ? 1 : 0
    })
)

const lineOf = ({ job, reason, state }: JobStatus): string =>
  `job ${job} is ${state}${reason === null || !unwell.has(state) ? "" : `: ${reason.message}`}\n`

const nobody = (folder: string) =>
  new SourceUnavailable({
    source: folder,
    message: `No process has the data folder ${folder}`,
    hint: "Start one with `weir start`, or name the folder of the one that runs with --data or WEIR_DATA."
  })
