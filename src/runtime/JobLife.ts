/**
 * One life of a job: from its claim to its end, or to the first failure of any of its actors.
 *
 *     claim ─► open sources and sinks ─► restore ─► spawn ─► replay intents ─► epochs ─► end
 *
 * A life ends as a whole (one_for_all): its Scope closes every actor and resource, and a next life begins from the
 * last checkpoint.
 */
import { Clock, Effect, type Scope } from "effect"
import * as Actor from "../actor/Actor.ts"
import type { Intent, Manifest, StepMark } from "../checkpoint/Checkpoint.ts"
import { CheckpointStore, type CheckpointStoreService, type Claim } from "../checkpoint/CheckpointStore.ts"
import * as Commit from "../checkpoint/Commit.ts"
import * as Coordinator from "../checkpoint/Coordinator.ts"
import { overtaken } from "../checkpoint/Encoding.ts"
import type { EpochFacts } from "../checkpoint/EpochFacts.ts"
import * as Fence from "../checkpoint/Fence.ts"
import type { Configured, Job } from "../flow/Job.ts"
import { patiently } from "../flow/Patience.ts"
import type { SinkOpening, SinkWriter } from "../flow/Sink.ts"
import type { TablesService } from "../flow/Tables.ts"
import * as Topology from "../flow/Topology.ts"
import { CheckpointCorrupted, type Explained, StepFailed } from "../model/Errors.ts"
import type { Invalid, Offset } from "../model/Event.ts"
import type { Millis } from "../model/Time.ts"
import * as Chain from "./Chain.ts"
import * as Exchange from "./Exchange.ts"
import * as LifeSources from "./LifeSources.ts"
import * as Lookups from "./Lookups.ts"
import * as OperatorActor from "./OperatorActor.ts"
import * as Plan from "./Plan.ts"
import type * as ReplayDesk from "./ReplayDesk.ts"
import * as Restorability from "./Restorability.ts"
import * as SinkActor from "./SinkActor.ts"
import type * as SourceActor from "./SourceActor.ts"

export type LifeError = Explained & Error

/** How often an epoch ends in a job that only says `availableNow`. */
const boundedIntervalMillis = 10_000

export interface LifeOptions {
  readonly job: Job
  readonly configured: Configured
  /** Used at the first claim of all. */
  readonly jobId: string
  /** What the life before has claimed: filled in by each life. `null`: none has, or nobody knows whether one has. */
  readonly owned: { claim: Claim | null }
  readonly bounded: boolean
  readonly final: boolean
  /** Where a bounded run ends, by source: filled in by its first life, kept by the next ones. */
  readonly ends: Map<string, ReadonlyMap<number, Offset>>
  readonly attention: Effect.Latch
  readonly stopping: () => boolean
  /** Ids of steps and sources that may begin without what was kept of them. */
  readonly dropState: ReadonlyArray<string>
  /** Is an epoch wanted before its trigger? */
  readonly wanted: () => boolean
  /** Called after such a cut, with the last epoch that is cut. */
  readonly onWanted: (epoch: number) => void
  readonly listener: LifeListener
  readonly desk: ReplayDesk.ReplayDesk
  /** Reads nothing but what is to be put through again. */
  readonly replaysOnly: boolean
}

/** Told what happens in a life, in order. */
export interface LifeListener {
  readonly onClaimed: (claim: Claim, parts: LifeParts) => Effect.Effect<void>
  readonly onRecovered: Effect.Effect<void>
  readonly onEpoch: (facts: EpochFacts) => Effect.Effect<void>
  readonly onEmpty: (triggeredAt: Millis) => Effect.Effect<void>
  readonly report: (facts: EpochFacts) => string
}

/** What can be looked at while a life goes on. */
export interface LifeParts {
  readonly sources: ReadonlyArray<SourceActor.SourceActor>
  readonly chains: ReadonlyArray<Chain.Chain>
  readonly waiting: (actor: string) => number
  /** What is known of a step's lookup; `null`: it has none. */
  readonly lookup: (step: string) => Lookups.LookupFigures | null
}

/** The actors of one life, wired to each other, restored, and not yet running. */
export const actors = <R>(
  options: LifeOptions
): Effect.Effect<ReadonlyArray<Actor.AnyActor<LifeError, never>>, LifeError, R | CheckpointStore | Scope.Scope> =>
  Effect.gen(function* () {
    const { job } = options
    // What a life that computes all anew reads is what is there at its own beginning.
    if (job.recomputes) options.ends.clear()
    const store = yield* CheckpointStore
    const claimed = yield* claimedBy(store, options)
    yield* Effect.logDebug("claimed").pipe(
      Effect.annotateLogs({
        job: job.name,
        generation: claimed.generation,
        lineage: claimed.lineage,
        epoch: claimed.manifest?.epoch ?? claimed.epochFloor,
        intents: claimed.intents.map(({ epoch, generation }) => `${epoch} of generation ${generation}`)
      })
    )
    return yield* Effect.catchAll(wired<R>(options, claimed), (error) => orOvertaken(store, claimed, error))
  })

/**
 * Takes the job over. A life that follows another of this process does so only while the job is still its own: a process
 * that was paused, and begins anew when it wakes up, must not take the job from whoever has it meanwhile. A job that
 * recomputes goes back to nothing: each of its lives has a lineage of its own.
 */
const claimedBy = (
  store: CheckpointStoreService,
  { job, jobId, owned }: LifeOptions
): Effect.Effect<Claim, LifeError> =>
  Effect.gen(function* () {
    if (owned.claim !== null) yield* checkOwner(store, owned.claim)
    // A claim whose answer is lost may be there: then its own generation would look like another's.
    owned.claim = null
    if (job.recomputes) yield* patiently(store.reset(job.name, 0))
    owned.claim = yield* patiently(store.claim(job.name, jobId))
    return owned.claim
  })

/**
 * Who was overtaken while it opened its parts finds sinks ahead of the checkpoint that it has read, or state gone that
 * was collected since: nothing is wrong with them. Nobody can tell while it cannot be read who has the job: then that
 * is the failure.
 */
const orOvertaken = (store: CheckpointStoreService, claimed: Claim, error: LifeError) =>
  Effect.zipRight(checkOwner(store, claimed), Effect.fail(error))

const checkOwner = (store: CheckpointStoreService, claimed: Claim) =>
  Effect.flatMap(patiently(store.lookUp(claimed.job)), (found) =>
    found?.lineage === claimed.lineage && found.generation === claimed.generation
      ? Effect.void
      : Effect.fail(overtaken(claimed, found))
  )

const wired = <R>(
  options: LifeOptions,
  claimed: Claim
): Effect.Effect<ReadonlyArray<Actor.AnyActor<LifeError, never>>, LifeError, R | CheckpointStore | Scope.Scope> =>
  Effect.gen(function* () {
    const { configured, job } = options
    const store = yield* CheckpointStore
    const intervalMillis =
      configured.trigger.kind === "every" ? configured.trigger.intervalMillis : boundedIntervalMillis
    const used = Topology.lookupsOf(job.name, configured.topology)
    // Steps ask for a version when the first batch comes: until then it has been loaded.
    let lookups: Lookups.Lookups | null = null
    const plan = Plan.make(configured.topology, {
      job: job.name,
      triggerMillis: intervalMillis,
      lookups: {
        first: (lookup) => lookups!.tables.first(lookup),
        of: (lookup, version) => lookups!.tables.of(lookup, version)
      }
    })
    const chains = plan.chains.map((planned) => ({ planned, chain: Chain.make(planned) }))
    const found = yield* restore(options, claimed, { plan, chains: chains.map(({ chain }) => chain) })
    if (used.length > 0) lookups = yield* Lookups.open({ lookups: used, store, claim: found })
    const exchange = Exchange.make([...plan.chains.map(({ id }) => id), ...plan.sinks.map(({ id }) => id)])
    const sources = yield* LifeSources.open(options, plan, found, exchange)
    if (found.manifest !== null) yield* options.desk.seen(found.manifest)
    yield* options.desk.opened({
      ask: Effect.forEach(sources, (source) => source.replay, { discard: true }),
      cuts: () => sources.flatMap((source) => source.again?.().cuts ?? [])
    })
    const marks = chains.flatMap(({ chain }) => chain.marksNow())
    const claim = yield* begun(found, sources, { steps: marks, lookups })
    for (const source of sources) source.acknowledge(claim.manifest.partitions)
    const writers = yield* Effect.forEach(plan.sinks, (planned) => patiently(openSink(job.name, planned, claim)))
    yield* options.listener.onClaimed(claim, {
      sources,
      chains: chains.map(({ chain }) => chain),
      waiting: exchange.waiting,
      lookup: (step) => {
        const spec = configured.topology.nodes.find(({ id }) => id === step)?.spec
        if (lookups === null || spec?.kind !== "enrich") return null
        return lookups.figures().find((figures) => figures.lookup === spec.lookup.name) ?? null
      }
    })
    const coordinator = yield* Coordinator.make({
      store,
      claim,
      sources,
      ...(lookups === null ? {} : { lookups }),
      sinks: plan.sinks.map(({ counts, id, takesInvalid }, index) => ({
        id,
        counts,
        takesInvalid,
        writer: writers[index]!
      })),
      chains: plan.chains.map(({ id }) => id),
      intervalMillis,
      bounded: options.bounded,
      final: options.final,
      isWhole: job.recomputes,
      limits: { deadLetters: job.deadLetters, late: job.late },
      attention: options.attention,
      stopping: options.stopping,
      isDue: (now) =>
        chains.some(({ chain }) => chain.dueAt() <= now) ||
        writers.some((writer) => writer._tag === "OwnWriter" && (writer.dueAt?.() ?? Number.POSITIVE_INFINITY) <= now),
      wanted: options.wanted,
      onWanted: options.onWanted,
      ...options.listener
    })
    const finish = Effect.zipRight(
      Effect.forEach(sources, (source) => source.finish, { discard: true }),
      Effect.forEach(sources, (source) => source.settled, { concurrency: "unbounded", discard: true })
    )
    return [
      ...plan.sinks.map((planned, index) => ({
        name: planned.id,
        mailbox: exchange.mailbox(planned.id),
        run: sinkRun(plan, planned, writers[index]!, exchange, coordinator)
      })),
      ...chains.map(({ chain, planned }) => ({
        name: planned.id,
        mailbox: exchange.mailbox(planned.id),
        run: chainRun(planned, chain, exchange, coordinator)
      })),
      ...sources.map((source) => Actor.make(source.id, () => source.run)),
      Actor.make("coordinator", () => Effect.zipRight(coordinator.run, finish))
    ]
  }) as Effect.Effect<ReadonlyArray<Actor.AnyActor<LifeError, never>>, LifeError, R | CheckpointStore | Scope.Scope>

const chainRun = (
  planned: Plan.PlannedChain,
  chain: Chain.Chain,
  exchange: Exchange.Exchange,
  coordinator: Coordinator.Coordinator
) =>
  OperatorActor.run({
    id: planned.id,
    chain,
    inputs: planned.inputs,
    actors: planned.actors,
    take: exchange.take(planned.id),
    send: (actor, message, input) => exchange.send(planned.id, actor, message, input),
    acknowledge: (epoch, acknowledgement) => coordinator.acknowledge(planned.id, epoch, acknowledgement)
  })

const sinkRun = (
  plan: Plan.Plan,
  planned: Plan.PlannedSink,
  writer: SinkWriter,
  exchange: Exchange.Exchange,
  coordinator: Coordinator.Coordinator
) => {
  const belongsHere = (invalid: Invalid): boolean =>
    plan.sinks.some((sink) => sink.id === invalid.step && sink.invalid === planned.id)
  return SinkActor.run({
    id: planned.id,
    writer,
    inputs: planned.inputs,
    refused: planned.takesInvalid
      ? (epoch) => Effect.map(coordinator.refused(epoch), (all) => all.filter(belongsHere))
      : null,
    mayRefuse: planned.invalid !== null,
    take: exchange.take(planned.id),
    prepared: (epoch, prepared) => coordinator.prepared(planned.id, epoch, prepared)
  })
}

/** A claim of a job that has begun. */
type Begun = Claim & { readonly manifest: Manifest }

/** Opens a sink from where the checkpoint stands; a sink of a database passes its fence first. */
const openSink = (job: string, planned: Plan.PlannedSink, claim: Begun) =>
  Effect.gen(function* () {
    const mark = claim.manifest.sinks.find(({ sink }) => sink === planned.id)
    const opening: SinkOpening = {
      job,
      sink: planned.id,
      lineage: claim.lineage,
      generation: claim.generation,
      manifestEpoch: claim.manifest.epoch,
      intentEpochs: claim.intents.map((intent) => intent.epoch),
      position: mark?.position ?? null,
      isKnown: mark !== undefined,
      ...(planned.lateOf === null ? {} : { lateOf: planned.lateOf })
    }
    const writer: SinkWriter = yield* planned.sink.open(opening) as Effect.Effect<SinkWriter, LifeError, Scope.Scope>
    // The first manifest of a lineage stands one above its floor and holds no row: the older fence is taken over there.
    const epochFloor = claim.epochFloor + 1
    if (writer._tag === "TablesWriter") {
      yield* Fence.open(writer.tables, { ...opening, epochFloor })
      if (planned.sink.replaces) yield* warnOfOthers(writer.tables, opening, planned.sink.isWhole === true)
    }
    return writer
  })

/** Jobs that replace rows of one table replace each other's, where their keys are equal. */
const warnOfOthers = (tables: TablesService, { job, sink }: SinkOpening, isWhole: boolean) =>
  Effect.flatMap(Fence.others(tables, { job, sink }), (others) =>
    others.length === 0
      ? Effect.void
      : Effect.logWarning(
          `Job ${job}: ${sink} is also written to by ${others.join(", ")}: ${isWhole ? "each run removes their rows. Give each job a table of its own." : "of a key that several give, the row is the latest one's. Give each job a table of its own, unless their keys differ."}`
        )
  )

/** Reads the state of the last manifest back, if this code can take it up; answers the claim without what is dropped. */
const restore = (
  { configured, dropState, job }: LifeOptions,
  claim: Claim,
  { chains, plan }: { readonly chains: ReadonlyArray<Chain.Chain>; readonly plan: Plan.Plan }
) =>
  Effect.gen(function* () {
    if (claim.manifest === null) return claim
    const verdict = Restorability.judge(
      claim.manifest,
      Restorability.codeFrom(job, configured, { chains, plan }),
      dropState
    )
    if (verdict.refusal !== null) return yield* verdict.refusal
    yield* Effect.forEach(verdict.warnings, (warning) => Effect.logWarning(warning), { discard: true })
    const manifest = Restorability.pruned(claim.manifest, verdict)
    const store = yield* CheckpointStore
    const state = yield* patiently(store.readState(manifest))
    for (const chain of chains) yield* restored(job.name, manifest, () => chain.restore(state, verdict.migrating))
    return { ...claim, manifest }
  })

const restored = (
  job: string,
  { epoch }: Manifest,
  restore: () => void
): Effect.Effect<void, CheckpointCorrupted | StepFailed> =>
  Effect.try({
    try: restore,
    catch: (error) =>
      // A migration is the job's own.
      error instanceof StepFailed
        ? error
        : new CheckpointCorrupted({
            job,
            epoch,
            message: `Job ${job}: the state of epoch ${epoch} cannot be read back: ${error instanceof Error ? error.message : String(error)}`,
            hint: `Restore the checkpoints from a copy, or begin a new lineage with \`weir reset ${job}\`.`
          })
  })

/**
 * The first epoch of a lineage holds no record: it stores where the sources begin, before anything is read. This, too,
 * is a choice that a replay must find again.
 */
const begun = (
  found: Claim,
  sources: ReadonlyArray<SourceActor.SourceActor>,
  of: { readonly steps: ReadonlyArray<StepMark>; readonly lookups: Lookups.Lookups | null }
): Effect.Effect<Begun, LifeError, CheckpointStore> =>
  Effect.gen(function* () {
    const { manifest } = found
    if (manifest !== null) return { ...found, manifest }
    const store = yield* CheckpointStore
    const [recorded, ...intents] = found.intents
    const intent = recorded ?? {
      ...firstIntent(found, sources, yield* Clock.currentTimeMillis),
      ...(of.lookups === null ? {} : { lookups: of.lookups.start })
    }
    if (recorded === undefined) yield* Commit.writeIntent(store, found, intent)
    const first: Manifest = {
      ...intent,
      version: 1,
      jobId: found.jobId,
      generation: found.generation,
      watermark: null,
      sources: yield* Effect.forEach(sources, (source) => source.mark(source.start)),
      sinks: [],
      steps: of.steps,
      ...(of.lookups === null ? {} : { lookupMarks: of.lookups.marks }),
      state: [],
      stateRows: 0,
      stateBytes: 0,
      totals: { recordsIn: 0, rowsOut: 0, late: 0, deadLetters: 0 }
    }
    yield* Commit.commitManifest(
      { store, claim: found, sinks: [], prepared: new Map() },
      { manifest: first, state: [], progress: "" }
    )
    return { ...found, manifest: first, intents }
  })

const firstIntent = (claim: Claim, sources: ReadonlyArray<SourceActor.SourceActor>, now: Millis): Intent => ({
  job: claim.job,
  lineage: claim.lineage,
  generation: claim.generation,
  epoch: claim.epochFloor + 1,
  openedAt: now,
  closedAt: now,
  final: false,
  partitions: sources.flatMap((source) => source.start),
  replays: sources.flatMap((source) => source.again?.().cuts ?? [])
})
