/**
 * Patience with other systems: what one of them does not answer is asked again where it was asked, before it is a
 * failure. Whoever hosts a job hears what it waits for, and when that is over.
 */
import { Context, Effect, Exit, Schedule } from "effect"
import type { Explained } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"

export type Trouble = Explained & Error

export interface Listener {
  /** What is asked at this place is not answered; told once, however often it is asked again. */
  readonly begins: (place: object, trouble: Trouble) => Effect.Effect<void>
  /** It is answered; or, if it is not `answered`, nobody waits for it any more. */
  readonly ends: (place: object, answered: boolean) => Effect.Effect<void>
}

/** Who hears of what is waited for; nobody, where none is provided. */
export class Watch extends Context.Reference<Watch>()("weir/flow/Patience/Watch", {
  defaultValue: (): Listener => ({ begins: () => Effect.void, ends: () => Effect.void })
}) {}

/** Of failures of another system, those that may pass by themselves. */
export const isOutage = (error: Explained): boolean => error.retry && error.fault === "external"

/**
 * Tries an action again while it fails with an outage, less and less often, for `Limits.outageMillisMax` and
 * at least `Limits.outageTriesMin` times. The second
 * failure in a row is told: the first is over before anyone could look.
 */
export const patiently = <A, E extends Trouble, R>(action: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  waiting((error: E) => (isOutage(error) ? error : null))(action)

/** The same for failures of another kind; `troubleOf` tells which of them are outages, in our words. */
export const waiting =
  <E>(troubleOf: (error: E) => Trouble | null) =>
  <A, R>(action: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(Watch, (watch) => {
      const place = {}
      let failures = 0
      const failed = (error: E): Effect.Effect<void> =>
        Effect.suspend(() => {
          const trouble = troubleOf(error)
          if (trouble === null || ++failures !== 2) return Effect.void
          return watch.begins(place, trouble)
        })
      return action.pipe(
        Effect.tapError(failed),
        Effect.retry({ while: (error) => troubleOf(error) !== null, schedule }),
        Effect.onExit((exit) => (failures < 2 ? Effect.void : watch.ends(place, Exit.isSuccess(exit))))
      )
    })

// Private

/** Where one attempt takes longer than all the time there is, as with a system that is silent, some more are made. */
const schedule = Schedule.exponential(Limits.outageRetryMillis).pipe(
  Schedule.either(Schedule.spaced(Limits.outageRetryMillisMax)),
  Schedule.jittered,
  Schedule.intersect(
    Schedule.union(Schedule.upTo(Schedule.forever, Limits.outageMillisMax), Schedule.recurs(Limits.outageTriesMin))
  )
)
