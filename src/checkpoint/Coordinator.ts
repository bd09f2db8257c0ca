/**
 * Stands beside the flow of a job and makes its epochs durable, in order and once.
 *
 *     cut      every source ends the epoch: Barrier(e) goes downstream, its positions come here
 *     intent   the choices of e, durable before anything of e is visible
 *     prepare  operators acknowledge with what changed in their state, sinks with their checked rows
 *     commit   (a) sinks that commit by themselves, each under its own fence
 *              (b) one transaction: rows of the sinks in the store's database, their fences, state, manifest
 *
 * Records of e + 1 flow while e commits; commits are in order. After a restart every intent above the manifest is
 * replayed with its recorded choices before anything new is cut.
 */
import { Clock, Deferred, Effect, Queue, Ref, Schedule } from "effect"
import type { Prepared, SinkError, SinkWriter, TablesWriter } from "../flow/Sink.ts"
import type { SourceError } from "../flow/Source.ts"
import {
  DeadLetterLimitExceeded,
  type Defect,
  type Explained,
  type Fenced,
  type MailboxClosed,
  type NotDeterministic,
  type RowsUnexpected
} from "../model/Errors.ts"
import type { Invalid } from "../model/Event.ts"
import * as Limits from "../model/Limits.ts"
import type { PartitionCut } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"
import type { Intent, Manifest, SinkMark, SourceMark, StateHandle, StepMark, Totals } from "./Checkpoint.ts"
import type { CheckpointStoreService, Claim, StepState, StoreError } from "./CheckpointStore.ts"
import * as Fence from "./Fence.ts"

/** The end of an epoch, as a source is told of it. */
export interface Cut {
  readonly epoch: number
  readonly openedAt: Millis
  readonly closedAt: Millis
  readonly final: boolean
  /** Where to end, for a replay; `null`: where the source stands. */
  readonly partitions: ReadonlyArray<PartitionCut> | null
}

/** How a source stands in the open epoch. */
export interface SourceStatus {
  /** Records read since the last cut. */
  readonly records: number
  /** A partition became idle, active or finished since the last cut, or is new. */
  readonly turned: boolean
  /** `bound`: the epoch holds as much as an epoch may; `rate`: as much as the job allows. */
  readonly full: "bound" | "rate" | null
  /** All that a bounded run is to read has been read. */
  readonly ended: boolean
}

/** A source, as the coordinator sees it. */
export interface SourceHandle {
  readonly id: string
  readonly status: (now: Millis) => SourceStatus
  /** Opens the next epoch for reading; called again while nothing was read to say a later time. */
  readonly opened: (openedAt: Millis) => Effect.Effect<void>
  /** Ends the epoch: answers the cuts after `Barrier` was sent downstream. */
  readonly cut: (cut: Cut) => Effect.Effect<ReadonlyArray<PartitionCut>, SourceError | MailboxClosed>
  /** How to recognise it after this cut. */
  readonly mark: (cuts: ReadonlyArray<PartitionCut>) => Effect.Effect<SourceMark, SourceError>
}

/** A sink, as the coordinator sees it. */
export interface SinkHandle {
  readonly id: string
  readonly writer: SinkWriter
  /** Takes what others set aside: it prepares after all others, with the rows that they refused. */
  readonly takesInvalid: boolean
  /** Are its rows what the job is for, not what it set aside? */
  readonly counts: boolean
}

/** What one chain of operators hands over at a barrier. */
export interface Acknowledgement {
  readonly state: ReadonlyArray<StepState>
  readonly marks: ReadonlyArray<StepMark>
  readonly stateRows: number
  readonly stateBytes: number
  /** Of the step that assigns event time; `null` if the chain has none. */
  readonly watermark: Millis | null
  readonly late: number
  readonly deadLetters: number
}

/** What happened to one epoch: the facts of its report. */
export interface EpochFacts {
  readonly manifest: Manifest
  readonly cutAt: Millis
  readonly recordsIn: number
  readonly replayed: boolean
  readonly prepareMillis: number
  readonly intentMillis: number
  readonly sinksMillis: number
  /** `null` while it is being written. */
  readonly manifestMillis: number | null
  readonly stateBytesWritten: number
  readonly sinks: ReadonlyArray<{
    readonly sink: string
    readonly rows: number
    readonly outcome: "written" | "already there" | "nothing to write"
  }>
  readonly late: number
  readonly deadLetters: number
  readonly previous: ReadonlyArray<PartitionCut>
}

export interface Options {
  readonly store: CheckpointStoreService
  readonly claim: Claim
  readonly sources: ReadonlyArray<SourceHandle>
  readonly sinks: ReadonlyArray<SinkHandle>
  /** Ids of the chains that acknowledge. */
  readonly chains: ReadonlyArray<string>
  readonly intervalMillis: number
  /** Ends when the sources have ended. */
  readonly bounded: boolean
  readonly final: boolean
  readonly deadLetterShareMax: number
  /** Opened by a source that is full or has ended, and by whoever wants the job to stop. */
  readonly attention: Effect.Latch
  /** Is the job to drain, commit and end? */
  readonly stopping: () => boolean
  /** The report of an epoch, as JSON text, kept with the manifest. */
  readonly report: (facts: EpochFacts) => string
  /** Called after an epoch is durable. */
  readonly onEpoch: (facts: EpochFacts) => Effect.Effect<void>
  /** Called at a trigger that found nothing to do. */
  readonly onEmpty: (triggeredAt: Millis) => Effect.Effect<void>
  /** Called once, when every intent that was found is durable as a manifest. */
  readonly onRecovered: Effect.Effect<void>
}

export type CoordinatorError =
  | StoreError
  | SourceError
  | SinkError
  | Fenced
  | NotDeterministic
  | RowsUnexpected
  | DeadLetterLimitExceeded
  | MailboxClosed
  | Defect

export interface Coordinator {
  readonly acknowledge: (chain: string, epoch: number, acknowledgement: Acknowledgement) => Effect.Effect<void>
  readonly prepared: (sink: string, epoch: number, prepared: Prepared) => Effect.Effect<void>
  /** The rows that the other sinks refused in this epoch: waits until all of them have prepared it. */
  readonly refused: (epoch: number) => Effect.Effect<ReadonlyArray<Invalid>>
  /** Replays, then cuts epoch after epoch until the run ends. */
  readonly run: Effect.Effect<void, CoordinatorError>
}

/** An epoch between its cut and its manifest. */
interface OpenEpoch {
  readonly acknowledgements: Map<string, Acknowledgement>
  readonly prepared: Map<string, Prepared>
  readonly refused: Deferred.Deferred<ReadonlyArray<Invalid>>
  readonly complete: Deferred.Deferred<void>
}

interface CutEpoch {
  readonly intent: Intent
  readonly cutAt: Millis
  readonly intentMillis: number
  readonly replayed: boolean
}

export const make = (options: Options): Effect.Effect<Coordinator> =>
  Effect.gen(function* () {
    const { claim, sinks, sources, store } = options
    const epochs = new Map<number, OpenEpoch>()
    const last = { manifest: claim.manifest }
    // A cut epoch holds its place until its manifest is durable: this bounds the epochs in flight.
    const places = yield* Effect.makeSemaphore(Limits.epochsInFlight)
    const toCommit = yield* Queue.bounded<CutEpoch | "end">(Limits.epochsInFlight + 1)

    const epochOf = (epoch: number): OpenEpoch => {
      const known = epochs.get(epoch)
      if (known !== undefined) return known
      const opened: OpenEpoch = {
        acknowledgements: new Map(),
        prepared: new Map(),
        refused: Deferred.unsafeMake(claimFiber),
        complete: Deferred.unsafeMake(claimFiber)
      }
      epochs.set(epoch, opened)
      return opened
    }
    const claimFiber = yield* Effect.fiberId

    const advance = (epoch: OpenEpoch): Effect.Effect<void> =>
      Effect.gen(function* () {
        const first = sinks.filter((sink) => !sink.takesInvalid)
        if (first.every((sink) => epoch.prepared.has(sink.id))) {
          yield* Deferred.succeed(
            epoch.refused,
            first.flatMap((sink) => epoch.prepared.get(sink.id)!.invalid)
          )
        }
        if (epoch.prepared.size === sinks.length && epoch.acknowledgements.size === options.chains.length) {
          yield* Deferred.succeed(epoch.complete, undefined)
        }
      })

    const commitEpoch = (cut: CutEpoch): Effect.Effect<void, CoordinatorError> =>
      Effect.gen(function* () {
        const epoch = epochOf(cut.intent.epoch)
        yield* Deferred.await(epoch.complete)
        const preparedAt = yield* Clock.currentTimeMillis
        const outcomes = yield* commitOwnSinks(options, epoch.prepared)
        const sinksAt = yield* Clock.currentTimeMillis
        const facts = yield* factsOf(options, last.manifest, cut, epoch, outcomes, { preparedAt, sinksAt })
        yield* commitManifest(options, facts, epoch)
        const manifestAt = yield* Clock.currentTimeMillis
        last.manifest = facts.manifest
        epochs.delete(cut.intent.epoch)
        yield* options.onEpoch({ ...facts, manifestMillis: manifestAt - sinksAt })
        yield* judgeDeadLetters(options, facts)
      })

    const commits: Effect.Effect<void, CoordinatorError> = Effect.gen(function* () {
      while (true) {
        const next = yield* Queue.take(toCommit)
        if (next === "end") return
        yield* commitEpoch(next)
        yield* places.release(1)
      }
    })

    const cutEpoch = (cut: Cut, replayed: Intent | null): Effect.Effect<void, CoordinatorError> =>
      Effect.gen(function* () {
        yield* places.take(1)
        const cuts = yield* Effect.forEach(sources, (source) => source.cut(cut), { concurrency: "unbounded" })
        const cutAt = yield* Clock.currentTimeMillis
        const intent: Intent = replayed ?? {
          job: claim.job,
          lineage: claim.lineage,
          generation: claim.generation,
          epoch: cut.epoch,
          openedAt: cut.openedAt,
          closedAt: cut.closedAt,
          final: cut.final,
          partitions: cuts.flat()
        }
        if (replayed === null) yield* retried(store.writeIntent(claim, intent), () => intentIsThere(store, intent))
        const intentMillis = (yield* Clock.currentTimeMillis) - cutAt
        yield* Queue.offer(toCommit, { intent, cutAt, intentMillis, replayed: replayed !== null })
      })

    const replay: Effect.Effect<void, CoordinatorError> = Effect.gen(function* () {
      for (const intent of claim.intents) {
        yield* Effect.forEach(sources, (source) => source.opened(intent.openedAt), { discard: true })
        yield* cutEpoch(intent, intent)
      }
      if (claim.intents.length > 0) {
        // What was intended must be durable before anything new is cut: it may have been the last run's end.
        yield* places.take(Limits.epochsInFlight)
        yield* places.release(Limits.epochsInFlight)
      }
      yield* options.onRecovered
    })

    const cuts: Effect.Effect<void, CoordinatorError> = Effect.gen(function* () {
      yield* replay
      const lastIntent = claim.intents.at(-1)
      let epoch = (lastIntent?.epoch ?? claim.manifest?.epoch ?? claim.epochFloor) + 1
      let closedBefore = lastIntent?.closedAt ?? claim.manifest?.closedAt ?? 0
      // A run that was asked for a final emission owes one, even if nothing came since the last checkpoint.
      let finalOwed = options.final && !(lastIntent?.final ?? claim.manifest?.final ?? false)
      let openedAt = Math.max(yield* Clock.currentTimeMillis, closedBefore)
      yield* Effect.forEach(sources, (source) => source.opened(openedAt), { discard: true })
      let due = openedAt + options.intervalMillis
      while (true) {
        yield* waitUntil(due, options, sources)
        const now = yield* Clock.currentTimeMillis
        const statuses = sources.map((source) => source.status(now))
        const ending = options.stopping() || (options.bounded && statuses.every((status) => status.ended))
        const something = statuses.some((status) => status.records > 0 || status.turned)
        due = Math.min(Math.max(due + options.intervalMillis, now), now + options.intervalMillis)
        if (something || (ending && finalOwed && !options.stopping())) {
          const closedAt = Math.max(now, openedAt)
          const final = ending && options.final && !options.stopping()
          yield* cutEpoch({ epoch, openedAt, closedAt, final, partitions: null }, null)
          if (final) finalOwed = false
          epoch += 1
          closedBefore = closedAt
        } else if (!ending) {
          yield* options.onEmpty(now)
        }
        if (ending) return yield* Queue.offer(toCommit, "end")
        openedAt = Math.max(yield* Clock.currentTimeMillis, closedBefore)
        yield* Effect.forEach(sources, (source) => source.opened(openedAt), { discard: true })
      }
    })

    return {
      acknowledge: (chain, epoch, acknowledgement) => {
        const open = epochOf(epoch)
        open.acknowledgements.set(chain, acknowledgement)
        return advance(open)
      },
      prepared: (sink, epoch, prepared) => {
        const open = epochOf(epoch)
        open.prepared.set(sink, prepared)
        return advance(open)
      },
      refused: (epoch) => Deferred.await(epochOf(epoch).refused),
      run: Effect.all([cuts, commits], { concurrency: "unbounded", discard: true })
    }
  })

/** Waits for the trigger, or for a source that is full, or for the end of the run. */
const waitUntil = (due: Millis, options: Options, sources: ReadonlyArray<SourceHandle>): Effect.Effect<void> =>
  Effect.gen(function* () {
    while (true) {
      const now = yield* Clock.currentTimeMillis
      const statuses = sources.map((source) => source.status(now))
      const full =
        statuses.some((status) => status.full === "bound") ||
        (options.bounded && statuses.every((status) => status.ended || status.full !== null))
      if (now >= due || full || options.stopping()) return
      yield* options.attention.close
      yield* Effect.raceFirst(Clock.sleep(due - now), options.attention.await)
    }
  })

/** Every sink that commits by itself, in parallel: all must confirm before the manifest. */
const commitOwnSinks = (options: Options, prepared: ReadonlyMap<string, Prepared>) =>
  Effect.forEach(
    options.sinks,
    (sink): Effect.Effect<readonly [string, "written" | "already there"], CoordinatorError> => {
      const rows = prepared.get(sink.id)!
      const written = [sink.id, "written"] as const
      if (sink.writer._tag === "OwnWriter")
        return Effect.map(patiently(sink.writer.commit(rows)), (outcome) => [sink.id, outcome] as const)
      if (sink.writer.tables.identity === options.store.tables?.identity) return Effect.succeed(written)
      return Effect.map(
        commitElsewhere(options.claim, sink, sink.writer, rows),
        (outcome) => [sink.id, outcome] as const
      )
    },
    { concurrency: "unbounded" }
  ).pipe(Effect.map((outcomes) => new Map(outcomes)))

/** A sink in a database that is not the checkpoint's: fence and rows in a transaction of their own. */
const commitElsewhere = (
  claim: Claim,
  sink: SinkHandle,
  writer: TablesWriter,
  prepared: Prepared
): Effect.Effect<"written" | "already there", CoordinatorError> => {
  const stamp = stampOf(claim, sink, prepared)
  const attempt: Effect.Effect<"written" | "already there", CoordinatorError> = writer.tables
    .transaction([Fence.advance(writer.tables, stamp, prepared.digest), ...writer.statements(prepared)])
    .pipe(
      Effect.as("written" as const),
      Effect.catchIf(
        (error) => error._tag === "TablesUnavailable" || (error._tag === "RowsUnexpected" && error.statement === 0),
        (error): Effect.Effect<"written" | "already there", CoordinatorError> =>
          Effect.flatMap(Fence.afterRefusal(writer.tables, stamp, prepared.digest), (found) =>
            found === "already there" ? Effect.succeed(found) : Effect.fail(error)
          )
      )
    )
  return patiently(attempt)
}

/** The one transaction of an epoch. After an unknown outcome it reads before it tries again. */
const commitManifest = (
  options: Options,
  facts: EpochFacts,
  epoch: OpenEpoch
): Effect.Effect<void, CoordinatorError> => {
  const { claim, sinks, store } = options
  const statements = sinks.flatMap((sink) => {
    const { writer } = sink
    if (writer._tag === "OwnWriter" || writer.tables.identity !== store.tables?.identity) return []
    const prepared = epoch.prepared.get(sink.id)!
    return [
      Fence.advance(writer.tables, stampOf(claim, sink, prepared), prepared.digest),
      ...writer.statements(prepared)
    ]
  })
  const state = [...epoch.acknowledgements.values()].flatMap((acknowledgement) => acknowledgement.state)
  const commit = store.commit(claim, { manifest: facts.manifest, state, statements, progress: options.report(facts) })
  return retried(commit, () => manifestIsThere(store, facts.manifest)).pipe(
    Effect.tap(() =>
      Effect.sync(() => {
        for (const { id, writer } of sinks)
          if (writer._tag === "TablesWriter") writer.committed(epoch.prepared.get(id)!)
      })
    )
  )
}

const stampOf = (claim: Claim, sink: SinkHandle, prepared: Prepared) => ({
  job: claim.job,
  sink: sink.id,
  lineage: claim.lineage,
  generation: claim.generation,
  epoch: prepared.epoch
})

/** Everything that the manifest and the report of an epoch say. */
const factsOf = (
  options: Options,
  before: Manifest | null,
  cut: CutEpoch,
  epoch: OpenEpoch,
  outcomes: ReadonlyMap<string, "written" | "already there">,
  at: { readonly preparedAt: Millis; readonly sinksAt: Millis }
): Effect.Effect<EpochFacts, CoordinatorError> =>
  Effect.gen(function* () {
    const { claim, sinks, sources } = options
    const { intent } = cut
    const acknowledgements = [...epoch.acknowledgements.values()]
    const state = acknowledgements.flatMap((acknowledgement) => acknowledgement.state)
    const recordsIn = recordsBetween(before?.partitions ?? [], intent.partitions)
    const late = sum(acknowledgements.map((acknowledgement) => acknowledgement.late))
    const refused = sum(sinks.map((sink) => epoch.prepared.get(sink.id)!.invalid.length))
    const deadLetters = refused + sum(acknowledgements.map((acknowledgement) => acknowledgement.deadLetters))
    const rowsOut = sum(sinks.filter((sink) => sink.counts).map((sink) => epoch.prepared.get(sink.id)!.rows))
    const watermarks = acknowledgements.flatMap((acknowledgement) =>
      acknowledgement.watermark === null ? [] : [acknowledgement.watermark]
    )
    const watermark = watermarks.length === 0 ? null : Math.min(...watermarks)
    const manifest: Manifest = {
      version: 1,
      job: claim.job,
      jobId: claim.jobId,
      lineage: claim.lineage,
      generation: claim.generation,
      epoch: intent.epoch,
      openedAt: intent.openedAt,
      closedAt: intent.closedAt,
      final: intent.final,
      partitions: intent.partitions,
      watermark: watermark === null || !Number.isFinite(watermark) ? null : watermark,
      sources: yield* Effect.forEach(sources, (source) =>
        source.mark(intent.partitions.filter((partition) => partition.source === source.id))
      ),
      sinks: yield* Effect.forEach(sinks, markOf),
      steps: acknowledgements.flatMap((acknowledgement) => acknowledgement.marks),
      state: handlesAfter(before?.state ?? [], intent.epoch, state),
      stateRows: sum(acknowledgements.map((acknowledgement) => acknowledgement.stateRows)),
      stateBytes: sum(acknowledgements.map((acknowledgement) => acknowledgement.stateBytes)),
      totals: totalsAfter(before?.totals, { recordsIn, rowsOut, late, deadLetters })
    }
    return {
      manifest,
      cutAt: cut.cutAt,
      recordsIn,
      replayed: cut.replayed,
      prepareMillis: Math.max(0, at.preparedAt - cut.cutAt - cut.intentMillis),
      intentMillis: cut.intentMillis,
      sinksMillis: at.sinksAt - at.preparedAt,
      manifestMillis: null,
      stateBytesWritten: sum(state.flatMap((step) => step.parts.map((part) => part.bytes.length))),
      sinks: sinks.map((sink) => {
        const { rows } = epoch.prepared.get(sink.id)!
        return { sink: sink.id, rows, outcome: rows === 0 ? ("nothing to write" as const) : outcomes.get(sink.id)! }
      }),
      late,
      deadLetters,
      previous: before?.partitions ?? []
    }
  })

const markOf = (sink: SinkHandle): Effect.Effect<SinkMark, CoordinatorError> =>
  sink.writer._tag === "OwnWriter"
    ? Effect.map(sink.writer.position, (position) => ({ sink: sink.id, position }))
    : Effect.succeed({ sink: sink.id, position: null })

const totalsAfter = (before: Totals | undefined, epoch: Totals): Totals => ({
  recordsIn: (before?.recordsIn ?? 0) + epoch.recordsIn,
  rowsOut: (before?.rowsOut ?? 0) + epoch.rowsOut,
  late: (before?.late ?? 0) + epoch.late,
  deadLetters: (before?.deadLetters ?? 0) + epoch.deadLetters
})

const recordsBetween = (from: ReadonlyArray<PartitionCut>, to: ReadonlyArray<PartitionCut>): number =>
  sum(
    to.map(
      (cut) =>
        cut.offset -
        (from.find((other) => other.source === cut.source && other.partition === cut.partition)?.offset ?? 0)
    )
  )

/** Where each key group's state is after an epoch: a base replaces what was before it, a delta is added. */
export const handlesAfter = (
  before: ReadonlyArray<StateHandle>,
  epoch: number,
  state: ReadonlyArray<StepState>
): ReadonlyArray<StateHandle> => {
  const handles = new Map(before.map((handle) => [`${handle.step}/${handle.keyGroup}`, handle]))
  for (const { parts, step } of state) {
    for (const { keyGroup, kind } of parts) {
      const id = `${step}/${keyGroup}`
      const known = handles.get(id)
      handles.set(
        id,
        kind === "base" || known === undefined
          ? { step, keyGroup, baseEpoch: kind === "base" ? epoch : 0, deltaEpochs: kind === "base" ? [] : [epoch] }
          : { ...known, deltaEpochs: [...known.deltaEpochs, epoch] }
      )
    }
  }
  return [...handles.values()]
}

const judgeDeadLetters = (options: Options, facts: EpochFacts): Effect.Effect<void, DeadLetterLimitExceeded> => {
  const share = facts.recordsIn === 0 ? 0 : facts.deadLetters / facts.recordsIn
  const shareMax = options.deadLetterShareMax
  if (share <= shareMax) return Effect.void
  const job = options.claim.job
  return new DeadLetterLimitExceeded({
    job,
    share,
    shareMax,
    message: `Job ${job}: ${facts.deadLetters} of ${facts.recordsIn} records of epoch ${facts.manifest.epoch} could not be used, more than the allowed share of ${shareMax}`,
    hint: `The epoch is committed and nothing is lost: look at them with \`weir dead-letters ${job}\`, mend the producer or the job, and start it again.`
  })
}

/** Tries an action again while its failure says that it can help; between the attempts it grows more patient. */
const patiently = <A, E extends Explained, R>(action: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.retry(action, {
    while: (error) => error.retry,
    schedule: Schedule.exponential(Limits.restartBackoffMillis).pipe(
      Schedule.jittered,
      Schedule.either(Schedule.spaced(Limits.restartBackoffMillisMax)),
      Schedule.upTo(Limits.restartPeriodMillis)
    )
  })

/** The same for an action whose outcome may be unknown: looks whether it is done before it is tried again. */
const retried = <A, E extends Explained>(
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

const intentIsThere = (store: CheckpointStoreService, intent: Intent) =>
  Effect.map(
    store.lookUp(intent.job),
    (found) =>
      found !== null &&
      found.generation === intent.generation &&
      found.intents.some((other) => other.epoch === intent.epoch)
  )

const manifestIsThere = (store: CheckpointStoreService, manifest: Manifest) =>
  Effect.map(
    store.lookUp(manifest.job),
    (found) =>
      found !== null &&
      found.generation === manifest.generation &&
      found.lineage === manifest.lineage &&
      (found.manifest?.epoch ?? 0) >= manifest.epoch
  )

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)
