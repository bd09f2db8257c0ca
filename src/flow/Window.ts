/** Which windows an event time falls into. A window is `[start, end)`; its columns are `windowStart` and `windowEnd`. */
import { Duration } from "effect"
import type { Instant } from "../model/Columns.ts"
import * as Limits from "../model/Limits.ts"

/** Never a bare number: the unit is in the text. */
export type DurationInput = Duration.Duration | `${number} ${Duration.Unit}`

export type Window =
  | { readonly kind: "tumbling"; readonly sizeMillis: number }
  | { readonly kind: "sliding"; readonly sizeMillis: number; readonly everyMillis: number }
  | { readonly kind: "session"; readonly gapMillis: number }

export interface WindowBounds {
  readonly windowStart: Instant
  readonly windowEnd: Instant
}

/** Windows of equal size side by side, aligned to 1970-01-01T00:00:00Z. */
export const tumbling = (size: DurationInput): Window => ({ kind: "tumbling", sizeMillis: millis("size", size) })

/** Windows of `size`, one begun each `every`: an event falls into `size / every` of them. */
export const sliding = (size: DurationInput, every: DurationInput): Window => {
  const window = { kind: "sliding", sizeMillis: millis("size", size), everyMillis: millis("every", every) } as const
  if (window.everyMillis > window.sizeMillis)
    throw new RangeError("Window.sliding: `every` is longer than `size`, so events between two windows would be lost")
  if (window.sizeMillis / window.everyMillis > Limits.windowsPerEventMax) {
    throw new RangeError(
      `Window.sliding: an event would fall into more than ${Limits.windowsPerEventMax} windows: make \`every\` longer`
    )
  }
  return window
}

/** Windows of one key that grow while events come less than `gap` after each other: one just `gap` later begins another. */
export const session = (gap: DurationInput): Window => ({ kind: "session", gapMillis: millis("gap", gap) })

/** As the drawing shows it: `tumbling 1m`. */
export const format = (window: Window): string => {
  switch (window.kind) {
    case "tumbling":
      return `tumbling ${Duration.format(window.sizeMillis)}`
    case "sliding":
      return `sliding ${Duration.format(window.sizeMillis)} every ${Duration.format(window.everyMillis)}`
    case "session":
      return `session ${Duration.format(window.gapMillis)}`
  }
}

const millis = (name: string, duration: DurationInput): number => {
  const count = Duration.toMillis(duration)
  if (!(Number.isInteger(count) && count > 0))
    throw new RangeError(
      `Window: ${name} must be a whole number of milliseconds above 0, not ${Duration.format(duration)}`
    )
  if (count > Limits.windowMillisMax) throw new RangeError(`Window: ${name} must not exceed 36525 days`)
  return count
}
