/** What a running job says of itself: its status, and a report of every epoch. */
import type { Millis } from "../model/Time.ts"

export type JobState =
  | "starting"
  | "recovering"
  | "running"
  | "backing off"
  | "paused"
  | "stopping"
  | "stopped"
  | "finished"
  | "failed"

/** One line of `weir jobs`. */
export interface JobStatus {
  readonly job: string
  readonly state: JobState
  /** Why it failed or backs off: one sentence, and how to mend it. */
  readonly reason: { readonly tag: string; readonly message: string; readonly hint: string } | null
  readonly runId: string | null
  readonly jobId: string | null
  readonly epoch: number
  /** When the last checkpoint became durable; `null` before the first. */
  readonly checkpointAt: Millis | null
  readonly rowsIn: number
  readonly rowsOut: number
  /** Records that are in the sources and not yet in a durable epoch. */
  readonly lag: number
  readonly restarts: number
  readonly late: number
  readonly deadLetters: number
  /** Records that had been set aside and were put through it again. */
  readonly replayed: number
}

export interface PartitionProgress {
  readonly source: string
  readonly partition: number
  readonly from: number
  readonly to: number
  readonly latest: number
  readonly state: "active" | "idle" | "finished"
}

/** Milliseconds that each phase of an epoch took. Epochs overlap: they do not add up to the interval. */
export interface EpochPhases {
  /** Until all sources had ended the epoch; for a replay, until they had read it again. */
  readonly cut: number
  /** The busiest chain of operators, on the epoch's batches and its barrier. */
  readonly process: number
  /** Sinks compact, sort and encode. */
  readonly prepare: number
  readonly intent: number
  /** Sinks that commit by themselves. */
  readonly sinks: number
  /** The transaction that carries rows, offsets and state. */
  readonly manifest: number
}

export interface SinkProgress {
  readonly sink: string
  readonly rows: number
  readonly outcome: "written" | "already there" | "nothing to write"
}

/** What became of records that had been set aside and came again in an epoch. */
export interface AgainProgress {
  /** Put through the job again. */
  readonly records: number
  /** Of these: neither late nor dead letters again. */
  readonly succeeded: number
  readonly late: number
  /** Dead letters again. */
  readonly deadLetters: number
  /** Not put through: rows that a sink refused, or records of a step that the job no longer has. */
  readonly skipped: number
}

/** The report of one epoch, or of a trigger without data (`epoch` is then the last one, and nothing was written). */
export interface EpochProgress {
  readonly jobId: string
  readonly runId: string
  readonly job: string
  /** A reset begins a new one. */
  readonly lineage: number
  /** Counts the owners of the job. */
  readonly generation: number
  readonly epoch: number
  /** A replayed epoch keeps the trigger of its first time. */
  readonly triggeredAt: Millis
  /** When its sources had ended it, by the clock of the process that committed it. */
  readonly cutAt: Millis
  readonly inputRows: number
  /** Rows per second since the last trigger. */
  readonly inputRowsPerSecond: number
  /** Rows per second of the time spent on them. */
  readonly processedRowsPerSecond: number
  readonly phases: EpochPhases
  readonly partitions: ReadonlyArray<PartitionProgress>
  readonly watermark: Millis | null
  readonly stateRows: number
  readonly stateBytes: number
  /** Bytes of state that this epoch wrote. */
  readonly stateBytesWritten: number
  readonly sinks: ReadonlyArray<SinkProgress>
  readonly late: number
  readonly deadLetters: number
  /** Absent: nothing came again. */
  readonly again?: AgainProgress
  readonly replayed: boolean
  readonly final: boolean
}

/** A report as it was kept; one of an earlier version lacks what was not said then. */
export const read = (text: string): EpochProgress => {
  const kept = JSON.parse(text) as EpochProgress
  return {
    ...kept,
    lineage: kept.lineage ?? 0,
    generation: kept.generation ?? 0,
    cutAt: kept.cutAt ?? kept.triggeredAt,
    phases: { ...kept.phases, cut: kept.phases.cut ?? 0 }
  }
}

/** What a daemon tells whoever listens. */
export type JobEvent =
  | { readonly _tag: "Progress"; readonly progress: EpochProgress }
  | { readonly _tag: "State"; readonly status: JobStatus }
