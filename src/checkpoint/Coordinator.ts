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
import { Clock, Deferred, Effect, Queue } from "effect"
import type { Prepared } from "../flow/Sink.ts"
import type { SourceError } from "../flow/Source.ts"
import { type Defect, type MailboxClosed, RunTooLarge } from "../model/Errors.ts"
import type { Invalid } from "../model/Event.ts"
import * as Limits from "../model/Limits.ts"
import type { LookupVersions, PartitionCut, ReplayCut } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"
import type { Intent, LookupMark, Manifest, SourceMark } from "./Checkpoint.ts"
import type { CheckpointStoreService, Claim } from "./CheckpointStore.ts"
import { type CommitError, commitManifest, commitOwnSinks, writeIntent } from "./Commit.ts"
import { type Acknowledgement, type EpochFacts, make as makeFacts, type SinkHandle } from "./EpochFacts.ts"
import * as SetAsideLimits from "./SetAsideLimits.ts"

/** The end of an epoch, as a source is told of it. */
export interface Cut {
  readonly epoch: number
  readonly openedAt: Millis
  readonly closedAt: Millis
  readonly final: boolean
  /** Where to end, for a replay; `null`: where the source stands. */
  readonly partitions: ReadonlyArray<PartitionCut> | null
  /** Where the replays of what was set aside end, beside them. */
  readonly replays?: ReadonlyArray<ReplayCut>
  /** The versions of lookups for the epoch after it; absent: the job has none. */
  readonly lookups?: LookupVersions
}

/** The lookups of a job, as the coordinator sees them. */
export interface LookupHandle {
  /** How the rows of their versions are written. */
  readonly marks: ReadonlyArray<LookupMark>
  /** The versions in force for the first epoch of which there is no intent yet. */
  readonly start: LookupVersions
  /** Begins to load what is due, and does not wait for it. Called at every trigger. */
  readonly refresh: (now: Millis) => Effect.Effect<void>
  /** Is a version durable that is not in force yet? */
  readonly isWaiting: () => boolean
  /** Puts what waits in force: answers the versions for the epoch after the cut. Called once for each cut. */
  readonly take: () => LookupVersions
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
  /**
   * Opens the next epoch for reading; called again, while nothing was read, to say a later time. Not called before a
   * replay is over: a source that has not been opened reads only up to the cuts of intents. After a cut that is no replay
   * the next epoch is open already, at the time when the last one was closed.
   */
  readonly opened: (openedAt: Millis) => void
  /** Ends the epoch: answers the cuts after `Barrier` was sent downstream. */
  readonly cut: (cut: Cut) => Effect.Effect<ReadonlyArray<PartitionCut>, SourceError | MailboxClosed>
  /** What it has put through again in the epoch that it cut last, and how far that has come; absent: it never does. */
  readonly again?: () => Again
  /** Is told, after a manifest is durable, of its cuts. Never waits; absent: it need not know. */
  readonly acknowledge?: (cuts: ReadonlyArray<PartitionCut>) => void
  /** How to recognise it after this cut. */
  readonly mark: (cuts: ReadonlyArray<PartitionCut>) => Effect.Effect<SourceMark, SourceError>
}

/** Records that were set aside and came again, in one epoch. */
export interface Again {
  readonly records: number
  readonly skipped: number
  readonly cuts: ReadonlyArray<ReplayCut>
}

export interface Options {
  readonly store: CheckpointStoreService
  /** Of a job that has begun: its first manifest is there. */
  readonly claim: Claim & { readonly manifest: Manifest }
  readonly sources: ReadonlyArray<SourceHandle>
  readonly sinks: ReadonlyArray<SinkHandle>
  /** Absent: the job has none. */
  readonly lookups?: LookupHandle
  /** Ids of the chains that acknowledge. */
  readonly chains: ReadonlyArray<string>
  readonly intervalMillis: number
  /** Ends when the sources have ended. */
  readonly bounded: boolean
  readonly final: boolean
  /** Is the run one epoch, cut when the sources have ended? One that is stopped before commits nothing. Absent: no. */
  readonly isWhole?: boolean
  /** Of what may be set aside. */
  readonly limits: SetAsideLimits.SetAsideLimits
  /** Opened by a source that is full or has ended, and by whoever wants the job to stop. */
  readonly attention: Effect.Latch
  /** Is the job to drain, commit and end? */
  readonly stopping: () => boolean
  /** Does a step want a barrier by now, even if no record came? Absent: none does. Asked at every trigger. */
  readonly isDue?: (now: Millis) => boolean
  /** Is an epoch wanted before its trigger? Absent: never. */
  readonly wanted?: () => boolean
  /** Called after a cut that was wanted, with the last epoch that is cut: once it is durable, all that was read then is. */
  readonly onWanted?: (epoch: number) => void
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
  | CommitError
  | SourceError
  | SetAsideLimits.LimitExceeded
  | RunTooLarge
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
  readonly cutMillis: number
  readonly intentMillis: number
  readonly again: ReadonlyArray<Again>
  readonly replayed: boolean
}

export const make = (options: Options): Effect.Effect<Coordinator> =>
  Effect.gen(function* () {
    const { claim, sinks, sources, store } = options
    const epochs = new Map<number, OpenEpoch>()
    const judge = SetAsideLimits.make(claim.job, options.limits)
    let manifest: Manifest = claim.manifest
    // A cut epoch holds its place until its manifest is durable: this bounds the epochs in flight.
    const places = yield* Effect.makeSemaphore(Limits.epochsInFlight)
    const toCommit = yield* Queue.bounded<CutEpoch | "end">(Limits.epochsInFlight + 1)

    const fiberId = yield* Effect.fiberId
    const epochOf = (epoch: number): OpenEpoch => {
      const known = epochs.get(epoch)
      if (known !== undefined) return known
      const opened: OpenEpoch = {
        acknowledgements: new Map(),
        prepared: new Map(),
        refused: Deferred.unsafeMake(fiberId),
        complete: Deferred.unsafeMake(fiberId)
      }
      epochs.set(epoch, opened)
      return opened
    }
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
        const prepared = { store, claim, sinks, prepared: epoch.prepared }
        const outcomes = yield* commitOwnSinks(prepared)
        const sinksAt = yield* Clock.currentTimeMillis
        const acknowledgements = [...epoch.acknowledgements.values()]
        const marks = yield* Effect.forEach(sources, (source) =>
          source.mark(cut.intent.partitions.filter((partition) => partition.source === source.id))
        )
        const facts = yield* makeFacts({
          ...cut,
          ...prepared,
          before: manifest,
          acknowledgements,
          outcomes,
          marks,
          ...(options.lookups === undefined ? {} : { lookupMarks: options.lookups.marks }),
          preparedAt,
          sinksAt
        })
        const state = acknowledgements.flatMap((acknowledgement) => acknowledgement.state)
        yield* commitManifest(prepared, { manifest: facts.manifest, state, progress: options.report(facts) })
        const manifestAt = yield* Clock.currentTimeMillis
        manifest = facts.manifest
        for (const source of sources) source.acknowledge?.(manifest.partitions)
        const alreadyThere = facts.sinks.filter((sink) => sink.outcome === "already there").length
        yield* Effect.logDebug("epoch is durable").pipe(
          Effect.annotateLogs({ epoch: cut.intent.epoch, replayed: cut.replayed, alreadyThere })
        )
        epochs.delete(cut.intent.epoch)
        yield* options.onEpoch({ ...facts, manifestMillis: manifestAt - sinksAt })
        yield* judge(SetAsideLimits.setAsideOf(facts))
      })

    const commits: Effect.Effect<void, CoordinatorError> = Effect.gen(function* () {
      while (true) {
        const next = yield* Queue.take(toCommit)
        if (next === "end") return
        yield* commitEpoch(next)
        yield* places.release(1)
      }
    })

    /** Those of the epoch that is open: what its intent names. */
    let inForce = options.lookups?.start
    const cutEpoch = (cut: Cut, replayed: Intent | null): Effect.Effect<void, CoordinatorError> =>
      Effect.gen(function* () {
        yield* places.take(1)
        const begunAt = yield* Clock.currentTimeMillis
        const cuts = yield* Effect.forEach(sources, (source) => source.cut(cut), { concurrency: "unbounded" })
        const cutAt = yield* Clock.currentTimeMillis
        const again = sources.flatMap((source) => (source.again === undefined ? [] : [source.again()]))
        const replays = again.flatMap((one) => one.cuts)
        const intent: Intent = replayed ?? {
          job: claim.job,
          lineage: claim.lineage,
          generation: claim.generation,
          epoch: cut.epoch,
          openedAt: cut.openedAt,
          closedAt: cut.closedAt,
          final: cut.final,
          partitions: cuts.flat(),
          ...(inForce === undefined ? {} : { lookups: inForce }),
          ...(replays.length === 0 ? {} : { replays })
        }
        if (replayed === null) inForce = cut.lookups
        if (replayed === null) yield* writeIntent(store, claim, intent)
        const intentMillis = (yield* Clock.currentTimeMillis) - cutAt
        yield* Effect.logDebug("intent is durable").pipe(
          Effect.annotateLogs({ epoch: cut.epoch, replayed: replayed !== null })
        )
        yield* Queue.offer(toCommit, {
          intent,
          cutAt,
          cutMillis: cutAt - begunAt,
          intentMillis,
          again,
          replayed: replayed !== null
        })
      })

    const replay: Effect.Effect<void, CoordinatorError> = Effect.gen(function* () {
      const start = options.lookups?.start
      const replayedAfter = (i: number) => start && { ...start, ...claim.intents[i + 1]?.lookups }
      for (const [i, intent] of claim.intents.entries()) {
        yield* cutEpoch(following(replayedAfter(i), intent), intent)
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
      let epoch = (lastIntent?.epoch ?? claim.manifest.epoch) + 1
      const closedBefore = lastIntent?.closedAt ?? claim.manifest.closedAt
      // A run that was asked for a final emission owes one, even if nothing came since the last checkpoint.
      const finalOwed = options.final && !(lastIntent?.final ?? claim.manifest.final)
      let openedAt = Math.max(yield* Clock.currentTimeMillis, closedBefore)
      for (const source of sources) source.opened(openedAt)
      let due = openedAt + options.intervalMillis
      while (true) {
        yield* waitUntil(due, options, sources)
        const wanted = options.wanted?.() === true
        const now = yield* Clock.currentTimeMillis
        if (options.lookups !== undefined) yield* options.lookups.refresh(now)
        const statuses = sources.map((source) => source.status(now))
        const ending = options.stopping() || (options.bounded && statuses.every((status) => status.ended))
        const isWhole = options.isWhole === true
        if (isWhole && statuses.some((status) => status.full !== null && !status.ended))
          return yield* tooLarge(claim.job)
        // A version that waits takes effect at a barrier, for the events after it: they should not wait for others.
        const something = isWhole
          ? ending && !options.stopping()
          : statuses.some((status) => status.records > 0 || status.turned) ||
            (!ending && (options.lookups?.isWaiting() === true || options.isDue?.(now) === true))
        const final = ending && options.final && !options.stopping()
        if (something || (final && finalOwed)) {
          const closedAt = Math.max(now, openedAt)
          yield* cutEpoch(
            following(options.lookups?.take(), { epoch, openedAt, closedAt, final, partitions: null }),
            null
          )
          epoch += 1
          openedAt = closedAt
        } else if (!ending && !isWhole) {
          yield* options.onEmpty(now)
        }
        if (wanted) options.onWanted?.(epoch - 1)
        if (ending) return yield* Queue.offer(toCommit, "end")
        due = nextTrigger(due, yield* Clock.currentTimeMillis, options.intervalMillis)
        // An epoch is as old as its first record may be. Looked at and said in one step: no record comes between.
        if (sources.every((source) => source.status(now).records === 0)) {
          openedAt = Math.max(now, openedAt)
          for (const source of sources) source.opened(openedAt)
        }
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

const tooLarge = (job: string): RunTooLarge =>
  new RunTooLarge({
    job,
    recordsMax: Limits.recomputedRecordsMax,
    bytesMax: Limits.recomputedBytesMax,
    message: `Job ${job} computes its whole result anew, and its sources hold more than a run may: ${Limits.recomputedRecordsMax} records or ${Limits.recomputedBytesMax} bytes`,
    hint: "Let it read less, such as one year's folder; or leave `recomputes` out and write by key."
  })

/** The cut, with the versions of lookups for the epoch after it; those of an intent are for the epoch before it. */
const following = (versions: LookupVersions | undefined, cut: Cut): Cut =>
  versions === undefined ? cut : { ...cut, lookups: versions }

/**
 * Triggers keep their rhythm. One that was missed, because the epochs before it were still being committed, is not made
 * up for: the epoch grows instead, and a row that changes often is written less often.
 */
const nextTrigger = (due: Millis, now: Millis, intervalMillis: number): Millis =>
  due + intervalMillis > now ? Math.min(due, now) + intervalMillis : now + intervalMillis

/**
 * Waits for the trigger, or for a source that is full, or for the end of the run. No longer than an interval: a clock that
 * was set back, in this life or before it, is an hour behind its trigger, or behind the last recorded time.
 */
const waitUntil = (due: Millis, options: Options, sources: ReadonlyArray<SourceHandle>): Effect.Effect<void> =>
  Effect.gen(function* () {
    let until = due
    while (true) {
      // Closed before anything is looked at: what opens it from now on is not missed.
      yield* options.attention.close
      const now = yield* Clock.currentTimeMillis
      until = Math.min(until, now + options.intervalMillis)
      const statuses = sources.map((source) => source.status(now))
      const full =
        statuses.some((status) => status.full === "bound") ||
        (options.bounded && statuses.every((status) => status.ended || status.full !== null))
      if (now >= until || full || options.stopping() || options.wanted?.() === true) return
      yield* Effect.raceFirst(Clock.sleep(until - now), options.attention.await)
    }
  })
