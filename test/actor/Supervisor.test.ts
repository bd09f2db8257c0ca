import { it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Option, type Scope, TestClock } from "effect"
import { describe, expect, test } from "vitest"
import * as Actor from "../../src/actor/Actor.ts"
import * as Supervisor from "../../src/actor/Supervisor.ts"
import * as Errors from "../../src/model/Errors.ts"

const sentence = { message: "It broke.", hint: "Mend it." }
const lost = new Errors.TablesUnavailable({ ...sentence, code: "08006" })
const userFault = new Errors.StepFailed({ ...sentence, step: "s" })

/** A listener that keeps what it heard, with a word for each state. */
const listening = () => {
  const heard: Array<string> = []
  const states: Array<Supervisor.State> = []
  const listener = (name: string, state: Supervisor.State) =>
    Effect.sync(() => {
      heard.push(`${name} ${state._tag} ${state.restarts}`)
      states.push(state)
    })
  return { heard, states, listener }
}

/** A life that fails its first `times` times. */
const failing = <E>(times: number, error: E) => {
  const lives = { count: 0 }
  const life = Effect.suspend(() => (lives.count++ < times ? Effect.fail(error) : Effect.void))
  return { lives, life }
}

describe("decide", () => {
  test.each([
    ["an external failure that may pass", Cause.fail(lost), "restart"],
    ["a defect", Cause.die(new Error("impossible")), "restart"],
    ["an internal failure", Cause.fail(new Errors.Defect(sentence)), "restart"],
    ["an error without data", Cause.fail("text"), "restart"],
    ["a fault of the user", Cause.fail(userFault), "escalate"],
    ["a full disk", Cause.fail(new Errors.StorageFailed({ ...sentence, path: "p" })), "escalate"]
  ] as const)("%s: %s → %s", (_, cause, directive) => {
    expect(Supervisor.decide(cause)).toBe(directive)
  })
})

describe("supervise", () => {
  it.effect("restarts after a growing wait, with jitter, and reports each change", () =>
    Effect.gen(function* () {
      const { heard, states, listener } = listening()
      const { life, lives } = failing(3, lost)
      const fiber = yield* Effect.fork(Supervisor.supervise("job", life, { listener, backoff: "1 second" }))
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      expect(lives.count).toBe(4)
      expect(heard).toEqual([
        "job Running 0",
        "job BackingOff 1",
        "job Running 1",
        "job BackingOff 2",
        "job Running 2",
        "job BackingOff 3",
        "job Running 3",
        "job Stopped 3"
      ])
      const untils = states.flatMap((state) => (state._tag === "BackingOff" ? [state.until] : []))
      const waits = untils.map((until, index) => until - (untils[index - 1] ?? 0))
      for (const [index, wait] of waits.entries()) {
        expect(wait).toBeGreaterThanOrEqual(500 * 2 ** index)
        expect(wait).toBeLessThanOrEqual(1000 * 2 ** index)
      }
    })
  )

  it.effect("does not restart before the wait is over", () =>
    Effect.gen(function* () {
      const { life, lives } = failing(1, lost)
      yield* Effect.fork(Supervisor.supervise("job", life, { backoff: "10 seconds", backoffMax: "10 seconds" }))
      yield* TestClock.adjust("4999 millis")
      expect(lives.count).toBe(1)
      yield* TestClock.adjust("5001 millis")
      expect(lives.count).toBe(2)
    })
  )

  it.effect("fails with the last cause when the restart budget is spent", () =>
    Effect.gen(function* () {
      const { heard, listener } = listening()
      const { life, lives } = failing(100, lost)
      const options = { listener, intensity: 2, period: "1 minute", backoff: "1 second" } as const
      const fiber = yield* Effect.fork(Effect.flip(Supervisor.supervise("job", life, options)))
      yield* TestClock.adjust("1 minute")
      const error = yield* Fiber.join(fiber)
      expect(error).toMatchObject({ _tag: "RestartBudgetSpent", actor: "job", restarts: 2, retry: false })
      expect((error as Errors.RestartBudgetSpent).cause).toBe(lost)
      expect(lives.count).toBe(3)
      expect(heard.at(-1)).toBe("job Failed 2")
    })
  )

  it.effect("forgets restarts that are older than the period", () =>
    Effect.gen(function* () {
      const lives = { count: 0 }
      const life = Effect.suspend(() => {
        lives.count += 1
        return Effect.delay(Effect.fail(lost), "2 minutes")
      })
      const fiber = yield* Effect.fork(Supervisor.supervise("job", life, { intensity: 1, period: "1 minute" }))
      yield* TestClock.adjust("1 hour")
      expect(lives.count).toBeGreaterThan(20)
      yield* Fiber.interrupt(fiber)
    })
  )

  it.effect("treats a defect as a failure, and a fault of the user as final", () =>
    Effect.gen(function* () {
      const lives = { count: 0 }
      const life = Effect.suspend(() =>
        lives.count++ === 0 ? Effect.die(new Error("impossible")) : Effect.fail(userFault)
      )
      const fiber = yield* Effect.fork(Effect.flip(Supervisor.supervise("job", life)))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(fiber)).toBe(userFault)
      expect(lives.count).toBe(2)
    })
  )

  it.effect("does not treat interruption as a failure, also while it backs off", () =>
    Effect.gen(function* () {
      const { heard, listener } = listening()
      const { life } = failing(1, lost)
      const fiber = yield* Effect.fork(Supervisor.supervise("job", life, { listener }))
      yield* Effect.repeatN(Effect.yieldNow(), 20)
      yield* Fiber.interrupt(fiber)
      expect(heard).toEqual(["job Running 0", "job BackingOff 1", "job Stopped 1"])
    })
  )

  it.effect("does not restart a life that interrupted itself", () =>
    Effect.gen(function* () {
      const { heard, listener } = listening()
      const exit = yield* Effect.exit(Supervisor.supervise("job", Effect.interrupt, { listener }))
      expect(Exit.isInterrupted(exit)).toBe(true)
      expect(heard).toEqual(["job Running 0", "job Stopped 0"])
    })
  )

  it.effect("releases the resources of a life before the next begins", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const { life } = failing(1, lost)
      const owning = Effect.zipRight(
        Effect.acquireRelease(
          Effect.sync(() => log.push("open")),
          () =>
            Effect.zipRight(
              Effect.sleep("5 seconds"),
              Effect.sync(() => log.push("close"))
            )
        ),
        life
      )
      const fiber = yield* Effect.fork(Supervisor.supervise("job", owning))
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(fiber)
      expect(log).toEqual(["open", "close", "open", "close"])
    })
  )
})

describe("oneForAll", () => {
  /** An actor that logs its life and ends when `until` does. */
  const logging = <E>(name: string, log: Array<string>, until: Effect.Effect<void, E>) =>
    Actor.make<string, E, never>(name, () =>
      Effect.acquireRelease(
        Effect.sync(() => log.push(`+${name}`)),
        () =>
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => log.push(`-${name}`))
          )
      ).pipe(Effect.zipRight(until), Effect.scoped)
    )

  it.effect("stops all in reverse order after one failure, then makes them anew", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const lives = { count: 0 }
      const children = Effect.gen(function* () {
        lives.count += 1
        const first = lives.count === 1
        const all = yield* Deferred.make<void>()
        const waiting = first ? Effect.never : Effect.void
        return [
          logging("sink", log, waiting),
          logging("window", log, first ? Effect.zipRight(Deferred.await(all), Effect.fail(lost)) : Effect.void),
          logging("source", log, Effect.zipRight(Deferred.succeed(all, undefined), waiting))
        ]
      })
      const fiber = yield* Effect.fork(Supervisor.oneForAll("job", children))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      expect(lives.count).toBe(2)
      expect(log.slice(0, 3)).toEqual(["+sink", "+window", "+source"])
      expect(log.slice(3, 6).filter((line) => line !== "-window")).toEqual(["-source", "-sink"])
      expect(log.slice(6, 9)).toEqual(["+sink", "+window", "+source"])
      expect(log.length).toBe(12)
    })
  )

  it.effect("reports the first failure, not the closed mailbox that followed from it", () =>
    Effect.gen(function* () {
      const children = Effect.sync(() => {
        const sink = Actor.make<number, Errors.StepFailed, never>("sink", () => Effect.fail(userFault), {
          messagesMax: 1
        })
        const source = Actor.make<number, Errors.MailboxClosed, never>("source", () =>
          Effect.forever(sink.mailbox.send(1))
        )
        return [sink, source] as ReadonlyArray<Actor.AnyActor<Errors.StepFailed | Errors.MailboxClosed>>
      })
      expect(yield* Effect.flip(Supervisor.oneForAll("job", children))).toBe(userFault)
    })
  )

  it.effect("reports the first failure, not the one that releasing its resources brought about", () =>
    Effect.gen(function* () {
      const children = Effect.gen(function* () {
        const released = yield* Deferred.make<void>()
        const first = Actor.make<never, Errors.StepFailed, Scope.Scope>("first", () =>
          Effect.zipRight(
            Effect.addFinalizer(() => Effect.zipRight(Deferred.succeed(released, undefined), Effect.sleep("1 second"))),
            Effect.fail(userFault)
          )
        )
        const second = Actor.make<never, Errors.TablesUnavailable, never>("second", () =>
          Effect.zipRight(Deferred.await(released), Effect.fail(lost))
        )
        return [first, second] as ReadonlyArray<Actor.AnyActor<Errors.StepFailed | Errors.TablesUnavailable>>
      })
      const fiber = yield* Effect.fork(Effect.flip(Supervisor.oneForAll("job", children)))
      yield* TestClock.adjust("1 minute")
      expect(yield* Fiber.join(fiber)).toBe(userFault)
    })
  )

  it.effect("restarts when the factory itself fails", () =>
    Effect.gen(function* () {
      const { life, lives } = failing(2, lost)
      const fiber = yield* Effect.fork(
        Supervisor.oneForAll("job", Effect.as(life, [] as ReadonlyArray<Actor.AnyActor<never>>))
      )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      expect(lives.count).toBe(3)
    })
  )

  it.effect("survives a hundred failures at random places, each life complete, none overlapping", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const names = ["a", "b", "c", "d", "e"]
      let lives = 0
      const children = Effect.sync((): ReadonlyArray<Actor.AnyActor<Errors.TablesUnavailable>> => {
        const fails = names[(lives * 7) % 5]
        lives += 1
        const last = lives > 100
        return names.map((name) =>
          logging(
            name,
            log,
            last ? Effect.void : name === fails ? Effect.zipRight(Effect.yieldNow(), Effect.fail(lost)) : Effect.never
          )
        )
      })
      const fiber = yield* Effect.fork(Supervisor.oneForAll("job", children, { intensity: 1000 }))
      yield* TestClock.adjust("1 hour")
      yield* Fiber.join(fiber)
      expect(lives).toBe(101)
      const running = new Set<string>()
      for (const line of log) {
        const name = line.slice(1)
        expect(running.has(name)).toBe(line.startsWith("-"))
        if (line.startsWith("+")) running.add(name)
        else running.delete(name)
      }
      expect(running.size).toBe(0)
    })
  )
})

describe("oneForOne", () => {
  it.scoped("a child that fails for good never takes another one down", () =>
    Effect.gen(function* () {
      const supervisor = yield* Supervisor.oneForOne({ intensity: 1 })
      const well = yield* supervisor.start("well", Effect.never)
      const ill = yield* supervisor.start("ill", Effect.fail(userFault))
      const often = yield* supervisor.start("often", Effect.fail(lost))
      yield* TestClock.adjust("1 minute")
      expect(yield* ill.await).toEqual(Exit.fail(userFault))
      expect(Option.getOrNull(Exit.causeOption(yield* often.await))).toMatchObject({
        error: { _tag: "RestartBudgetSpent" }
      })
      expect(supervisor.children()).toEqual(["well"])
      expect(Exit.isInterrupted(yield* well.stop)).toBe(true)
      expect(supervisor.children()).toEqual([])
    })
  )

  it.scoped("refuses a second child of the same name, and takes one again once it has ended", () =>
    Effect.gen(function* () {
      const supervisor = yield* Supervisor.oneForOne()
      const first = yield* supervisor.start("job", Effect.never)
      expect(yield* Effect.flip(supervisor.start("job", Effect.never))).toMatchObject({ _tag: "Defect" })
      yield* first.stop
      yield* supervisor.start("job", Effect.never)
    })
  )

  it.scoped("stops all children, the last started first, and fails, when one escalates", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const supervisor = yield* Supervisor.oneForOne({ policy: () => "escalate" })
      const living = (name: string) => Effect.onInterrupt(Effect.never, () => Effect.sync(() => log.push(name)))
      yield* supervisor.start("a", living("a"))
      yield* supervisor.start("b", living("b"))
      yield* Effect.yieldNow()
      yield* supervisor.start("c", Effect.fail(userFault))
      expect(yield* Effect.flip(supervisor.escalated)).toBe(userFault)
      expect(log).toEqual(["b", "a"])
    })
  )
})
