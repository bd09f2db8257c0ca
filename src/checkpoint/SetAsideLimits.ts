/**
 * Stops a job that sets too much aside, after the epoch is committed: nothing is lost, nothing is counted twice, and the
 * next start goes on behind it.
 *
 * What was set aside before and came again is not counted: a replay of what still fails stops nothing.
 */
import { Effect } from "effect"
import type { DeadLetterLimits, LateLimits } from "../flow/Job.ts"
import { DeadLetterLimitExceeded, DeadLetterRateExceeded, LateLimitExceeded } from "../model/Errors.ts"
import type { Millis } from "../model/Time.ts"
import type { EpochFacts } from "./EpochFacts.ts"

export interface SetAsideLimits {
  readonly deadLetters: DeadLetterLimits
  readonly late: LateLimits
}

/** What was set aside in an epoch, of all that it read. */
export interface SetAside {
  readonly epoch: number
  readonly closedAt: Millis
  readonly records: number
  readonly deadLetters: number
  readonly late: number
}

export type LimitExceeded = DeadLetterLimitExceeded | DeadLetterRateExceeded | LateLimitExceeded

export const setAsideOf = ({ again, deadLetters, late, manifest, recordsIn }: EpochFacts): SetAside => ({
  epoch: manifest.epoch,
  closedAt: manifest.closedAt,
  records: recordsIn,
  deadLetters: deadLetters - (again?.deadLetters ?? 0),
  late: late - (again?.late ?? 0)
})

/** Judges epoch after epoch of one life of a job, in their order. */
export const make = (
  job: string,
  limits: SetAsideLimits
): ((epoch: SetAside) => Effect.Effect<void, LimitExceeded>) => {
  let minute: ReadonlyArray<SetAside> = []
  return (epoch) => {
    minute = [...minute.filter(({ closedAt }) => closedAt > epoch.closedAt - minuteMillis), epoch]
    return judge(job, limits, epoch, minute)
  }
}

// Private

const minuteMillis = 60_000

const judge = (
  job: string,
  { deadLetters, late }: SetAsideLimits,
  epoch: SetAside,
  minute: ReadonlyArray<SetAside>
): Effect.Effect<void, LimitExceeded> => {
  const { records } = epoch
  if (isOver(epoch.deadLetters, records, deadLetters))
    return new DeadLetterLimitExceeded({
      job,
      share: epoch.deadLetters / records,
      shareMax: deadLetters.shareMax,
      message: `Job ${job}: ${epoch.deadLetters} of ${records} records of epoch ${epoch.epoch} could not be used, more than the allowed share of ${deadLetters.shareMax}`,
      hint: `The epoch is committed and nothing is lost: look at them with \`weir dead-letters ${job}\`, mend the producer or the job, and start it again; \`--replay\` puts them through the mended job.`
    })
  const perMinute = minute.reduce((sum, one) => sum + one.deadLetters, 0)
  const perMinuteMax = deadLetters.perMinuteMax ?? Number.POSITIVE_INFINITY
  if (perMinute > perMinuteMax)
    return new DeadLetterRateExceeded({
      job,
      perMinute,
      perMinuteMax,
      message: `Job ${job}: ${perMinute} records of the last minute could not be used, up to epoch ${epoch.epoch}: more than the allowed ${perMinuteMax}`,
      hint: `The epoch is committed and nothing is lost: look at them with \`weir dead-letters ${job}\`, mend the producer or the job, and start it again; \`--replay\` puts them through the mended job.`
    })
  if (isOver(epoch.late, records, late))
    return new LateLimitExceeded({
      job,
      share: epoch.late / records,
      shareMax: late.shareMax,
      message: `Job ${job}: ${epoch.late} events of the ${records} records of epoch ${epoch.epoch} were late, more than the allowed share of ${late.shareMax}`,
      hint: `The epoch is committed: \`weir explain ${job}\` shows the watermark of each partition. Give the job more maxOutOfOrderness or allowedLateness, or mend the producer, and start it again.`
    })
  return Effect.void
}

const isOver = (count: number, records: number, limits: LateLimits): boolean =>
  limits.shareMax < 1 && count >= limits.atLeast && count > records * limits.shareMax
