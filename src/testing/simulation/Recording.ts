/**
 * The choices of the epochs of jobs, as they became durable, and what was looked up: from them all of it can be computed
 * again.
 */
import { Effect, Layer } from "effect"
import type { Intent, Manifest } from "../../checkpoint/Checkpoint.ts"
import {
  CheckpointStore,
  type CheckpointStoreService,
  type Claim,
  type LookupRows
} from "../../checkpoint/CheckpointStore.ts"

export interface Recording {
  /** The intents of a job, in the order of epochs. */
  readonly intents: (job: string) => ReadonlyArray<Intent>
  /** Is told of an intent that is durable. */
  readonly durable: (intent: Intent) => void
  /** The last manifest of a job that is known to be durable; `null`: none is. */
  readonly manifest: (job: string) => Manifest | null
  /** Is told of a manifest that is durable. */
  readonly committed: (manifest: Manifest) => void
  /** Versions of what a job looked up, with those that never became durable. */
  readonly lookups: (job: string) => ReadonlyArray<LookupRows>
  readonly lookedUp: (job: string, rows: LookupRows) => void
}

export const make = (): Recording => {
  const jobs = new Map<string, Map<number, Intent>>()
  const manifests = new Map<string, Manifest>()
  const lookups = new Map<string, ReadonlyArray<LookupRows>>()
  return {
    manifest: (job) => manifests.get(job) ?? null,
    committed: (manifest) => {
      const known = manifests.get(manifest.job)
      if (known === undefined || known.epoch < manifest.epoch) manifests.set(manifest.job, manifest)
    },
    lookups: (job) => lookups.get(job) ?? [],
    lookedUp: (job, rows) => void lookups.set(job, [...(lookups.get(job) ?? []), rows]),
    intents: (job) => [...(jobs.get(job)?.values() ?? [])].sort((one, other) => one.epoch - other.epoch),
    durable: (intent) => {
      const known = jobs.get(intent.job) ?? new Map<number, Intent>()
      jobs.set(intent.job, known)
      // In files an overtaken owner may still add one of its own, which nobody reads.
      const there = known.get(intent.epoch)
      if (there === undefined || there.generation <= intent.generation) known.set(intent.epoch, intent)
    }
  }
}

/** An intent or a manifest is durable if its store said so, or if a claim or a look found it there. */
const recorded =
  ({ committed, durable, lookedUp }: Recording) =>
  (real: CheckpointStoreService): CheckpointStoreService => {
    const found = ({ intents, manifest }: Pick<Claim, "intents" | "manifest">) =>
      Effect.sync(() => {
        intents.forEach(durable)
        if (manifest !== null) committed(manifest)
      })
    return {
      ...real,
      claim: (job, jobId) => Effect.tap(real.claim(job, jobId), found),
      lookUp: (job) => Effect.tap(real.lookUp(job), (record) => (record === null ? Effect.void : found(record))),
      writeIntent: (claim, intent) =>
        Effect.tap(real.writeIntent(claim, intent), () => Effect.sync(() => durable(intent))),
      commit: (claim, epoch) =>
        Effect.tap(real.commit(claim, epoch), () => Effect.sync(() => committed(epoch.manifest))),
      writeLookup: (claim, rows, inUse) =>
        Effect.suspend(() => {
          lookedUp(claim.job, rows)
          return real.writeLookup(claim, rows, inUse)
        })
    }
  }

export const layer = <E, R>(
  store: Layer.Layer<CheckpointStore, E, R>,
  recording: Recording
): Layer.Layer<CheckpointStore, E, R> =>
  Layer.effect(CheckpointStore, Effect.map(CheckpointStore, recorded(recording))).pipe(Layer.provide(store))
