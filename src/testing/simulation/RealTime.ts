/** The real time in which worlds are tried; a test may have put another clock in its place. */
import { Clock, Effect } from "effect"

/** Milliseconds since 1970. */
export const now = (): number => Clock.make().unsafeCurrentTimeMillis()

/** Lets others have their turn: a world takes no time but the processor's. */
export const turn: Effect.Effect<void> = Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 0)))
