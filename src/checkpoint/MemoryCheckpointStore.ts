/**
 * The checkpoint store in memory: for tests, and for jobs that need not survive their process. Who opens the same
 * store again after a restart finds what was there.
 */
import { Effect, Layer } from "effect"
import { Defect, type Fenced, type RowsUnexpected, type SavepointExists } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { StatePart } from "../state/StatePart.ts"
import type { Manifest } from "./Checkpoint.ts"
import {
  CheckpointStore,
  type CheckpointStoreService,
  type Claim,
  type EpochCommit,
  type JobRecord,
  type LookupPlace,
  type LookupRows,
  type Pause
} from "./CheckpointStore.ts"
import {
  collectable,
  corrupted,
  doesNotFollow,
  epochsOf,
  lookupCorrupted,
  lookupsNamed,
  lowestOffsets,
  outOfTurn,
  overtaken,
  partNamed,
  type Sealed,
  seal,
  unsealIntent,
  unsealManifest
} from "./Encoding.ts"
import { exists, planted, type Savepoint } from "./Savepoint.ts"

interface Job {
  jobId: string
  lineage: number
  generation: number
  floor: number
  intended: number
  committed: number
  readonly manifests: Map<number, Sealed>
  readonly intents: Map<number, Sealed>
  readonly parts: Map<string, StatePart>
  readonly progress: Map<number, string>
  readonly lookups: Map<string, LookupRows>
  readonly savepoints: Map<string, Saved>
  paused: Pause | null
}

interface Saved {
  readonly savepoint: Savepoint
  readonly parts: ReadonlyMap<string, StatePart>
  readonly lookups: ReadonlyMap<string, LookupRows>
}

/** A store of its own, empty. */
export const make: Effect.Effect<CheckpointStoreService> = Effect.sync(() => {
  const jobs = new Map<string, Job>()
  return {
    tables: null,
    label: "memory",
    claim: (job, jobId) => Effect.sync(() => claim(jobs, job, jobId)),
    writeIntent: (owner, intent) =>
      Effect.suspend((): Effect.Effect<void, Fenced | Defect> => {
        const job = jobs.get(owner.job)
        if (!owns(owner, job)) return Effect.fail(overtaken(owner, job))
        const sealed = seal(intent)
        const there = job.intents.get(intent.epoch)
        if (there?.body === sealed.body) return Effect.void
        if (intent.epoch !== job.intended + 1) return Effect.fail(outOfTurn(intent, there !== undefined))
        job.intents.set(intent.epoch, sealed)
        job.intended = intent.epoch
        return Effect.void
      }),
    commit: (owner, epoch) => Effect.suspend(() => commit(jobs.get(owner.job), owner, epoch)),
    readState: (manifest) => Effect.suspend(() => readState(jobs.get(manifest.job), manifest)),
    writeLookup: (owner, rows, inUse) => Effect.suspend(() => writeLookup(jobs.get(owner.job), owner, rows, inUse)),
    readLookup: (owner, place) =>
      Effect.suspend(() => {
        const job = jobs.get(owner.job)
        const found = job?.lineage === owner.lineage ? job.lookups.get(lookupAt(place)) : undefined
        return found === undefined
          ? Effect.fail(lookupCorrupted(owner, place, "is missing"))
          : Effect.succeed(found.bytes)
      }),
    lookUp: (job) => Effect.sync(() => record(job, jobs.get(job))),
    list: Effect.sync(() =>
      [...jobs].flatMap(([name, job]) => record(name, job) ?? []).sort((a, b) => (a.job < b.job ? -1 : 1))
    ),
    progress: (job, last) =>
      Effect.sync(() => (last < 1 ? [] : [...(jobs.get(job)?.progress.values() ?? [])].slice(-last))),
    neededOffsets: Effect.sync(() =>
      lowestOffsets(
        [...jobs.values()].flatMap((job) => [...manifestsOf(job), ...savepointsOf(job).map(({ manifest }) => manifest)])
      )
    ),
    reset: (job, epochsSeen, savepoint) => Effect.sync(() => reset(jobs, job, epochsSeen, savepoint)),
    savepoint: (job, name, takenAt) => Effect.suspend(() => save(jobs.get(job), job, { name, takenAt })),
    savepoints: (job) => Effect.sync(() => savepointsOf(jobs.get(job))),
    removeSavepoint: (job, name) => Effect.sync(() => void jobs.get(job)?.savepoints.delete(name)),
    setPause: (job, pause) =>
      Effect.sync(() => {
        jobOf(jobs, job).paused = pause
      })
  }
})

export const layer: Layer.Layer<CheckpointStore> = Layer.effect(CheckpointStore, make)

const jobOf = (jobs: Map<string, Job>, name: string): Job => {
  const found = jobs.get(name)
  if (found !== undefined) return found
  const numbers = { lineage: 1, generation: 0, floor: 0, intended: 0, committed: 0 }
  const maps = {
    manifests: new Map(),
    intents: new Map(),
    parts: new Map(),
    progress: new Map(),
    lookups: new Map(),
    savepoints: new Map()
  }
  const job: Job = { jobId: "", paused: null, ...numbers, ...maps }
  jobs.set(name, job)
  return job
}

const claim = (jobs: Map<string, Job>, name: string, jobId: string): Claim => {
  const job = jobOf(jobs, name)
  job.jobId ||= jobId
  job.generation++
  return { ...record(name, job)!, epochFloor: job.floor }
}

const owns = (owner: Claim, job: Job | undefined): job is Job =>
  job !== undefined && job.lineage === owner.lineage && job.generation === owner.generation

const commit = (
  job: Job | undefined,
  owner: Claim,
  { manifest, progress, state, statements }: EpochCommit
): Effect.Effect<void, Fenced | RowsUnexpected> => {
  if (!owns(owner, job)) return Effect.fail(overtaken(owner, job))
  if (statements.length > 0)
    return Effect.die(new Defect({ message: "a store without tables was given statements", hint: "report it" }))
  const sealed = seal(manifest)
  if (job.manifests.get(manifest.epoch)?.body === sealed.body) return Effect.void
  if (manifest.epoch !== job.committed + 1) return Effect.fail(doesNotFollow(manifest, job.committed))
  for (const { step, parts } of state) {
    for (const part of parts) job.parts.set(placeOf(step, part.keyGroup, manifest.epoch), part)
  }
  job.manifests.set(manifest.epoch, sealed)
  job.progress.set(manifest.epoch, progress)
  job.committed = manifest.epoch
  collect(job)
  return Effect.void
}

const placeOf = (step: string, keyGroup: number, epoch: number): string => `${epoch} ${keyGroup} ${step}`

const collect = (job: Job): void => {
  const all = manifestsOf(job)
  const oldest = all.at(-Limits.manifestsKept) ?? all[0]!
  for (const leaving of all.slice(0, -Limits.manifestsKept)) {
    for (const { step, keyGroup, epoch } of collectable(leaving, oldest))
      job.parts.delete(placeOf(step, keyGroup, epoch))
    job.manifests.delete(leaving.epoch)
  }
  for (const epoch of job.intents.keys()) if (epoch < oldest.epoch) job.intents.delete(epoch)
  for (const epoch of job.progress.keys()) if (epoch <= job.committed - Limits.progressKept) job.progress.delete(epoch)
}

const lookupAt = ({ lookup, version }: LookupPlace): string => `${version} ${lookup}`

const writeLookup = (
  job: Job | undefined,
  owner: Claim,
  rows: LookupRows,
  inUse: ReadonlyArray<LookupPlace>
): Effect.Effect<void, Fenced> => {
  if (!owns(owner, job)) return Effect.fail(overtaken(owner, job))
  const naming = [...manifestsOf(job), ...[...job.intents.values()].map(unsealIntent)]
  const kept = new Set([...inUse, ...lookupsNamed(naming), rows].map(lookupAt))
  job.lookups.set(lookupAt(rows), rows)
  for (const at of job.lookups.keys()) if (!kept.has(at)) job.lookups.delete(at)
  return Effect.void
}

const manifestsOf = (job: Job): ReadonlyArray<Manifest> =>
  [...job.manifests.values()].map(unsealManifest).filter((manifest) => manifest !== null)

const record = (name: string, job: Job | undefined): JobRecord | null => {
  if (job === undefined || job.jobId === "") return null
  const manifest = manifestsOf(job).at(-1) ?? null
  const intents = [...job.intents.values()]
    .map(unsealIntent)
    .filter((intent) => intent !== null)
    .filter((intent) => intent.epoch > (manifest?.epoch ?? 0))
  const { generation, jobId, lineage, paused } = job
  return { job: name, jobId, lineage, generation, manifest, intents, ...(paused === null ? {} : { paused }) }
}

const readState = (job: Job | undefined, manifest: Manifest) => {
  const steps = new Map<string, Array<StatePart>>()
  for (const handle of manifest.state) {
    const parts = steps.get(handle.step) ?? []
    steps.set(handle.step, parts)
    for (const epoch of epochsOf(handle)) {
      const part = job?.parts.get(placeOf(handle.step, handle.keyGroup, epoch))
      if (job?.lineage !== manifest.lineage || part === undefined) {
        const older = (job?.manifests.size ?? 1) - 1
        return Effect.fail(corrupted(manifest.job, epoch, { what: partNamed(handle), how: "is missing", older }))
      }
      parts.push(part)
    }
  }
  return Effect.succeed([...steps].map(([step, parts]) => ({ step, parts })))
}

const savepointsOf = (job: Job | undefined): ReadonlyArray<Savepoint> =>
  [...(job?.savepoints.values() ?? [])]
    .map(({ savepoint }) => savepoint)
    .sort((a, b) => a.takenAt - b.takenAt || (a.name < b.name ? -1 : 1))

const save = (
  job: Job | undefined,
  name: string,
  as: Pick<Savepoint, "name" | "takenAt">
): Effect.Effect<Savepoint | null, SavepointExists> => {
  const manifest = job === undefined ? undefined : manifestsOf(job).at(-1)
  if (job === undefined || manifest === undefined) return Effect.succeed(null)
  if (job.savepoints.has(as.name)) return Effect.fail(exists(name, as.name))
  const savepoint = { ...as, manifest }
  job.savepoints.set(as.name, { savepoint, parts: new Map(job.parts), lookups: new Map(job.lookups) })
  return Effect.succeed(savepoint)
}

const reset = (jobs: Map<string, Job>, name: string, epochsSeen: number, savepoint?: Savepoint) => {
  const job = jobOf(jobs, name)
  const floor = Math.max(epochsSeen, job.floor, job.intended, job.committed)
  job.lineage++
  job.generation++
  job.floor = floor
  job.intended = floor
  job.committed = floor
  job.manifests.clear()
  job.intents.clear()
  job.parts.clear()
  job.lookups.clear()
  const saved = savepoint === undefined ? undefined : job.savepoints.get(savepoint.name)
  if (saved !== undefined) plant(job, saved)
  return { lineage: job.lineage, epochFloor: floor }
}

const plant = (job: Job, { lookups, parts, savepoint }: Saved): void => {
  const { floor: epochFloor, generation, jobId, lineage } = job
  const manifest = planted(savepoint, { lineage, generation, epochFloor, jobId })
  for (const [place, part] of parts) job.parts.set(place, part)
  for (const [at, rows] of lookups) job.lookups.set(at, rows)
  job.manifests.set(manifest.epoch, seal(manifest))
  job.intended = manifest.epoch
  job.committed = manifest.epoch
}
