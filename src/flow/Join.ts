/** How far apart the events that a join brings together may be, and which events it gives without a partner. */
import { Duration } from "effect"
import * as Limits from "../model/Limits.ts"
import type { HasEventTime, KeyOf, NoOpenWindow, Refuses } from "./Brands.ts"
import type { Flow } from "./steps/Step.ts"
import type { DurationInput } from "./Window.ts"

/** `inner`: pairs only; `left`: left events without a partner too; `outer`: those of both sides. */
export type JoinType = "inner" | "left" | "outer"

/** `inner`: events that find a version; `left`: all of them. */
export type TemporalType = "inner" | "left"

/** How much earlier (`before`) and later (`after`) than the left event its partner may be; one duration: both. */
export type Within = DurationInput | { readonly before: DurationInput; readonly after: DurationInput }

export interface Bounds {
  readonly beforeMillis: number
  readonly afterMillis: number
}

/** A row of a join. What may be without a partner is `null` then. */
export interface Joined<out A, out A2, out T extends JoinType> {
  readonly left: T extends "outer" ? A | null : A
  readonly right: T extends "inner" ? A2 : A2 | null
}

/** What can be joined. */
export type Events = Refuses<"changes", "a join takes events, not changes: put Flow.emit(onClose) before it"> &
  NoOpenWindow

/** The columns of both keys must be the same, by name and type; if not, the message shows both keys. */
export type SameKey<B, B2> = [KeyOf<B>, KeyOf<B2>] extends [KeyOf<B2>, KeyOf<B>]
  ? unknown
  : {
      readonly brands: { readonly isKeyed: { readonly "both flows need the same key": readonly [KeyOf<B>, KeyOf<B2>] } }
    }

/** `late` and `lateOther` are the events of the first and of the other flow that came too late. */
export interface JoinResult<out A, out E, out R, out Late, out LateOther> extends Flow<A, E, R, HasEventTime> {
  readonly late: Late
  readonly lateOther: LateOther
}

export type Joining<A, B, A2, B2, T extends JoinType, E, R> = JoinResult<
  Joined<A, A2, T>,
  E,
  R,
  Flow<A, E, R, B>,
  Flow<A2, E, R, B2>
>

/** Throws `RangeError` for what is no time that an event can be waited for. */
export const boundsOf = (within: Within): Bounds =>
  typeof within === "string" || Duration.isDuration(within)
    ? { beforeMillis: millisOf("within", within), afterMillis: millisOf("within", within) }
    : { beforeMillis: millisOf("before", within.before), afterMillis: millisOf("after", within.after) }

/** Milliseconds of a duration for which events are kept; throws `RangeError` if they are not whole or too many. */
export const millisOf = (name: string, duration: DurationInput): number => {
  const millis = Duration.toMillis(duration)
  if (!Number.isInteger(millis) || millis > Limits.windowMillisMax)
    throw new RangeError(
      `A join: ${name} must be a whole number of milliseconds and at most 36525 days, not ${Duration.format(duration)}`
    )
  return millis
}

/** As the drawing shows it: `within 10m`, or `5m before to 10m after`. */
export const format = ({ afterMillis, beforeMillis }: Bounds): string =>
  beforeMillis === afterMillis
    ? `within ${Duration.format(beforeMillis)}`
    : `${Duration.format(beforeMillis)} before to ${Duration.format(afterMillis)} after`
