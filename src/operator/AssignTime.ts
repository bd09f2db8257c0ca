/**
 * Puts on each event when it happened, and on each barrier how far time has come.
 *
 * - **Emits** each event with its event time and the watermark of its own partition over the events before it
 *   (highest event time so far - `maxOutOfOrderness`)
 * - **Keeps** the highest event time of each partition, and the job's watermark
 * - **Sets aside** on `invalid` events from the far future (`eventTime > openedAt + trigger + maxFutureSkew`) and
 *   those whose time is no integer of milliseconds of the years 1 to 9999; neither moves a watermark. Nor does an
 *   event that was set aside and comes again: its own watermark is the beginning
 * - **Restores** both; they may be read with any `maxOutOfOrderness`
 * - **Fails with** `StepFailed` where the job's function throws
 *
 * The job's watermark is the lowest of the active partitions, where one that has given no event counts as the
 * beginning; it moves at barriers only and never falls. Idle and finished partitions do not hold it back. While none
 * is active it stays, and once all are finished nothing can come any more: it goes to the end of time.
 *
 *     partition 0   12:00:07  12:00:05 │     highest - 5 s = 12:00:02
 *     partition 1   12:00:04           │     highest - 5 s = 11:59:59     the job's watermark: 11:59:59
 */
import type { SpecOf } from "../flow/Topology.ts"
import { Defect } from "../model/Errors.ts"
import { type Invalid, type RawEvent, rawEventAt } from "../model/Event.ts"
import type { Barrier, Batch, PartitionCut, Records } from "../model/Message.ts"
import * as Time from "../model/Time.ts"
import { Reader, Writer } from "../state/Encoding.ts"
import type { Snapshot, StatePart } from "../state/StatePart.ts"
import type { Collector, Operator } from "./Operator.ts"
import * as Selection from "./Selection.ts"
import { stepFailed } from "./StepFailure.ts"
import { known, type PartitionTime } from "./Waiting.ts"

export interface Options {
  /** How long an epoch may be open; for a trigger without interval, 0. */
  readonly triggerMillis: number
}

export const make = (node: { readonly id: string; readonly spec: SpecOf<"eventTime"> }, options: Options): Operator => {
  const { id, spec } = node
  const at = spec.at as (event: unknown) => number
  /** By origin, then partition. */
  let highest = new Map<string, Map<number, number>>()
  let watermark = Time.beginning
  let changed = false
  let stored = 0
  let deadLetters = 0
  let cuts: ReadonlyArray<PartitionCut> = []
  let holder: { readonly source: string; readonly partition: number; readonly since: number } | null = null

  const onBatch = (batch: Batch | Records, out: Collector): void => {
    if (batch._tag === "Records") throw undecoded(id)
    const count = batch.values.length
    const eventTimes = new Float64Array(count)
    const ownWatermarks = new Float64Array(count)
    const latest = batch.openedAt + options.triggerMillis + spec.maxFutureSkewMillis
    const partitions = partitionsOf(highest, batch.origin)
    const before = partitions.get(batch.partition) ?? Time.beginning
    let high = before
    let refused: Array<number> | null = null
    let i = 0
    try {
      for (; i < count; i++) {
        const eventTime = at(batch.values[i])
        // -0 becomes 0: a window would show it.
        eventTimes[i] = eventTime + 0
        ownWatermarks[i] = batch.again === undefined ? high - spec.maxOutOfOrdernessMillis : Time.beginning
        if (!Time.isEventTime(eventTime) || eventTime > latest) {
          refused ??= []
          refused.push(i)
        } else if (eventTime > high) high = eventTime
      }
    } catch (error) {
      throw stepFailed(id, batch, batch.offsets[i]!, error)
    }
    if (high > before && batch.again === undefined) {
      partitions.set(batch.partition, high)
      changed = true
    }
    const timed: Batch = { ...batch, eventTimes, ownWatermarks }
    if (refused === null) {
      out.emit("out", timed)
      return
    }
    deadLetters += refused.length
    out.emit("invalid", invalidOf(timed, refused, id, latest))
    const kept = without(count, refused)
    if (kept.length > 0) out.emit("out", Selection.select(timed, kept))
  }

  const ownWatermark = (source: string, partition: number): number =>
    (highest.get(source)?.get(partition) ?? Time.beginning) - spec.maxOutOfOrdernessMillis

  const onBarrier = (barrier: Barrier): Barrier => {
    const next = watermarkOf(barrier, ownWatermark)
    cuts = barrier.partitions
    const held = holderOf(barrier, ownWatermark)
    if (held?.source !== holder?.source || held?.partition !== holder?.partition) {
      holder = held === null ? null : { source: held.source, partition: held.partition, since: barrier.closedAt }
    }
    if (next !== null && next > watermark) {
      watermark = next
      changed = true
    }
    return { ...barrier, watermark, idle: barrier.partitions.every((cut) => cut.state !== "active") }
  }

  const partitionTimes = (): ReadonlyArray<PartitionTime> => {
    const given = [...highest].flatMap(([source, partitions]) =>
      [...partitions.keys()].map((partition) => ({ source, partition }))
    )
    const silent = cuts.filter(({ partition, source }) => highest.get(source)?.has(partition) !== true)
    return [...given, ...silent].map(({ partition, source }) => ({
      source,
      partition,
      highest: highest.get(source)?.get(partition) ?? null,
      watermark: known(ownWatermark(source, partition)),
      state: cuts.find((cut) => cut.source === source && cut.partition === partition)?.state ?? null
    }))
  }

  const snapshot = (): Snapshot => {
    let rows = 0
    for (const partitions of highest.values()) rows += partitions.size
    if (!changed) return { parts: [], rows, bytes: stored }
    const writer = new Writer()
    writer.double(watermark)
    writer.value(highest)
    const bytes = writer.copy()
    changed = false
    stored = bytes.length
    return { parts: [{ keyGroup: 0, kind: "base", bytes }], rows, bytes: stored }
  }

  const restore = (parts: ReadonlyArray<StatePart>): void => {
    for (const { bytes } of parts) {
      const reader = new Reader(bytes)
      watermark = reader.double()
      highest = reader.value() as Map<string, Map<number, number>>
      stored = bytes.length
    }
  }

  return {
    id,
    onBatch,
    onBarrier,
    state: { fingerprint: "event time 1", snapshot, restore },
    counts: () => ({ deadLetters }),
    waiting: () => ({ kind: "time", watermark: known(watermark), partitions: partitionTimes(), holder })
  }
}

/** The watermark that a barrier's partitions allow; `null` if none of them says anything. */
const watermarkOf = (barrier: Barrier, own: (source: string, partition: number) => number): number | null => {
  let lowest = Number.POSITIVE_INFINITY
  let active = 0
  let finished = 0
  for (const cut of barrier.partitions) {
    if (cut.state === "finished") finished++
    if (cut.state !== "active") continue
    active++
    lowest = Math.min(lowest, own(cut.source, cut.partition))
  }
  if (active > 0) return lowest
  return finished > 0 && finished === barrier.partitions.length ? Time.eventTimeMax : null
}

/** The active partition that is furthest behind; of equal ones the first. */
const holderOf = (barrier: Barrier, own: (source: string, partition: number) => number): PartitionCut | null => {
  let held: PartitionCut | null = null
  for (const cut of barrier.partitions) {
    if (cut.state !== "active") continue
    if (held === null || own(cut.source, cut.partition) < own(held.source, held.partition)) held = cut
  }
  return held
}

const partitionsOf = (highest: Map<string, Map<number, number>>, origin: string): Map<number, number> => {
  let partitions = highest.get(origin)
  if (partitions === undefined) {
    partitions = new Map()
    highest.set(origin, partitions)
  }
  return partitions
}

const without = (count: number, refused: ReadonlyArray<number>): ReadonlyArray<number> => {
  const kept: Array<number> = []
  let next = 0
  for (let i = 0; i < count; i++) {
    if (refused[next] === i) next++
    else kept.push(i)
  }
  return kept
}

const invalidOf = (batch: Batch, refused: ReadonlyArray<number>, step: string, latest: number): Batch<Invalid> => {
  const selected = Selection.select(batch, refused)
  const values = selected.values.map((value, i): Invalid => {
    const eventTime = selected.eventTimes![i]!
    const future = eventTime > latest
    const event = rawOf(selected, i, value)
    return future
      ? { event, step, reason: "far future", cause: `its event time, ${spell(eventTime)}, is after ${spell(latest)}` }
      : {
          event,
          step,
          reason: "undecodable",
          cause: `its event time, ${eventTime}, is no instant of the years 1 to 9999`
        }
  })
  return { ...selected, values, eventTimes: null, ownWatermarks: null }
}

/** The raw record; where it is gone, the event as JSON. */
const rawOf = (batch: Batch, i: number, value: unknown): RawEvent => {
  if (batch.records !== null && batch.recordIndexes !== null) return rawEventAt(batch.records, batch.recordIndexes[i]!)
  return {
    key: null,
    value: new TextEncoder().encode(
      JSON.stringify(value, (_, field) => (typeof field === "bigint" ? `${field}` : field))
    ),
    partition: batch.partition,
    offset: batch.offsets[i]!,
    timestamp: batch.openedAt
  }
}

const spell = (at: number): string => (Time.isEventTime(at) ? Time.formatInstant(at) : String(at))

const undecoded = (step: string): Defect =>
  new Defect({
    message: `Step '${step}' received records that are not decoded`,
    hint: "This is a defect of Weir."
  })
