/**
 * A fiber with a name, a mailbox and a Scope that owns its resources.
 *
 * An actor is a value first: its mailbox exists before it runs, so that actors can be wired to each other and then
 * spawned in any order. It runs once. A restart makes a new one.
 */
import { Deferred, Effect, type Exit, Fiber, Option, type Scope } from "effect"
import { MailboxClosed } from "../model/Errors.ts"
import * as Mailbox from "./Mailbox.ts"

export interface Actor<in out M, out E = never, out R = never> {
  readonly name: string
  readonly mailbox: Mailbox.Mailbox<M>
  /** Its whole life. What it acquires is released when the life ends, before the actor counts as ended. */
  readonly run: Effect.Effect<void, E, R | Scope.Scope>
}

/** An actor, whatever its messages are: what a supervisor needs of it. */
export interface AnyActor<out E = unknown, out R = never> {
  readonly name: string
  readonly mailbox: { readonly close: Effect.Effect<void> }
  readonly run: Effect.Effect<void, E, R | Scope.Scope>
}

/** An actor from outside. */
export interface ActorRef<in M, out E = never> {
  readonly name: string
  /** Waits while the mailbox is full. Fails when the actor drains or has ended. */
  readonly tell: (message: M) => Effect.Effect<void, MailboxClosed>
  /** As `tell`, overtaking what waits. */
  readonly tellControl: (message: M) => Effect.Effect<void, MailboxClosed>
  /**
   * Sends a message that carries a place for the reply, and waits for the reply.
   *
   * Fails with `MailboxClosed` if the actor ends without a reply: it never waits for an actor that is gone.
   */
  readonly ask: <A, E2 = never>(message: (reply: Deferred.Deferred<A, E2>) => M) => Effect.Effect<A, E2 | MailboxClosed>
  /** Interrupts it and waits until its resources are released. Not for the actor itself: it would wait for itself. */
  readonly stop: Effect.Effect<Exit.Exit<void, E>>
  /** Ends its mailbox and waits until it has handled what was in it. May wait for ever: give it a bound. */
  readonly drain: Effect.Effect<Exit.Exit<void, E>>
  /** Waits until it has ended and its resources are released. */
  readonly await: Effect.Effect<Exit.Exit<void, E>>
  /** What waits in its mailbox. */
  readonly fill: () => Mailbox.Fill
}

export interface Behaviour<in M, in out E> extends Mailbox.Options<M> {
  /**
   * Is this failure the message's alone? Then the actor goes on with the next one. Default: never.
   *
   * Not asked for defects: after one, nothing is known about the actor's state.
   */
  readonly resume?: (error: E, message: M) => boolean
}

/** An actor with a loop of its own: a source. It may take from its mailbox, or never look at it. */
export const make = <M, E, R>(
  name: string,
  run: (mailbox: Mailbox.Mailbox<M>) => Effect.Effect<void, E, R>,
  options?: Mailbox.Options<M>
): Actor<M, E, Exclude<R, Scope.Scope>> => {
  const mailbox = Mailbox.make<M>(name, options)
  return { name, mailbox, run: Effect.suspend(() => run(mailbox)) as Actor<M, E, Exclude<R, Scope.Scope>>["run"] }
}

/**
 * An actor that handles one message after the other until its mailbox has ended.
 *
 * `behaviour` is run once and may acquire resources; what it yields is called with each message.
 */
export const fromBehaviour = <M, E, R, E2, R2>(
  name: string,
  behaviour: Effect.Effect<(message: M) => Effect.Effect<void, E, R>, E2, R2>,
  options?: Behaviour<M, E>
): Actor<M, E | E2 | MailboxClosed, Exclude<R | R2, Scope.Scope>> => {
  const resume = options?.resume
  const loop = (mailbox: Mailbox.Mailbox<M>) =>
    Effect.gen(function* () {
      const handle = yield* behaviour
      while (true) {
        const message = yield* mailbox.take
        if (Option.isNone(message)) return
        const handled = handle(message.value)
        yield* resume === undefined
          ? handled
          : Effect.catchAll(handled, (error) => (resume(error, message.value) ? Effect.void : Effect.fail(error)))
      }
    })
  return make<M, E | E2 | MailboxClosed, R | R2>(name, loop, options)
}

/** Told of the end of an actor, by the actor's own fiber. */
export interface Witness<in E> {
  /**
   * Called as soon as the outcome is known, before resources are released and before anyone who waits at the mailbox
   * hears of it: so it knows the first failure from those that follow from it. Called again with the outcome of the
   * release.
   */
  readonly ended?: (exit: Exit.Exit<void, E>) => Effect.Effect<void>
  /** Called when all is released: also if the actor was stopped before its first step. */
  readonly released?: Effect.Effect<void>
}

/** Runs an actor to its end in the fiber that calls: then its Scope is closed, then its mailbox. */
export const life = <E, R>(
  actor: AnyActor<E, R>,
  witness?: Witness<E>
): Effect.Effect<void, E, Exclude<R, Scope.Scope>> => {
  const ended = witness?.ended ?? (() => Effect.void)
  const released = Effect.zipRight(actor.mailbox.close, witness?.released ?? Effect.void)
  return Effect.scoped(Effect.onExit(actor.run, ended)).pipe(Effect.onExit(ended), Effect.ensuring(released))
}

/** As `life`, in a fiber of the surrounding Scope: when that closes, the actor is stopped and awaited. */
export const fork = <E, R>(
  actor: AnyActor<E, R>,
  witness?: Witness<E>
): Effect.Effect<Fiber.RuntimeFiber<void, E>, never, Exclude<R, Scope.Scope> | Scope.Scope> =>
  // Forked uninterruptible: a fiber interrupted before its first step would never close the mailbox.
  Effect.uninterruptible(Effect.forkScoped(life({ ...actor, run: Effect.interruptible(actor.run) }, witness)))

/** As `fork`; yields the actor as others see it. */
export const spawn = <M, E, R>(
  actor: Actor<M, E, R>,
  witness?: Witness<E>
): Effect.Effect<ActorRef<M, E>, never, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.map(fork(actor, witness), (fiber) => toRef(actor, fiber))

const toRef = <M, E, R>(actor: Actor<M, E, R>, fiber: Fiber.RuntimeFiber<void, E>): ActorRef<M, E> => {
  const { name, mailbox } = actor
  const exited = Fiber.await(fiber)
  return {
    name,
    tell: mailbox.send,
    tellControl: mailbox.sendControl,
    ask: (message) => ask(name, mailbox, exited, message),
    stop: Fiber.interrupt(fiber),
    drain: Effect.zipRight(mailbox.end, exited),
    await: exited,
    fill: mailbox.fill
  }
}

const ask = <M, A, E>(
  name: string,
  mailbox: Mailbox.Mailbox<M>,
  exited: Effect.Effect<unknown>,
  message: (reply: Deferred.Deferred<A, E>) => M
): Effect.Effect<A, E | MailboxClosed> =>
  Effect.gen(function* () {
    const reply = yield* Deferred.make<A, E>()
    yield* mailbox.send(message(reply))
    const gone = Effect.zipRight(exited, Deferred.poll(reply)).pipe(
      Effect.flatMap(Option.getOrElse((): Effect.Effect<A, E | MailboxClosed> => Effect.fail(noReply(name))))
    )
    return yield* Effect.raceFirst(Deferred.await(reply), gone)
  })

const noReply = (name: string): MailboxClosed =>
  new MailboxClosed({
    mailbox: name,
    message: `The actor '${name}' ended without a reply.`,
    hint: "Look for the failure that stopped it."
  })
