/**
 * The job of orders in this process, over servers that are taken away under it. What it goes through is chosen by its
 * own epochs, not by a clock.
 */
import { Effect, HashMap, Layer, Logger, LogLevel, Queue } from "effect"
import orders from "../../actors/orders.ts"
import type { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import type * as Job from "../../src/flow/Job.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import type { Topics } from "../../src/flow/Topics.ts"
import type { EpochProgress, JobStatus } from "../../src/observe/Progress.ts"
import * as Runner from "../../src/runtime/Runner.ts"

/** What happens to a job, and what it says of itself meanwhile. */
export interface Under {
  /** Settles when so many more epochs are durable; or the job has ended, and there are no more. */
  readonly epochs: (count: number) => Effect.Effect<void>
  /** Settles when the status fulfils a condition. */
  readonly when: (isIt: (status: JobStatus) => boolean) => Effect.Effect<JobStatus>
  readonly running: Runner.RunningJob
}

export interface Seen {
  readonly status: JobStatus
  /** Statuses that it told, in order. */
  readonly told: ReadonlyArray<JobStatus>
  readonly epochs: ReadonlyArray<EpochProgress>
  /** Epochs of sinks that were found to be there when they were tried again. */
  readonly alreadyThere: number
  /** All that it logged. */
  readonly log: string
}

export interface Lived<E> {
  readonly servers: Layer.Layer<Tables | Topics, E>
  /** Absent: checkpoints are in the tables' database. */
  readonly store?: Layer.Layer<CheckpointStore, unknown>
  readonly options: Runner.RunOptions
  readonly under: (under: Under) => Effect.Effect<void, unknown>
}

/** Runs the job until it has ended and all has happened to it that is to. Fails as the job does. */
export const lived = <E>({ options, servers, store, under }: Lived<E>): Effect.Effect<Seen, unknown> =>
  Effect.gen(function* () {
    const told: Array<JobStatus> = []
    const epochs: Array<EpochProgress> = []
    const durable = yield* Queue.unbounded<number>()
    const running = yield* Runner.start(orders as unknown as Job.Job<unknown, Tables | Topics, {}>, options, (event) =>
      Effect.sync(() => {
        if (event._tag === "State") told.push(event.status)
        else {
          epochs.push(event.progress)
          durable.unsafeOffer(event.progress.epoch)
        }
      })
    )
    const ended = Effect.ignore(running.ended)
    const happening = under({
      epochs: (count) => Effect.raceFirst(Effect.asVoid(Queue.takeN(durable, count)), ended),
      when: (isIt) => Effect.repeat(Effect.delay(running.status, "20 millis"), { until: isIt }),
      running
    })
    yield* Effect.all([happening, running.ended], { concurrency: "unbounded", discard: true })
    return { status: yield* running.status, told, epochs }
  }).pipe(Effect.scoped, Effect.provide(Layer.provideMerge(store ?? SqlCheckpointStore.layer, servers)), logged)

/** Keeps what is logged, and counts what it says. */
const logged = <A, E, R>(life: Effect.Effect<A, E, R>): Effect.Effect<A & Pick<Seen, "alreadyThere" | "log">, E, R> =>
  Effect.suspend(() => {
    const lines: Array<string> = []
    let alreadyThere = 0
    const logger = Logger.make(({ annotations, message }) => {
      lines.push(String(message))
      const found = HashMap.get(annotations, "alreadyThere")
      if (found._tag === "Some") alreadyThere += Number(found.value)
    })
    return life.pipe(
      Effect.map((seen) => ({ ...seen, alreadyThere, log: lines.join("\n") })),
      Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
      Logger.withMinimumLogLevel(LogLevel.Debug)
    )
  })
