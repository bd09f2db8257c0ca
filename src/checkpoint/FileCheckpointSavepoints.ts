/**
 * Savepoints in a folder: for each one a file that says it, and beside it a copy of every state file and lookup that its
 * manifest names. The file that says it is written last and removed first: a savepoint is there wholly or not at all.
 */
import { Effect } from "effect"
import { CheckpointCorrupted, type SavepointExists, type StorageFailed } from "../model/Errors.ts"
import type { Manifest } from "./Checkpoint.ts"
import type { CheckpointFolder } from "./CheckpointFolder.ts"
import type { LookupPlace, StoreError } from "./CheckpointStore.ts"
import { epochsOf, lookupsNamed } from "./Encoding.ts"
import { exists, type Savepoint } from "./Savepoint.ts"

/** What a savepoint copies: state files by epoch and lookups, as they were written; `missing`: collected meanwhile. */
export interface Original {
  readonly manifest: Manifest
  readonly state: (epoch: number) => Effect.Effect<Uint8Array | "changed" | "missing", StoreError>
  readonly lookup: (place: LookupPlace) => Effect.Effect<Uint8Array, StoreError>
}

/** Copies; answers false, and keeps nothing, where a state file was collected meanwhile. */
export const save = (
  folder: CheckpointFolder,
  as: Pick<Savepoint, "name" | "takenAt"> & { readonly fileName: string },
  { lookup, manifest, state }: Original
): Effect.Effect<Savepoint | "collected", StoreError | SavepointExists> =>
  Effect.gen(function* () {
    const { fileName, name, takenAt } = as
    const savepoint: Savepoint = { name, takenAt, manifest }
    if ((yield* folder.names).includes(fileName)) return yield* exists(manifest.job, name)
    for (const epoch of stateEpochs(manifest)) {
      const bytes = yield* state(epoch)
      if (bytes === "missing") return "collected"
      if (bytes === "changed") return yield* Effect.fail(unreadable(manifest.job, savepoint))
      yield* folder.write(stateName(fileName, manifest, epoch), bytes)
    }
    for (const [index, place] of lookupsNamed([manifest]).entries())
      yield* folder.write(lookupName(fileName, manifest, index), yield* lookup(place))
    if (!(yield* folder.write(fileName, encode(savepoint)))) return yield* exists(manifest.job, name)
    return savepoint
  })

/** Oldest first. */
export const list = (folder: CheckpointFolder, job: string): Effect.Effect<ReadonlyArray<Savepoint>, StoreError> =>
  Effect.gen(function* () {
    const heads = (yield* folder.names).filter((name) => !name.includes(separator))
    const savepoints: Array<Savepoint> = []
    for (const name of heads) {
      const found = yield* folder.read(name)
      if (found === "missing") continue
      if (found === "changed") return yield* Effect.fail(unreadable(job, { name }))
      savepoints.push(JSON.parse(new TextDecoder().decode(found)) as Savepoint)
    }
    return savepoints.sort((a, b) => a.takenAt - b.takenAt || (a.name < b.name ? -1 : 1))
  })

export const remove = (folder: CheckpointFolder, fileName: string): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    yield* folder.remove([fileName])
    yield* folder.remove((yield* folder.names).filter((name) => name.startsWith(`${fileName}${separator}`)))
  })

/** What a savepoint holds, file by file. */
export const contents = (folder: CheckpointFolder, fileName: string, savepoint: Savepoint) => {
  const { manifest } = savepoint
  const read = (name: string) =>
    Effect.flatMap(folder.read(name), (found) =>
      typeof found === "string" ? Effect.fail(unreadable(manifest.job, savepoint)) : Effect.succeed(found)
    )
  return {
    states: stateEpochs(manifest).map((epoch) => ({ epoch, bytes: read(stateName(fileName, manifest, epoch)) })),
    lookups: lookupsNamed([manifest]).map((place, index) => ({
      ...place,
      bytes: read(lookupName(fileName, manifest, index))
    }))
  }
}

// Private

/** Stands in no name that a person gives: there it is spelled otherwise. */
const separator = "+"

// Two copies of one name at once are of different manifests, or the same bytes.
const placeOf = ({ epoch, generation, lineage }: Manifest): string => `${lineage}.${epoch}.${generation}`
const stateName = (fileName: string, manifest: Manifest, epoch: number): string =>
  `${fileName}${separator}${placeOf(manifest)}.state.${epoch}`
const lookupName = (fileName: string, manifest: Manifest, index: number): string =>
  `${fileName}${separator}${placeOf(manifest)}.lookup.${index}`

const stateEpochs = (manifest: Manifest): ReadonlyArray<number> => [...new Set(manifest.state.flatMap(epochsOf))]

const encode = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value))

const unreadable = (job: string, { name }: Pick<Savepoint, "name">): CheckpointCorrupted =>
  new CheckpointCorrupted({
    job,
    epoch: 0,
    message: `Savepoint ${name} of job ${job} cannot be read as it was written`,
    hint: `Restore the checkpoints from a copy, or use another savepoint: \`weir savepoints ${job}\` lists them.`
  })
