/** A failure of a job as a person is told it: which job, and, in fields of a log line, which step and which record. */
import { Cause } from "effect"
import { Defect, type Explained, isExplained } from "../model/Errors.ts"

/** The error of a cause, with the job that it happened in; a defect is explained as one. */
export const explain = (job: string, cause: Cause.Cause<unknown>): Explained & Error => {
  const error = Cause.squash(cause)
  return isExplained(error)
    ? inJob(job, error)
    : new Defect({
        message: `Job ${job}: ${error instanceof Error ? error.message : String(error)}`,
        hint: "This looks like a defect of Weir; run again with --log-level debug to see where."
      })
}

/** Fields that say where it happened, of those that an error may have. */
const places = ["step", "sink", "source", "topic", "table", "partition", "offset", "epoch"] as const

/** Where it happened, by name: for a line of the log. */
export const placeOf = (error: Explained & Error): Readonly<Record<string, string | number>> =>
  Object.fromEntries(
    places.flatMap((name) => {
      const value = (error as unknown as Readonly<Record<string, unknown>>)[name]
      return typeof value === "string" || typeof value === "number" ? [[name, value] as const] : []
    })
  )

/** The same error; its sentence begins with the job, unless it names it already. */
const inJob = (job: string, error: Explained & Error): Explained & Error => {
  if (error.message.toLowerCase().includes(`job ${job.toLowerCase()}`)) return error
  const own = Object.getOwnPropertyDescriptors(error)
  const message = { ...own.message, value: `Job ${job}: ${error.message}` }
  return Object.create(Object.getPrototypeOf(error), { ...own, message })
}
