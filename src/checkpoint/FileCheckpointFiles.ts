/**
 * The files of one job in a folder of checkpoints: how they are named, which of them count, who owns them, and what they
 * say of the past.
 */
import { Effect } from "effect"
import { StorageFailed } from "../model/Errors.ts"
import type { Intent, Manifest } from "./Checkpoint.ts"
import type * as CheckpointFolder from "./CheckpointFolder.ts"
import type { StoreError } from "./CheckpointStore.ts"
import { corrupted } from "./Encoding.ts"

/** What a claim's file says. */
export interface Owner {
  readonly job: string
  /** Empty after a reset of a job that never ran. */
  readonly jobId: string
  readonly lineage: number
  readonly generation: number
  readonly epochFloor: number
}

/** What a manifest's file says: the manifest, and which generation wrote the state file of each epoch it names. */
export interface ManifestFile {
  readonly manifest: Manifest
  readonly states: Readonly<Record<string, number>>
}

/** The name of a file of an epoch. */
export interface EpochName {
  readonly lineage: number
  readonly epoch: number
  readonly generation: number
}

export interface JobFolders {
  readonly claims: CheckpointFolder.CheckpointFolder
  readonly intents: CheckpointFolder.CheckpointFolder
  readonly manifests: CheckpointFolder.CheckpointFolder
  readonly states: CheckpointFolder.CheckpointFolder
  readonly progress: CheckpointFolder.CheckpointFolder
  readonly lookups: CheckpointFolder.CheckpointFolder
  readonly savepoints: CheckpointFolder.CheckpointFolder
  /** At most one file: the job is paused while it is there. */
  readonly pause: CheckpointFolder.CheckpointFolder
}

/** Owners that claim a job at the same moment: each round one of them wins. */
export const roundsMax = 8

export const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
/** What is decoded was sealed by `encode`. */
export const decode = <A>(bytes: Uint8Array): A => JSON.parse(new TextDecoder().decode(bytes)) as A

export const nameOf = (name: EpochName): string => `${name.lineage}.${name.epoch}.${name.generation}`

export const parsed = (name: string): EpochName => {
  const [lineage = 0, epoch = 0, generation = 0] = name.split(".").map(Number)
  return { lineage, epoch, generation }
}

/** The files of a lineage, or of all, by epoch; of each epoch the one that counts. */
export const epochFiles = (folder: CheckpointFolder.CheckpointFolder, lineage: number | null = null) =>
  Effect.map(folder.names, (names) => {
    const counting = new Map<string, EpochName>()
    for (const name of names.map(parsed).sort((a, b) => a.epoch - b.epoch || a.generation - b.generation)) {
      if (lineage === null || name.lineage === lineage) counting.set(`${name.lineage}.${name.epoch}`, name)
    }
    return [...counting.values()]
  })

export const highestClaim = (folders: JobFolders): Effect.Effect<number, StorageFailed> =>
  Effect.map(folders.claims.names, (names) => Math.max(0, ...names.map(Number)))

export const currentOwner = (folders: JobFolders): Effect.Effect<Owner | null, StorageFailed | StoreError> =>
  Effect.gen(function* () {
    const generation = yield* highestClaim(folders)
    if (generation === 0) return null
    const found = yield* folders.claims.read(String(generation))
    // A newer owner has removed it meanwhile.
    if (found === "missing") return yield* currentOwner(folders)
    if (found === "changed") {
      const file = `${folders.claims.path}/${generation}`
      return yield* Effect.fail(
        corrupted(file, 0, { what: `the claim ${file}`, how: "is not what was written", older: 0 })
      )
    }
    return decode<Owner>(found)
  })

/** Takes the next generation; `next` says the owner from the one before. */
export const take = (
  folders: JobFolders,
  job: string,
  next: (before: Owner | null) => Omit<Owner, "job" | "generation">
): Effect.Effect<Owner, StoreError> => {
  const attempt = (rounds: number): Effect.Effect<Owner, StoreError> =>
    Effect.gen(function* () {
      const before = yield* currentOwner(folders)
      const owner: Owner = { job, generation: (before?.generation ?? 0) + 1, ...next(before) }
      const taken = yield* folders.claims.write(String(owner.generation), encode(owner))
      // A name that was free may have been one that newer owners have removed.
      if (taken && (yield* highestClaim(folders)) === owner.generation) return owner
      return rounds > 0 ? yield* attempt(rounds - 1) : yield* Effect.fail(contended(folders, job))
    })
  return attempt(roundsMax)
}

export const readManifest = (
  folders: JobFolders,
  job: string,
  name: EpochName
): Effect.Effect<ManifestFile, StoreError> =>
  Effect.gen(function* () {
    const found = yield* folders.manifests.read(nameOf(name))
    if (typeof found !== "string") return decode<ManifestFile>(found)
    const older = (yield* epochFiles(folders.manifests, name.lineage)).filter((file) => file.epoch !== name.epoch)
    const how = found === "missing" ? "is missing" : "is not what was written"
    return yield* Effect.fail(corrupted(job, name.epoch, { what: "the manifest", how, older: older.length }))
  })

export const readPast = (
  folders: JobFolders,
  owner: Owner
): Effect.Effect<{ readonly manifest: Manifest | null; readonly intents: ReadonlyArray<Intent> }, StoreError> =>
  Effect.gen(function* () {
    const files = yield* epochFiles(folders.manifests, owner.lineage)
    const last = files.at(-1)
    const manifest = last === undefined ? null : (yield* readManifest(folders, owner.job, last)).manifest
    const intents: Array<Intent> = []
    for (const name of yield* epochFiles(folders.intents, owner.lineage)) {
      if (name.epoch <= (manifest?.epoch ?? 0)) continue
      const found = yield* folders.intents.read(nameOf(name))
      // Collected by its owner since it was listed: a manifest above it is there.
      if (found === "missing") continue
      if (found === "changed") {
        const how = "is not what was written"
        return yield* Effect.fail(corrupted(owner.job, name.epoch, { what: "the intent", how, older: files.length }))
      }
      intents.push(decode<Intent>(found))
    }
    return { manifest, intents }
  })

export const allManifests = (folders: JobFolders): Effect.Effect<ReadonlyArray<Manifest>, StoreError> =>
  Effect.gen(function* () {
    const owner = yield* currentOwner(folders)
    if (owner === null) return []
    const files = yield* epochFiles(folders.manifests, owner.lineage)
    const found = yield* Effect.forEach(files, (name) => readManifest(folders, owner.job, name))
    return found.map(({ manifest }) => manifest)
  })

export const contended = (folders: JobFolders, job: string): StorageFailed =>
  new StorageFailed({
    path: folders.claims.path,
    message: `too many owners want job ${job} at once`,
    hint: "start the job in one process only"
  })
