/**
 * What happens to a job, as spans: an epoch is a trace and its phases are the spans in it; a restart is a trace too.
 *
 *     epoch    ├──────────────────────────────────────────┤
 *     cut      ├───┤
 *     process  ├─────────────┤                              the busiest chain; it begins before the trigger
 *     intent       ├──┤
 *     prepare         ├──────────┤
 *     sinks                      ├────┤
 *     manifest                        ├───────────────────┤
 */
import * as Limits from "../model/Limits.ts"
import type { Millis } from "../model/Time.ts"
import type { EpochProgress, JobEvent, JobStatus } from "./Progress.ts"

export type Attributes = Readonly<Record<string, string | number | boolean>>

export interface Span {
  readonly name: string
  readonly from: Millis
  readonly to: Millis
  readonly attributes: Attributes
  /** Why it went wrong, in one sentence; `null`: it did not. */
  readonly failure: string | null
  readonly parts: ReadonlyArray<Span>
}

/** The trace of an epoch; `null` for a trigger that found nothing. */
export const ofEpoch = (progress: EpochProgress): Span | null => {
  const { phases, cutAt } = progress
  const taken = phases.cut + phases.intent + phases.prepare + phases.sinks + phases.manifest
  if (progress.inputRows === 0 && taken === 0) return null
  const attributes: Attributes = {
    "weir.job": progress.job,
    "weir.job_id": progress.jobId,
    "weir.run_id": progress.runId,
    "weir.lineage": progress.lineage,
    "weir.generation": progress.generation,
    "weir.epoch": progress.epoch,
    "weir.rows": progress.inputRows,
    "weir.bytes": progress.stateBytesWritten,
    "weir.replayed": progress.replayed
  }
  const sinkRows = progress.sinks.reduce((sum, { rows }) => sum + rows, 0)
  const from = cutAt - phases.cut
  let at = from
  const part = (name: string, millis: number, more: Attributes = {}): Span => {
    const begun = at
    at += millis
    return { name, from: begun, to: at, attributes: { ...attributes, ...more }, failure: null, parts: [] }
  }
  const parts = [
    part("cut", phases.cut),
    part("intent", phases.intent),
    part("prepare", phases.prepare, { "weir.sink_rows": sinkRows }),
    part("sinks", phases.sinks, { "weir.sink_rows": sinkRows }),
    part("manifest", phases.manifest, { "weir.state_rows": progress.stateRows })
  ]
  const prepared = parts[2]!.to
  const busyFrom = Math.min(from, prepared - phases.process)
  const process: Span = { ...parts[0]!, name: "process", from: busyFrom, to: busyFrom + phases.process }
  const more = {
    "weir.sink_rows": sinkRows,
    "weir.late": progress.late,
    "weir.dead_letters": progress.deadLetters,
    "weir.final": progress.final
  }
  return {
    name: "epoch",
    from: busyFrom,
    to: at,
    attributes: { ...attributes, ...more },
    failure: null,
    parts: [parts[0]!, process, ...parts.slice(1)]
  }
}

/** The trace of a restart, from the failure until the job runs again or has failed for good. */
const ofRestart = (from: Millis, to: Millis, reason: JobStatus["reason"], now: JobStatus): Span => ({
  name: "restart",
  from,
  to,
  attributes: {
    "weir.job": now.job,
    "weir.epoch": now.epoch,
    "weir.restarts": now.restarts,
    "weir.state": now.state,
    "error.type": reason?.tag ?? "unknown"
  },
  failure: reason?.message ?? "it is not known why",
  parts: []
})

/** Turns what it hears of jobs into traces. Beyond `Limits.tracesPerSecondMax` an event gives none. */
export const make = (): ((event: JobEvent, now: Millis) => Span | null) => {
  const down = new Map<string, { readonly since: Millis; readonly reason: JobStatus["reason"] }>()
  let second = 0
  let given = 0
  const within = (span: Span | null, now: Millis): Span | null => {
    if (span === null) return null
    const current = Math.floor(now / 1000)
    if (current !== second) {
      second = current
      given = 0
    }
    return given++ < Limits.tracesPerSecondMax ? span : null
  }
  const heard = ({ job, state, reason }: JobStatus, now: Millis, status: JobStatus): Span | null => {
    const failed = down.get(job)
    if (state === "backing off") {
      if (failed === undefined) down.set(job, { since: now, reason })
      return null
    }
    if (failed === undefined || state === "starting" || state === "recovering") return null
    down.delete(job)
    return ofRestart(failed.since, now, failed.reason, status)
  }
  return (event, now) =>
    within(event._tag === "Progress" ? ofEpoch(event.progress) : heard(event.status, now, event.status), now)
}
