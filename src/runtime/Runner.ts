/**
 * Runs one job: claims its checkpoint, restores it, spawns its actors, supervises them, drains it.
 */
import type { Effect } from "effect"
import type { Explained } from "../model/Errors.ts"
import type { EpochProgress, JobStatus } from "../observe/Progress.ts"

/** How a run is to end and how it was set. */
export interface RunOptions {
  /** Reads what is there now, commits it, ends; instead of the job's own trigger. */
  readonly availableNow?: boolean
  /** Emits every open window as if closed with the last epoch, and keeps its state. */
  readonly final?: boolean
  /** Parameters by name, as text: `--set name=value`. */
  readonly set?: Readonly<Record<string, string>>
}

/** A job that was started: it restarts by itself within its budget. */
export interface RunningJob {
  readonly status: Effect.Effect<JobStatus>
  /** The last reports, newest last; those without data among them. */
  readonly progress: (last: number) => Effect.Effect<ReadonlyArray<EpochProgress>>
  /** For the drawing: by node id, counts and rates since the run began. */
  readonly nodes: Effect.Effect<ReadonlyArray<NodeFigures>>
  /** Drains, commits and ends; at the latest after `Limits.drainMillisMax`. */
  readonly stop: Effect.Effect<void>
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
}
