/**
 * One life of a process: it runs over services whose durable steps are counted, to its end or until it is killed at one
 * of them. What it made durable stays.
 */
import { FileSystem } from "@effect/platform"
import { Deferred, Effect, Fiber, Layer, Logger, LogLevel } from "effect"
import type * as Job from "../../src/flow/Job.ts"
import { Tables } from "../../src/flow/Tables.ts"
import type { Topics } from "../../src/flow/Topics.ts"
import type { EpochProgress } from "../../src/observe/Progress.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as CrashPoints from "./CrashPoints.ts"

export interface Life<A> {
  /** The durable step at which it was killed; `null`: it came to its end. */
  readonly crashedAt: string | null
  /** Names of the steps that it reached, in order. */
  readonly reached: ReadonlyArray<string>
  /** What it answered at its end; `null`: it was killed. */
  readonly answer: A | null
}

/** Lives until its end, or until its `crashAt`-th durable step, counted from 1; 0 kills nothing. */
export const live = <A, E, R>(
  crashAt: number,
  life: (points: CrashPoints.CrashPoints) => Effect.Effect<A, E, R>
): Effect.Effect<Life<A>, E, R> =>
  Effect.gen(function* () {
    const points = yield* CrashPoints.make(crashAt)
    // A killed process is not waited for: it neither cleans up nor finishes what it has begun.
    const fiber = yield* Effect.forkDaemon(Logger.withMinimumLogLevel(life(points), LogLevel.Error))
    const crashedAt = yield* Effect.raceFirst(Effect.as(Fiber.await(fiber), null), Deferred.await(points.crashed))
    const answer = crashedAt === null ? yield* Fiber.join(fiber) : null
    yield* Fiber.interruptFork(fiber)
    return { crashedAt, reached: points.reached, answer }
  })

/** Files and tables whose durable steps are counted. */
export const services = (
  points: CrashPoints.CrashPoints
): Layer.Layer<FileSystem.FileSystem | Tables, never, FileSystem.FileSystem | Tables> =>
  Layer.merge(
    Layer.effect(FileSystem.FileSystem, Effect.map(FileSystem.FileSystem, points.fileSystem)),
    Layer.effect(Tables, Effect.map(Tables, points.tables))
  )

/** Starts a job and waits for its end; `reports` is given its epochs as they become durable. */
export const job = <E>(
  started: Job.Job<E, Tables | Topics, {}>,
  options: Runner.RunOptions,
  reports: Array<EpochProgress>
) =>
  Effect.gen(function* () {
    const running = yield* Runner.start(started, options, (event) =>
      Effect.sync(() => {
        if (event._tag === "Progress") reports.push(event.progress)
      })
    )
    yield* running.ended
  }).pipe(Effect.scoped)
