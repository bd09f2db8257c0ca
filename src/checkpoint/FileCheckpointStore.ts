/**
 * The checkpoint store in a folder: `<root>/<job>/{claims,intents,manifests,states,progress,lookups,savepoints,pause}`,
 * files that are written once and never changed.
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
import {
  Defect,
  type Fenced,
  FolderNewer,
  type RowsUnexpected,
  type SavepointExists,
  type StorageFailed
} from "../model/Errors.ts"
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
  type Pause,
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
import {
  allManifests,
  contended,
  currentOwner,
  decode,
  type EpochName,
  encode,
  epochFiles,
  highestClaim,
  type JobFolders,
  type ManifestFile,
  nameOf,
  type Owner,
  parsed,
  readManifest,
  readPast,
  roundsMax,
  take
} from "./FileCheckpointFiles.ts"
import * as Lookups from "./FileCheckpointLookups.ts"
import * as Savepoints from "./FileCheckpointSavepoints.ts"
import { planted, type Savepoint } from "./Savepoint.ts"
import * as StateFile from "./StateFile.ts"

/** Version of this folder's form. */
const version = 1
const versionName = ".version"
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
        lookups: folder("lookups"),
        savepoints: folder("savepoints"),
        pause: folder("pause")
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
      writeIntent: (owner, intent) => toldIfOvertaken(of(owner.job), owner)(writeIntent(of(owner.job), owner, intent)),
      commit: (owner, epoch) => toldIfOvertaken(of(owner.job), owner)(commit(of(owner.job), owner, epoch)),
      readState: (manifest) => readState(of(manifest.job), manifest),
      writeLookup: (owner, rows, inUse) =>
        toldIfOvertaken(of(owner.job), owner)(writeLookup(of(owner.job), owner, rows, inUse)),
      readLookup: (owner, place) => Lookups.read(of(owner.job).lookups, owner, place),
      lookUp: (job) => record(of(job)),
      list: Effect.map(Effect.flatMap(jobs, Effect.forEach(record)), (records) =>
        records.filter((found) => found !== null).sort((a, b) => (a.job < b.job ? -1 : 1))
      ),
      progress: (job, last) => progress(of(job), last),
      neededOffsets: Effect.map(Effect.flatMap(jobs, Effect.forEach(neededManifests)), (found) =>
        lowestOffsets(found.flat())
      ),
      reset: (job, epochsSeen, savepoint) => reset(of(job), job, { epochsSeen, savepoint }),
      savepoint: (job, name, takenAt) => save(of(job), { name, takenAt, fileName: folderName(name) }, roundsMax),
      savepoints: (job) => Savepoints.list(of(job).savepoints, job),
      removeSavepoint: (job, name) => Savepoints.remove(of(job).savepoints, folderName(name)),
      setPause: (job, pause) => setPause(of(job), pause)
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

// Owners

const claim = (folders: JobFolders, job: string, jobId: string): Effect.Effect<Claim, StoreError | Fenced> =>
  Effect.gen(function* () {
    const owner = yield* take(folders, job, (before) => ({
      jobId: before?.jobId || jobId,
      lineage: before?.lineage ?? 1,
      epochFloor: before?.epochFloor ?? 0
    }))
    // Who is overtaken while it reads misses what the newer owner has collected: nothing is wrong with it.
    return yield* Effect.tapError(claimed(folders, owner), () => checkOwner(folders, owner))
  })

/** Ends what older owners have left, and reads the past. */
const claimed = (folders: JobFolders, owner: Owner): Effect.Effect<Claim, StoreError> =>
  Effect.gen(function* () {
    const older = (yield* folders.claims.names).filter((name) => Number(name) < owner.generation)
    yield* folders.claims.remove(older)
    const isStale = (name: string): boolean => parsed(name).generation < owner.generation
    const epochs = [folders.intents, folders.manifests, folders.states, folders.progress, folders.lookups]
    for (const folder of epochs) yield* folder.clear(isStale)
    const past = yield* readPast(folders, owner)
    // Sinks get epochs on the strength of what was found: a power cut must not take it away.
    for (const folder of epochs) yield* folder.settle
    yield* folders.claims.settleAbove
    return { ...owner, ...past }
  })

const checkOwner = (folders: JobFolders, owner: Owner): Effect.Effect<void, StoreError | Fenced> =>
  Effect.gen(function* () {
    if ((yield* highestClaim(folders)) === owner.generation) return
    yield* Effect.fail(overtaken(owner, yield* currentOwner(folders)))
  })

/** A newer owner removes what an older one has written half, or is about to read: it fails, and is told why. */
const toldIfOvertaken =
  (folders: JobFolders, claim: Claim) =>
  <E>(writing: Effect.Effect<void, E>) =>
    Effect.tapError(writing, () => checkOwner(folders, claim))

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
    // The first manifest of a lineage that goes on from a savepoint has no intent.
    const isNext = epoch === (claim.manifest?.epoch ?? claim.epochFloor) + 1
    if (!isNext && !files.some((name) => name.epoch === epoch - 1)) {
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
    const paused = yield* folders.pause.read(pauseName)
    const mark = typeof paused === "string" ? {} : { paused: decode<Pause>(paused) }
    return { job, jobId, lineage, generation, ...mark, ...(yield* readPast(folders, owner)) }
  })

const neededManifests = (folders: JobFolders): Effect.Effect<ReadonlyArray<Manifest>, StoreError> =>
  Effect.zipWith(
    allManifests(folders),
    Savepoints.list(folders.savepoints, folders.savepoints.path),
    (own, savepoints) => [...own, ...savepoints.map(({ manifest }) => manifest)]
  )

const pauseName = "paused"

const setPause = (folders: JobFolders, pause: Pause | null): Effect.Effect<void, StorageFailed> =>
  Effect.zipRight(
    folders.pause.remove([pauseName]),
    pause === null ? Effect.void : Effect.asVoid(folders.pause.write(pauseName, encode(pause)))
  )

/** Copies the last manifest; a state file that is collected meanwhile begins the copy anew, with the next manifest. */
const save = (
  folders: JobFolders,
  as: Pick<Savepoint, "name" | "takenAt"> & { readonly fileName: string },
  rounds: number
): Effect.Effect<Savepoint | null, StoreError | SavepointExists> =>
  Effect.gen(function* () {
    const owner = yield* currentOwner(folders)
    const last = owner === null ? undefined : (yield* epochFiles(folders.manifests, owner.lineage)).at(-1)
    if (owner === null || last === undefined) return null
    const { manifest, states } = yield* readManifest(folders, owner.job, last)
    const claim: Claim = { ...owner, manifest, intents: [] }
    const done = yield* Savepoints.save(folders.savepoints, as, {
      manifest,
      state: (epoch) => folders.states.read(nameOf({ ...last, epoch, generation: states[epoch] ?? last.generation })),
      lookup: (place) => Lookups.read(folders.lookups, claim, place)
    })
    if (done !== "collected") return done
    return rounds > 0 ? yield* save(folders, as, rounds - 1) : yield* Effect.fail(contended(folders, owner.job))
  })

/** Writes the past of the next lineage from a savepoint, as files that nobody reads before that lineage is claimed. */
const plant = (folders: JobFolders, savepoint: Savepoint, next: Owner): Effect.Effect<void, StoreError> =>
  Effect.gen(function* () {
    const manifest = planted(savepoint, next)
    const { lookups, states } = Savepoints.contents(folders.savepoints, folderName(savepoint.name), savepoint)
    for (const { bytes, epoch } of states) yield* folders.states.write(nameOf({ ...next, epoch }), yield* bytes)
    const claim: Claim = { ...next, manifest: null, intents: [] }
    for (const { bytes, lookup, version } of lookups)
      yield* Lookups.write(folders.lookups, claim, { lookup, version, bytes: yield* bytes }, null)
    const file: ManifestFile = { manifest, states: statesOf(manifest, null, next.generation) }
    yield* folders.manifests.write(nameOf({ ...next, epoch: manifest.epoch }), encode(file))
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

/**
 * First takes the generation, so that nobody adds an epoch, then says the lineage above all that is there. Files of a
 * lineage that is to come are those of a reset that did not end.
 */
const reset = (
  folders: JobFolders,
  job: string,
  { epochsSeen, savepoint }: { readonly epochsSeen: number; readonly savepoint: Savepoint | undefined }
): Effect.Effect<{ readonly lineage: number; readonly epochFloor: number }, StoreError> =>
  Effect.gen(function* () {
    const of = (before: Owner | null) => before ?? { jobId: "", lineage: 1, epochFloor: 0 }
    const fenced = yield* take(folders, job, (before) => withoutPlace(of(before)))
    const intents = yield* epochFiles(folders.intents)
    const manifests = yield* epochFiles(folders.manifests)
    const epochs = [...intents, ...manifests].map(({ epoch }) => epoch)
    const next = {
      jobId: fenced.jobId,
      lineage: fenced.lineage + 1,
      epochFloor: Math.max(epochsSeen, fenced.epochFloor, ...epochs)
    }
    const clear = (isDead: (lineage: number) => boolean) =>
      Effect.forEach(
        [folders.manifests, folders.intents, folders.states, folders.lookups],
        (folder) =>
          Effect.flatMap(folder.names, (names) => folder.remove(names.filter((name) => isDead(parsed(name).lineage)))),
        { discard: true }
      )
    yield* clear((lineage) => lineage > fenced.lineage)
    if (savepoint !== undefined) yield* plant(folders, savepoint, { job, generation: fenced.generation, ...next })
    const { lineage, epochFloor } = yield* take(folders, job, () => next)
    const durable = manifests.at(-1)?.epoch ?? 0
    const reports = yield* epochFiles(folders.progress)
    yield* folders.progress.remove(reports.filter(({ epoch }) => epoch > durable).map(nameOf))
    yield* clear((old) => old < lineage)
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
