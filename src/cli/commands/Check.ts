/** `weir check`: what a start of the code that is here would do with the last checkpoint, without starting it. */
import { Effect } from "effect"
import type { Configured, Job } from "../../flow/Job.ts"
import { type InvalidJob, isExplained } from "../../model/Errors.ts"
import * as Restorability from "../../runtime/Restorability.ts"
import * as Output from "../Output.ts"
import { Process } from "../Process.ts"
import * as Project from "../Project.ts"
import * as RestorabilityText from "../RestorabilityText.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import { settingsOf } from "../Values.ts"

export const check = Usage.command(
  "check",
  "says, without starting, whether this code can take up the last checkpoint",
  {
    job: Usage.argument("job", "the name of a job"),
    set: Usage.texts("set", "NAME=VALUE", "a parameter, as `weir run` takes it"),
    "drop-state": Usage.texts("drop-state", "STEP", "as `weir run` takes it"),
    "from-savepoint": Usage.text("from-savepoint", "NAME", "looks at this savepoint instead"),
    format: Output.format,
    data: Session.data
  },
  ({ job: name, set, "drop-state": dropState, "from-savepoint": savepoint, format, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const job = yield* Project.job(name)
      const configured = yield* job.configure(yield* settingsOf(set))
      const code = yield* codeOf(job, configured)
      const { kept, statuses } = yield* Session.use({ data }, (weir) =>
        Effect.all({ kept: weir.checkpoint(job.name, savepoint ?? null), statuses: weir.statuses })
      )
      const verdict = Restorability.judge(kept, code, dropState)
      const wrong = Restorability.misnamed(Restorability.droppable(verdict), dropState)
      if (wrong !== null) return yield* wrong
      yield* Output.print(format, listing(verdict))
      const also = RestorabilityText.isRunning(statuses, job.name)
        ? RestorabilityText.runningSays(job.name)
        : RestorabilityText.openSays(job.name, kept?.intents ?? [])
      yield* process.report(sentenceOf(verdict, also))
      return verdict.refusal === null ? 0 : 1
    })
)

/** The code that is here is judged, not the one that a daemon has loaded: it is what the next start runs. */
export const codeOf = (job: Job, configured: Configured): Effect.Effect<Restorability.Code, InvalidJob> =>
  Effect.try({
    try: () => Restorability.codeOf(job, configured),
    catch: (error) => error as InvalidJob
  }).pipe(Effect.catchIf((error) => !isExplained(error), Effect.die))

const listing = ({ parts }: Restorability.Verdict): Output.Listing => ({
  columns: ["part", "id", "fate", "says"],
  rows: parts.map(({ fate, id, part, says }) => [part, id, fate, says]),
  values: parts
})

const sentenceOf = ({ epoch, job, refusal, warnings }: Restorability.Verdict, also: string): string => {
  if (epoch === null) return `Job ${job} has no checkpoint: its next start begins anew.\n`
  if (refusal !== null) return `${refusal.message}.\n${refusal.hint}\n`
  const sentences = [`Job ${job} goes on from epoch ${epoch} with this code.`, ...warnings, also]
  return sentences.flatMap((sentence) => (sentence === "" ? [] : [`${sentence}\n`])).join("")
}
