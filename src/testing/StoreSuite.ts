/**
 * What every checkpoint store must do, as cases that any test runner can run. A case begins with a new, empty place and
 * opens the store in it as one process or as two; it fails with an `Error` that says what was expected.
 */
import { Cause, Effect, Exit, Option, type Scope } from "effect"
import type { Intent, Manifest, StateHandle } from "../checkpoint/Checkpoint.ts"
import type { CheckpointStoreService, Claim, EpochCommit, StepState } from "../checkpoint/CheckpointStore.ts"
import type { Statement } from "../flow/Tables.ts"
import * as Limits from "../model/Limits.ts"
import type { StatePart } from "../state/StatePart.ts"

/** Where a store keeps what it keeps. */
export interface Place {
  /** The store as a process that starts now opens it. What it kept elsewhere is there. */
  readonly open: Effect.Effect<CheckpointStoreService, unknown, Scope.Scope>
  /** Changes what was written, as a failing disk would; `null` where there is nothing that could fail. */
  readonly damage: {
    readonly manifest: (job: string, epoch: number) => Effect.Effect<void, unknown>
    readonly intent: (job: string, epoch: number) => Effect.Effect<void, unknown>
    readonly state: (job: string, epoch: number) => Effect.Effect<void, unknown>
  } | null
}

/** `run` needs a new place for each case. */
export interface Case {
  readonly name: string
  readonly run: (place: Place) => Effect.Effect<void, unknown, Scope.Scope>
}

/** The cases that a place can run: those about tables need a store with tables, those about damage one that can fail. */
export const cases = (of: { readonly tables: boolean; readonly damage: boolean }): ReadonlyArray<Case> => [
  ...ownership,
  ...epochs,
  ...state,
  ...renewal,
  ...(of.tables ? transactions : []),
  ...(of.damage ? damages : [])
]

const job = "orders"
const jobId = "job-1"

// What is written

const bytesOf = (content: string): Uint8Array => new TextEncoder().encode(content)

/** A part whose content tells where it belongs. */
export const part = (keyGroup: number, kind: StatePart["kind"], content: string): StatePart => ({
  keyGroup,
  kind,
  bytes: bytesOf(content)
})

export const intentOf = (claim: Claim, epoch: number): Intent => ({
  job: claim.job,
  lineage: claim.lineage,
  generation: claim.generation,
  epoch,
  openedAt: epoch * 1000,
  closedAt: epoch * 1000 + 999,
  final: false,
  partitions: [{ source: "orders", partition: 0, offset: epoch * 10, state: "active" }]
})

export const manifestOf = (claim: Claim, epoch: number, handles: ReadonlyArray<StateHandle> = []): Manifest => ({
  version: 1,
  job: claim.job,
  jobId: claim.jobId,
  lineage: claim.lineage,
  generation: claim.generation,
  epoch,
  openedAt: epoch * 1000,
  closedAt: epoch * 1000 + 999,
  final: false,
  partitions: [{ source: "orders", partition: 0, offset: epoch * 10, state: "active" }],
  watermark: Number.NEGATIVE_INFINITY,
  sources: [
    {
      source: "orders",
      identity: "log-1/orders",
      partitions: [{ partition: 0, offset: epoch * 10, timestamp: epoch, checksum: 4_294_967_295 }]
    }
  ],
  sinks: [{ sink: "income", position: null }],
  steps: [{ step: "income", kind: "window", fingerprint: "f" }],
  state: handles,
  stateRows: 1,
  stateBytes: 1,
  totals: { recordsIn: 9_007_199_254_740_991, rowsOut: 1, late: 0, deadLetters: 0 }
})

interface Written {
  readonly handles?: ReadonlyArray<StateHandle>
  readonly state?: ReadonlyArray<StepState>
  readonly statements?: ReadonlyArray<Statement>
}

export const epochOf = (claim: Claim, epoch: number, written: Written = {}): EpochCommit => ({
  manifest: manifestOf(claim, epoch, written.handles),
  state: written.state ?? [],
  statements: written.statements ?? [],
  progress: JSON.stringify({ epoch })
})

/** Intent and manifest of one epoch after the other. */
const write = (store: CheckpointStoreService, claim: Claim, from: number, to: number) =>
  Effect.forEach(
    Array.from({ length: to - from + 1 }, (_, i) => from + i),
    (epoch) =>
      Effect.zipRight(store.writeIntent(claim, intentOf(claim, epoch)), store.commit(claim, epochOf(claim, epoch))),
    { discard: true }
  )

/** The state of one key group: a base every third epoch, deltas between, all named by the handles. */
const stateOf = (epoch: number): Written => {
  const baseEpoch = epoch - ((epoch - 1) % 3)
  const deltaEpochs = Array.from({ length: epoch - baseEpoch }, (_, i) => baseEpoch + 1 + i)
  const kind = epoch === baseEpoch ? "base" : "delta"
  return {
    handles: [7, 8].map((keyGroup) => ({ step: "income", keyGroup, baseEpoch, deltaEpochs })),
    state: [{ step: "income", parts: [7, 8].map((group) => part(group, kind, `${kind} ${group} ${epoch}`)) }]
  }
}

const writeState = (store: CheckpointStoreService, claim: Claim, to: number) =>
  Effect.forEach(
    Array.from({ length: to }, (_, i) => i + 1),
    (epoch) => store.commit(claim, epochOf(claim, epoch, stateOf(epoch))),
    { discard: true }
  )

// What is expected

const shown = (value: unknown): string =>
  JSON.stringify(value, (_, inner) => (inner instanceof Uint8Array ? new TextDecoder().decode(inner) : inner))

/** Fails unless both are written alike. */
const same = (what: string, found: unknown, wanted: unknown): Effect.Effect<void, Error> =>
  shown(found) === shown(wanted)
    ? Effect.void
    : Effect.fail(new Error(`${what}: expected ${shown(wanted)}, found ${shown(found)}`))

/** The failure of an effect that must fail, as an error of this tag. */
const refused = <A, E, R>(what: string, tag: string, effect: Effect.Effect<A, E, R>): Effect.Effect<E, Error, R> =>
  Effect.flatMap(Effect.exit(effect), (exit) => {
    const failure = Exit.isFailure(exit) ? Option.getOrNull(Cause.failureOption(exit.cause)) : null
    return failure !== null && (failure as { readonly _tag?: string })._tag === tag
      ? Effect.succeed(failure)
      : Effect.fail(new Error(`${what}: expected ${tag}, found ${shown(failure ?? exit)}`))
  })

const epochsOf = (written: ReadonlyArray<{ readonly epoch: number }>): ReadonlyArray<number> =>
  written.map(({ epoch }) => epoch)

// The cases

const ownership: ReadonlyArray<Case> = [
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

const epochs: ReadonlyArray<Case> = [
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

const state: ReadonlyArray<Case> = [
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

const names = (error: unknown, words: ReadonlyArray<string>): Effect.Effect<void, Error> => {
  const { message, hint } = error as { readonly message: string; readonly hint: string }
  const missing = words.filter((word) => !`${message} ${hint}`.includes(word))
  return same(`words missing in '${message} ${hint}'`, missing, [])
}

const renewal: ReadonlyArray<Case> = [
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

const transactions: ReadonlyArray<Case> = [
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

const damages: ReadonlyArray<Case> = [
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
