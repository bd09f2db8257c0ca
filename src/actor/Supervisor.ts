/**
 * Decides what happens after a failure: `stop | restart | escalate`. (`resume` is the actor's own: `Actor.Behaviour`.)
 *
 * `oneForAll` supervises actors that only make sense together (a job): after any failure all stop, in reverse order of
 * their start, and the factory makes them anew. `oneForOne` supervises children that know nothing of each other (the
 * jobs of a daemon). Both decide from `fault` and `retry` of the error, wait longer before each restart, and give up
 * when the restart budget is spent. Interruption is not a failure. A release of resources that hangs holds up the
 * restart: it is bounded where it waits, not here.
 */
import { Cause, Clock, Deferred, Duration, Effect, ExecutionStrategy, Exit, Fiber, Option, Random, Scope } from "effect"
import { Defect, isExplained, RestartBudgetSpent } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import * as Actor from "./Actor.ts"

/**
 * `stop`: this child stays down, `failed`; its siblings go on. `restart`: run it anew. `escalate`: the supervisor
 * itself fails with this cause, after stopping all children. In `oneForAll` the first and the last are the same.
 */
export type Directive = "stop" | "restart" | "escalate"

/** What is supervised now; reported to the listener at every change. */
export type State =
  | { readonly _tag: "Running"; readonly since: number; readonly restarts: number }
  | {
      readonly _tag: "BackingOff"
      /** Milliseconds since the epoch: when it will run again. */
      readonly until: number
      readonly restarts: number
      readonly cause: Cause.Cause<unknown>
    }
  | { readonly _tag: "Failed"; readonly restarts: number; readonly cause: Cause.Cause<unknown> }
  /** It ended by itself or was told to stop. */
  | { readonly _tag: "Stopped"; readonly restarts: number }

export interface Options {
  /** Default: `decide`. Never asked about an interruption. */
  readonly policy?: (cause: Cause.Cause<unknown>) => Directive
  /** Restarts within `period`; one more is over budget. Default: `Limits.restartIntensity`. */
  readonly intensity?: number
  /** Default: `Limits.restartPeriodMillis`. */
  readonly period?: Duration.DurationInput
  /**
   * The wait before the first restart; doubled for each restart that `period` still remembers. Jitter shortens every
   * wait by up to half. Default: `Limits.restartBackoffMillis`.
   */
  readonly backoff?: Duration.DurationInput
  /** Default: `Limits.restartBackoffMillisMax`. */
  readonly backoffMax?: Duration.DurationInput
  /** Called before the change is acted upon; the supervisor waits for it. It must not supervise in turn. */
  readonly listener?: (name: string, state: State) => Effect.Effect<void>
}

/** Restarts what may get better by itself: an error that says `retry`, and defects. All else escalates. */
export const decide = (cause: Cause.Cause<unknown>): Directive =>
  Option.match(Cause.failureOption(cause), {
    onNone: () => "restart",
    onSome: (error) => (!isExplained(error) || error.retry || error.fault === "internal" ? "restart" : "escalate")
  })

/**
 * Runs `life` until it succeeds, is given up, or is interrupted. Each life has a Scope of its own, closed before the
 * next begins.
 *
 * Fails with the cause of the last life if the policy does not restart it, with `RestartBudgetSpent` (fault `user`, no
 * retry) if it restarted too often.
 */
export const supervise = <E, R>(
  name: string,
  life: Effect.Effect<void, E, R>,
  options?: Options
): Effect.Effect<void, E | RestartBudgetSpent, Exclude<R, Scope.Scope>> =>
  Effect.suspend(() => {
    let restarts = 0
    const report = (state: State) => options?.listener?.(name, state) ?? Effect.void
    const intensity = options?.intensity ?? Limits.restartIntensity
    const periodMillis = Duration.toMillis(options?.period ?? Limits.restartPeriodMillis)
    let recent: Array<number> = []
    const lives = Effect.gen(function* () {
      while (true) {
        yield* report({ _tag: "Running", since: yield* Clock.currentTimeMillis, restarts })
        const exit = yield* Effect.exit(Effect.scoped(life))
        if (Exit.isSuccess(exit)) return yield* report({ _tag: "Stopped", restarts })
        const cause = exit.cause
        if (Cause.isInterruptedOnly(cause)) return yield* exit
        if ((options?.policy ?? decide)(cause) !== "restart") {
          yield* report({ _tag: "Failed", restarts, cause })
          return yield* exit
        }
        const now = yield* Clock.currentTimeMillis
        recent = recent.filter((at) => at > now - periodMillis)
        if (recent.length >= intensity) {
          yield* report({ _tag: "Failed", restarts, cause })
          return yield* overBudget(name, restarts, cause)
        }
        const waitMillis = yield* backoffMillis(recent.length, options)
        recent.push(now)
        restarts += 1
        yield* report({ _tag: "BackingOff", until: now + waitMillis, restarts, cause })
        yield* Effect.sleep(Duration.millis(waitMillis))
      }
    })
    return Effect.onInterrupt(lives, () => report({ _tag: "Stopped", restarts }))
  }) as Effect.Effect<void, E | RestartBudgetSpent, Exclude<R, Scope.Scope>>

const backoffMillis = (failures: number, options?: Options): Effect.Effect<number> => {
  const firstMillis = Duration.toMillis(options?.backoff ?? Limits.restartBackoffMillis)
  const mostMillis = Duration.toMillis(options?.backoffMax ?? Limits.restartBackoffMillisMax)
  const wholeMillis = Math.min(mostMillis, firstMillis * 2 ** failures)
  return Effect.map(Random.next, (random) => Math.round(wholeMillis * (0.5 + random / 2)))
}

const overBudget = (name: string, restarts: number, cause: Cause.Cause<unknown>): RestartBudgetSpent => {
  const last = Cause.squash(cause)
  return new RestartBudgetSpent({
    actor: name,
    restarts,
    cause: last,
    message: `'${name}' failed again after ${restarts} restarts; the last failure: ${last instanceof Error ? last.message : String(last)}`,
    hint: isExplained(last) ? last.hint : "Mend what the last failure names, then start it again."
  })
}

/**
 * Runs actors that live and die together, until all have ended.
 *
 * `children` is run for every life: it makes the actors anew, wired to each other, from whatever was kept. They are
 * started in its order and stopped in reverse, each with its resources released before the next is stopped.
 */
export const oneForAll = <E, R, E2, R2>(
  name: string,
  children: Effect.Effect<ReadonlyArray<Actor.AnyActor<E, R>>, E2, R2>,
  options?: Options
): Effect.Effect<void, E | E2 | RestartBudgetSpent, Exclude<R | R2, Scope.Scope>> =>
  supervise(name, Effect.flatMap(children, together), options) as Effect.Effect<
    void,
    E | E2 | RestartBudgetSpent,
    Exclude<R | R2, Scope.Scope>
  >

const together = <E, R>(
  actors: ReadonlyArray<Actor.AnyActor<E, R>>
): Effect.Effect<void, E, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const outcome = yield* Deferred.make<void, E>()
    const fibers = yield* Effect.forEach(actors, (actor) =>
      Actor.fork(actor, {
        ended: (exit) =>
          Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)
            ? Deferred.failCause(outcome, exit.cause)
            : Effect.void
      })
    )
    yield* Effect.forkScoped(Effect.zipRight(Fiber.awaitAll(fibers), Deferred.succeed(outcome, undefined)))
    yield* Deferred.await(outcome)
  })

/** Supervises children that know nothing of each other. Closing its Scope stops them in reverse order. */
export interface Supervisor {
  /**
   * Starts a child and returns at once; it runs again after failures, each life with a Scope of its own.
   *
   * Fails with `Defect` while another child has this name; a name is free again once its child has ended.
   */
  readonly start: <E, R>(
    name: string,
    life: Effect.Effect<void, E, R>
  ) => Effect.Effect<ChildRef<E>, Defect, Exclude<R, Scope.Scope>>
  /** Names of the children that run or back off, in the order of their start. */
  readonly children: () => ReadonlyArray<string>
  /** Waits until a child escalated and all others are stopped, then fails with its cause. */
  readonly escalated: Effect.Effect<never, unknown>
}

export interface ChildRef<out E> {
  readonly name: string
  /** Waits until it has ended for good. */
  readonly await: Effect.Effect<Exit.Exit<void, E | RestartBudgetSpent>>
  /** Stops it, also while it backs off, and waits until its resources are released. */
  readonly stop: Effect.Effect<Exit.Exit<void, E | RestartBudgetSpent>>
}

/** Every child has a restart budget of its own; one that spent it is stopped and the others go on. */
export const oneForOne = (options?: Options): Effect.Effect<Supervisor, never, Scope.Scope> =>
  Effect.gen(function* () {
    const policy = options?.policy ?? decideAlone
    const names = new Set<string>()
    const scope = yield* Effect.flatMap(Effect.scope, (outer) => Scope.fork(outer, ExecutionStrategy.sequential))
    const escalation = yield* Deferred.make<never, unknown>()
    const escalated = yield* Deferred.make<never, unknown>()
    const stopAll = Effect.flatMap(Effect.exit(Deferred.await(escalation)), (exit) =>
      Effect.zipRight(Scope.close(scope, exit), Deferred.done(escalated, exit))
    )
    yield* Effect.forkScoped(stopAll)

    const ended = (exit: Exit.Exit<void, unknown>): Effect.Effect<unknown> =>
      Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause) && policy(exit.cause) === "escalate"
        ? Deferred.failCause(escalation, exit.cause)
        : Effect.void

    const start = <E, R>(
      name: string,
      life: Effect.Effect<void, E, R>
    ): Effect.Effect<ChildRef<E>, Defect, Exclude<R, Scope.Scope>> =>
      Effect.suspend(() => {
        if (names.has(name)) return Effect.fail(nameTaken(name))
        names.add(name)
        const supervised = Effect.interruptible(supervise(name, life, { ...options, policy }))
        return Effect.onExit(supervised, ended).pipe(
          Effect.ensuring(Effect.sync(() => names.delete(name))),
          Effect.forkIn(scope),
          Effect.map((fiber) => ({ name, await: Fiber.await(fiber), stop: Fiber.interrupt(fiber) }))
        )
      }).pipe(Effect.uninterruptible)

    return { start, children: () => [...names], escalated: Deferred.await(escalated) }
  })

/** As `decide`, but no child takes its siblings down. */
const decideAlone = (cause: Cause.Cause<unknown>): Directive => (decide(cause) === "restart" ? "restart" : "stop")

const nameTaken = (name: string): Defect =>
  new Defect({
    message: `A child with the name '${name}' is running already.`,
    hint: "Stop it first, or give the other one another name."
  })
