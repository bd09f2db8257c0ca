/**
 * What every checkpoint store must do, as cases that any test runner can run. A case begins with a new, empty place and
 * opens the store in it as one process or as two; it fails with an `Error` that says what was expected.
 */
import { Effect, type Scope } from "effect"
import * as Limits from "../model/Limits.ts"
import type { Case } from "./Case.ts"
import {
  epochOf,
  epochsOf,
  intentOf,
  job,
  jobId,
  manifestOf,
  type Place,
  refused,
  type Story,
  same,
  shown,
  stateOf,
  write
} from "./StoreCase.ts"
import { lookupDamages, lookups } from "./StoreLookupSuite.ts"
import { savepoints } from "./StoreSavepointSuite.ts"
import { damages, state, transactions } from "./StoreStateSuite.ts"

export { epochOf, intentOf, manifestOf, type Place, part } from "./StoreCase.ts"

/** What is tested. */
export interface Tested<Needs> {
  /** A place that is new and empty, each time. */
  readonly place: Effect.Effect<Place, unknown, Needs | Scope.Scope>
  /** Can an epoch of the store carry the statements of sinks? The place then has a store with `tables`. */
  readonly tables: boolean
  /** Can what was written be damaged? The place then has `damage`. */
  readonly damage: boolean
}

/** Cases about tables and about damage are left out where there are none. */
export const cases = <Needs = never>({ damage, place, tables }: Tested<Needs>): ReadonlyArray<Case<Needs>> =>
  [
    ...ownership,
    ...epochs,
    ...state,
    ...lookups,
    ...renewal,
    ...savepoints,
    ...(tables ? transactions : []),
    ...(damage ? [...damages, ...lookupDamages] : [])
  ].map(({ name, run }) => ({ name, run: Effect.flatMap(place, run) }))

const ownership: ReadonlyArray<Story> = [
  {
    name: "gives the first claim generation 1 and nothing to go on from",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        yield* same("before", yield* store.lookUp(job), null)
        const claim = yield* store.claim(job, jobId)
        const wanted = { job, jobId, lineage: 1, generation: 1, manifest: null, intents: [], epochFloor: 0 }
        yield* same("claim", { ...wanted, ...claim }, wanted)
      })
  },
  {
    name: "keeps the job's first id for every later claim",
    run: (place) =>
      Effect.gen(function* () {
        yield* (yield* place.open).claim(job, jobId)
        const second = yield* (yield* place.open).claim(job, "job-2")
        yield* same("second", [second.jobId, second.generation], [jobId, 2])
      })
  },
  {
    name: "lets nothing of an owner through after another one claimed the job",
    run: (place) =>
      Effect.gen(function* () {
        const old = yield* place.open
        const first = yield* old.claim(job, jobId)
        yield* write(old, first, 1, 1)
        yield* old.writeIntent(first, intentOf(first, 2))
        const successor = yield* place.open
        const second = yield* successor.claim(job, jobId)
        yield* same("taken over", [second.manifest?.epoch, epochsOf(second.intents)], [1, [2]])
        yield* refused("old intent", "Fenced", old.writeIntent(first, intentOf(first, 3)))
        yield* refused("old commit", "Fenced", old.commit(first, epochOf(first, 2, stateOf(1))))
        const found = yield* successor.lookUp(job)
        yield* same("visible", [found?.manifest?.epoch, epochsOf(found?.intents ?? [])], [1, [2]])
        yield* same("progress", yield* successor.progress(job, 10), [JSON.stringify({ epoch: 1 })])
      })
  },
  {
    name: "gives one of two owners that claim at once each generation",
    run: (place) =>
      Effect.gen(function* () {
        const stores = [yield* place.open, yield* place.open]
        const claims = yield* Effect.forEach(stores, (store) => store.claim(job, jobId), { concurrency: 2 })
        const generations = claims.map((claim) => claim.generation).sort()
        yield* same("generations", generations, [1, 2])
        for (const [i, store] of stores.entries()) {
          const writing = store.writeIntent(claims[i]!, intentOf(claims[i]!, 1))
          yield* claims[i]!.generation === 2 ? writing : refused("the loser", "Fenced", writing)
        }
      })
  },
  {
    name: "keeps jobs apart, whatever their names are",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const names = ["..", ".", "A", "a", "a/b", "a b'\"%;--", "ä"].sort()
        for (const name of names) yield* write(store, yield* store.claim(name, `id of ${name}`), 1, 1)
        const found = yield* (yield* place.open).list
        const ids = found.map((record) => [record.job, record.jobId, record.manifest?.epoch])
        const wanted = names.map((name) => [name, `id of ${name}`, 1])
        yield* same("jobs", ids.map(shown).sort(), wanted.map(shown).sort())
      })
  }
]

const epochs: ReadonlyArray<Story> = [
  {
    name: "never overwrites an intent, and takes the same one twice",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* store.writeIntent(claim, intentOf(claim, 1))
        yield* store.writeIntent(claim, intentOf(claim, 1))
        yield* refused("other choices", "Defect", store.writeIntent(claim, { ...intentOf(claim, 1), closedAt: 1 }))
        yield* same("kept", (yield* store.lookUp(job))?.intents, [intentOf(claim, 1)])
      })
  },
  {
    name: "refuses an intent that leaves an epoch out",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* refused("a gap", "Defect", store.writeIntent(claim, intentOf(claim, 2)))
        yield* same("kept", (yield* store.lookUp(job))?.intents, [])
      })
  },
  {
    name: "lists every intent above the manifest, in order, for the next owner",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* write(store, claim, 1, 9)
        yield* store.writeIntent(claim, intentOf(claim, 10))
        yield* store.writeIntent(claim, intentOf(claim, 11))
        const next = yield* (yield* place.open).claim(job, jobId)
        yield* same("intents", next.intents, [intentOf(claim, 10), intentOf(claim, 11)])
        yield* same("manifest", next.manifest, { ...manifestOf(claim, 9), watermark: null })
      })
  },
  {
    name: "takes a commit whose acknowledgement was lost a second time without effect",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* store.commit(claim, epochOf(claim, 1))
        yield* store.commit(claim, epochOf(claim, 1))
        yield* store.commit(claim, epochOf(claim, 2))
        yield* same("progress", (yield* store.progress(job, 10)).length, 2)
      })
  },
  {
    name: "refuses a manifest that leaves an epoch out or comes again with other content",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* store.commit(claim, epochOf(claim, 1))
        yield* refused("a gap", "RowsUnexpected", store.commit(claim, epochOf(claim, 3)))
        yield* refused("again", "RowsUnexpected", store.commit(claim, epochOf(claim, 1, stateOf(1))))
        yield* same("kept", (yield* store.lookUp(job))?.manifest?.epoch, 1)
      })
  },
  {
    name: "answers the last reports, newest last, and keeps a bounded number",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        const last = Limits.progressKept + 5
        for (let epoch = 1; epoch <= last; epoch++) yield* store.commit(claim, epochOf(claim, epoch))
        const two = [last - 1, last].map((epoch) => JSON.stringify({ epoch }))
        yield* same("the last two", yield* store.progress(job, 2), two)
        yield* same("none", yield* store.progress(job, 0), [])
        yield* same("all", (yield* store.progress(job, 10 * last)).length, Limits.progressKept)
      })
  },
  {
    name: "needs the offsets of the oldest manifest that is kept",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        yield* write(store, yield* store.claim(job, jobId), 1, 7)
        yield* write(store, yield* store.claim("refunds", "job-2"), 1, 8)
        const oldest = (7 - Limits.manifestsKept + 1) * 10
        yield* same("needed", yield* store.neededOffsets, [{ identity: "log-1/orders", partition: 0, offset: oldest }])
      })
  }
]

const renewal: ReadonlyArray<Story> = [
  {
    name: "begins a new lineage above every epoch ever seen",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* write(store, claim, 1, 4)
        yield* store.writeIntent(claim, intentOf(claim, 5))
        const other = yield* place.open
        yield* same("of intents", yield* other.reset(job, 3), { lineage: 2, epochFloor: 5 })
        yield* same("of fences", yield* other.reset(job, 9), { lineage: 3, epochFloor: 9 })
        const next = yield* other.claim(job, jobId)
        yield* same("next", [next.lineage, next.manifest, next.intents, next.epochFloor], [3, null, [], 9])
        yield* same("id", next.jobId, jobId)
        yield* write(other, next, 10, 11)
        yield* same("goes on", (yield* other.claim(job, jobId)).manifest?.epoch, 11)
      })
  },
  {
    name: "fences the owner of the lineage that was abandoned",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* write(store, claim, 1, 1)
        yield* (yield* place.open).reset(job, 0)
        yield* refused("intent", "Fenced", store.writeIntent(claim, intentOf(claim, 2)))
        yield* refused("commit", "Fenced", store.commit(claim, epochOf(claim, 2)))
        yield* same("left", (yield* store.lookUp(job))?.manifest, null)
        yield* same("needed", yield* store.neededOffsets, [])
      })
  },
  {
    name: "begins above the fences of a job that the store never saw",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        yield* same("reset", yield* store.reset(job, 12), { lineage: 2, epochFloor: 12 })
        yield* same("not yet a job", yield* store.lookUp(job), null)
        const claim = yield* store.claim(job, jobId)
        yield* same("claim", [claim.jobId, claim.lineage, claim.epochFloor], [jobId, 2, 12])
      })
  }
]
