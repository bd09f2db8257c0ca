/** The choices of a job's epochs, as they became durable: from them all of it can be computed again. */
import { Effect, Layer } from "effect"
import type { Intent } from "../../checkpoint/Checkpoint.ts"
import { CheckpointStore, type CheckpointStoreService } from "../../checkpoint/CheckpointStore.ts"

/** By epoch. */
export type Intents = Map<number, Intent>

/** An intent is durable if its store said so, if a later owner found it, or if its epoch is committed. */
export const recorded =
  (intents: Intents) =>
  (real: CheckpointStoreService): CheckpointStoreService => {
    const written = new Map<number, Intent>()
    const durable = (intent: Intent | undefined): void => {
      if (intent !== undefined) intents.set(intent.epoch, intent)
    }
    return {
      ...real,
      claim: (job, jobId) =>
        Effect.tap(real.claim(job, jobId), (claim) => Effect.sync(() => claim.intents.forEach(durable))),
      writeIntent: (claim, intent) => {
        written.set(intent.epoch, intent)
        return Effect.tap(real.writeIntent(claim, intent), () => Effect.sync(() => durable(intent)))
      },
      commit: (claim, epoch) => {
        durable(written.get(epoch.manifest.epoch))
        return real.commit(claim, epoch)
      }
    }
  }

export const layer = <E, R>(
  store: Layer.Layer<CheckpointStore, E, R>,
  intents: Intents
): Layer.Layer<CheckpointStore, E, R> =>
  Layer.effect(CheckpointStore, Effect.map(CheckpointStore, recorded(intents))).pipe(Layer.provide(store))
