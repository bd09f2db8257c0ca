import { it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Exit, FastCheck, Fiber, Option, type Scheduler, TestClock } from "effect"
import { describe, expect, test } from "vitest"
import * as Mailbox from "../../src/actor/Mailbox.ts"
import { MailboxClosed } from "../../src/model/Errors.ts"

const yieldOften = Effect.repeatN(Effect.yieldNow(), 20)

/** Takes until the end. */
const takeAll = <A>(mailbox: Mailbox.Mailbox<A>) =>
  Effect.gen(function* () {
    const taken: Array<A> = []
    while (true) {
      const message = yield* mailbox.take
      if (Option.isNone(message)) return taken
      taken.push(message.value)
    }
  })

describe("Mailbox", () => {
  it.effect("delivers in the order of sending, control before data", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<string>("m")
      yield* mailbox.send("a")
      yield* mailbox.send("b")
      yield* mailbox.sendControl("stop")
      yield* mailbox.end
      expect(yield* takeAll(mailbox)).toEqual(["stop", "a", "b"])
    })
  )

  it.effect("suspends a sender while it holds messagesMax messages", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m", { messagesMax: 2 })
      const sender = yield* Effect.fork(Effect.forEach([1, 2, 3, 4], mailbox.send))
      yield* yieldOften
      expect(mailbox.fill()).toEqual({ messages: 2, bytes: 0, control: 0, sendersWaiting: 1 })
      expect(yield* mailbox.take).toEqual(Option.some(1))
      yield* yieldOften
      expect(mailbox.fill().messages).toBe(2)
      expect(yield* mailbox.takeBatch(10)).toEqual([2, 3, 4])
      yield* Fiber.join(sender)
    })
  )

  it.effect("suspends a sender while its message would exceed bytesMax, and lets a larger one pass alone", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m", { bytesMax: 10, sizeOf: (bytes) => bytes })
      yield* mailbox.send(6)
      const sender = yield* Effect.fork(Effect.forEach([5, 100, 1], mailbox.send))
      yield* yieldOften
      expect(mailbox.fill()).toMatchObject({ messages: 1, bytes: 6 })
      yield* mailbox.take
      yield* yieldOften
      expect(mailbox.fill()).toMatchObject({ messages: 1, bytes: 5 })
      yield* mailbox.take
      yield* yieldOften
      expect(mailbox.fill()).toMatchObject({ messages: 1, bytes: 100 })
      yield* mailbox.take
      yield* Fiber.join(sender)
      expect(mailbox.fill()).toMatchObject({ messages: 1, bytes: 1 })
    })
  )

  it.effect("bounds the control lane as well, apart from the data lane", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<string>("m", { messagesMax: 1, controlMax: 1 })
      yield* mailbox.send("a")
      yield* mailbox.sendControl("c1")
      yield* Effect.fork(mailbox.sendControl("c2"))
      yield* yieldOften
      expect(mailbox.fill()).toEqual({ messages: 1, bytes: 0, control: 1, sendersWaiting: 1 })
    })
  )

  it.effect("serves suspended senders in the order in which they came", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m", { messagesMax: 1 })
      for (let sender = 0; sender < 20; sender++) yield* Effect.zipRight(Effect.fork(mailbox.send(sender)), yieldOften)
      yield* mailbox.end
      expect(yield* takeAll(mailbox)).toEqual(Array.from({ length: 20 }, (_, sender) => sender))
    })
  )

  it.effect("does not let a small message overtake a large one that waits", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m", { bytesMax: 10, sizeOf: (bytes) => bytes })
      yield* mailbox.send(6)
      yield* Effect.zipRight(Effect.fork(mailbox.send(9)), yieldOften)
      yield* Effect.zipRight(Effect.fork(mailbox.send(1)), yieldOften)
      yield* mailbox.end
      expect(yield* takeAll(mailbox)).toEqual([6, 9, 1])
    })
  )

  it.effect("delivers at the end what it holds and what suspended senders hold, and accepts nothing more", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m", { messagesMax: 1 })
      yield* mailbox.send(1)
      const suspended = yield* Effect.fork(mailbox.send(2))
      yield* yieldOften
      yield* mailbox.end
      expect(yield* Effect.flip(mailbox.send(3))).toBeInstanceOf(MailboxClosed)
      expect(yield* takeAll(mailbox)).toEqual([1, 2])
      yield* Fiber.join(suspended)
      expect(yield* mailbox.take).toEqual(Option.none())
      expect(yield* mailbox.takeBatch(5)).toEqual([])
    })
  )

  it.effect("wakes a waiting taker at the end", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m")
      const taker = yield* Effect.fork(mailbox.take)
      yield* yieldOften
      yield* mailbox.end
      expect(yield* Fiber.join(taker)).toEqual(Option.none())
    })
  )

  it.effect("fails suspended senders and the waiting taker when it is closed, and drops what it holds", () =>
    Effect.gen(function* () {
      const full = Mailbox.make<number>("full", { messagesMax: 1 })
      yield* full.send(1)
      const senders = yield* Effect.forEach([2, 3], (message) => Effect.fork(Effect.flip(full.send(message))))
      yield* yieldOften
      yield* full.close
      for (const sender of senders) expect(yield* Fiber.join(sender)).toBeInstanceOf(MailboxClosed)
      expect(yield* Effect.flip(full.take)).toBeInstanceOf(MailboxClosed)
      expect(full.fill()).toEqual({ messages: 0, bytes: 0, control: 0, sendersWaiting: 0 })

      const empty = Mailbox.make<number>("empty")
      const taker = yield* Effect.fork(Effect.flip(empty.take))
      yield* yieldOften
      yield* empty.close
      expect(yield* Fiber.join(taker)).toMatchObject({ _tag: "MailboxClosed", mailbox: "empty" })
    })
  )

  it.effect("loses no message when waiting for one times out", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m")
      const waiting = yield* Effect.fork(Effect.timeoutOption(mailbox.ready, "1 second"))
      yield* TestClock.adjust("1 second")
      expect(yield* Fiber.join(waiting)).toEqual(Option.none())
      yield* mailbox.send(7)
      expect(yield* mailbox.take).toEqual(Option.some(7))
    })
  )

  it.effect("refuses a second fiber that waits", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m")
      const first = yield* Effect.fork(mailbox.take)
      yield* yieldOften
      expect(Exit.isFailure(yield* Effect.exit(mailbox.take))).toBe(true)
      yield* mailbox.send(1)
      expect(yield* Fiber.join(first)).toEqual(Option.some(1))
    })
  )

  it.effect("lets an interrupted large sender give way to the small one behind it", () =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m", { bytesMax: 10, sizeOf: (bytes) => bytes })
      yield* mailbox.send(6)
      const large = yield* Effect.fork(mailbox.send(9))
      yield* yieldOften
      const small = yield* Effect.fork(mailbox.send(1))
      yield* yieldOften
      yield* Fiber.interrupt(large)
      yield* Fiber.join(small)
      expect(mailbox.fill()).toMatchObject({ messages: 2, bytes: 7 })
    })
  )
})

test("interrupted senders and takers lose and duplicate nothing", async () => {
  let interruptedSenders = 0
  let interruptedTakers = 0

  const story = (messagesMax: number, steps: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m", { messagesMax, bytesMax: 40, sizeOf: (message) => message % 50 })
      const taken: Array<number> = []
      // A message is kept in the very step that took it, as an actor does.
      const taker = Effect.forever(
        Effect.flatMap(mailbox.take, (message) => {
          if (Option.isNone(message)) return Effect.interrupt
          taken.push(message.value)
          return Effect.void
        })
      )
      const sent = new Map<number, boolean>()
      let takerFiber = yield* Effect.fork(taker)
      const senders: Array<readonly [number, Fiber.RuntimeFiber<void, MailboxClosed>]> = []
      for (const [message, step] of steps.entries()) {
        senders.push([
          message,
          yield* Effect.fork(step % 5 === 0 ? mailbox.sendControl(message) : mailbox.send(message))
        ])
        if (step % 3 === 0) yield* Effect.repeatN(Effect.yieldNow(), step % 7)
        if (step % 4 === 1) yield* Fiber.interruptFork(senders[step % senders.length]![1])
        if (step % 11 === 3) {
          yield* Fiber.interrupt(takerFiber)
          interruptedTakers += 1
          takerFiber = yield* Effect.fork(taker)
        }
      }
      for (const [message, fiber] of senders) {
        const exit = yield* Fiber.await(fiber)
        sent.set(message, Exit.isSuccess(exit))
        if (Exit.isFailure(exit)) interruptedSenders += 1
      }
      yield* mailbox.end
      yield* Fiber.await(takerFiber)
      expect(new Set(taken).size).toBe(taken.length)
      for (const [message, arrived] of sent) if (arrived) expect(taken).toContain(message)
      expect(mailbox.fill()).toEqual({ messages: 0, bytes: 0, control: 0, sendersWaiting: 0 })
    })

  await FastCheck.assert(
    FastCheck.asyncProperty(
      FastCheck.integer({ min: 1, max: 5 }),
      FastCheck.array(FastCheck.nat(1000), { minLength: 20, maxLength: 120 }),
      (messagesMax, steps) => Effect.runPromise(story(messagesMax, steps))
    ),
    { numRuns: 150, seed: 7 }
  )
  expect(interruptedSenders).toBeGreaterThan(20)
  expect(interruptedTakers).toBeGreaterThan(100)
})

test("many interruptions of a taker that never rests lose nothing", async () => {
  const total = 60_000
  const taken: Array<number> = []
  let interruptions = 0
  await Effect.runPromise(
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m", { messagesMax: 64 })
      const finished = yield* Deferred.make<void>()
      const taker = Effect.gen(function* () {
        while (true) {
          const message = yield* mailbox.take
          if (Option.isNone(message)) return yield* Deferred.succeed(finished, undefined)
          taken.push(message.value)
        }
      })
      const sender = yield* Effect.fork(
        Effect.zipRight(Effect.forEach(Chunk.range(1, total), mailbox.send, { discard: true }), mailbox.end)
      )
      while (!(yield* Deferred.isDone(finished))) {
        const fiber = yield* Effect.fork(taker)
        yield* Effect.repeatN(Effect.yieldNow(), interruptions % 9)
        yield* Fiber.interrupt(fiber)
        interruptions += 1
      }
      yield* Fiber.join(sender)
    })
  )
  expect(interruptions).toBeGreaterThan(20)
  expect(taken).toEqual(Array.from({ length: total }, (_, message) => message + 1))
})

test("a taker interrupted between any two of its steps has its message, or the mailbox has it", async () => {
  let interruptedWithIt = 0
  let interruptedBefore = 0
  const story = (budget: number, steps: number, yields: number) =>
    Effect.gen(function* () {
      const mailbox = Mailbox.make<number>("m")
      yield* mailbox.send(1)
      const taken: Array<number> = []
      const take = Effect.map(mailbox.take, (message) => {
        if (Option.isSome(message)) taken.push(message.value)
      })
      // It gives way after every `budget` steps: how many come before decides where within the taking it does.
      const taker = Effect.zipRight(Effect.repeatN(Effect.void, steps), take)
      const fiber = yield* Effect.fork(Effect.withMaxOpsBeforeYield(Effect.zipLeft(taker, Effect.never), budget))
      yield* Effect.repeatN(Effect.yieldNow(), yields)
      yield* Fiber.interrupt(fiber)
      expect(taken.length + mailbox.fill().messages, `${steps} steps, ${yields} yields, budget ${budget}`).toBe(1)
      if (taken.length === 1) interruptedWithIt += 1
      else interruptedBefore += 1
    })
  for (const budget of [12, 13, 15, 17, 19, 22])
    for (let steps = 0; steps < 25; steps++)
      for (let yields = 0; yields < 10; yields++) await Effect.runPromise(story(budget, steps, yields))
  expect(interruptedWithIt).toBeGreaterThan(20)
  expect(interruptedBefore).toBeGreaterThan(20)
})

describe("loses no message and wakes everybody up, after whichever operation others get their turn", () => {
  /** Ends a turn after so many operations, at least 12 that it takes to get one; what waits for a turn gets it in order. */
  const scheduler = (every: number): Scheduler.Scheduler & { readonly drain: () => void } => {
    const tasks: Array<() => void> = []
    let left = every
    return {
      shouldYield: () => {
        if (--left > 0) return false
        left = every
        return 0
      },
      scheduleTask: (task) => tasks.push(task),
      drain: () => {
        for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task()
      }
    }
  }

  test.each(Array.from({ length: 16 }, (_, i) => i + 12))("a turn of %i operations", (every) => {
    for (let ahead = 0; ahead < 24; ahead++) {
      const mailbox = Mailbox.make<number>("m", { messagesMax: 1 })
      const turns = scheduler(every)
      const taken: Array<number> = []
      const taker = takeAll(mailbox).pipe(Effect.map((all) => taken.push(...all)))
      const sender = Effect.forEach([1, 2, 3], mailbox.send).pipe(Effect.zipRight(mailbox.end))
      // The sender begins so many operations later: each meeting of the two is tried.
      const later = Effect.zipRight(Effect.repeatN(Effect.void, ahead), sender)
      const done = Effect.runFork(Effect.all([taker, later], { concurrency: 2 }), { scheduler: turns })
      turns.drain()
      expect([ahead, taken, done.unsafePoll()?._tag]).toEqual([ahead, [1, 2, 3], "Success"])
    }
  })
})
