/**
 * Hosts jobs for a person: starts, watches and stops them, one for one. What the HTTP API and the commands speak to.
 */
import { Context, type Effect, type Stream } from "effect"
import type { Savepoint } from "../checkpoint/Savepoint.ts"
import type { Job, Setting } from "../flow/Job.ts"
import type { Topology } from "../flow/Topology.ts"
import type { Explained } from "../model/Errors.ts"
import type { EpochProgress, JobEvent, JobStatus } from "../observe/Progress.ts"
import type { StepWaiting } from "../runtime/Chain.ts"
import type { Kept, Verdict } from "../runtime/Restorability.ts"
import type { NodeFigures, RunOptions } from "../runtime/Runner.ts"
import type { DeadLetter, ReplayAnswer, Wanted } from "./DeadLetters.ts"

export type { DeadLetter, ReplayAnswer, Wanted } from "./DeadLetters.ts"

/** A job that the daemon knows, running or not. */
export interface JobDetail {
  readonly status: JobStatus
  readonly topology: Topology
  readonly settings: ReadonlyArray<Setting>
  readonly figures: ReadonlyArray<NodeFigures>
}

export interface RewindOptions {
  readonly savepoint: string
  /** Removes the rows that epochs after the savepoint appended. */
  readonly tables: boolean
  readonly set?: Readonly<Record<string, string>>
  readonly dropState?: ReadonlyArray<string>
}

/** A checkpoint without its state: enough to judge whether a code can take it up. */
export interface CheckpointDescription extends Kept {
  readonly lineage: number
  readonly closedAt: number
  readonly stateRows: number
  readonly stateBytes: number
  /** Epochs that were begun after it: a start computes them again. */
  readonly intents: ReadonlyArray<number>
}

export interface DaemonService {
  /** Every job of the project, by name. */
  readonly jobs: ReadonlyArray<Job>
  readonly statuses: Effect.Effect<ReadonlyArray<JobStatus>>
  readonly detail: (job: string) => Effect.Effect<JobDetail, Explained & Error>
  /** What its steps wait for: now, or, if it does not run, as its last checkpoint left them. Empty if it never ran. */
  readonly waiting: (job: string) => Effect.Effect<ReadonlyArray<StepWaiting>, Explained & Error>
  readonly progress: (job: string, last: number) => Effect.Effect<ReadonlyArray<EpochProgress>, Explained & Error>
  /** The newest that the job set aside, oldest first. */
  readonly deadLetters: (job: string, wanted: Wanted) => Effect.Effect<ReadonlyArray<DeadLetter>, Explained & Error>
  /**
   * Puts the dead letters through the job again that are there now and were not before; ends when that is durable. A
   * job that does not run reads nothing but these, with the parameters in `set`, and ends.
   */
  readonly replayDeadLetters: (
    job: string,
    options: { readonly set?: Readonly<Record<string, string>> }
  ) => Effect.Effect<ReplayAnswer, Explained & Error>
  /** Starts a job that does not run; `InvalidJob` with the reason if it runs already. */
  readonly start: (job: string, options: RunOptions) => Effect.Effect<JobStatus, Explained & Error>
  /** Drains, commits, ends, or ends its pause; `InvalidJob` with the reason if it does not run and is not paused. */
  readonly stop: (job: string) => Effect.Effect<JobStatus, Explained & Error>
  /** Drains, commits, ends, and is `paused` until it is resumed or stopped, through any restart of the daemon. */
  readonly pause: (job: string) => Effect.Effect<JobStatus, Explained & Error>
  /** Goes on where it was paused, with the options that it ran with; `InvalidJob` if it is not paused. */
  readonly resume: (job: string) => Effect.Effect<JobStatus, Explained & Error>
  /** Stops it if it runs, and starts it with the options that it ran with last in this process. */
  readonly restart: (job: string) => Effect.Effect<JobStatus, Explained & Error>
  /**
   * Keeps the state of the job under a name until it is removed: of a running job all that it has read by now, else its
   * last checkpoint. Without a name it is called after its epoch.
   */
  readonly savepoint: (job: string, name: string | null) => Effect.Effect<Savepoint, Explained & Error>
  /** Oldest first. */
  readonly savepoints: (job: string) => Effect.Effect<ReadonlyArray<Savepoint>, Explained & Error>
  readonly removeSavepoint: (job: string, name: string) => Effect.Effect<void, Explained & Error>
  /**
   * A new lineage that goes on from a savepoint, for a job that does not run; says in sentences what stays in each sink.
   * Refused like a start if this code cannot take the savepoint up.
   */
  readonly rewind: (job: string, options: RewindOptions) => Effect.Effect<ReadonlyArray<string>, Explained & Error>
  /** What a start of the daemon's code would do with each part of the last checkpoint, or of a savepoint. */
  readonly check: (job: string, savepoint: string | null) => Effect.Effect<Verdict, Explained & Error>
  /** What the last checkpoint, or a savepoint, says of itself; `null`: there is none. */
  readonly checkpoint: (
    job: string,
    savepoint: string | null
  ) => Effect.Effect<CheckpointDescription | null, Explained & Error>
  /** A new lineage for a job that does not run; says in sentences what stays in each sink. */
  readonly reset: (
    job: string,
    options: { readonly tables: boolean }
  ) => Effect.Effect<ReadonlyArray<string>, Explained & Error>
  /** Ends when the job ends. */
  readonly ended: (job: string) => Effect.Effect<void, Explained & Error>
  /** From now on: every report and every change of state. A slow listener loses the oldest. */
  readonly events: Stream.Stream<JobEvent>
}

export class Daemon extends Context.Tag("weir/Daemon")<Daemon, DaemonService>() {}
