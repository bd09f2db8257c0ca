/**
 * What is found when a partition is opened: where its last segment ends, and the fences of sinks.
 *
 * Only the last segment is read. A frame that cannot be read is a torn tail if it was never durable: the process died
 * while it was written, nobody was told that it is there, and it is cut off. If it was durable once (a readable frame
 * behind it says so, or `DurableEnd`), records are lost: that is an error, and nothing is changed.
 */
import { Effect } from "effect"
import type { EpochFence } from "../../flow/EpochFence.ts"
import { LogCorrupted, type StorageFailed } from "../../model/Errors.ts"
import type { Offset } from "../../model/Event.ts"
import * as Limits from "../../model/Limits.ts"
import * as DurableEnd from "./DurableEnd.ts"
import * as Frame from "./Frame.ts"
import type { LogFiles } from "./LogFiles.ts"
import { addToIndex, fenceKey, type Partition, type Segment, segmentName, setFence } from "./LogPartition.ts"

/** The last group of a partition, if it is a part of a sink's epoch. */
export interface EpochTail {
  readonly fence: EpochFence
  /** The fence before it. */
  readonly before: EpochFence | null
  readonly partitions: ReadonlyArray<number>
  readonly base: Offset
  readonly position: number
  /** Was it shown to readers? Then all partitions of the epoch held it. */
  readonly isDurable: boolean
}

/** Finds the end of a partition, whose segments are not known yet; answers an epoch at its tail. */
export const recover = (
  files: LogFiles,
  partition: Partition
): Effect.Effect<EpochTail | null, LogCorrupted | StorageFailed> =>
  Effect.gen(function* () {
    const bases = (yield* files.names(partition.folder)).flatMap(baseOf)
    const durable = yield* DurableEnd.read(files, partition)
    if (durable !== null && !bases.some((base) => base >= durable.base))
      return yield* corrupted(files.join(partition.folder, segmentName(durable.base)), 0, "the file is gone")
    let unbegun: Offset | null = null
    while (bases.length > 0) {
      const segment = segmentOf(files, partition, bases[bases.length - 1]!)
      const scan = yield* scanSegment(files, partition, segment)
      const whole = durable?.base === segment.base ? durable.size : 0
      if (scan.end < whole)
        return yield* corrupted(segment.path, scan.end, `${whole - scan.end} bytes that were written cannot be read`)
      if (scan.end === 0 && (bases.length > 1 || segment.base === 0)) {
        // The process died while it began this segment: nothing was in it.
        if (scan.size > 0) yield* cutOff(segment, scan)
        yield* files.remove(segment.path)
        unbegun = segment.base
        bases.pop()
        continue
      }
      if (scan.end === 0) return yield* corrupted(segment.path, 0, "its first frame cannot be read")
      if (unbegun !== null && unbegun !== scan.next)
        return yield* corrupted(segment.path, scan.end, `records ${scan.next} to ${unbegun - 1} are missing`)
      if (scan.end < scan.size) {
        yield* cutOff(segment, scan)
        yield* files.truncate(segment.path, scan.end)
      } else yield* files.sync(segment.path)
      yield* adopt(files, partition, bases, segment, scan)
      return scan.tail === null ? null : { ...scan.tail, isDurable: scan.tail.position < whole }
    }
    return null
  })

/** Cuts off the part of an epoch that another partition does not hold. */
export const cutTail = (
  files: LogFiles,
  partition: Partition,
  tail: EpochTail
): Effect.Effect<void, StorageFailed | LogCorrupted> =>
  Effect.gen(function* () {
    const segment = partition.segments[partition.segments.length - 1]!
    if (tail.isDurable)
      return yield* corrupted(segment.path, tail.position, "other partitions have lost their part of an epoch")
    yield* files.truncate(segment.path, tail.position)
    segment.size = tail.position
    segment.index = segment.index?.filter(([, position]) => position < tail.position) ?? null
    partition.latest = tail.base
    if (tail.before === null) partition.fences.delete(fenceKey(tail.fence.job, tail.fence.sink))
    else setFence(partition, tail.before)
  })

/** The fences that the file of the last segment holds now, whoever wrote them. */
export const fencesOnDisk = (
  files: LogFiles,
  partition: Partition
): Effect.Effect<ReadonlyMap<string, EpochFence>, LogCorrupted | StorageFailed> =>
  Effect.gen(function* () {
    const base = (yield* files.names(partition.folder)).flatMap(baseOf).pop()
    if (base === undefined) return new Map()
    return (yield* scanSegment(files, partition, segmentOf(files, partition, base))).fences
  })

export const corrupted = (file: string, position: number, what: string) =>
  new LogCorrupted({
    file,
    position,
    message: `${file} is damaged at byte ${position}: ${what}`,
    hint: "The disk lost or changed bytes that were written. Restore the folder of this topic from a copy, or remove it to begin it anew."
  })

// Private

interface Scan {
  readonly size: number
  /** The position after the last group that is whole. */
  end: number
  next: Offset
  time: number
  createdAt: number
  readonly index: NonNullable<Segment["index"]>
  readonly fences: Map<string, EpochFence>
  tail: Omit<EpochTail, "isDurable"> | null
}

// A damaged last frame looks the same as one that was never finished: whoever knows of no crash has to hear of it.
const cutOff = (segment: Segment, { end, next, size }: Scan) =>
  Effect.logWarning(
    `${segment.path}: its last ${size - end} bytes are no whole batch and are cut off, as after a crash; it ends before record ${next} now`
  )

const baseOf = (name: string): ReadonlyArray<Offset> => (/^\d{20}\.log$/.test(name) ? [Number.parseInt(name, 10)] : [])

const segmentOf = (files: LogFiles, partition: Partition, base: Offset): Segment => ({
  base,
  path: files.join(partition.folder, segmentName(base)),
  size: 0,
  createdAt: null,
  index: null
})

const adopt = (
  files: LogFiles,
  partition: Partition,
  bases: ReadonlyArray<Offset>,
  last: Segment,
  scan: Scan
): Effect.Effect<void, StorageFailed> =>
  Effect.gen(function* () {
    for (const base of bases.slice(0, -1)) {
      const segment = segmentOf(files, partition, base)
      segment.size = yield* files.size(segment.path)
      partition.segments.push(segment)
    }
    last.size = scan.end
    last.index = scan.index
    last.createdAt = scan.createdAt
    partition.segments.push(last)
    partition.latest = scan.next
    partition.lastTime = scan.time
    for (const [key, fence] of scan.fences) partition.fences.set(key, fence)
  })

const scanSegment = (
  files: LogFiles,
  partition: Partition,
  segment: Segment
): Effect.Effect<Scan, LogCorrupted | StorageFailed> =>
  Effect.gen(function* () {
    const size = yield* files.size(segment.path)
    const scan: Scan = {
      size,
      end: 0,
      next: segment.base,
      time: 0,
      createdAt: 0,
      index: [],
      fences: new Map(),
      tail: null
    }
    const group = { position: 0, base: segment.base, next: segment.base }
    let position = 0
    let wanted: number = Limits.batchBytesMax
    while (position < size) {
      const chunk = Frame.emptyChunk(Math.min(wanted, size - position))
      yield* files.readAt(segment.path, position, chunk.bytes)
      const step = scanChunk(chunk, position, partition.seed, scan, group)
      if (step.foreign !== null)
        return yield* corrupted(
          segment.path,
          step.foreign,
          "a frame has an offset that does not follow the one before it"
        )
      const isShort = step.wanted > 0 && position + step.passed + step.wanted <= size
      if (step.broken || (step.wanted > 0 && !isShort)) {
        yield* refuseIfDurable(files, partition, segment, position + step.passed, size)
        return scan
      }
      position += step.passed
      wanted = Math.max(Limits.batchBytesMax, step.wanted)
    }
    return scan
  })

interface Step {
  /** Bytes of the chunk that were frames. */
  readonly passed: number
  /** Bytes that the next frame needs; 0: the chunk ended with a frame. */
  readonly wanted: number
  readonly broken: boolean
  readonly foreign: number | null
}

const scanChunk = (
  chunk: Frame.Chunk,
  position: number,
  seed: number,
  scan: Scan,
  group: { position: number; base: Offset; next: Offset }
): Step => {
  const stop = (passed: number, more: Partial<Step>): Step => ({
    passed,
    wanted: 0,
    broken: false,
    foreign: null,
    ...more
  })
  let at = 0
  while (at < chunk.bytes.length) {
    if (at + Frame.headerBytes > chunk.bytes.length) return stop(at, { wanted: Frame.headerBytes })
    const length = Frame.lengthAt(chunk, at)
    if (length === 0) return stop(at, { broken: true })
    if (at + length > chunk.bytes.length) return stop(at, { wanted: length })
    const frame = Frame.frameAt(chunk, at, length, seed)
    if (frame === null) return stop(at, { broken: true })
    if (frame.base !== group.next) return stop(at, { foreign: position + at })
    take(frame, position, scan, group)
    at = frame.end
  }
  return stop(at, {})
}

const take = (
  frame: Frame.Frame,
  position: number,
  scan: Scan,
  group: { position: number; base: Offset; next: Offset }
): void => {
  if (scan.end === 0) scan.createdAt = frame.time
  addToIndex(scan.index, frame.base, position + frame.start)
  group.next += frame.count
  if (frame.goesOn) return
  scan.tail = tailOf(frame, scan, group)
  for (const fence of frame.notes?.fences ?? []) scan.fences.set(fenceKey(fence.job, fence.sink), fence)
  scan.end = position + frame.end
  scan.next = group.next
  scan.time = frame.time
  group.position = scan.end
  group.base = group.next
}

const tailOf = (frame: Frame.Frame, scan: Scan, group: { position: number; base: Offset }): Scan["tail"] => {
  const fence = frame.notes?.fences[0]
  const partitions = frame.notes?.partitions
  if (fence === undefined || partitions === undefined) return null
  const before = scan.fences.get(fenceKey(fence.job, fence.sink)) ?? null
  return { fence, before, partitions, base: group.base, position: group.position }
}

/** Fails if a readable frame behind `broken` says that `broken` had been durable when it was written. */
const refuseIfDurable = (
  files: LogFiles,
  partition: Partition,
  segment: Segment,
  broken: number,
  size: number
): Effect.Effect<void, LogCorrupted | StorageFailed> =>
  Effect.gen(function* () {
    const rest = Frame.emptyChunk(size - broken)
    yield* files.readAt(segment.path, broken, rest.bytes)
    const found = findFrame(rest, partition.seed, broken)
    if (found === "synced later") return yield* corrupted(segment.path, broken, "its checksum is not that of its bytes")
    if (found === "unknown")
      return yield* corrupted(segment.path, broken, "whether records follow it cannot be told within bounds")
  })

const findFrame = (rest: Frame.Chunk, seed: number, broken: number): "synced later" | "unknown" | "none" => {
  // Records may hold what looks like frames, each as long as all that follows.
  let checkedMax = rest.bytes.length * 4
  for (let at = 4; at + Frame.headerBytes <= rest.bytes.length; at += 4) {
    const length = Frame.lengthAt(rest, at)
    if (length === 0 || at + length > rest.bytes.length) continue
    if (checkedMax < length) return "unknown"
    checkedMax -= length
    const frame = Frame.frameAt(rest, at, length, seed)
    if (frame === null) continue
    if (frame.synced > broken) return "synced later"
    at = frame.end - 4
  }
  return "none"
}
