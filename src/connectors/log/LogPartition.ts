/**
 * One partition: its segments, and the only way to append to it.
 *
 * An append is staged (written and synced) and then published (seen by readers): what could not be written as a whole
 * is taken back, and where even that fails the partition refuses further writes until the log is opened again.
 * Staging several partitions before publishing any makes their records visible together.
 */
import { Clock, Deferred, Effect, Exit, FiberId } from "effect"
import type { EpochFence } from "../../flow/EpochFence.ts"
import type { ProducedRecord } from "../../flow/Topics.ts"
import { StorageFailed } from "../../model/Errors.ts"
import type { Offset } from "../../model/Event.ts"
import * as Limits from "../../model/Limits.ts"
import * as DurableEnd from "./DurableEnd.ts"
import * as Frame from "./Frame.ts"
import type { LogFiles } from "./LogFiles.ts"

/** A file of frames. `size`: as far as readers may see. */
export interface Segment {
  readonly base: Offset
  readonly path: string
  size: number
  /** When its first frame was written; `null`: not looked at yet. */
  createdAt: number | null
  /** Frames at least `Limits.indexBytes` apart, where they begin; `null`: not made yet. */
  index: Array<readonly [offset: Offset, position: number]> | null
}

interface Request {
  readonly records: ReadonlyArray<ProducedRecord>
  readonly bytes: number
  readonly done: Deferred.Deferred<Offset, StorageFailed>
}

export interface Partition {
  readonly topic: string
  readonly partition: number
  readonly folder: string
  /** Of its checksums. */
  readonly seed: number
  readonly retentionMillis: number | null
  readonly segmentBytesMax: number
  /** In the order of their offsets. The last one is active. */
  readonly segments: Array<Segment>
  /** The newest state of each sink's fence in this partition, by `fenceKey`. */
  readonly fences: Map<string, EpochFence>
  /** Held while records are staged and published. Of several partitions, taken in their order. */
  readonly lock: Effect.Semaphore
  readonly places: Effect.Semaphore
  readonly waiting: Array<Request>
  /** Is a fiber at work on what waits? */
  isAppending: boolean
  /** Ends those who wait for records. */
  readonly published: () => void
  latest: Offset
  lastTime: number
  broken: StorageFailed | null
}

export interface Staged {
  readonly partition: Partition
  readonly segment: Segment
  readonly groups: ReadonlyArray<Frame.Group>
  readonly encoded: Frame.Encoded
  readonly time: number
}

export const oldest = (partition: Partition): Offset => partition.segments[0]?.base ?? partition.latest
export const fenceKey = (job: string, sink: string): string => JSON.stringify([job, sink])
export const segmentName = (base: Offset): string => `${String(base).padStart(20, "0")}.log`

/**
 * Appends records, durably when it ends; answers the offset of the first. Callers that wait while another one is
 * synced are written and synced together.
 */
export const produce = (
  files: LogFiles,
  partition: Partition,
  records: ReadonlyArray<ProducedRecord>,
  bytes: number
): Effect.Effect<Offset, StorageFailed> =>
  Effect.suspend(() => {
    const done = Deferred.unsafeMake<Offset, StorageFailed>(FiberId.none)
    partition.waiting.push({ records, bytes, done })
    if (partition.isAppending) return Deferred.await(done)
    partition.isAppending = true
    return Effect.zipRight(Effect.forkDaemon(appendAll(files, partition)), Deferred.await(done))
  }).pipe(Effect.uninterruptible, partition.places.withPermits(1))

/** Writes groups and syncs them. Nobody sees them yet. The lock is held. */
export const stage = (
  files: LogFiles,
  partition: Partition,
  groups: ReadonlyArray<Frame.Group>
): Effect.Effect<Staged, StorageFailed> =>
  Effect.gen(function* () {
    if (partition.broken !== null) return yield* Effect.fail(partition.broken)
    const time = Math.max(partition.lastTime, yield* Clock.currentTimeMillis)
    const segment = yield* activeSegment(files, partition, time)
    const { seed, latest } = partition
    const encoded = Frame.encode(groups, { base: latest, time, synced: segment.size, seed })
    const staged: Staged = { partition, segment, groups, encoded, time }
    const isOwn = yield* files
      .append(segment.path, segment.size, encoded.bytes)
      .pipe(Effect.tapError(() => takeBack(files, staged)))
    if (isOwn) return staged
    partition.broken = foreign(segment.path)
    return yield* Effect.fail(partition.broken)
  })

/** Takes staged groups off the disk again. */
export const takeBack = (files: LogFiles, { partition, segment }: Staged): Effect.Effect<void> =>
  Effect.catchAll(files.truncate(segment.path, segment.size), (error) =>
    Effect.sync(() => {
      partition.broken = error
    })
  )

/** Shows staged groups to readers: in one step, so that nobody sees one partition without the other. */
export const publish = (files: LogFiles, all: ReadonlyArray<Staged>): Effect.Effect<void> =>
  Effect.suspend(() => {
    show(all)
    return Effect.forEach(
      all,
      ({ partition, segment }) => DurableEnd.write(files, partition, { base: segment.base, size: segment.size }),
      { concurrency: 8, discard: true }
    )
  })

const show = (all: ReadonlyArray<Staged>): void => {
  for (const { partition, segment, groups, encoded, time } of all) {
    const index = segment.index
    if (index !== null)
      for (const [offset, position] of encoded.starts) addToIndex(index, offset, segment.size + position)
    segment.size += encoded.bytes.length
    partition.latest = encoded.next
    partition.lastTime = time
    for (const { notes } of groups) for (const fence of notes?.fences ?? []) setFence(partition, fence)
  }
  for (const { partition } of all) partition.published()
}

export const setFence = (partition: Partition, fence: EpochFence): void => {
  partition.fences.set(fenceKey(fence.job, fence.sink), fence)
}

export const addToIndex = (index: NonNullable<Segment["index"]>, offset: Offset, position: number): void => {
  const last = index[index.length - 1]
  if (last === undefined || position - last[1] >= Limits.indexBytes) index.push([offset, position])
}

/** Removes the segments whose last record is older than the topic keeps; never the active one. The lock is held. */
export const removeExpired = (files: LogFiles, partition: Partition): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    const { segments, retentionMillis } = partition
    if (retentionMillis === null) return
    const now = yield* Clock.currentTimeMillis
    // A segment's last record is older than the first frame of the next one.
    while (segments.length > 1 && (yield* createdAt(files, segments[1]!)) < now - retentionMillis) {
      const removed = segments.shift()!
      yield* files.remove(removed.path)
    }
  })

// Private

/** Appends until nobody waits: who waits keeps the log open as long. */
const appendAll = (files: LogFiles, partition: Partition): Effect.Effect<void> =>
  Effect.whileLoop({
    while: () => {
      partition.isAppending = partition.waiting.length > 0
      return partition.isAppending
    },
    // Who was woken by the last append may come with the next record: it goes into the same one.
    body: () => Effect.zipRight(Effect.yieldNow(), partition.lock.withPermits(1)(appendWaiting(files, partition))),
    step: () => undefined
  }).pipe(Effect.uninterruptible)

const appendWaiting = (files: LogFiles, partition: Partition): Effect.Effect<void> =>
  Effect.suspend(() => {
    let bytes = 0
    let count = 0
    while (count < partition.waiting.length && (count === 0 || bytes < Limits.appendBytesMax))
      bytes += partition.waiting[count++]!.bytes
    const requests = partition.waiting.splice(0, count)
    const groups = requests.map(({ records }): Frame.Group => ({ records, notes: null }))
    return Effect.gen(function* () {
      const exit = yield* Effect.exit(stage(files, partition, groups))
      let offset = partition.latest
      if (Exit.isSuccess(exit)) yield* publish(files, [exit.value])
      for (const request of requests) {
        Deferred.unsafeDone(request.done, Exit.as(exit, offset))
        offset += request.records.length
      }
    })
  })

/** The last segment, or a new one if that is full, or older than records are kept. */
const activeSegment = (files: LogFiles, partition: Partition, time: number): Effect.Effect<Segment, StorageFailed> =>
  Effect.gen(function* () {
    const active = partition.segments[partition.segments.length - 1]
    if (active !== undefined && active.size < partition.segmentBytesMax) {
      const { retentionMillis } = partition
      if (retentionMillis === null || (yield* createdAt(files, active)) >= time - retentionMillis) return active
    }
    // An empty segment has the name that the new one would have.
    if (active !== undefined && active.base === partition.latest) return active
    const segment = yield* newSegment(files, partition, time)
    partition.segments.push(segment)
    yield* removeExpired(files, partition)
    return segment
  })

const newSegment = (files: LogFiles, partition: Partition, time: number): Effect.Effect<Segment, StorageFailed> =>
  Effect.gen(function* () {
    const path = files.join(partition.folder, segmentName(partition.latest))
    const head: Frame.Group = { records: [], notes: { fences: [...partition.fences.values()] } }
    const { seed, latest } = partition
    const { bytes } = Frame.encode([head], { base: latest, time, synced: 0, seed })
    const giveUp = Effect.catchAll(files.remove(path), (error) =>
      Effect.sync(() => {
        partition.broken = error
      })
    )
    const isOwn = yield* Effect.tapError(
      Effect.zipLeft(files.append(path, 0, bytes), files.syncFolder(partition.folder)),
      () => giveUp
    )
    if (isOwn) return { base: latest, path, size: bytes.length, createdAt: time, index: [[latest, 0]] }
    partition.broken = foreign(path)
    return yield* Effect.fail(partition.broken)
  })

const createdAt = (files: LogFiles, segment: Segment): Effect.Effect<number, StorageFailed> =>
  Effect.gen(function* () {
    if (segment.createdAt !== null) return segment.createdAt
    const head = Frame.emptyChunk(Frame.headerBytes)
    yield* files.readAt(segment.path, 0, head.bytes)
    segment.createdAt = Frame.timeAt(head, 0)
    return segment.createdAt
  })

const foreign = (path: string) =>
  new StorageFailed({
    path,
    message: `Cannot write to ${path}: it has changed since this process opened it, so another process writes to this log`,
    hint: "Only one process may own a data folder. Stop the other one, or this one, and start again."
  })
