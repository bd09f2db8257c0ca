/** What a function of the job threw, as an error that names the step and the record. */
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
  const what = error instanceof Error ? error.message : String(error)
  return new StepFailed({
    step,
    message: `Step '${step}' failed at ${place.origin}, partition ${place.partition}, offset ${offset}: ${what}`,
    hint: "A function of this step threw: make it accept every event that decodes."
  })
}
