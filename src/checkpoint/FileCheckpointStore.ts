/**
 * The checkpoint store in a folder: `<root>/<job>/{claims,intents,manifests,states,progress,lookups}`, files that are written
 * once and never changed.
 *
 * A claim is a file named by its generation; that a name can be taken only once makes it a compare-and-set between
 * processes on one file system. Every write first looks for a higher claim. What remains: an owner that is paused
 * between that look and its write can still add one file of its own generation. It does no harm. All files of an epoch
 * carry lineage, epoch and generation in their names, so nothing is overwritten and the highest generation counts; its
 * epoch reaches no sink, since the new owner has taken their fences, and where it had reached one before, the new owner
 * finds that sink ahead and starts again, now with the intent. It collects only files of its own and older generations
 * that no manifest it knows names, and a successor's manifests name only those and their own.
 *
 * A sink in a database commits by itself, under its fence, before the manifest.
 */
import { FileSystem } from "@effect/platform"
import { Effect, Layer } from "effect"
import { Defect, type Fenced, FolderNewer, type RowsUnexpected, StorageFailed } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { StatePart } from "../state/StatePart.ts"
import type { Intent, Manifest } from "./Checkpoint.ts"
import * as CheckpointFolder from "./CheckpointFolder.ts"
import {
  CheckpointStore,
  type CheckpointStoreService,
  type Claim,
  type EpochCommit,
  type JobRecord,
  type LookupPlace,
  type LookupRows,
  type StepState,
  type StoreError
} from "./CheckpointStore.ts"
import {
  corrupted,
  doesNotFollow,
  epochsOf,
  lookupsNamed,
  lowestOffsets,
  outOfTurn,
  overtaken,
  partNamed
} from "./Encoding.ts"
import * as Lookups from "./FileCheckpointLookups.ts"
import * as StateFile from "./StateFile.ts"

/** Version of this folder's form. */
const version = 1
const versionName = ".version"
/** Owners that claim a job at the same moment: each round one of them wins. */
const roundsMax = 8

/** What a claim's file says. */
interface Owner {
  readonly job: string
  /** Empty after a reset of a job that never ran. */
  readonly jobId: string
  readonly lineage: number
  readonly generation: number
  readonly epochFloor: number
}

/** What a manifest's file says: the manifest, and which generation wrote the state file of each epoch it names. */
interface ManifestFile {
  readonly manifest: Manifest
  readonly states: Readonly<Record<string, number>>
}

/** The name of a file of an epoch. */
interface EpochName {
  readonly lineage: number
  readonly epoch: number
  readonly generation: number
}

interface JobFolders {
  readonly claims: CheckpointFolder.CheckpointFolder
  readonly intents: CheckpointFolder.CheckpointFolder
  readonly manifests: CheckpointFolder.CheckpointFolder
  readonly states: CheckpointFolder.CheckpointFolder
  readonly progress: CheckpointFolder.CheckpointFolder
  readonly lookups: CheckpointFolder.CheckpointFolder
}

type Folders = (folderName: string) => JobFolders

/** Opens the store in the folder `root`, which is made if it is missing; a folder of a newer version is left as it is. */
export const make = (
  root: string
): Effect.Effect<CheckpointStoreService, StorageFailed | FolderNewer, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    yield* checkVersion(CheckpointFolder.make(files, root))
    const folders: Folders = (name) => {
      const folder = (kind: string) => CheckpointFolder.make(files, `${root}/${name}/${kind}`)
      return {
        claims: folder("claims"),
        intents: folder("intents"),
        manifests: folder("manifests"),
        states: folder("states"),
        progress: folder("progress"),
        lookups: folder("lookups")
      }
    }
    const of = (job: string): JobFolders => folders(folderName(job))
    const jobs = CheckpointFolder.make(files, root).names.pipe(
      Effect.map((names) => names.filter((name) => name !== versionName).map(folders))
    )
    return {
      tables: null,
      label: `file:${root}`,
      claim: (job, jobId) => claim(of(job), job, jobId),
      writeIntent: (owner, intent) => writeIntent(of(owner.job), owner, intent),
      commit: (owner, epoch) => commit(of(owner.job), owner, epoch),
      readState: (manifest) => readState(of(manifest.job), manifest),
      writeLookup: (owner, rows, inUse) => writeLookup(of(owner.job), owner, rows, inUse),
      readLookup: (owner, place) => Lookups.read(of(owner.job).lookups, owner, place),
      lookUp: (job) => record(of(job)),
      list: Effect.map(Effect.flatMap(jobs, Effect.forEach(record)), (records) =>
        records.filter((found) => found !== null).sort((a, b) => (a.job < b.job ? -1 : 1))
      ),
      progress: (job, last) => progress(of(job), last),
      neededOffsets: Effect.map(Effect.flatMap(jobs, Effect.forEach(allManifests)), (found) =>
        lowestOffsets(found.flat())
      ),
      reset: (job, epochsSeen) => reset(of(job), job, epochsSeen)
    }
  })

export const layer = (root: string): Layer.Layer<CheckpointStore, StorageFailed | FolderNewer, FileSystem.FileSystem> =>
  Layer.effect(CheckpointStore, make(root))

const checkVersion = (root: CheckpointFolder.CheckpointFolder): Effect.Effect<void, StorageFailed | FolderNewer> =>
  Effect.gen(function* () {
    yield* root.write(versionName, encode(version))
    const found = yield* root.read(versionName)
    if (typeof found !== "string" && decode<number>(found) === version) return
    const says = typeof found === "string" ? "a version that cannot be read" : `version ${decode<number>(found)}`
    yield* Effect.fail(
      new FolderNewer({
        folder: root.path,
        message: `the checkpoints in ${root.path} are of ${says}; this Weir knows version ${version}`,
        hint: "run the newer version of Weir, or use another folder"
      })
    )
  })

/** One folder for each name, on file systems that know no case as well. */
const folderName = (job: string): string =>
  encodeURIComponent(job).replace(/%..|[A-Z.*~]/g, (found) => {
    if (found.length > 1) return found.toLowerCase()
    return /[A-Z]/.test(found) ? `~${found.toLowerCase()}` : `%${found.charCodeAt(0).toString(16)}`
  })

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))
/** What is decoded was sealed by `encode`. */
const decode = <A>(bytes: Uint8Array): A => JSON.parse(new TextDecoder().decode(bytes)) as A

const nameOf = (name: EpochName): string => `${name.lineage}.${name.epoch}.${name.generation}`

const parsed = (name: string): EpochName => {
  const [lineage = 0, epoch = 0, generation = 0] = name.split(".").map(Number)
  return { lineage, epoch, generation }
}

/** The files of a lineage, or of all, by epoch; of each epoch the one that counts. */
const epochFiles = (folder: CheckpointFolder.CheckpointFolder, lineage: number | null = null) =>
  Effect.map(folder.names, (names) => {
    const counting = new Map<string, EpochName>()
    for (const name of names.map(parsed).sort((a, b) => a.epoch - b.epoch || a.generation - b.generation)) {
      if (lineage === null || name.lineage === lineage) counting.set(`${name.lineage}.${name.epoch}`, name)
    }
    return [...counting.values()]
  })

// Owners

const highestClaim = (folders: JobFolders): Effect.Effect<number, StorageFailed> =>
  Effect.map(folders.claims.names, (names) => Math.max(0, ...names.map(Number)))

const currentOwner = (folders: JobFolders): Effect.Effect<Owner | null, StorageFailed | StoreError> =>
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
const take = (
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

const claim = (folders: JobFolders, job: string, jobId: string): Effect.Effect<Claim, StoreError> =>
  Effect.gen(function* () {
    const owner = yield* take(folders, job, (before) => ({
      jobId: before?.jobId || jobId,
      lineage: before?.lineage ?? 1,
      epochFloor: before?.epochFloor ?? 0
    }))
    const older = (yield* folders.claims.names).filter((name) => Number(name) < owner.generation)
    yield* folders.claims.remove(older)
    const isStale = (name: string): boolean => parsed(name).generation < owner.generation
    for (const folder of [folders.intents, folders.manifests, folders.states, folders.progress, folders.lookups]) {
      yield* folder.clear(isStale)
    }
    return { ...owner, ...(yield* readPast(folders, owner)) }
  })

const checkOwner = (folders: JobFolders, claim: Claim): Effect.Effect<void, StoreError | Fenced> =>
  Effect.gen(function* () {
    if ((yield* highestClaim(folders)) === claim.generation) return
    yield* Effect.fail(overtaken(claim, yield* currentOwner(folders)))
  })

// Epochs

/** Is the file the owner's own, or of the past that it claimed? Any other is a paused owner's and came later. */
const isKnown = (claim: Claim, name: EpochName): boolean =>
  name.generation === claim.generation || name.epoch <= (claim.manifest?.epoch ?? 0)

const isKnownIntent = (claim: Claim, name: EpochName): boolean =>
  isKnown(claim, name) || claim.intents.some(({ epoch }) => epoch === name.epoch)

const writeIntent = (
  folders: JobFolders,
  claim: Claim,
  intent: Intent
): Effect.Effect<void, StoreError | Fenced | Defect> =>
  Effect.gen(function* () {
    yield* checkOwner(folders, claim)
    const { epoch } = intent
    const body = encode(intent)
    const files = yield* epochFiles(folders.intents, claim.lineage)
    const there = files.find((name) => name.epoch === epoch)
    if (there !== undefined && isKnownIntent(claim, there)) {
      if (equal(yield* folders.intents.read(nameOf(there)), body)) return
      return yield* Effect.fail(outOfTurn(intent, true))
    }
    if (epoch !== claim.epochFloor + 1 && !files.some((name) => name.epoch === epoch - 1)) {
      return yield* Effect.fail(outOfTurn(intent, false))
    }
    yield* folders.intents.write(nameOf({ ...claim, epoch }), body)
  })

const equal = (found: Uint8Array | string, wanted: Uint8Array): boolean =>
  typeof found !== "string" && found.length === wanted.length && found.every((byte, i) => byte === wanted[i])

const commit = (
  folders: JobFolders,
  claim: Claim,
  { manifest, progress, state, statements }: EpochCommit
): Effect.Effect<void, StoreError | Fenced | RowsUnexpected> =>
  Effect.gen(function* () {
    if (statements.length > 0) return yield* Effect.die(givenStatements)
    yield* checkOwner(folders, claim)
    const { epoch } = manifest
    const name = nameOf({ ...claim, epoch })
    const files = yield* epochFiles(folders.manifests, claim.lineage)
    const before = files.filter((file) => file.epoch < epoch || isKnown(claim, file)).at(-1)
    const based = before === undefined ? null : yield* readManifest(folders, manifest.job, before)
    const body = encode({ manifest, states: statesOf(manifest, based, claim.generation) } satisfies ManifestFile)
    if (before?.epoch === epoch && equal(yield* folders.manifests.read(nameOf(before)), body)) return
    const committed = before?.epoch ?? claim.epochFloor
    if (epoch !== committed + 1) return yield* Effect.fail(doesNotFollow(manifest, committed))
    if (state.some(({ parts }) => parts.length > 0)) yield* rewrite(folders.states, name, StateFile.encode(state))
    yield* rewrite(folders.progress, name, encode(progress))
    // The last look before the epoch becomes durable, so that a pause in the writes above is noticed.
    yield* checkOwner(folders, claim)
    yield* folders.manifests.write(name, body)
    yield* collect(folders, claim, epoch)
  })

/** A file that an attempt before left: no manifest names it yet. */
const rewrite = (folder: CheckpointFolder.CheckpointFolder, name: string, body: Uint8Array) =>
  Effect.gen(function* () {
    if (yield* folder.write(name, body)) return
    yield* folder.remove([name])
    yield* folder.write(name, body)
  })

/** Which generation wrote the state of each epoch that the manifest names. */
const statesOf = (manifest: Manifest, based: ManifestFile | null, generation: number): Record<string, number> => {
  const states: Record<string, number> = {}
  for (const epoch of manifest.state.flatMap(epochsOf)) {
    states[epoch] = epoch === manifest.epoch ? generation : (based?.states[epoch] ?? generation)
  }
  return states
}

/** Removes what no kept manifest needs: only files of this and older generations, and of older lineages. */
const collect = (folders: JobFolders, claim: Claim, epoch: number): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const files = yield* epochFiles(folders.manifests, claim.lineage)
    const kept = files.slice(-Limits.manifestsKept)
    const oldest = kept[0]?.epoch ?? epoch
    const named = new Set<string>()
    for (const file of kept) {
      const found = yield* Effect.either(readManifest(folders, claim.job, file))
      // What a manifest names that cannot be read, nobody knows: nothing goes until it is not kept any more.
      if (found._tag === "Left") return
      for (const [of, generation] of Object.entries(found.right.states)) {
        named.add(nameOf({ lineage: claim.lineage, epoch: Number(of), generation }))
      }
    }
    const remove = (folder: CheckpointFolder.CheckpointFolder, isDead: (name: EpochName) => boolean) =>
      Effect.flatMap(folder.names, (names) =>
        folder.remove(names.filter((name) => parsed(name).generation <= claim.generation && isDead(parsed(name))))
      )
    const isOld = (name: EpochName): boolean => name.lineage < claim.lineage || name.epoch < oldest
    yield* remove(folders.manifests, isOld)
    yield* remove(folders.intents, isOld)
    yield* remove(folders.progress, (name) => name.epoch <= epoch - Limits.progressKept)
    yield* remove(folders.states, (name) => name.epoch <= epoch && !named.has(nameOf(name)))
  })

/** A version is durable before the intent that names it; a newer owner does not look at what an older one adds. */
const writeLookup = (
  folders: JobFolders,
  claim: Claim,
  rows: LookupRows,
  inUse: ReadonlyArray<LookupPlace>
): Effect.Effect<void, StoreError | Fenced> =>
  Effect.gen(function* () {
    yield* checkOwner(folders, claim)
    const manifests = yield* Effect.either(allManifests(folders))
    const intents = yield* Effect.forEach(yield* epochFiles(folders.intents, claim.lineage), (name) =>
      folders.intents.read(nameOf(name))
    )
    const isKnown = manifests._tag === "Right" && !intents.includes("changed")
    const naming = intents.flatMap((found) => (typeof found === "string" ? [] : [decode<Intent>(found)]))
    const named = isKnown ? [...inUse, ...lookupsNamed([...manifests.right, ...naming])] : null
    yield* Lookups.write(folders.lookups, claim, rows, named)
  })

// What is there

const readManifest = (folders: JobFolders, job: string, name: EpochName): Effect.Effect<ManifestFile, StoreError> =>
  Effect.gen(function* () {
    const found = yield* folders.manifests.read(nameOf(name))
    if (typeof found !== "string") return decode<ManifestFile>(found)
    const older = (yield* epochFiles(folders.manifests, name.lineage)).filter((file) => file.epoch !== name.epoch)
    const how = found === "missing" ? "is missing" : "is not what was written"
    return yield* Effect.fail(corrupted(job, name.epoch, { what: "the manifest", how, older: older.length }))
  })

const readPast = (
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

const readState = (folders: JobFolders, manifest: Manifest): Effect.Effect<ReadonlyArray<StepState>, StoreError> =>
  Effect.gen(function* () {
    const { job, lineage } = manifest
    const files = yield* epochFiles(folders.manifests, lineage)
    const counting = files.find((name) => name.epoch === manifest.epoch) ?? manifest
    const { states } = yield* readManifest(folders, job, counting)
    const read = new Map<number, StateFile.Parts | "changed" | "missing">()
    const steps = new Map<string, Array<StatePart>>()
    for (const handle of manifest.state) {
      const parts = steps.get(handle.step) ?? []
      steps.set(handle.step, parts)
      for (const epoch of epochsOf(handle)) {
        const generation = states[epoch] ?? counting.generation
        const found = read.get(epoch) ?? (yield* readStateFile(folders, { lineage, epoch, generation }))
        read.set(epoch, found)
        const part = typeof found === "string" ? undefined : found(handle.step, handle.keyGroup)
        if (part === undefined || (part.kind === "base") !== (epoch === handle.baseEpoch)) {
          const how = found === "changed" ? "is in a file that is not what was written" : "is missing"
          const of = { what: partNamed(handle), how, older: files.length - 1 }
          return yield* Effect.fail(corrupted(job, epoch, of))
        }
        parts.push(part)
      }
    }
    return [...steps].map(([step, parts]) => ({ step, parts }))
  })

const readStateFile = (folders: JobFolders, name: EpochName) =>
  Effect.map(folders.states.read(nameOf(name)), (found) =>
    typeof found === "string" ? found : StateFile.decode(found)
  )

const record = (folders: JobFolders): Effect.Effect<JobRecord | null, StoreError> =>
  Effect.gen(function* () {
    const owner = yield* currentOwner(folders)
    if (owner === null || owner.jobId === "") return null
    const { job, jobId, lineage, generation } = owner
    return { job, jobId, lineage, generation, ...(yield* readPast(folders, owner)) }
  })

const allManifests = (folders: JobFolders): Effect.Effect<ReadonlyArray<Manifest>, StoreError> =>
  Effect.gen(function* () {
    const owner = yield* currentOwner(folders)
    if (owner === null) return []
    const files = yield* epochFiles(folders.manifests, owner.lineage)
    const found = yield* Effect.forEach(files, (name) => readManifest(folders, owner.job, name))
    return found.map(({ manifest }) => manifest)
  })

const progress = (folders: JobFolders, last: number): Effect.Effect<ReadonlyArray<string>, StoreError> =>
  Effect.gen(function* () {
    const owner = yield* currentOwner(folders)
    if (owner === null || last < 1) return []
    const durable = (yield* epochFiles(folders.manifests, owner.lineage)).at(-1)?.epoch ?? 0
    const names = (yield* epochFiles(folders.progress))
      // A report is written before its manifest.
      .filter((name) => name.lineage < owner.lineage || name.epoch <= durable)
      .slice(-Math.min(last, Limits.progressKept))
    const found = yield* Effect.forEach(names, (name) => folders.progress.read(nameOf(name)))
    return found.filter((body) => typeof body !== "string").map((body) => decode<string>(body))
  })

/** First takes the generation, so that nobody adds an epoch, then says the lineage above all that is there. */
const reset = (
  folders: JobFolders,
  job: string,
  epochsSeen: number
): Effect.Effect<{ readonly lineage: number; readonly epochFloor: number }, StoreError> =>
  Effect.gen(function* () {
    const of = (before: Owner | null) => before ?? { jobId: "", lineage: 1, epochFloor: 0 }
    yield* take(folders, job, (before) => withoutPlace(of(before)))
    const intents = yield* epochFiles(folders.intents)
    const manifests = yield* epochFiles(folders.manifests)
    const epochs = [...intents, ...manifests].map(({ epoch }) => epoch)
    const { lineage, epochFloor } = yield* take(folders, job, (before) => ({
      jobId: of(before).jobId,
      lineage: of(before).lineage + 1,
      epochFloor: Math.max(epochsSeen, of(before).epochFloor, ...epochs)
    }))
    const durable = manifests.at(-1)?.epoch ?? 0
    const reports = yield* epochFiles(folders.progress)
    yield* folders.progress.remove(reports.filter(({ epoch }) => epoch > durable).map(nameOf))
    for (const folder of [folders.manifests, folders.intents, folders.states, folders.lookups]) {
      yield* folder.remove(yield* folder.names)
    }
    return { lineage, epochFloor }
  })

const withoutPlace = ({ jobId, lineage, epochFloor }: Omit<Owner, "job" | "generation">) => ({
  jobId,
  lineage,
  epochFloor
})

const givenStatements = new Defect({
  message: "a checkpoint store without tables was given statements",
  hint: "report it: a sink in a database commits before the manifest where the store is none"
})

const contended = (folders: JobFolders, job: string): StorageFailed =>
  new StorageFailed({
    path: folders.claims.path,
    message: `too many owners want job ${job} at once`,
    hint: "start the job in one process only"
  })
