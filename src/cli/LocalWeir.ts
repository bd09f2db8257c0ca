/** The commands' questions, answered by the engine in this process: it owns the data folder meanwhile. */
import { Effect, Ref, type Scope } from "effect"
import type { Savepoint } from "../checkpoint/Savepoint.ts"
import * as ApiTopics from "../daemon/ApiTopics.ts"
import * as SchemaSample from "../daemon/SchemaSample.ts"
import type { Configuration } from "./Configuration.ts"
import * as Engine from "./Engine.ts"
import type { Failure } from "./Usage.ts"
import type { Needs, SavepointLine, WeirService } from "./Weir.ts"

/** Rows that a query answers with in a process of its own: what a person's memory holds, not a daemon's. */
const rowsMaxHere = 1_000_000
/** Milliseconds that such a query may take: nobody else waits for it. */
const millisMaxHere = 600_000

/** Owns the folder until the scope closes. Fails with `FolderOwned` if another process has it. */
export const make = (
  configuration: Configuration,
  jobs: Engine.Jobs
): Effect.Effect<WeirService, Failure, Needs | Scope.Scope> =>
  Effect.flatMap(Engine.make(configuration, jobs, { isDaemon: false }), (engine) =>
    Effect.map(fromEngine(engine), (weir) => ({
      ...weir,
      // A job that this process let go on would end with it.
      resume: (job) =>
        Effect.gen(function* () {
          const daemon = yield* engine.daemon
          const { status } = yield* daemon.detail(job)
          return yield* status.state === "paused" ? daemon.stop(job) : daemon.resume(job)
        }),
      // Nothing runs here: to stop a job refuses, and says so.
      restart: (job) =>
        Effect.gen(function* () {
          const daemon = yield* engine.daemon
          const { status } = yield* daemon.detail(job)
          return yield* status.state === "paused" ? daemon.restart(job) : daemon.stop(job)
        })
    }))
  )

/** The service over an engine that runs here. */
export const fromEngine = (engine: Engine.Engine): Effect.Effect<WeirService> =>
  Effect.map(Ref.make(0), (turns) => ({
    topics: Effect.flatMap(engine.topics, (topics) => topics.list),
    describe: (topic) => Effect.flatMap(engine.topics, (topics) => topics.describe(topic)),
    create: (topic, options) => Effect.flatMap(engine.topics, (topics) => topics.create(topic, options)),
    produce: (topic, lines, options) =>
      Effect.flatMap(engine.topics, (topics) =>
        Effect.map(ApiTopics.produce(topics, turns, { topic, lines, ...options }), ({ produced }) => produced)
      ),
    append: (topic, partition, records) =>
      Effect.flatMap(engine.topics, (topics) => topics.produce(topic, partition, records)),
    fetch: (topic, partition, offset, count) =>
      Effect.flatMap(engine.topics, (topics) => topics.fetch(topic, partition, offset, count)),
    changed: (topic) =>
      engine.topics.pipe(
        Effect.flatMap((topics) => topics.changed(topic)),
        Effect.ignore
      ),
    ask: (sql) =>
      Effect.flatMap(engine.tables, (tables) => tables.ask(sql, { rowsMax: rowsMaxHere, millisMax: millisMaxHere })),
    tables: Effect.flatMap(engine.tables, (tables) => tables.list),
    table: (name) => Effect.flatMap(engine.tables, (tables) => tables.describe(name)),
    schema: (name, sample) => SchemaSample.describe(engine.topics, engine.tables, name, sample),
    statuses: Effect.flatMap(engine.daemon, (daemon) => daemon.statuses),
    waiting: (job) => Effect.flatMap(engine.daemon, (daemon) => daemon.waiting(job)),
    progress: (job, last) => Effect.flatMap(engine.daemon, (daemon) => daemon.progress(job, last)),
    deadLetters: (job, wanted) => Effect.flatMap(engine.daemon, (daemon) => daemon.deadLetters(job, wanted)),
    replayDeadLetters: (job, options) =>
      Effect.flatMap(engine.daemon, (daemon) => daemon.replayDeadLetters(job, options)),
    start: (job, options) => Effect.flatMap(engine.daemon, (daemon) => daemon.start(job, options)),
    stop: (job) => Effect.flatMap(engine.daemon, (daemon) => daemon.stop(job)),
    pause: (job) => Effect.flatMap(engine.daemon, (daemon) => daemon.pause(job)),
    resume: (job) => Effect.flatMap(engine.daemon, (daemon) => daemon.resume(job)),
    restart: (job) => Effect.flatMap(engine.daemon, (daemon) => daemon.restart(job)),
    savepoint: (job, name) =>
      Effect.map(
        Effect.flatMap(engine.daemon, (daemon) => daemon.savepoint(job, name)),
        lineOf
      ),
    savepoints: (job) =>
      Effect.map(
        Effect.flatMap(engine.daemon, (daemon) => daemon.savepoints(job)),
        (all) => all.map(lineOf)
      ),
    removeSavepoint: (job, name) => Effect.flatMap(engine.daemon, (daemon) => daemon.removeSavepoint(job, name)),
    rewind: (job, options) => Effect.flatMap(engine.daemon, (daemon) => daemon.rewind(job, options)),
    checkpoint: (job, savepoint) => Effect.flatMap(engine.daemon, (daemon) => daemon.checkpoint(job, savepoint)),
    reset: (job, options) => Effect.flatMap(engine.daemon, (daemon) => daemon.reset(job, options)),
    ended: (job) => Effect.flatMap(engine.daemon, (daemon) => daemon.ended(job))
  }))

const lineOf = ({ manifest, name, takenAt }: Savepoint): SavepointLine => ({
  name,
  takenAt,
  lineage: manifest.lineage,
  epoch: manifest.epoch,
  closedAt: manifest.closedAt,
  stateRows: manifest.stateRows,
  stateBytes: manifest.stateBytes
})
