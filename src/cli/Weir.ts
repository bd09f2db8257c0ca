/**
 * What the commands ask for, whoever has the data folder: another process (asked over its local socket), or nobody
 * (then this one opens it).
 */
import type { FileSystem, Path } from "@effect/platform"
import { Effect, type Scope } from "effect"
import type { CheckpointDescription, DeadLetter, ReplayAnswer, RewindOptions, Wanted } from "../daemon/Daemon.ts"
import * as DataFolder from "../daemon/DataFolder.ts"
import type { Network } from "../daemon/Network.ts"
import type { SampledSchema } from "../daemon/SchemaSample.ts"
import type { Job } from "../flow/Job.ts"
import type { Answer, FoundTable } from "../flow/Tables.ts"
import type { ProducedRecord, StoredRecord, TopicDescription } from "../flow/Topics.ts"
import { Refused } from "../model/Errors.ts"
import type { EpochProgress, JobStatus } from "../observe/Progress.ts"
import type { StepWaiting } from "../runtime/Chain.ts"
import type { RunOptions } from "../runtime/Runner.ts"
import type { Configuration } from "./Configuration.ts"
import type { Process } from "./Process.ts"
import type { Failure } from "./Usage.ts"

/** How lines become records of a topic. */
export interface LinesOptions {
  /** The field that holds the key. */
  readonly key?: string | undefined
  /** Where all of them go, whatever their key. */
  readonly partition?: number | undefined
  /** Of a topic that is made by this. */
  readonly partitions?: number | undefined
}

/** A savepoint, without what it holds. */
export interface SavepointLine {
  readonly name: string
  readonly takenAt: number
  readonly lineage: number
  readonly epoch: number
  readonly closedAt: number
  readonly stateRows: number
  readonly stateBytes: number
}

export interface WeirService {
  readonly topics: Effect.Effect<ReadonlyArray<TopicDescription>, Failure>
  /** Fails with `UnknownTopic`. */
  readonly describe: (topic: string) => Effect.Effect<TopicDescription, Failure>
  readonly create: (
    topic: string,
    options: { readonly partitions: number; readonly retentionMillis: number | null }
  ) => Effect.Effect<void, Failure>
  /**
   * Appends lines, durably when it ends; answers how many. Makes an unknown topic. Records without a key go to one
   * partition after the other, by call.
   */
  readonly produce: (topic: string, lines: Uint8Array, options: LinesOptions) => Effect.Effect<number, Failure>
  /** Appends records to one partition, durably when it ends. Makes an unknown topic. */
  readonly append: (
    topic: string,
    partition: number,
    records: ReadonlyArray<ProducedRecord>
  ) => Effect.Effect<void, Failure>
  /** At most `count` records of one partition from an offset on; empty at the end. */
  readonly fetch: (
    topic: string,
    partition: number,
    offset: number,
    count: number
  ) => Effect.Effect<ReadonlyArray<StoredRecord>, Failure>
  /** Ends when a record may have come to the topic. */
  readonly changed: (topic: string) => Effect.Effect<void>
  readonly ask: (sql: string) => Effect.Effect<Answer, Failure>
  readonly tables: Effect.Effect<ReadonlyArray<string>, Failure>
  readonly table: (name: string) => Effect.Effect<FoundTable | null, Failure>
  /** The fields of a topic or a table, from a sample of so many records. */
  readonly schema: (name: string, sample: number) => Effect.Effect<SampledSchema, Failure>
  readonly statuses: Effect.Effect<ReadonlyArray<JobStatus>, Failure>
  readonly waiting: (job: string) => Effect.Effect<ReadonlyArray<StepWaiting>, Failure>
  readonly progress: (job: string, last: number) => Effect.Effect<ReadonlyArray<EpochProgress>, Failure>
  readonly deadLetters: (job: string, wanted: Wanted) => Effect.Effect<ReadonlyArray<DeadLetter>, Failure>
  readonly replayDeadLetters: (
    job: string,
    options: { readonly set?: Readonly<Record<string, string>> }
  ) => Effect.Effect<ReplayAnswer, Failure>
  readonly start: (job: string, options: RunOptions) => Effect.Effect<JobStatus, Failure>
  readonly stop: (job: string) => Effect.Effect<JobStatus, Failure>
  readonly pause: (job: string) => Effect.Effect<JobStatus, Failure>
  /** Lets a paused job go on; where no daemon runs, it only ends the pause: the job is `stopped` then. */
  readonly resume: (job: string) => Effect.Effect<JobStatus, Failure>
  readonly restart: (job: string) => Effect.Effect<JobStatus, Failure>
  /** `null`: it is called after its epoch. */
  readonly savepoint: (job: string, name: string | null) => Effect.Effect<SavepointLine, Failure>
  readonly savepoints: (job: string) => Effect.Effect<ReadonlyArray<SavepointLine>, Failure>
  readonly removeSavepoint: (job: string, name: string) => Effect.Effect<void, Failure>
  readonly rewind: (job: string, options: RewindOptions) => Effect.Effect<ReadonlyArray<string>, Failure>
  /** What the last checkpoint, or a savepoint, says of itself; `null`: there is none. */
  readonly checkpoint: (job: string, savepoint: string | null) => Effect.Effect<CheckpointDescription | null, Failure>
  readonly reset: (job: string, options: { readonly tables: boolean }) => Effect.Effect<ReadonlyArray<string>, Failure>
  /** Ends when the job ends; fails with why it failed. */
  readonly ended: (job: string) => Effect.Effect<void, Failure>
}

/** What opening the folder may need of the machine. */
export type Needs = Process | Network | FileSystem.FileSystem | Path.Path

/** How often a command that loses a race for the folder looks again. */
const attemptsMax = 5
/** How often it looks whether an ending owner is gone: longer than a drain may take. */
const looksMax = 60

/** Milliseconds between two looks at a folder whose owner is ending. */
const lookMillis = 200

/**
 * The service for a command that does not run jobs itself: whoever has the folder is asked, else it is opened. `jobs`
 * are loaded only if the folder is opened and something asks for them.
 *
 * An owner that ends meanwhile is no failure: what it did not do is asked of the next one, or done here.
 */
export const open = (
  configuration: Configuration,
  jobs: Effect.Effect<ReadonlyArray<Job>, Failure, Process | FileSystem.FileSystem>
): Effect.Effect<WeirService, Failure, Needs | Scope.Scope> =>
  Effect.gen(function* () {
    const needs = yield* Effect.context<Needs | Scope.Scope>()
    const opened = Effect.provide(openOnce(configuration, jobs), needs)
    return lasting(yield* opened, opened)
  })

const openOnce = (
  configuration: Configuration,
  jobs: Effect.Effect<ReadonlyArray<Job>, Failure, Process | FileSystem.FileSystem>
): Effect.Effect<WeirService, Failure, Needs | Scope.Scope> =>
  Effect.gen(function* () {
    for (let attempt = 1; ; attempt++) {
      const owner = yield* DataFolder.look(configuration.data)
      if (owner !== null) {
        const remote = yield* Effect.promise(() => import("./RemoteWeir.ts"))
        return yield* remote.make(configuration.data, owner)
      }
      const local = yield* Effect.promise(() => import("./LocalWeir.ts"))
      const opened = yield* Effect.either(local.make(configuration, jobs))
      if (opened._tag === "Right") return opened.right
      if (opened.left._tag !== "FolderOwned" || attempt === attemptsMax) return yield* Effect.fail(opened.left)
    }
  })

/** The service that goes on with whoever has the folder next. */
const lasting = (first: WeirService, opened: Effect.Effect<WeirService, Failure>): WeirService => {
  let current = first
  const ask = <A>(question: (weir: WeirService) => Effect.Effect<A, Failure>, attempt = 1): Effect.Effect<A, Failure> =>
    Effect.suspend(() => question(current)).pipe(
      Effect.catchIf(
        (error) => error instanceof Refused && error.tag === "OwnerEnded" && attempt < looksMax,
        () =>
          Effect.sleep(lookMillis).pipe(
            Effect.zipRight(opened),
            Effect.flatMap((weir) => {
              current = weir
              return ask(question, attempt + 1)
            })
          )
      )
    )
  return {
    topics: ask((weir) => weir.topics),
    describe: (topic) => ask((weir) => weir.describe(topic)),
    create: (topic, options) => ask((weir) => weir.create(topic, options)),
    produce: (topic, lines, options) => ask((weir) => weir.produce(topic, lines, options)),
    append: (topic, partition, records) => ask((weir) => weir.append(topic, partition, records)),
    fetch: (topic, partition, offset, count) => ask((weir) => weir.fetch(topic, partition, offset, count)),
    changed: (topic) => Effect.suspend(() => current.changed(topic)),
    ask: (sql) => ask((weir) => weir.ask(sql)),
    tables: ask((weir) => weir.tables),
    table: (name) => ask((weir) => weir.table(name)),
    schema: (name, sample) => ask((weir) => weir.schema(name, sample)),
    statuses: ask((weir) => weir.statuses),
    waiting: (job) => ask((weir) => weir.waiting(job)),
    progress: (job, last) => ask((weir) => weir.progress(job, last)),
    deadLetters: (job, wanted) => ask((weir) => weir.deadLetters(job, wanted)),
    replayDeadLetters: (job, options) => ask((weir) => weir.replayDeadLetters(job, options)),
    start: (job, options) => ask((weir) => weir.start(job, options)),
    stop: (job) => ask((weir) => weir.stop(job)),
    pause: (job) => ask((weir) => weir.pause(job)),
    resume: (job) => ask((weir) => weir.resume(job)),
    restart: (job) => ask((weir) => weir.restart(job)),
    savepoint: (job, name) => ask((weir) => weir.savepoint(job, name)),
    savepoints: (job) => ask((weir) => weir.savepoints(job)),
    removeSavepoint: (job, name) => ask((weir) => weir.removeSavepoint(job, name)),
    rewind: (job, options) => ask((weir) => weir.rewind(job, options)),
    checkpoint: (job, savepoint) => ask((weir) => weir.checkpoint(job, savepoint)),
    reset: (job, options) => ask((weir) => weir.reset(job, options)),
    ended: (job) => ask((weir) => weir.ended(job))
  }
}
