import { describe, expect, it } from "@effect/vitest"
import { Effect, Either } from "effect"
import * as SetAsideLimits from "../../src/checkpoint/SetAsideLimits.ts"

const none = { shareMax: 1, atLeast: 10 }

/** The tags of what each epoch, given as `[seconds, records, deadLetters, late]`, leads to; `null`: it may go on. */
const judged = (
  limits: Partial<SetAsideLimits.SetAsideLimits>,
  ...epochs: ReadonlyArray<readonly [number, number, number, number]>
): ReadonlyArray<string | null> => {
  const judge = SetAsideLimits.make("orders", { deadLetters: none, late: none, ...limits })
  return epochs.map(([seconds, records, deadLetters, late], epoch) => {
    const verdict = Effect.runSync(
      Effect.either(judge({ epoch, closedAt: seconds * 1_000, records, deadLetters, late }))
    )
    return Either.isLeft(verdict) ? verdict.left._tag : null
  })
}

describe("limits of what is set aside", () => {
  it.each([
    ["all of an epoch", {}, [0, 20, 20, 20], null],
    ["rows of windows, in an epoch without records", {}, [0, 0, 50, 50], null],
    ["a share at its limit", { deadLetters: { shareMax: 0.5, atLeast: 10 } }, [0, 20, 10, 0], null],
    ["a share above it", { deadLetters: { shareMax: 0.5, atLeast: 10 } }, [0, 20, 11, 0], "DeadLetterLimitExceeded"],
    ["one of one", { deadLetters: { shareMax: 0.1, atLeast: 10 } }, [0, 1, 1, 0], null],
    [
      "one of one that is to stop",
      { deadLetters: { shareMax: 0, atLeast: 1 } },
      [0, 1, 1, 0],
      "DeadLetterLimitExceeded"
    ],
    ["a share of late events", { late: { shareMax: 0.1, atLeast: 5 } }, [0, 20, 0, 5], "LateLimitExceeded"],
    ["fewer late events than count", { late: { shareMax: 0.1, atLeast: 5 } }, [0, 20, 0, 4], null]
  ] as const)("judge %s", (_, limits, epoch, verdict) => {
    expect(judged(limits, epoch)).toEqual([verdict])
  })

  it("count dead letters over the epochs of one minute", () => {
    const deadLetters = { ...none, perMinuteMax: 10 }
    expect(judged({ deadLetters }, [0, 1e6, 6, 0], [59, 1e6, 5, 0])).toEqual([null, "DeadLetterRateExceeded"])
    expect(judged({ deadLetters }, [0, 1e6, 6, 0], [60, 1e6, 5, 0], [61, 1e6, 5, 0])).toEqual([null, null, null])
  })
})
