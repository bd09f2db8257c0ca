/**
 * What a job would have written had nothing happened. An epoch is a pure function of the state before it and of its
 * intent: one process that nothing befalls, and that finds all intents in a store that has nothing else, computes all
 * of it again in a row.
 */
import { Effect, Either, Exit } from "effect"
import type { Intent } from "../../checkpoint/Checkpoint.ts"
import { CheckpointStore, type CheckpointStoreService, type LookupRows } from "../../checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../checkpoint/MemoryCheckpointStore.ts"
import * as Runner from "../../runtime/Runner.ts"
import * as Contents from "./Contents.ts"
import type { SimulatedJob } from "./Jobs.ts"
import * as Process from "./Process.ts"
import * as Stage from "./Stage.ts"

export interface ReferenceOptions extends SimulatedJob, Omit<Stage.StageOptions, "faults" | "layout"> {
  /** The stage that the job ran on: what it read is read again. */
  readonly inputOf: Stage.Stage
  /** In the order of epochs. */
  readonly intents: ReadonlyArray<Intent>
  /** Versions that intents may name. */
  readonly lookups: ReadonlyArray<LookupRows>
  /** Called when an epoch is computed, with what is written up to it. Absent: only the end counts. */
  readonly onEpoch?: (epoch: number, contents: Contents.Contents) => void
}

/** Milliseconds of its world that it may take: an hour. */
const patienceMillis = 3_600_000

/** Left: why it cannot be computed. */
export const run = (options: ReferenceOptions): Either.Either<Contents.Contents, string> => {
  const { began, files = {}, inputOf, intents, job, lookups, makeDatabase, onEpoch, seed, set, topics } = options
  const stage = Stage.make({ began, files, inputOf, makeDatabase, seed, topics, faults: [] })
  const process = Process.make(stage.world, "reference", { steps: "long" })
  const contents = (): Contents.Contents => Contents.of(stage, Object.keys(topics))
  const telling = (store: CheckpointStoreService): CheckpointStoreService => ({
    ...store,
    commit: (claim, epoch) =>
      Effect.tap(store.commit(claim, epoch), () => Effect.sync(() => onEpoch?.(epoch.manifest.epoch, contents())))
  })
  const main = Effect.gen(function* () {
    const store = yield* MemoryCheckpointStore.make
    const claim = yield* store.claim(job.name, "reference")
    for (const rows of lookups) yield* store.writeLookup(claim, rows, lookups)
    for (const intent of intents)
      yield* store.writeIntent(claim, { ...intent, lineage: claim.lineage, generation: claim.generation })
    const running = yield* Runner.start(job, { availableNow: true, set }, () => Effect.void).pipe(
      Effect.provideService(CheckpointStore, telling(store))
    )
    yield* running.ended
  }).pipe(Effect.scoped, Effect.provide(stage.layers(process)))
  let exit: Exit.Exit<void, unknown> | null = null
  process.run(main as Effect.Effect<void, unknown>, (done) => {
    exit = done
  })
  const how = stage.world.run(() => exit !== null, patienceMillis)
  const found =
    how === "done" && Exit.isSuccess(exit!)
      ? Either.right(contents())
      : Either.left(`what ${job.name} was to write cannot be computed: ${how}, ${String(exit)}`)
  stage.close()
  return found
}
