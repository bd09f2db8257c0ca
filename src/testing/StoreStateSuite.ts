/** What every checkpoint store must do with the state of an epoch, with the rows of its sinks, and with a failing disk. */
import { Effect } from "effect"
import * as Limits from "../model/Limits.ts"
import {
  epochOf,
  intentOf,
  job,
  jobId,
  manifestOf,
  names,
  part,
  refused,
  type Story,
  same,
  stateOf,
  write,
  writeState
} from "./StoreCase.ts"

export const state: ReadonlyArray<Story> = [
  {
    name: "reads back the state of every kept manifest: its base, then its deltas in order",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* writeState(store, claim, 6)
        const reader = yield* place.open
        for (const epoch of [6, 5, 4]) {
          const { handles = [] } = stateOf(epoch)
          const parts = [7, 8].flatMap((group) =>
            [4, 5, 6]
              .filter((written) => written <= epoch)
              .map((written) => {
                const kind = written === 4 ? "base" : "delta"
                return part(group, kind, `${kind} ${group} ${written}`)
              })
          )
          const found = yield* reader.readState(manifestOf(claim, epoch, handles))
          yield* same(`state of ${epoch}`, found, [{ step: "income", parts }])
        }
      })
  },
  {
    name: "keeps folded parts while a kept manifest names them, and drops them after",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        const { handles = [] } = stateOf(3)
        // The base of epoch 4 folds epochs 1 to 3; manifest 3 is kept until as many others are above it.
        yield* writeState(store, claim, 2 + Limits.manifestsKept)
        yield* store.readState(manifestOf(claim, 3, handles))
        yield* store.commit(claim, epochOf(claim, 3 + Limits.manifestsKept, stateOf(3 + Limits.manifestsKept)))
        yield* refused("collected", "CheckpointCorrupted", store.readState(manifestOf(claim, 3, handles)))
      })
  },
  {
    name: "drops folded parts of an earlier owner as well",
    run: (place) =>
      Effect.gen(function* () {
        const old = yield* place.open
        const first = yield* old.claim(job, jobId)
        const { handles = [] } = stateOf(3)
        yield* writeState(old, first, 2 + Limits.manifestsKept)
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        const next = 3 + Limits.manifestsKept
        yield* store.commit(claim, epochOf(claim, next, stateOf(next)))
        yield* refused("collected", "CheckpointCorrupted", store.readState(manifestOf(claim, 3, handles)))
        yield* store.readState(manifestOf(claim, next, stateOf(next).handles))
      })
  },
  {
    name: "says that state is missing where a manifest names what was never written",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* store.commit(claim, epochOf(claim, 1, stateOf(1)))
        const handle = { step: "income", keyGroup: 9, baseEpoch: 1, deltaEpochs: [] }
        const error = yield* refused("missing", "CheckpointCorrupted", store.readState(manifestOf(claim, 1, [handle])))
        yield* names(error, ["income", "key group 9", "epoch 1", job, "weir reset"])
      })
  }
]

/** For stores that commit with the rows of sinks. */
export const transactions: ReadonlyArray<Story> = [
  {
    name: "keeps nothing of an epoch when a statement of a sink changes another number of rows",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const tables = store.tables!
        const claim = yield* store.claim(job, jobId)
        yield* tables.transaction([{ sql: "create table rows_of_sink (n integer primary key)", parameters: [] }])
        const insert = { sql: "insert into rows_of_sink values (1)", parameters: [], rowsExpected: 1 }
        const nothing = { sql: "update rows_of_sink set n = 3 where n = 2", parameters: [], rowsExpected: 1 }
        const bad = epochOf(claim, 1, { ...stateOf(1), statements: [insert, nothing] })
        const error = yield* refused("bad", "RowsUnexpected", store.commit(claim, bad))
        yield* same("index", (error as unknown as { readonly statement: number }).statement, 1)
        yield* same("rows", yield* tables.query({ sql: "select n from rows_of_sink", parameters: [] }), [])
        yield* same("manifest", (yield* store.lookUp(job))?.manifest, null)
        yield* same("progress", yield* store.progress(job, 10), [])
        const found = store.readState(manifestOf(claim, 1, stateOf(1).handles))
        yield* refused("state", "CheckpointCorrupted", found)
        yield* store.commit(claim, epochOf(claim, 1, { ...stateOf(1), statements: [insert] }))
        yield* same("rows", yield* tables.query({ sql: "select n from rows_of_sink", parameters: [] }), [{ n: 1 }])
      })
  },
  {
    name: "writes no row of an owner that is no longer the current one",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const tables = store.tables!
        const old = yield* store.claim(job, jobId)
        yield* tables.transaction([{ sql: "create table rows_of_sink (n integer primary key)", parameters: [] }])
        yield* (yield* place.open).claim(job, jobId)
        const insert = { sql: "insert into rows_of_sink values (1)", parameters: [], rowsExpected: 1 }
        yield* refused("old", "Fenced", store.commit(old, epochOf(old, 1, { statements: [insert] })))
        yield* same("rows", yield* tables.query({ sql: "select n from rows_of_sink", parameters: [] }), [])
      })
  }
]

/** For stores whose place can be damaged. */
export const damages: ReadonlyArray<Story> = [
  {
    name: "refuses a claim on a damaged manifest, and does not go back to an older one",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        yield* write(store, yield* store.claim(job, jobId), 1, 4)
        yield* place.damage!.manifest(job, 4)
        const next = yield* place.open
        const error = yield* refused("claim", "CheckpointCorrupted", next.claim(job, jobId))
        yield* names(error, ["manifest", "epoch 4", job, "2 other manifests", "weir reset"])
        yield* next.reset(job, 0)
        yield* same("after reset", (yield* next.claim(job, jobId)).epochFloor, 4)
      })
  },
  {
    name: "refuses a claim on a damaged intent",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* write(store, claim, 1, 1)
        yield* store.writeIntent(claim, intentOf(claim, 2))
        yield* place.damage!.intent(job, 2)
        const error = yield* refused("claim", "CheckpointCorrupted", (yield* place.open).claim(job, jobId))
        yield* names(error, ["intent", "epoch 2", job])
      })
  },
  {
    name: "names job, step, key group and epoch of a damaged part of the state",
    run: (place) =>
      Effect.gen(function* () {
        const store = yield* place.open
        const claim = yield* store.claim(job, jobId)
        yield* writeState(store, claim, 2)
        yield* place.damage!.state(job, 2)
        const found = (yield* place.open).readState(manifestOf(claim, 2, stateOf(2).handles))
        const error = yield* refused("state", "CheckpointCorrupted", found)
        yield* names(error, ["income", "key group", "epoch 2", job, "weir reset"])
      })
  }
]
