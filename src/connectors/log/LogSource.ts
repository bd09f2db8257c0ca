/**
 * Reads a partition from any offset: about `Limits.batchBytesMax` at a time, checked, as views into one buffer.
 *
 * A cursor keeps the chunk that it stopped in, so that reading on costs no second look at the same bytes.
 */
import { Effect } from "effect"
import type { RecordMark, SourceReader } from "../../flow/Source.ts"
import type { StoredRecord } from "../../flow/Topics.ts"
import * as Digest from "../../model/Digest.ts"
import { type LogCorrupted, OffsetOutOfRange, type StorageFailed } from "../../model/Errors.ts"
import type { Offset, RecordBatch } from "../../model/Event.ts"
import * as Limits from "../../model/Limits.ts"
import * as Frame from "./Frame.ts"
import type { LogFiles } from "./LogFiles.ts"
import { addToIndex, oldest, type Partition, type Segment } from "./LogPartition.ts"
import { corrupted } from "./LogRecovery.ts"
import { changedSince, describe, expire, partitionOf, type Topic } from "./LogTopic.ts"

/** Records that are asked for one by one rather than in bulk. */
const fewRecords = 256

type ReadError = OffsetOutOfRange | StorageFailed | LogCorrupted

/** Where reading goes on: a record of a frame of a chunk. */
interface Cursor {
  readonly segment: Segment
  readonly position: number
  readonly chunk: Frame.Chunk
  readonly frames: ReadonlyArray<Frame.Frame>
  frame: number
  /** Of the next record: where it begins, and which of its frame's it is. */
  at: number
  record: number
}

interface Read {
  readonly batch: RecordBatch
  readonly chunk: Frame.Chunk
  readonly cursor: Cursor
}

export const reader = (files: LogFiles, topic: Topic, identity: string): SourceReader => {
  const cursors = new Map<number, Cursor>()
  let version = topic.version
  return {
    identity: `${identity}/${topic.id}`,
    finite: false,
    partitions: Effect.map(expire(files, topic), () => describe(topic).partitions),
    read: (number, offset, recordsMax) =>
      Effect.gen(function* () {
        version = topic.version
        const partition = yield* partitionOf(topic, number)
        const read = yield* readFrom(files, partition, offset, recordsMax, cursors.get(number) ?? null)
        if (read === null) return null
        cursors.set(number, read.cursor)
        return read.batch
      }),
    changed: Effect.suspend(() => changedSince(topic, version)),
    markBefore: (number, offset) =>
      Effect.flatMap(partitionOf(topic, number), (partition) => markBefore(files, partition, offset))
  }
}

/** Records with keys and headers, as copies. */
export const fetch = (
  files: LogFiles,
  partition: Partition,
  offset: Offset,
  count: number
): Effect.Effect<ReadonlyArray<StoredRecord>, ReadError> =>
  Effect.gen(function* () {
    const records: Array<StoredRecord> = []
    let cursor: Cursor | null = null
    let next = offset
    while (records.length < count) {
      const read: Read | null = yield* readFrom(
        files,
        partition,
        next,
        Math.min(count - records.length, Limits.batchRecordsMax),
        cursor
      )
      if (read === null) break
      for (let i = 0; i < read.batch.count; i++) records.push(storedRecord(read, i))
      cursor = read.cursor
      next = read.batch.nextOffset
    }
    return records
  })

// Private

const markBefore = (
  files: LogFiles,
  partition: Partition,
  offset: Offset
): Effect.Effect<RecordMark | null, StorageFailed | LogCorrupted> =>
  Effect.gen(function* () {
    if (offset <= oldest(partition) || offset > partition.latest) return null
    const [record] = yield* fetch(files, partition, offset - 1, 1)
    if (record === undefined) return null
    const digest = Digest.make()
    digest.bytes(record.value)
    return { timestamp: record.timestamp, checksum: Number.parseInt(digest.result().slice(0, 8), 16) }
  }).pipe(Effect.catchTag("OffsetOutOfRange", () => Effect.succeed(null)))

const readFrom = (
  files: LogFiles,
  partition: Partition,
  offset: Offset,
  recordsMax: number,
  last: Cursor | null
): Effect.Effect<Read | null, ReadError> =>
  Effect.gen(function* () {
    if (offset < oldest(partition) || offset > partition.latest) return yield* outOfRange(partition, offset)
    if (offset === partition.latest) return null
    // A few records are not worth the reading and checking of a whole batch of bytes.
    const bytes = recordsMax <= fewRecords ? 2 * Limits.frameBytesMax : Limits.batchBytesMax
    let cursor = last !== null && nextOf(last) === offset ? yield* resume(files, partition, last, bytes) : null
    cursor ??= yield* locate(files, partition, offset, bytes)
    const batch = fill(partition.partition, cursor, Math.max(1, recordsMax))
    return { batch, chunk: cursor.chunk, cursor }
  }).pipe(
    // Retention may remove a segment between the look at the range and the read.
    Effect.catchTag(
      "StorageFailed",
      (error): Effect.Effect<never, StorageFailed | OffsetOutOfRange> =>
        offset < oldest(partition) ? Effect.fail(outOfRange(partition, offset)) : Effect.fail(error)
    )
  )

/** The offset of the cursor's next record. */
const nextOf = ({ frames, frame, record }: Cursor): Offset => {
  const current = frames[frame]
  const last = frames[frames.length - 1]!
  return current === undefined ? last.base + last.count : current.base + record
}

/** A cursor with a record to read: this one, or one in the chunk after it. */
const resume = (
  files: LogFiles,
  partition: Partition,
  cursor: Cursor,
  bytes: number
): Effect.Effect<Cursor, StorageFailed | LogCorrupted> =>
  Effect.gen(function* () {
    let current = cursor
    while (true) {
      // Frames of fences have no records.
      while (current.frames[current.frame]?.count === 0) nextFrame(current)
      if (current.frame < current.frames.length) return current
      current = yield* after(files, partition, current, bytes)
    }
  })

/** The chunk after a cursor's, in the same segment or the next one. */
const after = (
  files: LogFiles,
  partition: Partition,
  cursor: Cursor,
  bytes: number
): Effect.Effect<Cursor, StorageFailed | LogCorrupted> =>
  Effect.gen(function* () {
    const { segment, frames } = cursor
    const end = cursor.position + (frames[frames.length - 1]?.end ?? 0)
    if (end < segment.size) return yield* load(files, partition, segment, end, bytes)
    const next = partition.segments[partition.segments.indexOf(segment) + 1]
    if (next === undefined || next.base !== nextOf(cursor))
      return yield* corrupted(segment.path, end, `records from ${nextOf(cursor)} on are missing`)
    return yield* load(files, partition, next, 0, bytes)
  })

/** A cursor at an offset of the partition's range. */
const locate = (
  files: LogFiles,
  partition: Partition,
  offset: Offset,
  bytes: number
): Effect.Effect<Cursor, StorageFailed | LogCorrupted> =>
  Effect.gen(function* () {
    const segment = partition.segments[lastAtMost(partition.segments, offset, (segment) => segment.base)]!
    const index = segment.index ?? (yield* indexOf(files, segment))
    const entry = index[lastAtMost(index, offset, ([offset]) => offset)]
    let cursor = yield* load(files, partition, segment, entry?.[1] ?? 0, bytes)
    while (true) {
      while (cursor.frame < cursor.frames.length) {
        const frame = cursor.frames[cursor.frame]!
        if (offset < frame.base + frame.count) return passOver(cursor, frame, offset - frame.base)
        nextFrame(cursor)
      }
      cursor = yield* after(files, partition, cursor, bytes)
    }
  })

const passOver = (cursor: Cursor, frame: Frame.Frame, records: number): Cursor => {
  const { view } = cursor.chunk
  let at = frame.records
  for (let i = 0; i < records; i++)
    at += 12 + Math.max(0, view.getInt32(at, true)) + view.getInt32(at + 4, true) + view.getInt32(at + 8, true)
  cursor.at = at
  cursor.record = records
  return cursor
}

const nextFrame = (cursor: Cursor): void => {
  cursor.frame++
  cursor.at = cursor.frames[cursor.frame]?.records ?? 0
  cursor.record = 0
}

/** Index of the last element whose value is at most `wanted`. */
const lastAtMost = <A>(sorted: ReadonlyArray<A>, wanted: number, of: (element: A) => number): number => {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (of(sorted[middle]!) <= wanted) low = middle + 1
    else high = middle
  }
  return Math.max(0, low - 1)
}

/** The frames from `position` on that one read holds: at least one. */
const load = (
  files: LogFiles,
  partition: Partition,
  segment: Segment,
  position: number,
  bytesWanted: number
): Effect.Effect<Cursor, StorageFailed | LogCorrupted> =>
  Effect.gen(function* () {
    let bytes = bytesWanted
    while (true) {
      const chunk = Frame.emptyChunk(Math.min(bytes, segment.size - position))
      const length = yield* files.readAt(segment.path, position, chunk.bytes)
      if (length < chunk.bytes.length)
        return yield* corrupted(segment.path, position + length, "it is shorter than it was")
      const step = framesOf(chunk, partition.seed)
      if (step.broken !== null)
        return yield* corrupted(segment.path, position + step.broken, "its checksum is not that of its bytes")
      if (step.frames.length > 0)
        return { segment, position, chunk, frames: step.frames, frame: 0, at: step.frames[0]!.records, record: 0 }
      if (position + step.wanted > segment.size)
        return yield* corrupted(segment.path, position, "it ends within a frame")
      bytes = step.wanted
    }
  })

const framesOf = (chunk: Frame.Chunk, seed: number) => {
  const frames: Array<Frame.Frame> = []
  const end = chunk.bytes.length
  let wanted = 0
  let broken: number | null = null
  for (let at = 0; at < end; ) {
    wanted = at + Frame.headerBytes > end ? Frame.headerBytes : Frame.lengthAt(chunk, at)
    if (wanted > 0 && at + wanted > end) break
    const frame = wanted === 0 ? null : Frame.frameAt(chunk, at, wanted, seed)
    if (frame === null) {
      broken = at
      break
    }
    frames.push(frame)
    at = frame.end
  }
  // Frames before a broken one are good: they are read first.
  return { frames, wanted, broken: frames.length > 0 ? null : broken }
}

/** Makes the index of a segment that was written before this process began: only heads of frames are looked at. */
const indexOf = (files: LogFiles, segment: Segment) =>
  Effect.gen(function* () {
    const index: NonNullable<Segment["index"]> = []
    let position = 0
    while (position + Frame.headerBytes <= segment.size) {
      const chunk = Frame.emptyChunk(Math.min(Limits.batchBytesMax, segment.size - position))
      yield* files.readAt(segment.path, position, chunk.bytes)
      let at = 0
      while (at + Frame.headerBytes <= chunk.bytes.length) {
        const length = Frame.lengthAt(chunk, at)
        if (length === 0) return yield* corrupted(segment.path, position + at, "no frame begins there")
        addToIndex(index, Frame.baseAt(chunk, at), position + at)
        at += length
      }
      position += at
    }
    segment.index = index
    return index
  })

/** Takes records from a cursor, at least one, at most to the end of its chunk: one pass, no value for each record. */
const fill = (partition: number, cursor: Cursor, recordsMax: number): RecordBatch => {
  const { chunk, frames } = cursor
  let held = -cursor.record
  for (let i = cursor.frame; i < frames.length && held < recordsMax; i++) held += frames[i]!.count
  const count = Math.min(held, recordsMax)
  const offsets = new Float64Array(count)
  const timestamps = new Float64Array(count)
  const valueStarts = new Int32Array(count)
  const valueEnds = new Int32Array(count)
  const keyStarts = new Int32Array(count)
  const keyEnds = new Int32Array(count)
  const { view } = chunk
  for (let n = 0; n < count; ) {
    const frame = frames[cursor.frame]!
    const stop = Math.min(count, n + frame.count - cursor.record)
    const { time } = frame
    let offset = frame.base + cursor.record
    let at = cursor.at
    cursor.record += stop - n
    for (; n < stop; n++) {
      const keyLength = view.getInt32(at, true)
      const valueLength = view.getInt32(at + 4, true)
      const headersLength = view.getInt32(at + 8, true)
      const keyStart = at + 12
      const valueStart = keyLength < 0 ? keyStart : keyStart + keyLength
      offsets[n] = offset++
      timestamps[n] = time
      keyStarts[n] = keyLength < 0 ? -1 : keyStart
      keyEnds[n] = keyLength < 0 ? -1 : valueStart
      valueStarts[n] = valueStart
      at = valueStart + valueLength
      valueEnds[n] = at
      at += headersLength
    }
    cursor.at = at
    while (cursor.frame < frames.length && cursor.record >= frames[cursor.frame]!.count) nextFrame(cursor)
  }
  const nextOffset = offsets[count - 1]! + 1
  return {
    partition,
    count,
    offsets,
    timestamps,
    bytes: chunk.bytes,
    valueStarts,
    valueEnds,
    keyStarts,
    keyEnds,
    nextOffset
  }
}

const storedRecord = ({ batch, chunk }: Read, i: number): StoredRecord => {
  const keyStart = batch.keyStarts[i]!
  const valueStart = batch.valueStarts[i]!
  const valueEnd = batch.valueEnds[i]!
  const head = Frame.headOf(keyStart, valueStart)
  return {
    partition: batch.partition,
    offset: batch.offsets[i]!,
    timestamp: batch.timestamps[i]!,
    key: keyStart < 0 ? null : batch.bytes.slice(keyStart, batch.keyEnds[i]),
    value: batch.bytes.slice(valueStart, valueEnd),
    headers: Frame.headersAt(chunk, valueEnd, Frame.headersLengthAt(chunk, head))
  }
}

const outOfRange = (partition: Partition, wanted: Offset) => {
  const { topic, partition: number, latest } = partition
  return new OffsetOutOfRange({
    topic,
    partition: number,
    wanted,
    oldest: oldest(partition),
    latest,
    message: `Topic ${topic}, partition ${number}: offset ${wanted} is wanted, ${oldest(partition)} to ${latest} are held`,
    hint: "Its records are no longer kept, or the log is older than the checkpoint. Keep records for longer, or begin anew: `weir reset <job>`."
  })
}
