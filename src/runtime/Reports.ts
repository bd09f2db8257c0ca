/** What an epoch says of itself when it is done: facts of the coordinator as the progress that people read. */
import type { Manifest, ReplayCounts } from "../checkpoint/Checkpoint.ts"
import type { EpochFacts } from "../checkpoint/EpochFacts.ts"
import type { Millis } from "../model/Time.ts"
import type { EpochProgress } from "../observe/Progress.ts"

/** The run that an epoch belongs to, and where its sources end. */
export interface Run {
  readonly runId: string
  readonly latest: (source: string, partition: number) => number
  /** When the epoch before was triggered. */
  readonly triggeredBefore: Millis
}

export const progressOf = (facts: EpochFacts, run: Run): EpochProgress => {
  const { manifest } = facts
  const sinceBefore = Math.max(1, facts.cutAt - run.triggeredBefore)
  const busyMillis = Math.max(
    1,
    facts.processMillis + facts.prepareMillis + facts.sinksMillis + (facts.manifestMillis ?? 0)
  )
  return {
    jobId: manifest.jobId,
    runId: run.runId,
    job: manifest.job,
    lineage: manifest.lineage,
    generation: manifest.generation,
    epoch: manifest.epoch,
    triggeredAt: manifest.closedAt,
    cutAt: facts.cutAt,
    inputRows: facts.recordsIn,
    inputRowsPerSecond: perSecond(facts.recordsIn, sinceBefore),
    processedRowsPerSecond: perSecond(facts.recordsIn, busyMillis),
    phases: {
      cut: facts.cutMillis,
      process: facts.processMillis,
      prepare: facts.prepareMillis,
      intent: facts.intentMillis,
      sinks: facts.sinksMillis,
      manifest: facts.manifestMillis ?? 0
    },
    partitions: manifest.partitions.map(({ offset, partition, source, state }) => ({
      source,
      partition,
      from: facts.previous.find((cut) => cut.source === source && cut.partition === partition)?.offset ?? 0,
      to: offset,
      latest: Math.max(offset, run.latest(source, partition)),
      state
    })),
    watermark: manifest.watermark,
    stateRows: manifest.stateRows,
    stateBytes: manifest.stateBytes,
    stateBytesWritten: facts.stateBytesWritten,
    sinks: facts.sinks,
    late: facts.late,
    deadLetters: facts.deadLetters,
    ...againOf(facts.again),
    replayed: facts.replayed,
    final: manifest.final
  }
}

/** The report of a trigger that found nothing: nothing was written. */
export const emptyProgress = ({ again, ...before }: EpochProgress, run: Run, triggeredAt: Millis): EpochProgress => ({
  ...before,
  runId: run.runId,
  triggeredAt,
  cutAt: triggeredAt,
  inputRows: 0,
  inputRowsPerSecond: 0,
  processedRowsPerSecond: 0,
  phases: { cut: 0, process: 0, prepare: 0, intent: 0, sinks: 0, manifest: 0 },
  partitions: before.partitions.map((partition) => ({
    ...partition,
    from: partition.to,
    latest: Math.max(partition.to, run.latest(partition.source, partition.partition))
  })),
  stateBytesWritten: 0,
  sinks: before.sinks.map(({ sink }) => ({ sink, rows: 0, outcome: "nothing to write" as const })),
  late: 0,
  deadLetters: 0,
  replayed: false,
  final: false
})

/** The same for a run that has reported nothing yet: what its last manifest says. */
export const emptyProgressOf = (manifest: Manifest, run: Run, triggeredAt: Millis): EpochProgress => {
  const facts: EpochFacts = {
    manifest,
    cutAt: triggeredAt,
    cutMillis: 0,
    recordsIn: 0,
    replayed: false,
    processMillis: 0,
    prepareMillis: 0,
    intentMillis: 0,
    sinksMillis: 0,
    manifestMillis: 0,
    stateBytesWritten: 0,
    sinks: manifest.sinks.map(({ sink }) => ({ sink, rows: 0, outcome: "nothing to write" })),
    late: 0,
    deadLetters: 0,
    previous: manifest.partitions
  }
  return emptyProgress(progressOf(facts, run), run, triggeredAt)
}

const againOf = (again: ReplayCounts | undefined): Pick<EpochProgress, "again"> => {
  if (again === undefined || again.records + again.skipped === 0) return {}
  // One record may be late for several windows, or come to several steps that refuse it.
  return { again: { ...again, succeeded: Math.max(0, again.records - again.late - again.deadLetters) } }
}

const perSecond = (rows: number, millis: number): number => Math.round((rows * 1000) / millis)
