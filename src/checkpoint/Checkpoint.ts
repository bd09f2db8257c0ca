/**
 * What makes an epoch durable: the intent before it, the manifest after it.
 *
 * An epoch is a pure function `(state after e - 1, intent of e) → (state after e, rows of e)`. The intent holds every
 * choice that is not in the input, so a crash anywhere leaves an epoch that can be computed again, bit for bit.
 */
import type { Offset } from "../model/Event.ts"
import type { LookupVersions, PartitionCut, ReplayCut } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"

/** The choices of one epoch. Created once, never overwritten, durable before anything of the epoch is visible. */
export interface Intent {
  readonly job: string
  readonly lineage: number
  readonly generation: number
  readonly epoch: number
  readonly openedAt: Millis
  readonly closedAt: Millis
  readonly final: boolean
  readonly partitions: ReadonlyArray<PartitionCut>
  /** The versions of lookups in force for the epoch's events, stored before; absent: the job had none. */
  readonly lookups?: LookupVersions
  /** Where the replays of what was set aside were cut; absent: the job keeps nothing that can be replayed. */
  readonly replays?: ReadonlyArray<ReplayCut>
}

/** Where the state of one key group of one step is: a base, and the deltas since. */
export interface StateHandle {
  readonly step: string
  readonly keyGroup: number
  readonly baseEpoch: number
  readonly deltaEpochs: ReadonlyArray<number>
}

/** How to recognise a source again: which log it was, and the last record before each offset. */
export interface SourceMark {
  readonly source: string
  readonly identity: string
  readonly partitions: ReadonlyArray<{
    readonly partition: number
    readonly offset: Offset
    readonly timestamp: number | null
    readonly checksum: number | null
  }>
}

/** Where a sink stood after the epoch, in its own terms. */
export interface SinkMark {
  readonly sink: string
  readonly position: string | null
}

/** What a stateful step keeps, so that a restart can be checked before it is tried. */
export interface StepMark {
  readonly step: string
  readonly kind: string
  readonly fingerprint: string
  /** Ids of the sources of which it keeps something each; absent: its state does not tell sources apart. */
  readonly of?: ReadonlyArray<string>
  /** What the numbers are counted in that may be in its state, by column, such as `decimal 2`; absent: not known. */
  readonly numbers?: Readonly<Record<string, string>>
  /** The form in which events were decoded that wait in its state; absent: none waits, or the form is in its fingerprint. */
  readonly waits?: string
}

/** How the rows of a lookup were written, so that a restart can be checked before it is tried. */
export interface LookupMark {
  readonly lookup: string
  readonly fingerprint: string
}

/** Everything of an epoch: durable only after every sink has the epoch. */
export interface Manifest {
  /** Version of this shape. */
  readonly version: 1
  readonly job: string
  /** Survives restarts. */
  readonly jobId: string
  readonly lineage: number
  readonly generation: number
  readonly epoch: number
  readonly openedAt: Millis
  readonly closedAt: Millis
  readonly final: boolean
  readonly partitions: ReadonlyArray<PartitionCut>
  readonly watermark: Millis | null
  readonly sources: ReadonlyArray<SourceMark>
  readonly sinks: ReadonlyArray<SinkMark>
  readonly steps: ReadonlyArray<StepMark>
  readonly state: ReadonlyArray<StateHandle>
  readonly stateRows: number
  readonly stateBytes: number
  /** Totals over the life of the lineage. */
  readonly totals: Totals
  readonly lookups?: LookupVersions
  /** Of each of them; absent: the job had none, or nothing was said of them. */
  readonly lookupMarks?: ReadonlyArray<LookupMark>
  readonly replays?: ReadonlyArray<ReplayCut>
  /** What became of all that was replayed in the lineage; absent: nothing was. */
  readonly replayed?: ReplayCounts
  /** Epochs that the lineages before it had and that it gave up, going on from a savepoint: what they set aside is read again. */
  readonly abandoned?: ReadonlyArray<EpochRange>
}

/** Epochs above `after`, up to `through`. */
export interface EpochRange {
  readonly after: number
  readonly through: number
}

/** What became of records that were set aside and came again. */
export interface ReplayCounts {
  /** Put through the job again. */
  readonly records: number
  /** Of these, events that were late, again or now. */
  readonly late: number
  /** Of these, events that became dead letters again. */
  readonly deadLetters: number
  /** Not put through: rows that a sink refused, or records of a step that the job no longer has. */
  readonly skipped: number
}

/** Counts since the lineage began. */
export interface Totals {
  readonly recordsIn: number
  readonly rowsOut: number
  readonly late: number
  readonly deadLetters: number
}
