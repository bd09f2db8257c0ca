/**
 * The commit of one epoch: (a) every sink outside the store's database under its own fence, in parallel; (b) one
 * transaction in the store's database with the rows of all sinks there, their fences, the state and the manifest.
 *
 * Called only when the intent and the manifest before it are durable. Whatever the outcome of an attempt, what is
 * there is read before it is tried again.
 */
import { Effect, Ref } from "effect"
import { patiently } from "../flow/Patience.ts"
import type { Prepared, SinkError, TablesWriter } from "../flow/Sink.ts"
import type { Explained, Fenced, NotDeterministic, RowsUnexpected } from "../model/Errors.ts"
import type { Intent, Manifest } from "./Checkpoint.ts"
import type { CheckpointStoreService, Claim, EpochCommit, StoreError } from "./CheckpointStore.ts"
import type { SinkHandle } from "./EpochFacts.ts"
import * as Fence from "./Fence.ts"

export type CommitError = StoreError | SinkError | Fenced | NotDeterministic | RowsUnexpected

/** What is committed, and for whom. */
export interface PreparedEpoch {
  readonly store: CheckpointStoreService
  readonly claim: Claim
  readonly sinks: ReadonlyArray<SinkHandle>
  readonly prepared: ReadonlyMap<string, Prepared>
}

/** (a): every sink that commits by itself, in parallel; all must confirm before the manifest. */
export const commitOwnSinks = (epoch: PreparedEpoch) =>
  Effect.forEach(
    epoch.sinks,
    (sink): Effect.Effect<readonly [string, "written" | "already there"], CommitError> => {
      const rows = epoch.prepared.get(sink.id)!
      const written = [sink.id, "written"] as const
      if (sink.writer._tag === "OwnWriter")
        return Effect.map(patiently(sink.writer.commit(rows)), (outcome) => [sink.id, outcome] as const)
      if (sink.writer.tables.identity === epoch.store.tables?.identity) return Effect.succeed(written)
      return Effect.map(commitElsewhere(epoch.claim, sink, sink.writer, rows), (outcome) => [sink.id, outcome] as const)
    },
    { concurrency: "unbounded" }
  ).pipe(Effect.map((outcomes) => new Map(outcomes)))

/** A sink in a database that is not the checkpoint's: fence and rows in a transaction of their own. */
const commitElsewhere = (
  claim: Claim,
  sink: SinkHandle,
  writer: TablesWriter,
  prepared: Prepared
): Effect.Effect<"written" | "already there", CommitError> => {
  const stamp = stampOf(claim, sink.id, prepared)
  const attempt: Effect.Effect<"written" | "already there", CommitError> = writer.tables
    .transaction([Fence.advance(writer.tables, stamp, prepared.digest), ...writer.statements(prepared)])
    .pipe(
      Effect.as("written" as const),
      Effect.catchIf(
        (error) => error._tag === "TablesUnavailable" || (error._tag === "RowsUnexpected" && error.statement === 0),
        (error): Effect.Effect<"written" | "already there", CommitError> =>
          Effect.flatMap(Fence.afterRefusal(writer.tables, stamp, prepared.digest), (found) =>
            found === "already there" ? Effect.succeed(found) : Effect.fail(error)
          )
      )
    )
  return patiently(attempt)
}

/** Durable when it answers. */
export const writeIntent = (store: CheckpointStoreService, claim: Claim, intent: Intent) =>
  retried(store.writeIntent(claim, intent), () => intentIsThere(store, intent))

/** (b): the one transaction of an epoch. After an unknown outcome it reads before it tries again. */
export const commitManifest = (
  { claim, prepared, sinks, store }: PreparedEpoch,
  kept: Omit<EpochCommit, "statements">
): Effect.Effect<void, CommitError> => {
  const here = sinks.flatMap(({ id, writer }) =>
    writer._tag === "TablesWriter" && writer.tables.identity === store.tables?.identity
      ? [{ id, writer, rows: prepared.get(id)! }]
      : []
  )
  const statements = here.flatMap(({ id, rows, writer }) => [
    Fence.advance(writer.tables, stampOf(claim, id, rows), rows.digest),
    ...writer.statements(rows)
  ])
  const commit = store.commit(claim, { ...kept, statements })
  return retried(commit, () => manifestIsThere(store, kept.manifest)).pipe(
    Effect.tap(() =>
      Effect.sync(() => {
        for (const { id, writer } of sinks) if (writer._tag === "TablesWriter") writer.committed(prepared.get(id)!)
      })
    )
  )
}

const stampOf = (claim: Claim, sink: string, prepared: Prepared) => ({
  job: claim.job,
  sink,
  lineage: claim.lineage,
  generation: claim.generation,
  epoch: prepared.epoch
})

/** Patient with an action whose outcome may be unknown: looks whether it is done before it is tried again. */
const retried = <A, E extends Explained & Error>(
  action: Effect.Effect<A, E>,
  isDone: () => Effect.Effect<boolean, StoreError>
): Effect.Effect<void, E | StoreError> =>
  Effect.gen(function* () {
    const tried = yield* Ref.make(false)
    yield* patiently(
      Effect.gen(function* () {
        if (yield* Ref.getAndSet(tried, true)) if (yield* isDone()) return
        yield* action
      }) as Effect.Effect<void, E | StoreError>
    )
  })

const manifestIsThere = (store: CheckpointStoreService, manifest: Manifest) =>
  Effect.map(
    store.lookUp(manifest.job),
    (found) =>
      found !== null &&
      found.generation === manifest.generation &&
      found.lineage === manifest.lineage &&
      (found.manifest?.epoch ?? 0) >= manifest.epoch
  )

const intentIsThere = (store: CheckpointStoreService, intent: Intent) =>
  Effect.map(
    store.lookUp(intent.job),
    (found) =>
      found !== null &&
      found.generation === intent.generation &&
      found.intents.some((other) => other.epoch === intent.epoch)
  )
