/**
 * Reads the partitions of one source in turn, a batch each, and ends epochs where it is told to.
 *
 * - **Emits** `Records`, and at a cut `Barrier` with the offset and state of every partition
 * - **Keeps** the next offset of each partition: what a manifest stores
 * - **Backpressures** when a chain's mailbox is full, or when the epoch is
 * - **Restores** from the offsets of a manifest; replays an intent up to its recorded cuts, not a record further
 * - **Fails with** `OffsetOutOfRange`; `SourceReplaced`, also where an intent counts records that are gone; never goes on
 *   from "latest" by itself
 */
import { Clock, Deferred, Effect } from "effect"
import type { SourceMark } from "../checkpoint/Checkpoint.ts"
import type { Cut, SourceHandle, SourceStatus } from "../checkpoint/Coordinator.ts"
import { patiently } from "../flow/Patience.ts"
import type { PartitionRange, SourceError, SourceReader } from "../flow/Source.ts"
import { type MailboxClosed, OffsetOutOfRange, SourceReplaced, SourceUnavailable } from "../model/Errors.ts"
import type { Offset, RecordBatch } from "../model/Event.ts"
import * as Limits from "../model/Limits.ts"
import type { Barrier, Message, PartitionCut, PartitionState } from "../model/Message.ts"
import { beginning, type Millis } from "../model/Time.ts"
import * as Replays from "./Replays.ts"

export interface SourceOptions {
  readonly id: string
  readonly reader: SourceReader
  /** Where a partition begins that no manifest knows. */
  readonly startAt: "earliest" | "latest"
  /** What the last manifest knows of this source. */
  readonly restored: ReadonlyArray<PartitionCut>
  readonly mark: SourceMark | null
  /** A bounded run reads each partition up to here; `null`: without end. */
  readonly ends: ReadonlyMap<number, Offset> | null
  /** Records of one epoch that the job allows; `null`: as many as an epoch may hold. */
  readonly recordsPerEpochMax: number | null
  /** What an epoch may hold. Absent: `Limits.epochRecordsMax` and `Limits.epochBytesMax`. */
  readonly epochMax?: { readonly records: number; readonly bytes: number }
  readonly idleAfterMillis: number
  /** Is a partition without a single record idle at once? A bounded run does not wait for its silence. Absent: no. */
  readonly emptyIsIdle?: boolean
  readonly attention: Effect.Latch
  /** What of its records is put through the job again. */
  readonly replays?: Replays.Replays
  /** Sends downstream: waits while a mailbox is full. */
  readonly send: (message: Message) => Effect.Effect<void, MailboxClosed>
}

export type SourceFailure = SourceError | MailboxClosed

export interface SourceActor extends SourceHandle {
  readonly run: Effect.Effect<void, SourceFailure>
  /** Sends `End` and ends; called after the last cut. */
  readonly finish: Effect.Effect<void>
  /** Where each partition stands, and what is known of its end. */
  readonly positions: () => ReadonlyArray<{
    readonly partition: number
    readonly offset: Offset
    readonly latest: Offset
    readonly state: PartitionState
  }>
  /** The cut of every partition before anything is read. */
  readonly start: ReadonlyArray<PartitionCut>
  readonly recordsRead: () => number
  /** Asks for a replay of what was set aside of its records and is there now. */
  readonly replay: Effect.Effect<void, SourceError>
  /** Looks for the ends of the partitions anew: what lag is measured by. */
  readonly refresh: Effect.Effect<void, SourceError>
}

interface Partition {
  readonly partition: number
  offset: Offset
  /** Where the epoch that is open began. */
  begunAt: Offset
  latest: Offset
  /** Passed on since the last cut. */
  records: number
  /** The last read found nothing: since then nothing was left to fetch. */
  drained: boolean
  /** A record may have come since: worth another read. */
  stirred: boolean
  idle: boolean
  stateAtCut: PartitionState
  lastReadAt: Millis
  isNew: boolean
}

interface Request {
  readonly cut: Cut
  readonly reply: Deferred.Deferred<ReadonlyArray<PartitionCut>, SourceFailure>
}

export const make = (options: SourceOptions): Effect.Effect<SourceActor, SourceError> =>
  Effect.gen(function* () {
    const { id, reader } = options
    const replays = options.replays ?? Replays.none
    const epochMax = options.epochMax ?? { records: Limits.epochRecordsMax, bytes: Limits.epochBytesMax }
    const assignedAt = yield* Clock.currentTimeMillis
    const partitions = new Map<number, Partition>()
    for (const range of yield* reader.partitions) {
      const restored = options.restored.find((cut) => cut.partition === range.partition)
      if (restored !== undefined) yield* checkRange(id, restored.offset, range)
      const isEmpty = options.emptyIsIdle === true && range.oldest >= range.latest
      partitions.set(range.partition, assigned(range, restored, { startAt: options.startAt, at: assignedAt, isEmpty }))
    }
    yield* checkIdentity(options)
    const wake = yield* Effect.makeLatch(false)
    const order = { next: 0 }
    let openedAt: Millis | null = null
    let request: Request | null = null
    let finishing = false
    let records = 0
    let bytes = 0
    let recordsRead = 0
    let again: Replays.Sent = { records: 0, skipped: 0 }
    let marks = new Map(options.mark?.partitions.map((mark) => [mark.partition, mark]))

    const endOf = (partition: Partition): Offset =>
      options.ends === null ? Number.POSITIVE_INFINITY : (options.ends.get(partition.partition) ?? 0)
    const ownEndOf = ({ begunAt, partition }: Partition): Offset =>
      reader.epochEnd?.(partition, begunAt) ?? Number.POSITIVE_INFINITY
    const ended = (): boolean =>
      options.ends !== null && [...partitions.values()].every((partition) => partition.offset >= endOf(partition))
    const full = (): "bound" | "rate" | null => {
      if (records >= epochMax.records || bytes >= epochMax.bytes) return "bound"
      if (options.recordsPerEpochMax !== null && records >= options.recordsPerEpochMax) return "rate"
      return [...partitions.values()].some((partition) => partition.offset >= ownEndOf(partition)) ? "rate" : null
    }
    const stateOf = (partition: Partition, now: Millis): PartitionState => {
      if (reader.finite && partition.offset >= partition.latest) return "finished"
      if (partition.idle) return "idle"
      return partition.drained && now - partition.lastReadAt >= options.idleAfterMillis ? "idle" : "active"
    }
    const status = (now: Millis): SourceStatus => ({
      records,
      turned:
        replays.isPending() ||
        [...partitions.values()].some(
          (partition) => partition.isNew || stateOf(partition, now) !== partition.stateAtCut
        ),
      // A replay does not wait for the trigger.
      full: replays.isPending() ? "bound" : full(),
      ended: ended() && !replays.isPending()
    })

    const pass = (batch: RecordBatch, partition: Partition, at: Millis): Effect.Effect<void, MailboxClosed> => {
      partition.offset = batch.nextOffset
      partition.records += batch.count
      partition.latest = Math.max(partition.latest, batch.nextOffset)
      partition.idle = false
      partition.lastReadAt = at
      records += batch.count
      recordsRead += batch.count
      bytes += batch.bytes.length
      return batch.count === 0
        ? Effect.void
        : options.send({ _tag: "Records", origin: id, openedAt: openedAt!, records: batch })
    }
    const readNext = (partition: Partition, recordsMax: number): Effect.Effect<boolean, SourceFailure> =>
      Effect.gen(function* () {
        const batch = yield* reader.read(partition.partition, partition.offset, recordsMax)
        partition.drained = batch === null
        partition.stirred = false
        if (batch !== null) yield* pass(batch, partition, yield* Clock.currentTimeMillis)
        return batch !== null
      })

    /** Reads some of what an intent names. A topic that holds it may be slow to hand it out, as after a change of leader. */
    const readTowards = (cut: PartitionCut, partition: Partition): Effect.Effect<void, SourceFailure> =>
      Effect.gen(function* () {
        if (yield* readNext(partition, Math.min(Limits.batchRecordsMax, cut.offset - partition.offset))) return
        const latest = (yield* reader.partitions).find((range) => range.partition === cut.partition)?.latest ?? 0
        yield* latest < cut.offset ? replaced(id, endsBefore(cut, latest)) : withheld(id, cut, partition.offset)
      })

    /** Reads up to the recorded cuts of an intent: the log must still hold every record of it. */
    const readTo = (cuts: ReadonlyArray<PartitionCut>): Effect.Effect<void, SourceFailure> =>
      Effect.forEach(
        cuts.filter((cut) => cut.source === id),
        (cut) =>
          Effect.gen(function* () {
            const partition = partitions.get(cut.partition)
            if (partition === undefined)
              return yield* replaced(id, `partition ${cut.partition}, which an intent names, is gone`)
            while (partition.offset < cut.offset) yield* patiently(readTowards(cut, partition))
            const counted = cut.records ?? 0
            if (partition.records < counted) return yield* forgotten(id, cut, counted - partition.records)
          }),
        { discard: true }
      )

    const serve = ({ cut }: Request): Effect.Effect<ReadonlyArray<PartitionCut>, SourceFailure> =>
      Effect.gen(function* () {
        if (cut.partitions !== null) {
          openedAt = cut.openedAt
          yield* readTo(cut.partitions)
        }
        again = yield* replays.forward(cut.openedAt, cut.partitions === null ? null : (cut.replays ?? []))
        const cuts = [...partitions.values()].flatMap((partition): ReadonlyArray<PartitionCut> => {
          const recorded = cut.partitions?.find(
            (other) => other.source === id && other.partition === partition.partition
          )
          if (cut.partitions !== null && recorded === undefined) return []
          const state = recorded?.state ?? stateOf(partition, cut.closedAt)
          partition.idle = state === "idle"
          partition.stateAtCut = state
          partition.isNew = false
          partition.begunAt = partition.offset
          const counted = reader.forgets === true ? { records: partition.records } : {}
          partition.records = 0
          return [{ source: id, partition: partition.partition, offset: partition.offset, state, ...counted }]
        })
        const barrier: Barrier = {
          _tag: "Barrier",
          epoch: cut.epoch,
          openedAt: cut.openedAt,
          closedAt: cut.closedAt,
          final: cut.final,
          partitions: cuts,
          watermark: beginning,
          idle: false,
          ...(cut.lookups === undefined ? {} : { lookups: cut.lookups })
        }
        records = 0
        bytes = 0
        openedAt = cut.partitions === null ? cut.closedAt : null
        yield* options.send(barrier)
        return cuts
      })

    /** The next partition that may have a record: they take turns. */
    const nextPartition = (): Partition | null => {
      const all = [...partitions.values()]
      for (let step = 0; step < all.length; step++) {
        const partition = all[(order.next + step) % all.length]!
        if ((partition.drained && !partition.stirred) || partition.offset >= endOf(partition)) continue
        order.next = (order.next + step + 1) % all.length
        return partition
      }
      return null
    }
    const allowed = (partition: Partition): number => {
      const left = (options.recordsPerEpochMax ?? epochMax.records) - records
      const fair = options.recordsPerEpochMax === null ? left : Math.ceil(options.recordsPerEpochMax / partitions.size)
      return Math.max(
        1,
        Math.min(
          Limits.batchRecordsMax,
          left,
          fair,
          endOf(partition) - partition.offset,
          ownEndOf(partition) - partition.offset
        )
      )
    }
    const refresh = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      for (const range of yield* reader.partitions) {
        const known = partitions.get(range.partition)
        if (known !== undefined) known.latest = range.latest
        // A partition that was found while running is read from its beginning.
        else
          partitions.set(range.partition, assigned(range, undefined, { startAt: "earliest", at: now, isEmpty: false }))
      }
    })
    const waitForRecords = Effect.gen(function* () {
      if (ended()) yield* options.attention.open
      if (openedAt === null || full() !== null || ended()) {
        if (full() !== null) yield* options.attention.open
        return yield* wake.await
      }
      yield* refresh
      yield* Effect.raceFirst(reader.changed, wake.await)
      for (const partition of partitions.values()) partition.stirred = true
    })

    const run: Effect.Effect<void, SourceFailure> = Effect.gen(function* () {
      while (true) {
        if (request !== null) {
          const served: Request = request
          request = null
          const cuts = yield* Effect.onError(serve(served), (cause) => Deferred.failCause(served.reply, cause))
          yield* Deferred.succeed(served.reply, cuts)
          continue
        }
        if (finishing) return yield* options.send({ _tag: "End" })
        yield* wake.close
        const partition = openedAt === null || full() !== null ? null : nextPartition()
        if (partition === null) {
          if (request === null && !finishing) yield* waitForRecords
          continue
        }
        yield* readNext(partition, allowed(partition))
      }
    })

    return {
      id,
      status,
      run,
      finish: Effect.suspend(() => {
        finishing = true
        return wake.open
      }),
      refresh,
      start: [...partitions.values()].map(({ offset, partition, stateAtCut }) => ({
        source: id,
        partition,
        offset,
        state: stateAtCut
      })),
      recordsRead: () => recordsRead,
      positions: () =>
        [...partitions.values()].map(({ latest, offset, partition, stateAtCut }) => ({
          partition,
          offset,
          latest,
          state: stateAtCut
        })),
      opened: (at) => {
        openedAt = at
        wake.unsafeOpen()
      },
      again: () => ({ ...again, cuts: replays.cuts() }),
      replay: Effect.zipRight(replays.ask, options.attention.open),
      cut: (cut) =>
        Effect.gen(function* () {
          const reply = yield* Deferred.make<ReadonlyArray<PartitionCut>, SourceFailure>()
          request = { cut, reply }
          yield* wake.open
          return yield* Deferred.await(reply)
        }),
      mark: (cuts) =>
        Effect.gen(function* () {
          const next: typeof marks = new Map()
          for (const { offset, partition } of cuts) {
            const known = marks.get(partition)
            if (known?.offset === offset) {
              next.set(partition, known)
              continue
            }
            const mark = yield* reader.markBefore(partition, offset)
            next.set(partition, {
              partition,
              offset,
              timestamp: mark?.timestamp ?? null,
              checksum: mark?.checksum ?? null
            })
          }
          marks = next
          return { source: id, identity: reader.identity, partitions: [...next.values()] }
        })
    }
  })

const assigned = (
  range: PartitionRange,
  restored: PartitionCut | undefined,
  { at, isEmpty, startAt }: { readonly startAt: "earliest" | "latest"; readonly at: Millis; readonly isEmpty: boolean }
): Partition => ({
  partition: range.partition,
  offset: offsetOf(range, restored, startAt),
  begunAt: offsetOf(range, restored, startAt),
  latest: range.latest,
  records: 0,
  drained: false,
  stirred: false,
  idle: isEmpty || restored?.state === "idle",
  stateAtCut: restored?.state ?? (isEmpty ? "idle" : "active"),
  lastReadAt: at,
  isNew: false
})

const offsetOf = (
  { latest, oldest }: PartitionRange,
  restored: PartitionCut | undefined,
  startAt: "earliest" | "latest"
): Offset => restored?.offset ?? (startAt === "latest" ? latest : oldest)

const checkRange = (
  source: string,
  wanted: Offset,
  { latest, oldest, partition }: PartitionRange
): Effect.Effect<void, OffsetOutOfRange> =>
  wanted >= oldest && wanted <= latest
    ? Effect.void
    : new OffsetOutOfRange({
        topic: source,
        partition,
        wanted,
        oldest,
        latest,
        message: `Source ${source}: partition ${partition} holds the offsets from ${oldest} to ${latest}, and the last checkpoint wants ${wanted}`,
        hint: "The records after the checkpoint are gone, so its results cannot be continued. Restore the topic, or begin a new lineage with `weir reset <job>`."
      })

/** The topic must be the one that the checkpoint was made from: the same log, with the same record before each offset. */
const checkIdentity = ({ id, mark, reader }: SourceOptions): Effect.Effect<void, SourceError> =>
  Effect.gen(function* () {
    if (mark === null) return
    if (mark.identity !== reader.identity)
      return yield* replaced(
        id,
        `it is another one (${reader.identity}) than the checkpoint was made from (${mark.identity})`
      )
    for (const { checksum, offset, partition, timestamp } of mark.partitions) {
      if (checksum === null) continue
      const found = yield* reader.markBefore(partition, offset)
      if (found !== null && (found.checksum !== checksum || found.timestamp !== timestamp)) {
        return yield* replaced(
          id,
          `the record before offset ${offset} of partition ${partition} is another one than when the checkpoint was made`
        )
      }
    }
  })

const forgotten = (source: string, { offset, partition }: PartitionCut, records: number) =>
  new SourceReplaced({
    source,
    message: `Source ${source}: ${records} records of partition ${partition} before offset ${offset} are gone since an epoch was computed of them that is not durable yet: computed again, it would be another one`,
    hint: "Begin a new lineage with `weir reset <job>`. So that it does not happen again, let the topic keep records for longer before it compacts them: raise its `min.compaction.lag.ms` above the time for which the job may be away."
  })

const endsBefore = ({ offset, partition }: PartitionCut, latest: Offset): string =>
  `partition ${partition} ends at ${latest}, before offset ${offset} that an intent names`

const withheld = (source: string, { offset, partition }: PartitionCut, from: Offset) =>
  new SourceUnavailable({
    source,
    message: `Source ${source}: partition ${partition} gives no record from offset ${from} on, and holds more: an intent names offset ${offset}`,
    hint: "It is asked again by itself. If it goes on: look at the leader of the partition and its replicas."
  })

const replaced = (source: string, why: string) =>
  new SourceReplaced({
    source,
    message: `Source ${source}: ${why}`,
    hint: "Results of the old records cannot be continued with new ones. Restore the topic, or begin a new lineage with `weir reset <job>`."
  })
