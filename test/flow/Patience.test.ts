import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, TestClock } from "effect"
import * as Patience from "../../src/flow/Patience.ts"
import { AccessRefused, StatementRefused, TablesUnavailable } from "../../src/model/Errors.ts"
import * as Limits from "../../src/model/Limits.ts"

const sentence = { message: "It is away.", hint: "Start it." }
const away = new TablesUnavailable({ ...sentence, code: "08006" })

/** An action that fails its first `times` times, and what a listener hears of it. */
const asked = (times: number, error: Patience.Trouble = away) => {
  const heard: Array<string> = []
  const said = { times: 0 }
  const action = Effect.suspend(() => (said.times++ < times ? Effect.fail(error) : Effect.succeed("an answer")))
  const watch: Patience.Listener = {
    begins: (_, trouble) => Effect.sync(() => void heard.push(`begins ${trouble._tag} at ${said.times}`)),
    ends: (_, answered) => Effect.sync(() => void heard.push(answered ? "answered" : "given up"))
  }
  return { heard, said, answer: Effect.provideService(Patience.patiently(action), Patience.Watch, watch) }
}

describe("patiently", () => {
  it.effect("tells of an outage once, and of its end", () =>
    Effect.gen(function* () {
      const { answer, heard, said } = asked(20)
      const fiber = yield* Effect.fork(answer)
      yield* TestClock.adjust("30 seconds")
      expect(yield* Fiber.join(fiber)).toBe("an answer")
      expect(said.times).toBe(21)
      expect(heard).toEqual(["begins TablesUnavailable at 2", "answered"])
    })
  )

  it.effect("asks some more times where each attempt takes longer than an outage may", () =>
    Effect.gen(function* () {
      const silent = (times: number) => {
        const said = { times: 0 }
        const attempt = Effect.suspend(() => (said.times++ < times ? Effect.fail(away) : Effect.succeed("an answer")))
        return { said, answer: Patience.patiently(Effect.delay(attempt, 2 * Limits.outageMillisMax)) }
      }
      const answered = silent(Limits.outageTriesMin)
      const fiber = yield* Effect.fork(answered.answer)
      yield* TestClock.adjust("1 hour")
      expect(yield* Fiber.join(fiber)).toBe("an answer")
      const given = silent(100)
      const other = yield* Effect.fork(Effect.flip(given.answer))
      yield* TestClock.adjust("1 hour")
      expect(yield* Fiber.join(other)).toBe(away)
      expect(given.said.times).toBe(Limits.outageTriesMin + 1)
    })
  )

  it.effect("says nothing of one failure alone", () =>
    Effect.gen(function* () {
      const { answer, heard } = asked(1)
      const fiber = yield* Effect.fork(answer)
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toBe("an answer")
      expect(heard).toEqual([])
    })
  )

  it.effect("gives up after its time, with the failure", () =>
    Effect.gen(function* () {
      const { answer, heard, said } = asked(Number.POSITIVE_INFINITY)
      const fiber = yield* Effect.fork(Effect.flip(answer))
      yield* TestClock.adjust(Duration.millis(Limits.outageMillisMax - 2 * Limits.outageRetryMillisMax))
      expect(fiber.unsafePoll()).toBe(null)
      yield* TestClock.adjust(Duration.millis(4 * Limits.outageRetryMillisMax))
      expect(yield* Fiber.join(fiber)).toBe(away)
      expect(said.times).toBeGreaterThan(40)
      expect(heard).toEqual(["begins TablesUnavailable at 2", "given up"])
    })
  )

  it.effect.each([
    ["a refusal", new StatementRefused({ ...sentence, code: "23505", statement: "insert" })],
    ["a user who is let in no more", new AccessRefused({ ...sentence, system: "database" })]
  ] as const)("does not wait where there is %s", ([, error]) =>
    Effect.gen(function* () {
      const { answer, heard, said } = asked(1, error)
      expect(yield* Effect.flip(answer)).toBe(error)
      expect([said.times, heard]).toEqual([1, []])
    })
  )
})
