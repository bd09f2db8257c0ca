/**
 * Runs one job: life after life from its last checkpoint, within its restart budget, until it ends or is stopped.
 */
import { Cause, Clock, Deferred, Duration, Effect, Either, Exit, Fiber, Random, type Scope } from "effect"
import * as Supervisor from "../actor/Supervisor.ts"
import type { ReplayCounts } from "../checkpoint/Checkpoint.ts"
import { CheckpointStore, type Claim, type JobRecord } from "../checkpoint/CheckpointStore.ts"
import type { EpochFacts } from "../checkpoint/EpochFacts.ts"
import type { Job } from "../flow/Job.ts"
import * as Patience from "../flow/Patience.ts"
import { type Explained, InvalidJob } from "../model/Errors.ts"
import type { Offset } from "../model/Event.ts"
import * as Limits from "../model/Limits.ts"
import type { Millis } from "../model/Time.ts"
import type { EpochProgress, JobEvent, JobState, JobStatus } from "../observe/Progress.ts"
import type { StepWaiting } from "./Chain.ts"
import * as CutRequests from "./CutRequests.ts"
import * as JobFailure from "./JobFailure.ts"
import * as JobLife from "./JobLife.ts"
import * as ReplayDesk from "./ReplayDesk.ts"
import * as Reports from "./Reports.ts"

/** How a run is to end and how it was set. */
export interface RunOptions {
  /** Reads what is there now, commits it, ends; instead of the job's own trigger. */
  readonly availableNow?: boolean
  /** Emits every open window as if closed with the last epoch, and keeps its state. */
  readonly final?: boolean
  /** Parameters by name, as text: `--set name=value`. */
  readonly set?: Readonly<Record<string, string>>
  /** Reads nothing but the dead letters that are there now: puts them through again, commits, ends. */
  readonly replayOnly?: boolean
  /** Ids of steps and sources that may begin without what the checkpoint keeps of them, if this code cannot take it up. */
  readonly dropState?: ReadonlyArray<string>
}

/** A job that was started: it restarts by itself within its budget. */
export interface RunningJob {
  readonly status: Effect.Effect<JobStatus>
  /** The last reports, newest last; those without data among them. */
  readonly progress: (last: number) => Effect.Effect<ReadonlyArray<EpochProgress>>
  /** For the drawing: by node id, counts and rates since the run began. */
  readonly nodes: Effect.Effect<ReadonlyArray<NodeFigures>>
  /** What its steps wait for. */
  readonly waiting: Effect.Effect<ReadonlyArray<StepWaiting>>
  /** Ends an epoch now; ends when all that was read by then is durable, or the job has ended. */
  readonly cut: Effect.Effect<void>
  /** Drains, commits and ends; at the latest after `Limits.drainMillisMax`. */
  readonly stop: Effect.Effect<void>
  /**
   * Puts all dead letters through the job again that are there now and were not replayed before; ends when that is
   * durable. Fails if the job ends before: what is left of it goes on with the next start.
   */
  readonly replay: Effect.Effect<ReplayCounts, Explained & Error>
  /** Ends when the job ends: done, stopped, or failed with why. */
  readonly ended: Effect.Effect<void, Explained & Error>
}

export interface NodeFigures {
  readonly node: string
  readonly rowsIn: number
  readonly rowsOut: number
  readonly rowsPerSecond: number
  readonly watermark: number | null
  /** Messages waiting in its mailbox. */
  readonly waiting: number
  /** What its operator counts, by name; absent for sources and sinks. */
  readonly counts?: Readonly<Record<string, number>>
}

/** What is known of a run while it goes on. */
interface Board {
  state: JobState
  reason: JobStatus["reason"]
  /** What it waits for, by the place where it asks. */
  readonly troubles: Map<object, Patience.Trouble>
  restarts: number
  jobId: string | null
  claim: Claim | null
  epoch: number
  checkpointAt: Millis | null
  totals: { recordsIn: number; rowsOut: number; late: number; deadLetters: number; replayed: number }
  parts: JobLife.LifeParts | null
  triggeredBefore: Millis
  readonly startedAt: Millis
  readonly reports: Array<EpochProgress>
  readonly durable: Map<string, Offset>
  /** Rows that each sink has written since the run began. */
  readonly written: Map<string, number>
}

/**
 * Starts a job; returns at once. Fails at once only where nothing could be tried: a wrong parameter.
 *
 * `listener` hears of every report and every change of state, in order; the job waits for it.
 */
export const start = <E, R>(
  job: Job<E, R>,
  options: RunOptions,
  listener: (event: JobEvent) => Effect.Effect<void>
): Effect.Effect<RunningJob, Explained & Error, R | CheckpointStore | Scope.Scope> =>
  Effect.gen(function* () {
    const configured = yield* Either.match(job.configure(options.set ?? {}), {
      onLeft: Effect.fail,
      onRight: Effect.succeed
    })
    const runId = yield* randomId
    // Until it has claimed its checkpoint, it stands where that stands. A store that fails now fails its first life.
    const record = yield* Effect.orElseSucceed((yield* CheckpointStore).lookUp(job.name), () => null)
    const board = firstBoard(yield* Clock.currentTimeMillis, record)
    const attention = yield* Effect.makeLatch(false)
    const control = { stopping: false }
    const desk = yield* ReplayDesk.make(options.replayOnly === true)
    const requests = CutRequests.make(() => board.epoch)
    if (options.replayOnly === true && job.recomputes) return yield* nothingToReplay(job.name)
    const bounded =
      options.availableNow === true || options.replayOnly === true || configured.trigger.kind === "availableNow"
    const status = (): JobStatus => statusOf(job.name, runId, board)
    const turn = (state: JobState, reason: JobStatus["reason"] = null) =>
      Effect.suspend(() => {
        board.state = state
        board.reason = reason
        return listener({ _tag: "State", status: status() })
      })
    const life = JobLife.actors<R>({
      job,
      configured,
      jobId: yield* randomId,
      owned: { claim: null },
      bounded,
      final: options.final === true || job.recomputes,
      ends: new Map(),
      desk,
      replaysOnly: options.replayOnly === true,
      attention,
      stopping: () => control.stopping,
      dropState: options.dropState ?? [],
      wanted: requests.wanted,
      onWanted: requests.cut,
      listener: tellingDesk(desk, listenerOf({ board, requests }, runId, turn, listener))
    })
    const supervised = Supervisor.oneForAll(job.name, life, {
      listener: (_, state) => turnOf(job.name, state, board, control, turn)
    }).pipe(
      Effect.provideService(
        Patience.Watch,
        watchOf(job.name, board, () => listener({ _tag: "State", status: status() }))
      ),
      Effect.annotateLogs({ job: job.name })
    )
    const ended = yield* Deferred.make<void, Explained & Error>()
    const fiber = yield* Effect.forkScoped(
      Effect.onExit(supervised, (exit) =>
        Effect.zipRight(
          Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)
            ? turn("failed", reasonOf(job.name, exit.cause))
            : turn(bounded && !control.stopping ? "finished" : "stopped"),
          Deferred.done(
            ended,
            Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
              ? Exit.void
              : Exit.mapErrorCause(exit, (cause) => Cause.fail(JobFailure.explain(job.name, cause)))
          )
        )
      )
    )
    return {
      status: Effect.sync(status),
      progress: (last) => Effect.sync(() => board.reports.slice(-last)),
      nodes: Effect.map(Clock.currentTimeMillis, (now) => figuresOf(board, now)),
      waiting: Effect.sync(() => board.parts?.chains.flatMap((chain) => chain.waiting()) ?? []),
      stop: Effect.gen(function* () {
        control.stopping = true
        if (board.state !== "failed" && board.state !== "finished") yield* turn("stopping")
        yield* attention.open
        // Who stops it may be a finalizer, which nothing interrupts: its wait can be given up all the same.
        const over = Effect.interruptible(Fiber.await(fiber))
        const drained = yield* Effect.timeoutOption(over, Duration.millis(Limits.drainMillisMax))
        if (drained._tag === "None" || board.state === "backing off") yield* Fiber.interrupt(fiber)
      }),
      cut: Effect.raceFirst(requests.ask(attention), Effect.ignore(Deferred.await(ended))),
      replay: Effect.raceFirst(desk.replay, endedBefore(job.name, ended)),
      ended: Deferred.await(ended)
    } satisfies RunningJob
  })

const nothingToReplay = (job: string): InvalidJob =>
  new InvalidJob({
    job,
    message: `Job ${job} computes its whole result anew at each run: nothing can be put through it beside that`,
    hint: "Mend its input, and run it again."
  })

/** Fails when the job ends: whoever waits for something of it waits in vain. */
const endedBefore = (job: string, ended: Deferred.Deferred<void, Explained & Error>) =>
  Effect.zipRight(
    Deferred.await(ended),
    new InvalidJob({
      job,
      message: `Job ${job} ended before all was replayed`,
      hint: `What is left goes on with its next start; \`weir dead-letters ${job} --replay\` does it too.`
    })
  )

const firstBoard = (startedAt: Millis, record: JobRecord | null): Board => {
  const board: Board = {
    state: "starting",
    reason: null,
    troubles: new Map(),
    restarts: 0,
    jobId: record?.jobId ?? null,
    claim: null,
    epoch: 0,
    checkpointAt: null,
    totals: { recordsIn: 0, rowsOut: 0, late: 0, deadLetters: 0, replayed: 0 },
    parts: null,
    triggeredBefore: startedAt,
    startedAt,
    reports: [],
    durable: new Map(),
    written: new Map()
  }
  if (record !== null && record.manifest !== null) see(board, record.manifest)
  return board
}

/** The desk sees every manifest before anyone hears of it. */
const tellingDesk = (desk: ReplayDesk.ReplayDesk, told: JobLife.LifeListener): JobLife.LifeListener => ({
  ...told,
  onEpoch: (facts) => Effect.zipRight(desk.seen(facts.manifest), told.onEpoch(facts))
})

const listenerOf = (
  { board, requests }: { readonly board: Board; readonly requests: CutRequests.CutRequests },
  runId: string,
  turn: (state: JobState) => Effect.Effect<void>,
  listener: (event: JobEvent) => Effect.Effect<void>
): JobLife.LifeListener => {
  const run = (): Reports.Run => ({
    runId,
    triggeredBefore: board.triggeredBefore,
    latest: (source, partition) => latestOf(board, source, partition)
  })
  const keep = (progress: EpochProgress): Effect.Effect<void> => {
    board.reports.push(progress)
    if (board.reports.length > Limits.progressKept) board.reports.shift()
    return listener({ _tag: "Progress", progress })
  }
  return {
    onClaimed: (claim, parts) => {
      board.claim = claim
      board.jobId = claim.jobId
      board.parts = parts
      if (claim.manifest !== null) see(board, claim.manifest)
      return claim.intents.length > 0 ? turn("recovering") : Effect.void
    },
    onRecovered: turn("running"),
    report: (facts) => JSON.stringify(Reports.progressOf(facts, run())),
    onEpoch: (facts: EpochFacts) =>
      Effect.gen(function* () {
        see(board, facts.manifest)
        board.checkpointAt = yield* Clock.currentTimeMillis
        for (const { rows, sink } of facts.sinks) board.written.set(sink, (board.written.get(sink) ?? 0) + rows)
        const progress = Reports.progressOf(facts, run())
        board.triggeredBefore = facts.cutAt
        requests.durable(facts.manifest.epoch)
        yield* keep(progress)
      }),
    onEmpty: (triggeredAt) =>
      Effect.suspend(() => {
        const last = board.reports.at(-1)
        const current = run()
        board.triggeredBefore = triggeredAt
        // A row of triggers without data is one report, told anew: it must not push out the epochs.
        if (last === undefined) {
          const manifest = board.claim?.manifest ?? null
          return manifest === null ? Effect.void : keep(Reports.emptyProgressOf(manifest, current, triggeredAt))
        }
        const isEmpty = last.inputRows === 0 && last.again === undefined && last.sinks.every(({ rows }) => rows === 0)
        if (isEmpty && last.epoch === board.epoch) board.reports.pop()
        return keep(Reports.emptyProgress(last, current, triggeredAt))
      })
  }
}

const see = (board: Board, manifest: NonNullable<Claim["manifest"]>): void => {
  board.epoch = manifest.epoch
  board.totals = { ...manifest.totals, replayed: manifest.replayed?.records ?? 0 }
  if (board.checkpointAt === null) board.checkpointAt = manifest.closedAt
  for (const { offset, partition, source } of manifest.partitions) board.durable.set(`${source}/${partition}`, offset)
}

const statusOf = (job: string, runId: string, board: Board): JobStatus => ({
  job,
  state: board.state,
  reason: board.reason ?? waitingFor(job, board),
  runId,
  jobId: board.jobId,
  epoch: board.epoch,
  checkpointAt: board.checkpointAt,
  rowsIn: board.totals.recordsIn,
  rowsOut: board.totals.rowsOut,
  lag: lagOf(board),
  restarts: board.restarts,
  late: board.totals.late,
  deadLetters: board.totals.deadLetters,
  replayed: board.totals.replayed
})

/** What a job that goes on waits for. */
const waitingFor = (job: string, { troubles }: Board): JobStatus["reason"] => {
  const [trouble] = troubles.values()
  return trouble === undefined ? null : reasonOf(job, Cause.fail(trouble))
}

/** Keeps what the job waits for, and tells of the first of it, and of its end. */
const watchOf = (job: string, board: Board, told: () => Effect.Effect<void>): Patience.Listener => ({
  begins: (place, trouble) =>
    Effect.suspend(() => {
      board.troubles.set(place, trouble)
      if (board.troubles.size > 1) return Effect.void
      return Effect.zipRight(logFailure(job, "waits, and asks again", Cause.fail(trouble)), told())
    }),
  ends: (place, answered) =>
    Effect.suspend(() => {
      const isOver = board.troubles.delete(place) && board.troubles.size === 0
      return isOver && answered ? Effect.zipRight(Effect.logInfo("goes on: it is answered"), told()) : Effect.void
    })
})

const lagOf = (board: Board): number => {
  let lag = 0
  for (const source of board.parts?.sources ?? []) {
    for (const { latest, partition } of source.positions())
      lag += Math.max(0, latest - (board.durable.get(`${source.id}/${partition}`) ?? 0))
  }
  return lag
}

const latestOf = (board: Board, source: string, partition: number): number =>
  board.parts?.sources
    .find((other) => other.id === source)
    ?.positions()
    .find((position) => position.partition === partition)?.latest ?? 0

const loadsOf = (parts: JobLife.LifeParts, step: string): Readonly<Record<string, number>> => {
  const lookup = parts.lookup(step)
  return lookup === null ? {} : { lookupLoads: lookup.loads, lookupFailures: lookup.failures }
}

const figuresOf = (board: Board, now: Millis): ReadonlyArray<NodeFigures> => {
  const { parts } = board
  if (parts === null) return []
  const seconds = Math.max(0.001, (now - board.startedAt) / 1000)
  const sources = parts.sources.map((source) => {
    const rows = source.recordsRead()
    return { node: source.id, rowsIn: rows, rowsOut: rows, rowsPerSecond: rows / seconds, watermark: null, waiting: 0 }
  })
  const operators = parts.chains.flatMap((chain) =>
    chain.figures.map(({ id, rowsIn, rowsOut, watermark, counts }, index) => ({
      node: id,
      rowsIn,
      rowsOut,
      rowsPerSecond: rowsIn / seconds,
      watermark,
      waiting: index === 0 ? parts.waiting(chain.id) : 0,
      counts: { ...counts(), ...loadsOf(parts, id) }
    }))
  )
  const sinks = [...board.written].map(([sink, rows]) => ({
    node: sink,
    rowsIn: rows,
    rowsOut: rows,
    rowsPerSecond: rows / seconds,
    watermark: null,
    waiting: parts.waiting(sink)
  }))
  return [...sources, ...operators, ...sinks]
}

/** What the supervisor says of the job's lives, as the job's own state. */
const turnOf = (
  job: string,
  state: Supervisor.State,
  board: Board,
  control: { stopping: boolean },
  turn: (state: JobState, reason?: JobStatus["reason"]) => Effect.Effect<void>
): Effect.Effect<void> => {
  switch (state._tag) {
    case "Running":
      board.restarts = state.restarts
      return turn("starting")
    case "BackingOff":
      board.restarts = state.restarts
      // A job that was told to stop does not come back: there is nothing to drain.
      return control.stopping
        ? Effect.interrupt
        : Effect.zipRight(
            logFailure(job, "restarts from its last checkpoint", state.cause),
            turn("backing off", reasonOf(job, state.cause))
          )
    case "Failed":
    case "Stopped":
      return Effect.void
  }
}

const logFailure = (job: string, what: string, cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const error = JobFailure.explain(job, cause)
  return Effect.zipRight(Effect.logWarning(`${what}: ${error.message}`), Effect.logDebug("its cause", cause)).pipe(
    Effect.annotateLogs(JobFailure.placeOf(error))
  )
}

const reasonOf = (job: string, cause: Cause.Cause<unknown>): JobStatus["reason"] => {
  const { _tag, hint, message } = JobFailure.explain(job, cause)
  return { tag: _tag, message, hint }
}

/** 128 random bits in hex. */
const randomId: Effect.Effect<string> = Effect.map(
  Effect.replicateEffect(Random.nextIntBetween(0, 0x10000), 8),
  (parts) => parts.map((part) => part.toString(16).padStart(4, "0")).join("")
)
