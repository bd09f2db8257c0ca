/**
 * What an epoch writer of a topic decides, for every system of topics: may this owner open the sink, and is this
 * epoch there already? Pure; who writes keeps the fence beside the records.
 *
 * An epoch without records is not written, so the fence may stand below the manifest: what the manifest kept of the
 * writer's position says how far it must stand.
 */
import { Either } from "effect"
import * as Digest from "../model/Digest.ts"
import { Fenced, NotDeterministic, OtherLineage, SinkAhead, SinkBehind } from "../model/Errors.ts"
import type { Offset } from "../model/Event.ts"
import type { EpochStamp, ProducedRecord } from "./Topics.ts"

/** Why an epoch is not written. */
export type Refusal = Fenced | NotDeterministic

/** The newest owner of a sink, the last epoch that it wrote, and what the last few were. */
export interface EpochFence {
  readonly job: string
  readonly sink: string
  readonly lineage: number
  readonly generation: number
  readonly epoch: number
  /** Partitions over which that epoch was spread; absent: all that the topic ever has. */
  readonly partitions?: number
  /** Epochs and their digests, oldest first. */
  readonly written: ReadonlyArray<readonly [epoch: number, digest: string]>
}

/** Digests that a fence keeps: more than epochs can be open above a manifest. */
const writtenMax = 8

/** What the checkpoint knows of a sink when it opens it; `stamp.epoch` is the manifest's. */
export interface Opening {
  readonly stamp: EpochStamp
  readonly intentEpochs: ReadonlyArray<number>
  readonly position: string | null
}

/** The fence of the new owner. `latest`: the end of each partition, to compare with the position that was kept. */
export const open = (
  found: EpochFence | null,
  { stamp, intentEpochs, position }: Opening,
  latest: (partition: number) => Offset
): Either.Either<EpochFence, Fenced | SinkAhead | SinkBehind | OtherLineage> => {
  const kept = position === null ? null : parsePosition(position)
  const { job, sink, lineage, generation, epoch: manifestEpoch } = stamp
  const begun: EpochFence = { job, sink, lineage, generation, epoch: manifestEpoch, written: [] }
  if (kept?.ends.some(([partition, end]) => latest(partition) < end))
    return Either.left(behind(stamp, found?.epoch ?? 0, kept.epoch))
  if (found === null) return kept === null ? Either.right(begun) : Either.left(behind(stamp, 0, kept.epoch))
  if (found.lineage > lineage) return Either.left(other(stamp, found))
  // A higher lineage is begun by a person's command only, which says what stays in each sink.
  if (found.lineage < lineage) return Either.right(begun)
  if (kept !== null && kept.lineage === lineage && found.epoch < kept.epoch)
    return Either.left(behind(stamp, found.epoch, kept.epoch))
  const isAhead = missing(manifestEpoch, found.epoch, intentEpochs)
  // A generation is given out once: an equal one says that the checkpoints have gone back in time.
  if (isAhead && found.generation === generation) return Either.left(ahead(stamp, found.epoch))
  if (found.generation >= generation) return Either.left(fenced(stamp, found))
  if (isAhead) return Either.left(ahead(stamp, found.epoch))
  return Either.right({ ...found, generation })
}

/** Is there an epoch above `from`, up to `to`, without an intent? */
const missing = (from: number, to: number, intentEpochs: ReadonlyArray<number>): boolean => {
  for (let epoch = from + 1; epoch <= to; epoch++) if (!intentEpochs.includes(epoch)) return true
  return false
}

/** Is epoch `epoch` to be written by this owner? `current` is the fence as it is now. */
export const admit = (
  current: EpochFence,
  stamp: EpochStamp,
  epoch: number,
  digest: string | null
): Either.Either<"write" | "already there", Fenced | NotDeterministic> => {
  if (current.lineage !== stamp.lineage || current.generation !== stamp.generation)
    return Either.left(fenced(stamp, current))
  if (epoch > current.epoch) return Either.right(digest === null ? "already there" : "write")
  const known = current.written.find(([written]) => written === epoch)
  // Below the oldest digest that was kept nothing is known; above it an epoch that is missing had no records.
  const isKnown = known !== undefined || (current.written[0]?.[0] ?? Number.POSITIVE_INFINITY) < epoch
  return isKnown && (known?.[1] ?? null) !== digest
    ? Either.left(notDeterministic(stamp, epoch))
    : Either.right("already there")
}

/** Of an epoch's records, by partition; `null` if there are none. */
export const digestOf = (records: ReadonlyMap<number, ReadonlyArray<ProducedRecord>>): string | null => {
  const digest = Digest.make()
  let count = 0
  for (const partition of [...records.keys()].sort((a, b) => a - b)) {
    const part = records.get(partition)!
    if (part.length === 0) continue
    digest.number(partition)
    digest.number(part.length)
    for (const record of part) digestRecord(digest, record)
    count += part.length
  }
  return count === 0 ? null : digest.result()
}

/** The fence after `epoch`. */
export const advance = (current: EpochFence, epoch: number, digest: string): EpochFence => ({
  ...current,
  epoch,
  written: [...current.written, [epoch, digest] as const].slice(-writtenMax)
})

/** Is the fence of a newer owner than the one of this stamp? */
export const isOvertaken = (stamp: EpochStamp, found: EpochFence): boolean =>
  found.lineage > stamp.lineage || (found.lineage === stamp.lineage && found.generation > stamp.generation)

/** Is `a` the later state of one sink's fence? */
const isNewer = (a: EpochFence, b: EpochFence): boolean =>
  a.lineage !== b.lineage
    ? a.lineage > b.lineage
    : a.epoch !== b.epoch
      ? a.epoch > b.epoch
      : a.generation > b.generation

/** Both seen of one sink, in different partitions: the last epoch of one, the newest owner of either. */
export const join = (a: EpochFence, b: EpochFence): EpochFence => {
  const newer = isNewer(a, b) ? a : b
  return a.lineage === b.lineage ? { ...newer, generation: Math.max(a.generation, b.generation) } : newer
}

/** Where a writer stands, as text for the manifest. */
export const formatPosition = (fence: EpochFence, ends: ReadonlyArray<readonly [number, Offset]>): string =>
  JSON.stringify({ lineage: fence.lineage, epoch: fence.epoch, ends })

const digestRecord = (digest: Digest.Digest, { key, value, headers }: ProducedRecord): void => {
  if (key === null) digest.number(-1)
  else digest.bytes(key)
  digest.bytes(value)
  for (const header of headers) {
    digest.bytes(new TextEncoder().encode(header.name))
    digest.bytes(header.value)
  }
}

interface Position {
  readonly lineage: number
  readonly epoch: number
  readonly ends: ReadonlyArray<readonly [number, Offset]>
}
const parsePosition = (text: string): Position => JSON.parse(text)

export const fenced = (stamp: EpochStamp, found: EpochFence) =>
  new Fenced({
    job: stamp.job,
    generation: stamp.generation,
    newer: found.generation,
    message: `Job ${stamp.job}: generation ${found.generation} has taken over sink ${stamp.sink} from generation ${stamp.generation}`,
    hint: `Another process runs this job; this one stops. If there is none, the checkpoints are older than the sink, as after a power cut or a restored copy: restore the newer ones, or begin anew with \`weir reset ${stamp.job}\`.`
  })
const ahead = (stamp: EpochStamp, sinkEpoch: number) =>
  new SinkAhead({
    sink: stamp.sink,
    sinkEpoch,
    manifestEpoch: stamp.epoch,
    message: `Job ${stamp.job}: sink ${stamp.sink} holds epoch ${sinkEpoch}, of which the checkpoint at epoch ${stamp.epoch} has no intent`,
    hint: `The checkpoint is older than the sink. Restore the newer one, or begin anew: \`weir reset ${stamp.job}\`.`
  })
const behind = (stamp: EpochStamp, sinkEpoch: number, keptEpoch: number) =>
  new SinkBehind({
    sink: stamp.sink,
    sinkEpoch,
    manifestEpoch: stamp.epoch,
    message: `Job ${stamp.job}: sink ${stamp.sink} holds epoch ${sinkEpoch}, the checkpoint saw it hold epoch ${keptEpoch}`,
    hint: `The sink is older than the checkpoint, or its topic was removed. Restore it, or begin anew: \`weir reset ${stamp.job}\`.`
  })
const other = (stamp: EpochStamp, found: EpochFence) =>
  new OtherLineage({
    sink: stamp.sink,
    lineage: stamp.lineage,
    found: found.lineage,
    message: `Job ${stamp.job}: sink ${stamp.sink} holds lineage ${found.lineage}, the checkpoint is of lineage ${stamp.lineage}`,
    hint: `Restore the checkpoint of that lineage, or begin anew: \`weir reset ${stamp.job}\`.`
  })
const notDeterministic = (stamp: EpochStamp, epoch: number) =>
  new NotDeterministic({
    sink: stamp.sink,
    epoch,
    message: `Job ${stamp.job}: epoch ${epoch} of sink ${stamp.sink} was computed again and gave other records`,
    hint: "A step of the job depends on more than its input: a clock, a random number, an order. Remove that."
  })
