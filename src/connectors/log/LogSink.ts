/**
 * Writes the epochs of a sink: each once, in order, by the newest owner.
 *
 * The fence travels with the records, in the frame that completes them, so that one cannot be there without the
 * other; the first frame of every segment repeats it, so that it outlives the records. All partitions of an epoch are
 * synced before one of them is shown; if the process dies between two, the next one cuts off what it finds in only
 * some of them, and the epoch is written again.
 */
import { Effect, Exit } from "effect"
import * as EpochFence from "../../flow/EpochFence.ts"
import type { EpochStamp, EpochWriter, ProducedRecord } from "../../flow/Topics.ts"
import type {
  Fenced,
  LogCorrupted,
  OtherLineage,
  RecordTooLarge,
  SinkAhead,
  SinkBehind,
  StorageFailed,
  UnknownTopic
} from "../../model/Errors.ts"
import type * as Frame from "./Frame.ts"
import type { LogFiles } from "./LogFiles.ts"
import { fenceKey, type Partition, publish, type Staged, stage, takeBack } from "./LogPartition.ts"
import { checkSizes } from "./LogRecord.ts"
import { fencesOnDisk } from "./LogRecovery.ts"
import { fenceOf, partitionOf, type Topic } from "./LogTopic.ts"

type Records = ReadonlyMap<number, ReadonlyArray<ProducedRecord>>

/** Takes over the sink on this topic, durably. */
export const epochWriter = (
  files: LogFiles,
  topic: Topic,
  opening: EpochFence.Opening
): Effect.Effect<EpochWriter, Fenced | SinkAhead | SinkBehind | OtherLineage | StorageFailed> =>
  Effect.gen(function* () {
    const { stamp } = opening
    const found = fenceOf(topic, stamp.job, stamp.sink)
    const fence = yield* EpochFence.open(found, opening, (partition) => topic.partitions[partition]?.latest ?? 0)
    const group: Frame.Group = { records: [], notes: { fences: [fence] } }
    yield* publish(
      files,
      yield* stageAll(
        files,
        topic.partitions.map((partition) => [partition, group])
      )
    )
    return {
      partitions: topic.partitions.length,
      write: (epoch, records) => write(files, topic, stamp, epoch, records),
      position: Effect.sync(() => positionOf(topic, stamp))
    } satisfies EpochWriter
  }).pipe(locked(topic.partitions), Effect.uninterruptible)

// Private

const write = (
  files: LogFiles,
  topic: Topic,
  stamp: EpochStamp,
  epoch: number,
  records: Records
): Effect.Effect<
  "written" | "already there",
  Fenced | StorageFailed | LogCorrupted | UnknownTopic | RecordTooLarge | EpochFence.Refusal
> =>
  Effect.gen(function* () {
    const numbers = [...records.keys()].filter((number) => records.get(number)!.length > 0).sort((a, b) => a - b)
    const parts = yield* Effect.forEach(numbers, (number) => partitionOf(topic, number))
    for (const number of numbers) yield* checkSizes(topic.topic, records.get(number)!)
    const digest = EpochFence.digestOf(records)
    return yield* Effect.gen(function* () {
      const current = fenceOf(topic, stamp.job, stamp.sink)!
      const verdict = yield* EpochFence.admit(current, stamp, epoch, digest)
      if (verdict === "already there" || digest === null) return "already there"
      const notes: Frame.Notes = { fences: [EpochFence.advance(current, epoch, digest)], partitions: numbers }
      yield* publish(
        files,
        yield* stageAll(
          files,
          parts.map((partition) => [partition, { records: records.get(partition.partition)!, notes }])
        )
      )
      return "written" as const
    }).pipe(
      Effect.tapErrorTag("StorageFailed", () => refuseIfFenced(files, parts, stamp)),
      locked(parts),
      Effect.uninterruptible
    )
  })

const positionOf = (topic: Topic, stamp: EpochStamp): string =>
  EpochFence.formatPosition(
    fenceOf(topic, stamp.job, stamp.sink)!,
    topic.partitions.flatMap(({ partition, latest }) => (latest > 0 ? [[partition, latest] as const] : []))
  )

/** Holds the locks of several partitions, taken in one order. */
const locked =
  (partitions: ReadonlyArray<Partition>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    partitions.reduceRight((inner, partition) => partition.lock.withPermits(1)(inner), effect)

/** Stages one group in each partition, or none. */
const stageAll = (
  files: LogFiles,
  groups: ReadonlyArray<readonly [Partition, Frame.Group]>
): Effect.Effect<ReadonlyArray<Staged>, StorageFailed> =>
  Effect.gen(function* () {
    const exits = yield* Effect.forEach(groups, ([partition, group]) => Effect.exit(stage(files, partition, [group])), {
      concurrency: 8
    })
    const staged = exits.flatMap((exit) => (Exit.isSuccess(exit) ? [exit.value] : []))
    const failed = exits.find(Exit.isFailure)
    if (failed === undefined) return staged
    yield* Effect.forEach(staged, (one) => takeBack(files, one), { discard: true })
    return yield* Effect.failCause(failed.cause)
  })

/** Another process has the log, if it has taken over this sink too. */
const refuseIfFenced = (
  files: LogFiles,
  partitions: ReadonlyArray<Partition>,
  stamp: EpochStamp
): Effect.Effect<void, Fenced> =>
  Effect.gen(function* () {
    for (const partition of partitions) {
      const fences = yield* Effect.option(fencesOnDisk(files, partition))
      const found = fences._tag === "Some" ? fences.value.get(fenceKey(stamp.job, stamp.sink)) : undefined
      if (found !== undefined && EpochFence.isOvertaken(stamp, found)) return yield* EpochFence.fenced(stamp, found)
    }
  })
