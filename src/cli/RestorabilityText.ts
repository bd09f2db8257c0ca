/** Whether code can take up a checkpoint, in lines for a person. */
import type { JobStatus } from "../observe/Progress.ts"
import type { Verdict } from "../runtime/Restorability.ts"

/** One line where all goes on as it was; else one for each part, and the way out of a refusal. */
export const lines = (verdict: Verdict, intents: ReadonlyArray<number>): ReadonlyArray<string> => {
  const { epoch, job, parts, refusal } = verdict
  if (epoch === null) return [`Job ${job} has no checkpoint: its next start begins anew.`]
  const open = openSays(job, intents)
  const last = open === "" ? [] : [open]
  if (parts.every(({ fate }) => fate === "kept"))
    return [`This code can restore epoch ${epoch}: every step, lookup, source and sink goes on.`, ...last]
  return [
    `This code ${refusal === null ? "can" : "cannot"} restore epoch ${epoch}:`,
    ...parts.map(
      ({ fate, id, part, refuses, says }) => `  ${part} ${id}: ${fate}${refuses ? ", refused" : ""}: ${says}`
    ),
    ...(refusal === null ? last : [refusal.hint])
  ]
}

/** Does somebody run the job? Then it is always in the middle of an epoch, and ends that when it is stopped. */
export const isRunning = (statuses: ReadonlyArray<JobStatus>, job: string): boolean =>
  statuses.some((status) => status.job === job && !["stopped", "finished", "failed", "paused"].includes(status.state))

export const runningSays = (job: string): string =>
  `It runs, with the code that it was started with: \`weir stop ${job}\` ends the epoch that is under way before this code takes it up.`

/** Of epochs that were begun after the checkpoint of a job that does not run; empty: there are none. */
export const openSays = (job: string, intents: ReadonlyArray<number>): string =>
  intents.length === 0
    ? ""
    : `It ended in the middle of epoch ${intents.join(", ")}: a start computes that again, and fails if this code gives other rows than were written. The code that began it ends it with \`weir run ${job} --available-now\`.`
