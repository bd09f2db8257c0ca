import { it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Option, Scope, TestClock } from "effect"
import { describe, expect } from "vitest"
import * as Actor from "../../src/actor/Actor.ts"
import * as ActorSystem from "../../src/actor/ActorSystem.ts"
import { StepFailed } from "../../src/model/Errors.ts"

type Count =
  | { readonly _tag: "Add"; readonly by: number }
  | { readonly _tag: "Get"; readonly reply: Deferred.Deferred<number> }

const failed = (step: string) => new StepFailed({ step, message: `The step '${step}' threw.`, hint: "Mend it." })

/** Adds up; notes in `log` when it opens and closes. */
const counter = (log: Array<string> = []) =>
  Actor.fromBehaviour(
    "counter",
    Effect.gen(function* () {
      yield* Effect.acquireRelease(
        Effect.sync(() => log.push("open")),
        () => Effect.sync(() => log.push("close"))
      )
      let sum = 0
      return (message: Count) => {
        if (message._tag === "Get") return Effect.asVoid(Deferred.succeed(message.reply, sum))
        if (message.by < 0) return Effect.fail(failed("counter"))
        return Effect.sync(() => {
          sum += message.by
        })
      }
    }),
    { resume: (error, message) => error._tag === "StepFailed" && message._tag === "Add" && message.by === -1 }
  )

const total = (ref: Actor.ActorRef<Count, unknown>) => ref.ask<number>((reply) => ({ _tag: "Get", reply }))

describe("Actor", () => {
  it.scoped("handles its messages in order and replies", () =>
    Effect.gen(function* () {
      const ref = yield* Actor.spawn(counter())
      yield* ref.tell({ _tag: "Add", by: 2 })
      yield* ref.tell({ _tag: "Add", by: 3 })
      expect(yield* total(ref)).toBe(5)
    })
  )

  it.scoped("drains: handles what waits, releases its resources, then ends with success", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const ref = yield* Actor.spawn(counter(log))
      const reply = yield* Deferred.make<number>()
      yield* ref.tell({ _tag: "Add", by: 4 })
      yield* ref.tell({ _tag: "Get", reply })
      expect(yield* ref.drain).toEqual(Exit.void)
      expect(yield* Deferred.await(reply)).toBe(4)
      expect(log).toEqual(["open", "close"])
      expect(yield* Effect.flip(ref.tell({ _tag: "Add", by: 1 }))).toMatchObject({ _tag: "MailboxClosed" })
    })
  )

  it.scoped("stop interrupts it and waits until its resources are released", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const ref = yield* Actor.spawn(counter(log))
      yield* total(ref)
      expect(Exit.isInterrupted(yield* ref.stop)).toBe(true)
      expect(log).toEqual(["open", "close"])
    })
  )

  it.scoped("resumes after a failure that it says is the message's alone, and ends with any other", () =>
    Effect.gen(function* () {
      const ref = yield* Actor.spawn(counter())
      yield* ref.tell({ _tag: "Add", by: 1 })
      yield* ref.tell({ _tag: "Add", by: -1 })
      expect(yield* total(ref)).toBe(1)
      yield* ref.tell({ _tag: "Add", by: -2 })
      expect(yield* ref.await).toEqual(Exit.fail(failed("counter")))
    })
  )

  it.scoped("fails an ask whose actor ends without a reply", () =>
    Effect.gen(function* () {
      const mute = Actor.make<Deferred.Deferred<number>, never, never>("mute", (mailbox) => Effect.ignore(mailbox.take))
      const ref = yield* Actor.spawn(mute)
      expect(yield* Effect.flip(ref.ask<number>((reply) => reply))).toMatchObject({ _tag: "MailboxClosed" })
    })
  )

  it.effect("closes the mailbox of an actor that is stopped before its first step", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const ref = yield* Scope.extend(Actor.spawn(counter()), scope)
      yield* Scope.close(scope, Exit.void)
      expect(yield* Effect.flip(ref.tell({ _tag: "Add", by: 1 }))).toMatchObject({ _tag: "MailboxClosed" })
    })
  )
})

describe("ActorSystem", () => {
  /** Ends when its mailbox does; logs when its resources are released. */
  const quiet = (name: string, log: Array<string> = []) =>
    Actor.fromBehaviour(
      name,
      Effect.as(
        Effect.addFinalizer(() => Effect.sync(() => log.push(name))),
        (_: string) => Effect.void
      )
    )

  it.scoped("finds, lists and watches actors until they have ended", () =>
    Effect.gen(function* () {
      const system = yield* ActorSystem.make
      const ref = yield* system.spawn(quiet("a"))
      yield* system.spawn(quiet("b"))
      expect(system.list().map((ref) => ref.name)).toEqual(["a", "b"])
      expect(yield* Effect.flip(system.spawn(quiet("a")))).toMatchObject({ _tag: "Defect" })
      const watching = yield* Effect.fork(system.watch("a"))
      yield* Effect.yieldNow()
      yield* ref.drain
      expect(yield* watching.await).toEqual(Exit.succeed(Option.some(Exit.void)))
      expect(Option.isNone(system.find("a"))).toBe(true)
      expect(yield* system.watch("a")).toEqual(Option.none())
      yield* system.spawn(quiet("a"))
    })
  )

  it.scoped("drains the last spawned first", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const system = yield* ActorSystem.make
      for (const name of ["sink", "window", "source"]) yield* system.spawn(quiet(name, log))
      expect(yield* system.drain()).toEqual([])
      expect(log).toEqual(["source", "window", "sink"])
    })
  )

  it.effect("stops all, the last spawned first, when its Scope closes", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const started = Effect.flatMap(ActorSystem.make, (system) =>
        Effect.forEach(["a", "b", "c"], (name) => Effect.zipRight(system.spawn(quiet(name, log)), Effect.yieldNow()))
      )
      yield* Effect.scoped(started)
      expect(log).toEqual(["c", "b", "a"])
    })
  )

  it.scoped("stops what has not drained within the bound, and names it", () =>
    Effect.gen(function* () {
      const system = yield* ActorSystem.make
      yield* system.spawn(quiet("a"))
      yield* system.spawn(Actor.make<string, never, never>("hangs", () => Effect.never))
      const draining = yield* Effect.fork(system.drain("20 seconds"))
      yield* TestClock.adjust("19 seconds")
      expect(system.list().length).toBe(2)
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(draining)).toEqual(["hangs", "a"])
      expect(system.list()).toEqual([])
    })
  )

  it.scoped("starts and stops hundreds of actors and keeps none", () =>
    Effect.gen(function* () {
      const log: Array<string> = []
      const system = yield* ActorSystem.make
      for (let round = 0; round < 500; round++) {
        const ref = yield* system.spawn(quiet(`actor ${round % 7}`, log))
        if (round % 2 === 0) yield* ref.tell("x")
        if (round % 3 === 0) yield* Effect.yieldNow()
        yield* round % 5 === 0 ? ref.drain : ref.stop
        expect(system.list()).toEqual([])
      }
      expect(log.length).toBeGreaterThan(100)
    })
  )
})
