/** When an epoch ends. */
import { Duration } from "effect"
import type { DurationInput } from "./Window.ts"

export type Trigger = { readonly kind: "every"; readonly intervalMillis: number } | { readonly kind: "availableNow" }

/** An epoch ends each `interval`, if anything came. The job runs until it is stopped. */
export const every = (interval: DurationInput): Trigger => {
  const intervalMillis = Duration.toMillis(interval)
  if (!(intervalMillis >= 1)) throw new RangeError("Trigger.every: the interval must be at least 1 millisecond")
  return { kind: "every", intervalMillis }
}

/** Reads what is there when the job starts, commits it, and ends. */
export const availableNow: Trigger = { kind: "availableNow" }

/** As `--set trigger=` takes it: `1s`, `availableNow`. */
export const toText = (trigger: Trigger): string =>
  trigger.kind === "every" ? Duration.format(trigger.intervalMillis) : "availableNow"

export const format = (trigger: Trigger): string =>
  trigger.kind === "every" ? `every ${Duration.format(trigger.intervalMillis)}` : "available now"
