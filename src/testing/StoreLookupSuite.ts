/** What every checkpoint store must do with the versions of lookups. */
import { Effect } from "effect"
import type { CheckpointStoreService, Claim, LookupPlace, LookupRows } from "../checkpoint/CheckpointStore.ts"
import * as Limits from "../model/Limits.ts"
import { epochOf, intentOf, job, jobId, names, refused, type Story, same } from "./StoreCase.ts"

const shop = (version: string, lookup = "shops"): LookupRows => ({
  lookup,
  version,
  bytes: new TextEncoder().encode(`rows of ${lookup} in ${version}`)
})

/** Intent and manifest of an epoch that saw these versions. */
const writeSeeing = (
  store: CheckpointStoreService,
  claim: Claim,
  epoch: number,
  lookups: Readonly<Record<string, string>>
) => {
  const commit = epochOf(claim, epoch)
  return Effect.zipRight(
    store.writeIntent(claim, { ...intentOf(claim, epoch), lookups }),
    store.commit(claim, { ...commit, manifest: { ...commit.manifest, lookups } })
  )
}

const reads = (store: CheckpointStoreService, claim: Claim, rows: LookupRows) =>
  Effect.flatMap(store.readLookup(claim, rows), (bytes) => same(`${rows.lookup} ${rows.version}`, bytes, rows.bytes))

const isGone = (store: CheckpointStoreService, claim: Claim, place: LookupPlace) =>
  refused(`${place.lookup} ${place.version}`, "CheckpointCorrupted", store.readLookup(claim, place))

export const lookups: ReadonlyArray<Story> = [
  {
    name: "gives the next owner the rows of every version that was stored, whatever its size",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        const large = new Uint8Array(2 * Limits.lookupPartBytes + 1).map((_, i) => i * 31)
        const all = [
          shop("v1"),
          shop("v1", "items"),
          shop("v1", "../a'\"%;--\u00e4"),
          { ...shop("v2"), bytes: new Uint8Array(0) },
          { ...shop("v3"), bytes: large }
        ]
        for (const rows of all) yield* store.writeLookup(claim, rows, all)
        const successor = yield* place.open
        const next = yield* successor.claim(job, jobId)
        for (const rows of all) yield* reads(successor, next, rows)
      })
  },
  {
    name: "takes a version a second time without effect",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* store.writeLookup(claim, shop("v1"), [])
        yield* store.writeLookup(claim, shop("v1"), [])
        yield* reads(store, claim, shop("v1"))
        const successor = yield* place.open
        const next = yield* successor.claim(job, jobId)
        yield* successor.writeLookup(next, shop("v1"), [])
        yield* reads(successor, next, shop("v1"))
      })
  },
  {
    name: "says which version of which lookup is missing",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        const error = yield* isGone(store, claim, shop("v9"))
        yield* names(error, ["shops", "v9", job, "weir reset"])
      })
  },
  {
    name: "keeps a version while a manifest, an intent or its owner names it, and drops it after",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        const last = 1 + Limits.manifestsKept
        yield* store.writeLookup(claim, shop("v1"), [])
        yield* writeSeeing(store, claim, 1, { shops: "v1" })
        yield* store.writeLookup(claim, shop("v2"), [])
        for (let epoch = 2; epoch < last; epoch++) yield* writeSeeing(store, claim, epoch, { shops: "v2" })
        // Named by the oldest manifest that is kept; one that nothing names, but its owner is about to.
        yield* store.writeLookup(claim, shop("v3"), [])
        yield* store.writeLookup(claim, shop("v4"), [shop("v3")])
        for (const version of ["v1", "v2", "v3", "v4"]) yield* reads(store, claim, shop(version))
        yield* writeSeeing(store, claim, last, { shops: "v2" })
        yield* store.writeIntent(claim, { ...intentOf(claim, last + 1), lookups: { shops: "v3" } })
        yield* store.writeLookup(claim, shop("v5"), [])
        for (const version of ["v2", "v3", "v5"]) yield* reads(store, claim, shop(version))
        for (const version of ["v1", "v4"]) yield* isGone(store, claim, shop(version))
      })
  },
  {
    name: "stores no version for an owner that is no longer the current one",
    run: (place) =>
      Effect.gen(function* () {
        const old = yield* place.open
        const first = yield* old.claim(job, jobId)
        const successor = yield* place.open
        const second = yield* successor.claim(job, jobId)
        yield* refused("old", "Fenced", old.writeLookup(first, shop("v1"), []))
        yield* isGone(successor, second, shop("v1"))
      })
  },
  {
    name: "begins a new lineage without the versions of the old one",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* store.writeLookup(claim, shop("v1"), [])
        yield* store.reset(job, 0)
        yield* isGone(store, yield* store.claim(job, jobId), shop("v1"))
      })
  },
  {
    name: "reads manifests and intents that were written before there were lookups",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* store.writeIntent(claim, intentOf(claim, 1))
        yield* store.commit(claim, epochOf(claim, 1))
        yield* store.writeIntent(claim, intentOf(claim, 2))
        yield* store.writeLookup(claim, shop("v1"), [])
        const next = yield* (yield* place.open).claim(job, jobId)
        yield* same("without", [next.manifest?.lookups, next.intents[0]?.lookups], [undefined, undefined])
        yield* reads(store, next, shop("v1"))
      })
  }
]

/** For stores whose place can be damaged. */
export const lookupDamages: ReadonlyArray<Story> = [
  {
    name: "names lookup and version of rows that are not what was written",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* store.writeLookup(claim, shop("v1"), [])
        yield* place.damage!.lookup(job, "v1")
        const error = yield* refused("rows", "CheckpointCorrupted", store.readLookup(claim, shop("v1")))
        yield* names(error, ["shops", "v1", "not what was written", job])
      })
  }
]
