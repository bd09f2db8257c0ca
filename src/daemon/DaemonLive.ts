/**
 * The daemon: jobs by name, each started, watched and stopped by itself. A failing job never takes another one down.
 */
import type { FileSystem } from "@effect/platform"
import { Effect, Either, Exit, Layer, PubSub, Schedule, Scope, Stream } from "effect"
import { CheckpointStore, type CheckpointStoreService, type JobRecord } from "../checkpoint/CheckpointStore.ts"
import * as Fence from "../checkpoint/Fence.ts"
import type { Configured, Job } from "../flow/Job.ts"
import type { SchemaRegistry } from "../flow/SchemaRegistry.ts"
import { Tables, type TablesService } from "../flow/Tables.ts"
import { Topics } from "../flow/Topics.ts"
import type { AnySink } from "../flow/Topology.ts"
import { type Explained, InvalidJob, UnknownJob } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import type { EpochProgress, JobEvent, JobStatus } from "../observe/Progress.ts"
import * as Progress from "../observe/Progress.ts"
import * as ReplayDesk from "../runtime/ReplayDesk.ts"
import * as Runner from "../runtime/Runner.ts"
import * as Waits from "../runtime/Waits.ts"
import { Daemon, type DaemonService } from "./Daemon.ts"
import * as DeadLetters from "./DeadLetters.ts"
import * as JobControl from "./JobControl.ts"

type Failure = Explained & Error
/** What jobs may need. */
type Needs = CheckpointStore | FileSystem.FileSystem | SchemaRegistry | Tables | Topics

/** How often the tables are asked to do what they want done from time to time. */
const maintainEvery = "1 minute"

/** A job that was started, and what stops it. */
interface Started {
  readonly running: Runner.RunningJob
  readonly scope: Scope.CloseableScope
  readonly configured: Configured
  readonly options: Runner.RunOptions
}

export interface Options {
  /** Told all that happens until the last job has ended; must not wait. */
  readonly hear?: (event: JobEvent) => void
  /** Does the process stay until it is interrupted? Then `weir restart` starts a job in it. */
  readonly isDaemon?: boolean
}

/** Hosts these jobs; nothing runs until it is started. Closing the layer drains and stops what runs. */
export const layer = (
  jobs: ReadonlyArray<Job>,
  { hear = () => {}, isDaemon = false }: Options = {}
): Layer.Layer<Daemon, never, Needs> =>
  Layer.scoped(
    Daemon,
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      const tables = yield* Tables
      const topics = yield* Topics
      const context = yield* Effect.context<Needs>()
      const events = yield* PubSub.sliding<JobEvent>(Limits.eventsWaitingMax)
      const started = new Map<string, Started>()
      /** Why the last start of a job was refused. */
      const refusals = new Map<string, NonNullable<JobStatus["reason"]>>()
      yield* Effect.addFinalizer(() =>
        Effect.forEach(started.values(), close, { concurrency: "unbounded", discard: true })
      )

      // The embedded database never cleans up by itself.
      yield* Effect.forkScoped(
        Effect.repeat(
          Effect.zipRight(Effect.sleep(maintainEvery), Effect.ignoreLogged(tables.maintain)),
          Schedule.forever
        )
      )

      const tell = (event: JobEvent): Effect.Effect<void> =>
        Effect.zipRight(Effect.ignore(Effect.try(() => hear(event))), Effect.asVoid(PubSub.publish(events, event)))
      const begin = (name: string, options: Runner.RunOptions): Effect.Effect<JobStatus, Failure> =>
        Effect.gen(function* () {
          const job = yield* find(jobs, name)
          const earlier = started.get(name)
          if (earlier !== undefined) yield* close(earlier)
          const configured = yield* configure(job, options.set ?? {})
          const scope = yield* Scope.make()
          const running = yield* Runner.start(job as Job<Failure, Needs>, options, tell).pipe(
            Effect.provide(context),
            Scope.extend(scope),
            Effect.onError(() => Scope.close(scope, Exit.void))
          )
          started.set(name, { running, scope, configured, options })
          refusals.delete(name)
          return yield* running.status
        })
      const running = (name: string): Effect.Effect<Started, Failure> =>
        Effect.flatMap(find(jobs, name), () => {
          const found = started.get(name)
          return found === undefined ? refuse(name, "does not run", wayToStart(name)) : Effect.succeed(found)
        })
      const wayToStart = (name: string): string => `Start it: \`weir ${isDaemon ? "restart" : "start"} ${name}\`.`
      const status = (name: string): Effect.Effect<JobStatus, Failure> =>
        Effect.gen(function* () {
          const now = yield* started.get(name)?.running.status ?? Effect.succeed(null)
          const reason = refusals.get(name) ?? null
          if (now !== null && (reason === null || isLive(now))) return now
          const idle = idleStatus(name, yield* store.lookUp(name))
          return reason === null || idle.state === "paused" ? idle : { ...idle, state: "failed", reason }
        })
      const control = JobControl.make({
        store,
        tables,
        find: (name) => find(jobs, name),
        configure,
        status,
        live: (name) => {
          const found = started.get(name)
          return found === undefined
            ? Effect.succeed(null)
            : Effect.map(found.running.status, (now) => (isLive(now) ? found : null))
        },
        lastOptions: (name) => started.get(name)?.options ?? {},
        begin,
        refused: (name, { _tag: tag, hint, message }) =>
          Effect.gen(function* () {
            refusals.set(name, { tag, message, hint })
            yield* tell({ _tag: "State", status: yield* status(name) })
          }).pipe(Effect.ignore),
        wayToStart,
        end: (name) => {
          const found = started.get(name)
          started.delete(name)
          refusals.delete(name)
          return found === undefined ? Effect.void : close(found)
        },
        tell: (now) => tell({ _tag: "State", status: now })
      })
      const { start } = control

      const replayDeadLetters: DaemonService["replayDeadLetters"] = (name, options) =>
        Effect.gen(function* () {
          const job = yield* find(jobs, name)
          const set = { ...started.get(name)?.options.set, ...options.set }
          const { topology } = yield* configure(job, set)
          if (DeadLetters.topicsOf(topology, "dead letters").length === 0)
            return yield* refuse(name, "keeps no dead letters", "Give its Flow.decode `invalid: Topic.deadLetter(…)`.")
          const found = started.get(name)
          const now = yield* status(name)
          if (now.state === "paused")
            return yield* refuse(name, "is paused", `Let it go on first: \`weir resume ${name}\`.`)
          if (found !== undefined && isLive(now)) return DeadLetters.answerOf(yield* found.running.replay)
          const before = (yield* store.lookUp(name))?.manifest ?? null
          // What was set aside before a job's first checkpoint will be read again.
          if (before === null) return DeadLetters.answerOf(ReplayDesk.nothing)
          yield* start(name, { set, replayOnly: true })
          const own = yield* running(name)
          yield* own.running.ended
          // It was no run of the job that a restart would repeat.
          if (started.get(name) === own) started.delete(name)
          yield* close(own)
          const after = (yield* store.lookUp(name))?.manifest?.replayed ?? ReplayDesk.nothing
          return DeadLetters.answerOf(ReplayDesk.between(before.replayed ?? ReplayDesk.nothing, after))
        })

      return {
        ...control,
        // Sinks that are cleared need what they need to be opened.
        rewind: (name, options) => Effect.provide(control.rewind(name, options), context),
        jobs,
        statuses: Effect.forEach(jobs, (job) =>
          Effect.orElseSucceed(status(job.name), () => idleStatus(job.name, null))
        ),
        detail: (name) =>
          Effect.gen(function* () {
            const job = yield* find(jobs, name)
            const found = started.get(name)
            const { settings, topology } = found?.configured ?? (yield* configure(job, {}))
            return {
              status: yield* status(name),
              topology,
              settings,
              figures: found === undefined ? [] : yield* found.running.nodes
            }
          }),
        waiting: (name) =>
          Effect.gen(function* () {
            const job = yield* find(jobs, name)
            const found = started.get(name)
            if (found !== undefined && isLive(yield* found.running.status)) return yield* found.running.waiting
            const manifest = (yield* store.lookUp(name))?.manifest ?? null
            if (manifest === null) return []
            const { topology } = found?.configured ?? (yield* configure(job, {}))
            return Waits.ofCheckpoint(topology, manifest, yield* store.readState(manifest))
          }),
        progress: (name, last) =>
          Effect.gen(function* () {
            yield* find(jobs, name)
            const live = started.get(name) === undefined ? [] : yield* started.get(name)!.running.progress(last)
            if (live.length >= last) return live
            const kept = yield* keptProgress(store, name, last)
            return [...kept.filter((report) => live.every((other) => other.runId !== report.runId)), ...live].slice(
              -last
            )
          }),
        deadLetters: (name, wanted) =>
          Effect.gen(function* () {
            const job = yield* find(jobs, name)
            const { topology } = started.get(name)?.configured ?? (yield* configure(job, {}))
            const manifest = (yield* store.lookUp(name))?.manifest ?? null
            return yield* DeadLetters.newest({ name, topology, manifest }, topics, wanted)
          }),
        replayDeadLetters,
        reset: (name, options) =>
          Effect.gen(function* () {
            const job = yield* find(jobs, name)
            if (isLive(yield* status(name))) return yield* refuse(name, "runs", `Stop it first: \`weir stop ${name}\`.`)
            const remains = yield* reset(job, store, tables, options).pipe(Effect.provide(context))
            refusals.delete(name)
            return remains
          }),
        ended: (name) => Effect.flatMap(running(name), (job) => job.running.ended),
        events: Stream.fromPubSub(events)
      } satisfies DaemonService
    })
  )

/** Drains a job and lets its resources go. */
const close = ({ running, scope }: Started): Effect.Effect<void> =>
  Effect.zipRight(running.stop, Scope.close(scope, Exit.void))

const isLive = (status: JobStatus): boolean =>
  status.runId !== null && status.state !== "stopped" && status.state !== "finished" && status.state !== "failed"

const find = (jobs: ReadonlyArray<Job>, name: string): Effect.Effect<Job, UnknownJob> => {
  const job = jobs.find((job) => job.name === name)
  return job === undefined
    ? new UnknownJob({
        job: name,
        message: `There is no job '${name}'`,
        hint: `The jobs are: ${jobs.map((job) => job.name).join(", ") || "none"}.`
      })
    : Effect.succeed(job)
}

const refuse = (job: string, why: string, hint: string): Effect.Effect<never, InvalidJob> =>
  new InvalidJob({ job, message: `Job ${job} ${why}`, hint })

const configure = (job: Job, set: Readonly<Record<string, string>>): Effect.Effect<Configured, Failure> =>
  Either.match(job.configure(set), { onLeft: Effect.fail, onRight: Effect.succeed })

/** A job that does not run: what its last checkpoint says. */
const idleStatus = (job: string, record: JobRecord | null): JobStatus => ({
  job,
  state: record?.paused === undefined ? "stopped" : "paused",
  reason: null,
  runId: null,
  jobId: record?.jobId ?? null,
  epoch: record?.manifest?.epoch ?? 0,
  checkpointAt: record?.manifest?.closedAt ?? null,
  rowsIn: record?.manifest?.totals.recordsIn ?? 0,
  rowsOut: record?.manifest?.totals.rowsOut ?? 0,
  lag: 0,
  restarts: 0,
  late: record?.manifest?.totals.late ?? 0,
  deadLetters: record?.manifest?.totals.deadLetters ?? 0,
  replayed: record?.manifest?.replayed?.records ?? 0
})

const keptProgress = (
  store: CheckpointStoreService,
  job: string,
  last: number
): Effect.Effect<ReadonlyArray<EpochProgress>, Failure> =>
  Effect.map(store.progress(job, last), (reports) => reports.filter((report) => report !== "").map(Progress.read))

/** A new lineage above every epoch that manifests, intents and fences have seen; answers what stays in each sink. */
const reset = (job: Job, store: CheckpointStoreService, tables: TablesService, options: { readonly tables: boolean }) =>
  Effect.gen(function* () {
    const { topology } = yield* configure(job, {})
    const sinks = topology.nodes.flatMap(({ spec }) => (spec.kind === "sink" ? [spec.sink] : []))
    if (options.tables) yield* aloneIn(tables, job.name, sinks)
    const seen = yield* Fence.read(tables, job.name)
    const { epochFloor, lineage } = yield* store.reset(job.name, Math.max(0, ...seen.map((fence) => fence.epoch)))
    const remains = yield* Effect.forEach(sinks, (sink) => clear(job.name, sink, options.tables))
    return [
      `Job ${job.name} has lineage ${lineage} now: its next start begins anew, with epoch ${epochFloor + 1}.`,
      ...remains
    ]
  })

/** Rows that are replaced do not say whose they are: where other jobs write too, theirs would be removed with them. */
const aloneIn = (tables: TablesService, job: string, sinks: ReadonlyArray<AnySink>): Effect.Effect<void, Failure> =>
  Effect.forEach(
    sinks.filter((sink) => sink.replaces && sink.clear !== null),
    (sink) =>
      Effect.flatMap(Fence.others(tables, { job, sink: sink.name }), (others) =>
        others.length === 0
          ? Effect.void
          : refuse(
              job,
              `is not the only one that writes to ${sink.name}: so ${others.length === 1 ? "does" : "do"} ${others.join(", ")}`,
              "Reset it without `--tables`: its rows are written over. Or give each job a table of its own."
            )
      ),
    { discard: true }
  )

const clear = (job: string, sink: AnySink, tables: boolean): Effect.Effect<string, Failure, Tables> =>
  Effect.gen(function* () {
    if (tables && sink.clear !== null) {
      yield* sink.clear(job) as Effect.Effect<void, Failure, Tables>
      return `${sink.name}: its rows were removed.`
    }
    if (sink.replaces) return `${sink.name}: its rows stay; those of the same keys will be written over.`
    return sink.clear === null
      ? `${sink.name}: what was appended stays, and will be appended again.`
      : `${sink.name}: its rows stay, in the way of those that will be appended again; \`--tables\` removes them.`
  })
