/** What an epoch leaves behind: its manifest, and the facts of its report. */
import { Effect } from "effect"
import type { Prepared, SinkError, SinkWriter } from "../flow/Sink.ts"
import type { PartitionCut } from "../model/Message.ts"
import type { Millis } from "../model/Time.ts"
import type {
  Intent,
  LookupMark,
  Manifest,
  ReplayCounts,
  SinkMark,
  SourceMark,
  StateHandle,
  StepMark,
  Totals
} from "./Checkpoint.ts"
import type { Claim, StepState } from "./CheckpointStore.ts"

/** A sink, as the coordinator sees it. */
export interface SinkHandle {
  readonly id: string
  readonly writer: SinkWriter
  /** Takes what others set aside: it prepares after all others, with the rows that they refused. */
  readonly takesInvalid: boolean
  /** Are its rows what the job is for, not what it set aside? */
  readonly counts: boolean
}

/** What one chain of operators hands over at a barrier. */
export interface Acknowledgement {
  readonly state: ReadonlyArray<StepState>
  readonly marks: ReadonlyArray<StepMark>
  readonly stateRows: number
  readonly stateBytes: number
  /** Of the step that assigns event time; `null` if the chain has none. */
  readonly watermark: Millis | null
  readonly late: number
  readonly deadLetters: number
  /** How many of these were set aside before and had come again. */
  readonly again?: Pick<ReplayCounts, "late" | "deadLetters">
  /** Milliseconds that the chain spent on the epoch's batches and its barrier. */
  readonly busyMillis: number
}

/** What happened to one epoch: the facts of its report. */
export interface EpochFacts {
  readonly manifest: Manifest
  /** When its sources had ended it, by this process's clock. */
  readonly cutAt: Millis
  /** Until all sources had ended it; for a replay, until they had read it again. */
  readonly cutMillis: number
  readonly recordsIn: number
  readonly replayed: boolean
  /** Of the busiest chain. */
  readonly processMillis: number
  readonly prepareMillis: number
  readonly intentMillis: number
  readonly sinksMillis: number
  /** `null` while it is being written. */
  readonly manifestMillis: number | null
  readonly stateBytesWritten: number
  readonly sinks: ReadonlyArray<{
    readonly sink: string
    readonly rows: number
    readonly outcome: "written" | "already there" | "nothing to write"
  }>
  readonly late: number
  readonly deadLetters: number
  /** What became of what was set aside before and came again; absent: nothing did. */
  readonly again?: ReplayCounts
  readonly previous: ReadonlyArray<PartitionCut>
}

/** An epoch of which everything is known but its manifest. */
export interface CompleteEpoch {
  readonly claim: Claim
  readonly intent: Intent
  readonly cutAt: Millis
  readonly cutMillis: number
  readonly intentMillis: number
  readonly replayed: boolean
  readonly again: ReadonlyArray<Pick<ReplayCounts, "records" | "skipped">>
  readonly before: Manifest
  readonly sinks: ReadonlyArray<SinkHandle>
  readonly prepared: ReadonlyMap<string, Prepared>
  readonly acknowledgements: ReadonlyArray<Acknowledgement>
  readonly outcomes: ReadonlyMap<string, "written" | "already there">
  readonly marks: ReadonlyArray<SourceMark>
  /** Absent: the job has no lookups. */
  readonly lookupMarks?: ReadonlyArray<LookupMark>
  readonly preparedAt: Millis
  readonly sinksAt: Millis
}

/** Everything that the manifest and the report of an epoch say. */
export const make = (epoch: CompleteEpoch): Effect.Effect<EpochFacts, SinkError> =>
  Effect.gen(function* () {
    const { acknowledgements, before, claim, intent, sinks } = epoch
    const state = acknowledgements.flatMap((acknowledgement) => acknowledgement.state)
    const recordsIn = recordsBetween(before.partitions, intent.partitions)
    const late = sum(acknowledgements.map((acknowledgement) => acknowledgement.late))
    const refused = sum(sinks.map((sink) => epoch.prepared.get(sink.id)!.invalid.length))
    const deadLetters = refused + sum(acknowledgements.map((acknowledgement) => acknowledgement.deadLetters))
    const rowsOut = sum(sinks.filter((sink) => sink.counts).map((sink) => epoch.prepared.get(sink.id)!.rows))
    const watermarks = acknowledgements.flatMap((acknowledgement) =>
      acknowledgement.watermark === null ? [] : [acknowledgement.watermark]
    )
    const watermark = watermarks.length === 0 ? null : Math.min(...watermarks)
    const again = againOf(epoch)
    const manifest: Manifest = {
      version: 1,
      job: claim.job,
      jobId: claim.jobId,
      lineage: claim.lineage,
      generation: claim.generation,
      epoch: intent.epoch,
      openedAt: intent.openedAt,
      closedAt: intent.closedAt,
      final: intent.final,
      partitions: intent.partitions,
      watermark: watermark === null || !Number.isFinite(watermark) ? null : watermark,
      sources: epoch.marks,
      sinks: yield* Effect.forEach(sinks, markOf),
      steps: acknowledgements.flatMap((acknowledgement) => acknowledgement.marks),
      state: handlesAfter(before.state, intent.epoch, state),
      stateRows: sum(acknowledgements.map((acknowledgement) => acknowledgement.stateRows)),
      stateBytes: sum(acknowledgements.map((acknowledgement) => acknowledgement.stateBytes)),
      ...(intent.lookups === undefined ? {} : { lookups: intent.lookups }),
      ...(epoch.lookupMarks === undefined ? {} : { lookupMarks: epoch.lookupMarks }),
      ...replaysAfter(before, intent, again),
      totals: totalsAfter(before.totals, { recordsIn, rowsOut, late, deadLetters })
    }
    return {
      manifest,
      cutAt: epoch.cutAt,
      cutMillis: epoch.cutMillis,
      recordsIn,
      replayed: epoch.replayed,
      processMillis: Math.max(0, ...acknowledgements.map((acknowledgement) => acknowledgement.busyMillis)),
      prepareMillis: Math.max(0, epoch.preparedAt - epoch.cutAt - epoch.intentMillis),
      intentMillis: epoch.intentMillis,
      sinksMillis: epoch.sinksAt - epoch.preparedAt,
      manifestMillis: null,
      stateBytesWritten: sum(state.flatMap((step) => step.parts.map((part) => part.bytes.length))),
      sinks: sinks.map((sink) => {
        const { rows } = epoch.prepared.get(sink.id)!
        return {
          sink: sink.id,
          rows,
          outcome: rows === 0 ? ("nothing to write" as const) : epoch.outcomes.get(sink.id)!
        }
      }),
      late,
      deadLetters,
      again,
      previous: before.partitions
    }
  })

const markOf = (sink: SinkHandle): Effect.Effect<SinkMark, SinkError> =>
  sink.writer._tag === "OwnWriter"
    ? Effect.map(sink.writer.position, (position) => ({ sink: sink.id, position }))
    : Effect.succeed({ sink: sink.id, position: null })

const totalsAfter = (before: Totals, epoch: Totals): Totals => ({
  recordsIn: before.recordsIn + epoch.recordsIn,
  rowsOut: before.rowsOut + epoch.rowsOut,
  late: before.late + epoch.late,
  deadLetters: before.deadLetters + epoch.deadLetters
})

/** How far replays have come, and what became of them; nothing for a job that keeps nothing to be replayed. */
const replaysAfter = (
  before: Manifest,
  intent: Intent,
  again: ReplayCounts
): Pick<Manifest, "replays" | "replayed" | "abandoned"> => {
  const replays = intent.replays ?? before.replays
  const isAny = before.replayed !== undefined || again.records > 0 || again.skipped > 0
  return {
    ...(replays === undefined ? {} : { replays }),
    ...(before.abandoned === undefined ? {} : { abandoned: before.abandoned }),
    ...(isAny ? { replayed: addCounts(before.replayed ?? noCounts, again) } : {})
  }
}

const noCounts: ReplayCounts = { records: 0, late: 0, deadLetters: 0, skipped: 0 }

const addCounts = (a: ReplayCounts, b: ReplayCounts): ReplayCounts => ({
  records: a.records + b.records,
  late: a.late + b.late,
  deadLetters: a.deadLetters + b.deadLetters,
  skipped: a.skipped + b.skipped
})

const againOf = ({ acknowledgements, again }: CompleteEpoch): ReplayCounts => ({
  records: sum(again.map(({ records }) => records)),
  late: sum(acknowledgements.map((acknowledgement) => acknowledgement.again?.late ?? 0)),
  deadLetters: sum(acknowledgements.map((acknowledgement) => acknowledgement.again?.deadLetters ?? 0)),
  skipped: sum(again.map(({ skipped }) => skipped))
})

const recordsBetween = (from: ReadonlyArray<PartitionCut>, to: ReadonlyArray<PartitionCut>): number =>
  sum(
    to.map(
      (cut) =>
        cut.records ??
        cut.offset -
          (from.find((other) => other.source === cut.source && other.partition === cut.partition)?.offset ?? 0)
    )
  )

/** Where each key group's state is after an epoch: a base replaces what was before it, a delta is added. */
export const handlesAfter = (
  before: ReadonlyArray<StateHandle>,
  epoch: number,
  state: ReadonlyArray<StepState>
): ReadonlyArray<StateHandle> => {
  const handles = new Map(before.map((handle) => [`${handle.step}/${handle.keyGroup}`, handle]))
  for (const { parts, step } of state) {
    for (const { keyGroup, kind } of parts) {
      const id = `${step}/${keyGroup}`
      const known = handles.get(id)
      handles.set(
        id,
        kind === "base" || known === undefined
          ? { step, keyGroup, baseEpoch: kind === "base" ? epoch : 0, deltaEpochs: kind === "base" ? [] : [epoch] }
          : { ...known, deltaEpochs: [...known.deltaEpochs, epoch] }
      )
    }
  }
  return [...handles.values()]
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0)
