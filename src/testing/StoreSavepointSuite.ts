/** What every checkpoint store must do with savepoints, and with the mark of a job that is paused. */
import { Effect } from "effect"
import type { CheckpointStoreService, Claim } from "../checkpoint/CheckpointStore.ts"
import * as Limits from "../model/Limits.ts"
import { epochOf, job, jobId, part, refused, type Story, same, stateOf, write, writeState } from "./StoreCase.ts"

const name = "before the change"

/** Epochs that push every manifest out that was there. */
const go = (store: CheckpointStoreService, claim: Claim, from: number) =>
  Effect.forEach(
    Array.from({ length: Limits.manifestsKept + 3 }, (_, i) => from + i),
    (epoch) => store.commit(claim, epochOf(claim, epoch, stateOf(epoch))),
    { discard: true }
  )

export const savepoints: ReadonlyArray<Story> = [
  {
    name: "has no savepoint of a job without a manifest, and takes none",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        yield* same("unknown", yield* store.savepoint(job, name, 5), null)
        yield* store.claim(job, jobId)
        yield* same("without manifest", yield* store.savepoint(job, name, 5), null)
        yield* same("none", yield* store.savepoints(job), [])
        yield* store.removeSavepoint(job, name)
      })
  },
  {
    name: "lists savepoints oldest first, refuses a name that is taken, and removes one and no other",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* write(store, claim, 1, 2)
        yield* store.savepoint(job, "b", 20)
        yield* write(store, claim, 3, 3)
        yield* store.savepoint(job, "../A", 10)
        yield* refused("again", "SavepointExists", store.savepoint(job, "b", 30))
        const shown = (yield* (yield* place.open).savepoints(job)).map((one) => [
          one.name,
          one.takenAt,
          one.manifest.epoch
        ])
        yield* same("listed", shown, [
          ["../A", 10, 3],
          ["b", 20, 2]
        ])
        yield* same("of others", yield* store.savepoints("refunds"), [])
        yield* store.removeSavepoint(job, "b")
        yield* same(
          "left",
          (yield* store.savepoints(job)).map((one) => one.name),
          ["../A"]
        )
        yield* store.savepoint(job, "b", 30)
      })
  },
  {
    name: "begins a lineage with the offsets and the state of a savepoint that is long collected",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* writeState(store, claim, 3)
        const taken = yield* store.savepoint(job, name, 5)
        yield* same("taken", taken?.manifest.epoch, 3)
        yield* go(store, claim, 4)
        const last = 3 + Limits.manifestsKept + 3
        const other = yield* place.open
        yield* same("reset", yield* other.reset(job, last + 5, taken!), { lineage: 2, epochFloor: last + 5 })
        yield* refused("old owner", "Fenced", store.commit(claim, epochOf(claim, last + 1)))
        const next = yield* other.claim(job, jobId)
        const { manifest } = next
        yield* same(
          "place",
          [next.lineage, next.epochFloor, manifest?.epoch, next.intents],
          [2, last + 5, last + 6, []]
        )
        yield* same(
          "kept",
          [manifest?.partitions, manifest?.sources, manifest?.state],
          [taken!.manifest.partitions, taken!.manifest.sources, taken!.manifest.state]
        )
        yield* same("sinks", [manifest?.lineage, manifest?.sinks], [2, []])
        const parts = [7, 8].flatMap((group) =>
          [1, 2, 3].map((epoch) =>
            part(group, epoch === 1 ? "base" : "delta", `${epoch === 1 ? "base" : "delta"} ${group} ${epoch}`)
          )
        )
        yield* same("state", yield* other.readState(manifest!), [{ step: "income", parts }])
        yield* write(other, next, last + 7, last + 9)
        yield* same("goes on", (yield* other.claim(job, jobId)).manifest?.epoch, last + 9)
      })
  },
  {
    name: "begins from the same savepoint again and again, above every epoch that was used",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        yield* writeState(store, yield* store.claim(job, jobId), 3)
        const taken = (yield* store.savepoint(job, name, 5))!
        yield* same("first", yield* store.reset(job, 0, taken), { lineage: 2, epochFloor: 3 })
        const claim = yield* store.claim(job, jobId)
        yield* go(store, claim, 5)
        const last = 5 + Limits.manifestsKept + 2
        yield* same("second", yield* store.reset(job, 0, taken), { lineage: 3, epochFloor: last })
        const next = yield* store.claim(job, jobId)
        yield* same("state", (yield* store.readState(next.manifest!))[0]?.parts.length, 6)
        yield* same("plain", (yield* store.reset(job, 0)).lineage, 4)
        yield* same("anew", (yield* store.claim(job, jobId)).manifest, null)
        yield* same(
          "savepoint stays",
          (yield* store.savepoints(job)).map((one) => one.name),
          [name]
        )
      })
  },
  {
    name: "keeps the lookups that a savepoint names",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        const rows = { lookup: "shops", version: "v1", bytes: new TextEncoder().encode("shops v1") }
        yield* store.writeLookup(claim, rows, [])
        const commit = epochOf(claim, 1)
        yield* store.commit(claim, { ...commit, manifest: { ...commit.manifest, lookups: { shops: "v1" } } })
        const taken = (yield* store.savepoint(job, name, 5))!
        yield* store.reset(job, 0, taken)
        const next = yield* store.claim(job, jobId)
        yield* same("named", next.manifest?.lookups, { shops: "v1" })
        yield* same("rows", yield* store.readLookup(next, rows), rows.bytes)
      })
  },
  {
    name: "holds the offsets that a savepoint goes on from",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* write(store, claim, 1, 1)
        yield* store.savepoint(job, name, 5)
        yield* write(store, claim, 2, 9)
        const offsets = () => Effect.map(store.neededOffsets, (all) => all.map(({ offset }) => offset))
        yield* same("held", yield* offsets(), [10])
        yield* store.removeSavepoint(job, name)
        yield* same("let go", yield* offsets(), [(9 - Limits.manifestsKept + 1) * 10])
      })
  },
  {
    name: "keeps that a job is paused until it is not, through claims and resets",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        yield* write(store, yield* store.claim(job, jobId), 1, 1)
        const pause = { pausedAt: 7, options: '{"set":{"window":"5 seconds"}}' }
        const paused = () =>
          Effect.flatMap(place.open, (other) => Effect.map(other.lookUp(job), (found) => found?.paused))
        yield* same("not yet", yield* paused(), undefined)
        yield* store.setPause(job, pause)
        yield* same("paused", yield* paused(), pause)
        yield* store.claim(job, jobId)
        yield* store.reset(job, 0)
        yield* same("still", yield* paused(), pause)
        yield* same(
          "listed",
          (yield* store.list).map((found) => found.paused),
          [pause]
        )
        yield* store.setPause(job, { ...pause, pausedAt: 8 })
        yield* store.setPause(job, null)
        yield* same("no more", yield* paused(), undefined)
        yield* store.setPause(job, null)
      })
  }
]
