/**
 * What the commands ask for, whoever has the data folder: another process (asked over its local socket), or nobody
 * (then this one opens it).
 */
import type { FileSystem, Path } from "@effect/platform"
import { Effect, type Scope } from "effect"
import type { DeadLetter } from "../daemon/Daemon.ts"
import * as DataFolder from "../daemon/DataFolder.ts"
import type { Network } from "../daemon/Network.ts"
import type { Job } from "../flow/Job.ts"
import type { Answer, FoundTable } from "../flow/Tables.ts"
import type { ProducedRecord, StoredRecord, TopicDescription } from "../flow/Topics.ts"
import type { EpochProgress, JobStatus } from "../observe/Progress.ts"
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
  readonly statuses: Effect.Effect<ReadonlyArray<JobStatus>, Failure>
  readonly progress: (job: string, last: number) => Effect.Effect<ReadonlyArray<EpochProgress>, Failure>
  readonly deadLetters: (job: string, last: number) => Effect.Effect<ReadonlyArray<DeadLetter>, Failure>
  readonly start: (job: string, options: RunOptions) => Effect.Effect<JobStatus, Failure>
  readonly stop: (job: string) => Effect.Effect<JobStatus, Failure>
  readonly reset: (job: string, options: { readonly tables: boolean }) => Effect.Effect<ReadonlyArray<string>, Failure>
  /** Ends when the job ends; fails with why it failed. */
  readonly ended: (job: string) => Effect.Effect<void, Failure>
}

/** What opening the folder may need of the machine. */
export type Needs = Process | Network | FileSystem.FileSystem | Path.Path

/** How often a command that loses a race for the folder looks again. */
const attemptsMax = 5

/**
 * The service for a command that does not run jobs itself: whoever has the folder is asked, else it is opened. `jobs`
 * are loaded only if the folder is opened and something asks for them.
 */
export const open = (
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
