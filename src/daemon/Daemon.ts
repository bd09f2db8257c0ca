/**
 * Hosts jobs for a person: starts, watches and stops them, one for one. What the HTTP API and the commands speak to.
 */
import { Context, type Effect, type Stream } from "effect"
import type { Job, Setting } from "../flow/Job.ts"
import type { Topology } from "../flow/Topology.ts"
import type { Explained } from "../model/Errors.ts"
import type { EpochProgress, JobEvent, JobStatus } from "../observe/Progress.ts"
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

export interface DaemonService {
  /** Every job of the project, by name. */
  readonly jobs: ReadonlyArray<Job>
  readonly statuses: Effect.Effect<ReadonlyArray<JobStatus>>
  readonly detail: (job: string) => Effect.Effect<JobDetail, Explained & Error>
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
  /** Drains, commits, ends; `InvalidJob` with the reason if it does not run. */
  readonly stop: (job: string) => Effect.Effect<JobStatus, Explained & Error>
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
