/**
 * A case of a conformance suite: a sentence about an implementation, and what shows that it is true. Any test runner can
 * run it, since it is nothing but a name and an effect:
 *
 *     for (const { name, run } of suite) test(name, () => Effect.runPromise(Effect.scoped(run)))
 */
import type { Effect, Scope } from "effect"

/**
 * `run` fails with what was expected and what was found instead. `Needs` is the service that is tested, where the cases
 * of a suite share one: what they write is named after each case. Cases of one suite run one after the other.
 */
export interface Case<Needs = never> {
  readonly name: string
  readonly run: Effect.Effect<void, unknown, Needs | Scope.Scope>
}
