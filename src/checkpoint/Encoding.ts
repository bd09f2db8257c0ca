/**
 * How manifests and intents are written down, how a change of what was written is found, and which parts of the state
 * no kept manifest names any more. All stores share it.
 */

import { crc32 } from "../model/Crc32.ts"
import { CheckpointCorrupted, Defect, Fenced, RowsUnexpected } from "../model/Errors.ts"
import type { Offset } from "../model/Event.ts"
import type { LookupVersions } from "../model/Message.ts"
import type { Intent, Manifest, StateHandle } from "./Checkpoint.ts"
import type { LookupPlace } from "./CheckpointStore.ts"

/** JSON text, and by what it is recognised. */
export interface Sealed {
  readonly body: string
  readonly checksum: number
}

/** Where a part of the state is. */
export interface PartPlace {
  readonly step: string
  readonly keyGroup: number
  readonly epoch: number
}

const encoder = new TextEncoder()

/** JSON has no minus infinity: the watermark before every event is `null` in it, and after it. */
export const seal = (value: Manifest | Intent): Sealed => {
  const body = JSON.stringify(value)
  return { body, checksum: crc32(encoder.encode(body)) }
}

/** The manifest as it was written; `null` if it is not. */
export const unsealManifest = (sealed: Sealed): Manifest | null => {
  const manifest = unseal(sealed) as Manifest | null
  return manifest?.version === 1 ? manifest : null
}

/** The intent as it was written; `null` if it is not. */
export const unsealIntent = (sealed: Sealed): Intent | null => unseal(sealed) as Intent | null

const unseal = ({ body, checksum: written }: Sealed): unknown => {
  if (crc32(encoder.encode(body)) !== written) return null
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}

/** The epochs of a handle's parts, in the order in which they are restored. */
export const epochsOf = (handle: StateHandle): ReadonlyArray<number> => [handle.baseEpoch, ...handle.deltaEpochs]

/**
 * The parts that only `leaving` names. A part is named by an unbroken run of manifests, so it is enough to compare the
 * manifest that leaves with the oldest one that is kept.
 */
export const collectable = (leaving: Manifest, oldest: Manifest): ReadonlyArray<PartPlace> => {
  const kept = new Map(oldest.state.map((handle) => [`${handle.keyGroup} ${handle.step}`, handle]))
  return leaving.state.flatMap((handle) => {
    const now = kept.get(`${handle.keyGroup} ${handle.step}`)
    if (now?.baseEpoch === handle.baseEpoch) return []
    const named = new Set(now === undefined ? [] : epochsOf(now))
    return epochsOf(handle)
      .filter((epoch) => !named.has(epoch))
      .map((epoch) => ({ step: handle.step, keyGroup: handle.keyGroup, epoch }))
  })
}

/** `what`: `the manifest`, `the intent`, or a part of the state as `partNamed` says it. */
export const corrupted = (
  job: string,
  epoch: number,
  found: { readonly what: string; readonly how: string; readonly older: number }
): CheckpointCorrupted =>
  new CheckpointCorrupted({
    job,
    epoch,
    message: `${found.what} of epoch ${epoch} of job ${job} ${found.how}`,
    hint: `Restore the checkpoint store from a copy (${found.older} other manifests are kept in it, but going back to one would repeat epochs), or begin a new lineage with: weir reset ${job}.`
  })

/** A version of a lookup that a manifest or an intent names cannot be read back. */
export const lookupCorrupted = (
  claim: { readonly job: string; readonly manifest: Manifest | null },
  { lookup, version }: LookupPlace,
  how: string
): CheckpointCorrupted =>
  new CheckpointCorrupted({
    job: claim.job,
    epoch: claim.manifest?.epoch ?? 0,
    message: `version ${version} of lookup ${lookup} of job ${claim.job} ${how}`,
    hint: `Epochs have seen these rows, so they cannot be loaded anew. Restore the checkpoint store from a copy, or begin a new lineage with: weir reset ${claim.job}.`
  })

/** The versions of lookups that manifests and intents name. */
export const lookupsNamed = (
  naming: ReadonlyArray<{ readonly lookups?: LookupVersions } | null>
): ReadonlyArray<LookupPlace> =>
  naming.flatMap((one) => Object.entries(one?.lookups ?? {}).map(([lookup, version]) => ({ lookup, version })))

/** For messages. */
export const partNamed = (place: { readonly step: string; readonly keyGroup: number }): string =>
  `the state of step ${place.step}, key group ${place.keyGroup},`

/** For each source identity and partition the lowest offset that one of the manifests goes on from. */
export const lowestOffsets = (
  manifests: ReadonlyArray<Manifest>
): ReadonlyArray<{ readonly identity: string; readonly partition: number; readonly offset: Offset }> => {
  const lowest = new Map<string, { readonly identity: string; readonly partition: number; readonly offset: Offset }>()
  for (const { identity, partitions } of manifests.flatMap((manifest) => manifest.sources)) {
    for (const { partition, offset } of partitions) {
      const key = `${partition} ${identity}`
      if (offset < (lowest.get(key)?.offset ?? Number.POSITIVE_INFINITY))
        lowest.set(key, { identity, partition, offset })
    }
  }
  return [...lowest.values()]
}

/** The claim is not the current one. `found` is the job as it stands, if it stands at all. */
export const overtaken = (
  owner: { readonly job: string; readonly lineage: number; readonly generation: number },
  found: { readonly lineage: number; readonly generation: number } | null | undefined
): Fenced =>
  new Fenced({
    job: owner.job,
    generation: owner.generation,
    newer: found?.generation ?? 0,
    message: found
      ? `Job ${owner.job} belongs to generation ${found.generation} of lineage ${found.lineage}, not to generation ${owner.generation} of lineage ${owner.lineage}`
      : `Job ${owner.job} is gone from the checkpoint store`,
    hint: "Another process has taken the job over; this one stops."
  })

/** An intent that would overwrite another, or leave an epoch out. */
export const outOfTurn = (intent: Intent, isThere: boolean): Defect =>
  new Defect({
    message: `The intent of epoch ${intent.epoch} of job ${intent.job} ${isThere ? "is there already, with other choices" : "does not follow the last one"}`,
    hint: "Report it: an intent is written once, and in the order of epochs."
  })

/** A manifest that does not follow the last one: `statement` is -1, as it is none of a sink's. */
export const doesNotFollow = (manifest: Manifest, committed: number): RowsUnexpected =>
  new RowsUnexpected({
    statement: -1,
    expected: 1,
    found: 0,
    message: `The manifest of epoch ${manifest.epoch} of job ${manifest.job} does not follow that of epoch ${committed}`,
    hint: "Report it: epochs are committed once, and in order."
  })
