/** What a function of the job threw, as an error that names the step and the record or the epoch. */
import { isExplained, StepFailed } from "../model/Errors.ts"
import type { Offset } from "../model/Event.ts"

/** Where a batch's values came from. */
interface Place {
  readonly origin: string
  readonly partition: number
}

/** `StepFailed` with the record's address; an error that explains itself goes through as it is. */
export const stepFailed = (step: string, place: Place, offset: Offset, error: unknown): Error => {
  if (isExplained(error)) return error
  const { origin: source, partition } = place
  return failed(step, `at ${source}, partition ${partition}, offset ${offset}`, error, { source, partition, offset })
}

/** `StepFailed` where a function threw on what is kept, not on an event; an error that explains itself goes through. */
export const stepFailedAtBarrier = (step: string, epoch: number, error: unknown): Error =>
  isExplained(error) ? error : failed(step, `at the end of epoch ${epoch}`, error, { epoch })

const failed = (step: string, where: string, error: unknown, at: Readonly<Record<string, string | number>>) =>
  new StepFailed({
    step,
    ...at,
    message: `Step '${step}' failed ${where}: ${error instanceof Error ? error.message : String(error)}`,
    hint: "A function of this step threw: make it accept every event that decodes."
  })
