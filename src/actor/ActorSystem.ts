/** Actors under names, in one Scope: closing it stops them all, in reverse order of their spawning. */
import { type Duration, Effect, ExecutionStrategy, type Exit, Option, Scope } from "effect"
import { Defect } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import * as Actor from "./Actor.ts"

export type AnyRef = Actor.ActorRef<never, unknown>

export interface ActorSystem {
  /** Fails with `Defect` while another actor has this name. A name is free again once its actor has ended. */
  readonly spawn: <M, E, R>(
    actor: Actor.Actor<M, E, R>
  ) => Effect.Effect<Actor.ActorRef<M, E>, Defect, Exclude<R, Scope.Scope>>
  /** Only actors that have not ended. Its messages are known to whoever spawned it, not here. */
  readonly find: (name: string) => Option.Option<AnyRef>
  /** In the order of their spawning. */
  readonly list: () => ReadonlyArray<AnyRef>
  /** Waits until the actor of this name has ended; `None` at once if there is none. */
  readonly watch: (name: string) => Effect.Effect<Option.Option<Exit.Exit<void, unknown>>>
  /**
   * Drains one actor after the other, the last one spawned first; who consumes is spawned before who produces.
   *
   * After `within` (default `Limits.drainMillisMax`) the rest is stopped. Yields the names of those that were.
   */
  readonly drain: (within?: Duration.DurationInput) => Effect.Effect<ReadonlyArray<string>>
}

export const make: Effect.Effect<ActorSystem, never, Scope.Scope> = Effect.gen(function* () {
  const scope = yield* Effect.flatMap(Effect.scope, (outer) => Scope.fork(outer, ExecutionStrategy.sequential))
  const refs = new Map<string, AnyRef | null>()
  const list = (): ReadonlyArray<AnyRef> => [...refs.values()].filter((ref) => ref !== null)
  const find = (name: string): Option.Option<AnyRef> => Option.fromNullable(refs.get(name))

  const spawn = <M, E, R>(
    actor: Actor.Actor<M, E, R>
  ): Effect.Effect<Actor.ActorRef<M, E>, Defect, Exclude<R, Scope.Scope>> =>
    Effect.suspend(() => {
      if (refs.has(actor.name)) return Effect.fail(nameTaken(actor.name))
      refs.set(actor.name, null)
      const released = Effect.sync(() => refs.delete(actor.name))
      return Effect.tap(Scope.extend(Actor.spawn(actor, { released }), scope), (ref) => {
        if (refs.has(actor.name)) refs.set(actor.name, ref)
      })
    }).pipe(Effect.uninterruptible) as Effect.Effect<Actor.ActorRef<M, E>, Defect, Exclude<R, Scope.Scope>>

  const drain = (within: Duration.DurationInput = Limits.drainMillisMax): Effect.Effect<ReadonlyArray<string>> =>
    Effect.gen(function* () {
      const waiting = [...list()].reverse()
      const drained = Effect.forEach(waiting, (ref) => ref.drain, { discard: true })
      if (Option.isSome(yield* Effect.timeoutOption(Effect.interruptible(drained), within))) return []
      const late = waiting.filter((ref) => refs.get(ref.name) === ref)
      yield* Effect.forEach(late, (ref) => ref.stop)
      return late.map((ref) => ref.name)
    })

  const watch = (name: string) => Effect.transposeMapOption(find(name), (ref) => ref.await)
  return { spawn, find, list, watch, drain }
})

const nameTaken = (name: string): Defect =>
  new Defect({
    message: `An actor with the name '${name}' is running already.`,
    hint: "Stop it first, or give the other one another name."
  })
