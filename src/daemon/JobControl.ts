/**
 * What a person does to a job beside starting and stopping it: pause and resume, restart, savepoints and the way back to
 * them, and whether this code can take up what is kept. One at a time for each job.
 */
import { Clock, Duration, Effect } from "effect"
import type { CheckpointStoreService, Pause } from "../checkpoint/CheckpointStore.ts"
import * as Fence from "../checkpoint/Fence.ts"
import type { Savepoint } from "../checkpoint/Savepoint.ts"
import type { Configured, Job } from "../flow/Job.ts"
import { Tables, type TablesService } from "../flow/Tables.ts"
import type { AnySink } from "../flow/Topology.ts"
import {
  type Explained,
  InvalidJob,
  InvalidParameter,
  isExplained,
  UnknownSavepoint,
  WrongUsage
} from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { JobStatus } from "../observe/Progress.ts"
import * as Restorability from "../runtime/Restorability.ts"
import type { RunningJob, RunOptions } from "../runtime/Runner.ts"
import type { CheckpointDescription, DaemonService, RewindOptions } from "./Daemon.ts"

type Failure = Explained & Error

/** What the daemon does for it. None of these waits for its turn. */
export interface Host {
  readonly store: CheckpointStoreService
  readonly tables: TablesService
  readonly find: (job: string) => Effect.Effect<Job, Failure>
  readonly configure: (job: Job, set: Readonly<Record<string, string>>) => Effect.Effect<Configured, Failure>
  readonly status: (job: string) => Effect.Effect<JobStatus, Failure>
  /** The job if it runs. */
  readonly live: (
    job: string
  ) => Effect.Effect<{ readonly running: RunningJob; readonly options: RunOptions } | null, Failure>
  /** The options of the last run in this process. */
  readonly lastOptions: (job: string) => RunOptions
  /** Starts a job that does not run, whether it is paused or not. */
  readonly begin: (job: string, options: RunOptions) => Effect.Effect<JobStatus, Failure>
  /** Keeps why a start was refused, and tells it: the job stands as failed until it starts. */
  readonly refused: (job: string, why: Failure) => Effect.Effect<void>
  /** How to start a job in this process, for a person. */
  readonly wayToStart: (job: string) => string
  /** Drains a job that runs, and forgets it. */
  readonly end: (job: string) => Effect.Effect<void, Failure>
  /** Tells whoever listens how a job stands now. */
  readonly tell: (status: JobStatus) => Effect.Effect<void>
}

export type JobControl = Pick<
  DaemonService,
  | "start"
  | "stop"
  | "pause"
  | "resume"
  | "restart"
  | "savepoint"
  | "savepoints"
  | "removeSavepoint"
  | "rewind"
  | "check"
  | "checkpoint"
>

export const make = (host: Host): JobControl => {
  const turns = new Map<string, Effect.Semaphore>()
  const inTurn = <A>(job: string, action: Effect.Effect<A, Failure>): Effect.Effect<A, Failure> =>
    Effect.suspend(() => {
      const turn = turns.get(job) ?? Effect.unsafeMakeSemaphore(1)
      turns.set(job, turn)
      return Effect.zipRight(host.find(job), turn.withPermits(1)(action))
    })
  return {
    start: (job, options) => inTurn(job, start(host, job, options)),
    stop: (job) => inTurn(job, stop(host, job)),
    pause: (job) => inTurn(job, pause(host, job)),
    resume: (job) => inTurn(job, resume(host, job)),
    restart: (job) => inTurn(job, restart(host, job)),
    savepoint: (job, name) => inTurn(job, save(host, job, name)),
    savepoints: (job) => Effect.zipRight(host.find(job), host.store.savepoints(job)),
    removeSavepoint: (job, name) =>
      inTurn(job, Effect.zipRight(savepointOf(host, job, name), host.store.removeSavepoint(job, name))),
    rewind: (job, options) => inTurn(job, rewind(host, job, options)),
    check: (job, savepoint) => check(host, job, savepoint),
    checkpoint: (job, savepoint) => Effect.zipRight(host.find(job), checkpoint(host, job, savepoint))
  }
}

// Running

const pauseOf = ({ store }: Host, job: string): Effect.Effect<Pause | null, Failure> =>
  Effect.map(store.lookUp(job), (record) => record?.paused ?? null)

const start = (host: Host, job: string, options: RunOptions) =>
  Effect.gen(function* () {
    if ((yield* host.live(job)) !== null)
      return yield* refuse(job, "runs already", `Stop it first: \`weir stop ${job}\`.`)
    if ((yield* pauseOf(host, job)) !== null)
      return yield* refuse(
        job,
        "is paused",
        `Let it go on: \`weir resume ${job}\`; or end its pause: \`weir stop ${job}\`.`
      )
    if (options.dropState !== undefined && options.dropState.length > 0)
      yield* named(yield* verdictOf(host, job, { ...options, savepoint: null }), options.dropState)
    return yield* judged(host, job, options)
  })

/** Begins a job that this code can take up; else nothing is touched, and the job stands as failed. */
const judged = (host: Host, job: string, options: RunOptions) =>
  Effect.gen(function* () {
    const { refusal } = yield* verdictOf(host, job, { ...options, savepoint: null })
    if (refusal !== null) return yield* refusal
    return yield* host.begin(job, options)
  }).pipe(Effect.tapError((error) => host.refused(job, error)))

const stop = (host: Host, job: string) =>
  Effect.gen(function* () {
    const live = yield* host.live(job)
    if (live !== null) {
      yield* live.running.stop
      return yield* host.status(job)
    }
    if ((yield* pauseOf(host, job)) === null) return yield* refuse(job, "does not run", host.wayToStart(job))
    yield* host.store.setPause(job, null)
    const status = yield* host.status(job)
    yield* host.tell(status)
    return status
  })

const pause = (host: Host, job: string) =>
  Effect.gen(function* () {
    const live = yield* host.live(job)
    if (live === null)
      return yield* (yield* pauseOf(host, job)) === null
        ? refuse(job, "does not run", host.wayToStart(job))
        : refuse(job, "is paused already", `Let it go on: \`weir resume ${job}\`.`)
    yield* live.running.stop
    const { reason, state } = yield* live.running.status
    if (state === "failed" || state === "finished")
      return yield* refuse(
        job,
        `${state} before it could be paused`,
        reason?.hint ?? "`weir jobs` shows how it stands."
      )
    // State that may be dropped was dropped, or is still to be allowed by whoever starts the job then.
    const { dropState: _, ...options } = live.options
    const pausedAt = yield* Clock.currentTimeMillis
    yield* host.store.setPause(job, { pausedAt, options: JSON.stringify(options) })
    yield* host.end(job)
    const status = yield* host.status(job)
    yield* host.tell(status)
    return status
  })

const resume = (host: Host, job: string) =>
  Effect.gen(function* () {
    const paused = yield* pauseOf(host, job)
    if (paused === null) return yield* refuse(job, "is not paused", "`weir jobs` shows how it stands.")
    // It runs before its pause ends: a crash between leaves it paused, and nobody believes that it runs.
    const status = yield* judged(host, job, JSON.parse(paused.options) as RunOptions)
    yield* host.store.setPause(job, null)
    return status
  })

const restart = (host: Host, job: string) =>
  Effect.gen(function* () {
    if ((yield* pauseOf(host, job)) !== null)
      return yield* refuse(job, "is paused", `Let it go on: \`weir resume ${job}\`.`)
    const options = host.lastOptions(job)
    const live = yield* host.live(job)
    if (live !== null) yield* live.running.stop
    return yield* judged(host, job, options)
  })

// Savepoints

const nameForm = new RegExp(`^[A-Za-z0-9][A-Za-z0-9._-]{0,${Limits.savepointNameMax - 1}}$`)

const save = (host: Host, job: string, wanted: string | null) =>
  Effect.gen(function* () {
    if (wanted !== null && !nameForm.test(wanted)) return yield* unfit(wanted)
    const live = yield* host.live(job)
    // A job that cannot commit now has its last checkpoint.
    if (live !== null) yield* Effect.timeoutOption(live.running.cut, Duration.millis(Limits.drainMillisMax))
    const known = yield* host.store.savepoints(job)
    const manifest = (yield* host.store.lookUp(job))?.manifest ?? null
    const name = wanted ?? `epoch-${manifest?.epoch ?? 0}`
    const there = known.find((savepoint) => savepoint.name === name)
    if (wanted === null && there !== undefined && there.manifest.epoch === manifest?.epoch) return there
    if (known.length >= Limits.savepointsMax)
      return yield* refuse(
        job,
        `has ${known.length} savepoints, as many as there may be`,
        `Remove one: \`weir savepoints ${job} --remove ${known[0]!.name}\`.`
      )
    const taken = yield* host.store.savepoint(job, name, yield* Clock.currentTimeMillis)
    return taken ?? (yield* refuse(job, "has no checkpoint yet", host.wayToStart(job)))
  })

const savepointOf = ({ store }: Host, job: string, name: string): Effect.Effect<Savepoint, Failure> =>
  Effect.flatMap(store.savepoints(job), (all): Effect.Effect<Savepoint, UnknownSavepoint> => {
    const found = all.find((savepoint) => savepoint.name === name)
    return found === undefined ? unknownSavepoint(job, name, all) : Effect.succeed(found)
  })

const rewind = (host: Host, job: string, options: RewindOptions) =>
  Effect.gen(function* () {
    if ((yield* host.live(job)) !== null) return yield* refuse(job, "runs", `Stop it first: \`weir stop ${job}\`.`)
    if ((yield* host.find(job)).recomputes)
      return yield* refuse(
        job,
        "computes its whole result anew at each run",
        "Give it the input of that time, and run it."
      )
    const savepoint = yield* savepointOf(host, job, options.savepoint)
    const verdict = yield* verdictOf(host, job, options)
    yield* named(verdict, options.dropState ?? [])
    if (verdict.refusal !== null) return yield* verdict.refusal
    const { topology } = yield* host.configure(yield* host.find(job), options.set ?? {})
    const sinks = topology.nodes.flatMap(({ spec }) => (spec.kind === "sink" ? [spec.sink] : []))
    const inTheWay = sinks.filter((sink) => sink.clearAfter !== undefined)
    if (!options.tables && inTheWay.length > 0) return yield* appendsAgain(job, savepoint, inTheWay)
    const seen = yield* Fence.read(host.tables, job)
    const epochs = [savepoint.manifest.epoch, ...seen.map((fence) => fence.epoch)]
    const { epochFloor, lineage } = yield* host.store.reset(job, Math.max(...epochs), savepoint)
    // What its last run says of it is of the lineage that was left.
    yield* host.end(job)
    yield* host.tell(yield* host.status(job))
    const after = savepoint.manifest.epoch
    const remains = yield* Effect.forEach(sinks, (sink) => cleared(host, job, sink, after))
    return [
      `Job ${job} has lineage ${lineage} now: it goes on from savepoint ${savepoint.name}, of epoch ${after}, with epoch ${epochFloor + 2}.`,
      ...remains
    ]
  })

/** Removes what was appended after an epoch, and says what stays. */
const cleared = ({ tables }: Host, job: string, sink: AnySink, after: number): Effect.Effect<string, Failure> =>
  Effect.gen(function* () {
    if (sink.replaces)
      return `${sink.name}: its rows stay; those of the same keys will be written over. Those of keys that do not come again stay as they are: only \`weir reset ${job} --tables\` and a run from the beginning make the table anew.`
    if (sink.clearAfter === undefined)
      return `${sink.name}: what was appended after epoch ${after} stays, and will be appended again.`
    yield* Effect.provideService(sink.clearAfter(job, after) as Effect.Effect<void, Failure, Tables>, Tables, tables)
    return `${sink.name}: its rows after epoch ${after} were removed.`
  })

// What is kept

const check = (host: Host, job: string, savepoint: string | null) => verdictOf(host, job, { savepoint })

const verdictOf = (
  host: Host,
  job: string,
  options: Pick<RunOptions, "set" | "dropState"> & { readonly savepoint: string | null }
): Effect.Effect<Restorability.Verdict, Failure> =>
  Effect.gen(function* () {
    const found = yield* host.find(job)
    const configured = yield* host.configure(found, options.set ?? host.lastOptions(job).set ?? {})
    const kept = yield* checkpoint(host, job, options.savepoint)
    const code = yield* Effect.try({
      try: () => Restorability.codeOf(found, configured),
      catch: (error) => error as Failure
    }).pipe(Effect.catchIf((error) => !isExplained(error), Effect.die))
    return Restorability.judge(kept, code, options.dropState)
  })

const checkpoint = (
  host: Host,
  job: string,
  savepoint: string | null
): Effect.Effect<CheckpointDescription | null, Failure> =>
  Effect.gen(function* () {
    const record = savepoint === null ? yield* host.store.lookUp(job) : null
    const manifest = savepoint === null ? record?.manifest : (yield* savepointOf(host, job, savepoint)).manifest
    if (manifest === undefined || manifest === null) return null
    const { closedAt, epoch, lineage, lookupMarks, lookups, sinks, sources, stateBytes, stateRows, steps } = manifest
    const intents = record?.intents.map((intent) => intent.epoch) ?? []
    return { closedAt, epoch, lineage, sinks, sources, stateBytes, stateRows, steps, lookups, lookupMarks, intents }
  })

// Refusals

const named = (verdict: Restorability.Verdict, dropState: ReadonlyArray<string>): Effect.Effect<void, WrongUsage> => {
  const wrong = Restorability.misnamed(Restorability.droppable(verdict), dropState)
  return wrong === null ? Effect.void : wrong
}

const appendsAgain = (
  job: string,
  { manifest, name }: Savepoint,
  sinks: ReadonlyArray<AnySink>
): Effect.Effect<never, WrongUsage> =>
  new WrongUsage({
    message: `Job ${job} would append again what ${sinks.map((sink) => sink.name).join(", ")} may hold of epochs after ${manifest.epoch}, that of savepoint ${name}: these rows are in the way`,
    hint: `\`--tables\` removes them: \`weir run ${job} --from-savepoint ${name} --tables\`. Nothing was changed.`
  })

const refuse = (job: string, why: string, hint: string): Effect.Effect<never, InvalidJob> =>
  new InvalidJob({ job, message: `Job ${job} ${why}`, hint })

const unfit = (name: string): Effect.Effect<never, InvalidParameter> =>
  new InvalidParameter({
    parameter: "name",
    message: `'${name}' is no name of a savepoint`,
    hint: `Write letters, digits, '.', '_' and '-', at most ${Limits.savepointNameMax}, such as 'before-the-change'.`
  })

const unknownSavepoint = (job: string, savepoint: string, all: ReadonlyArray<Savepoint>): UnknownSavepoint =>
  new UnknownSavepoint({
    job,
    savepoint,
    message: `Job ${job} has no savepoint '${savepoint}'`,
    hint: `It has: ${all.map(({ name }) => name).join(", ") || "none"}.`
  })
