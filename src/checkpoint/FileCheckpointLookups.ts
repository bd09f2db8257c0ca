/**
 * Versions of lookups in a folder: one file for each version and each generation that wrote it.
 *
 * An owner relies on files of its own generation, or on those that a manifest or an intent of an older one names: a
 * paused owner that still collects removes neither.
 */
import { Effect } from "effect"
import * as Digest from "../model/Digest.ts"
import type { StorageFailed } from "../model/Errors.ts"
import type { CheckpointFolder } from "./CheckpointFolder.ts"
import type { Claim, LookupPlace, LookupRows, StoreError } from "./CheckpointStore.ts"
import { lookupCorrupted } from "./Encoding.ts"

/** `named`: what manifests and intents name; `null`: one of them cannot be read, so nothing is removed. */
export const write = (
  folder: CheckpointFolder,
  claim: Claim,
  rows: LookupRows,
  named: ReadonlyArray<LookupPlace> | null
): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    const names = yield* folder.names
    const name = nameOf(claim, rows)
    if (!names.includes(name)) yield* folder.write(name, rows.bytes)
    if (named === null) return
    const kept = new Set([...named, rows].map((place) => suffixOf(claim, place)))
    yield* folder.remove(names.filter((name) => generationOf(name) <= claim.generation && !kept.has(suffixIn(name))))
  })

export const read = (
  folder: CheckpointFolder,
  claim: Claim,
  place: LookupPlace
): Effect.Effect<Uint8Array, StoreError> =>
  Effect.gen(function* () {
    const suffix = suffixOf(claim, place)
    const names = (yield* folder.names)
      .filter((name) => suffixIn(name) === suffix)
      .sort((left, right) => generationOf(right) - generationOf(left))
    let how = "is missing"
    for (const name of names) {
      const found = yield* folder.read(name)
      if (typeof found !== "string") return found
      if (found === "changed") how = "is not what was written"
    }
    return yield* Effect.fail(lookupCorrupted(claim, place, how))
  })

/** Lineage, no epoch and the generation come first, as in the names of all files here. */
const nameOf = (claim: Claim, place: LookupPlace): string =>
  `${claim.lineage}.0.${claim.generation}.${suffixOf(claim, place).split(".").slice(1).join(".")}`

/** What a file is of, whoever wrote it. A lookup's name may be too long for a file's. */
const suffixOf = (claim: Claim, { lookup, version }: LookupPlace): string => {
  const digest = Digest.make()
  digest.bytes(new TextEncoder().encode(lookup))
  return `${claim.lineage}.${digest.result()}.${version}`
}
const suffixIn = (name: string): string => {
  const [lineage, , , ...of] = name.split(".")
  return [lineage, ...of].join(".")
}
const generationOf = (name: string): number => Number(name.split(".")[2])
