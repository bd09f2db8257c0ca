/**
 * Reads the partitions of a topic, all at once: while one batch of a partition is worked on, the next one is fetched.
 *
 * Of each partition at most what two requests bring is in memory, and none is sent before a batch of it is asked for:
 * a slow job fetches slowly. When nothing is left, the brokers are asked to answer as soon as something comes.
 */
import { Effect, Exit, Fiber, Option, type Scope } from "effect"
import type { RecordMark, SourceError, SourceReader } from "../../flow/Source.ts"
import type { StoredRecord } from "../../flow/Topics.ts"
import { SourceReplaced } from "../../model/Errors.ts"
import type { Offset } from "../../model/Event.ts"
import { patiently } from "./KafkaClient.ts"
import { explain, KafkaFailure, outOfRange } from "./KafkaFailure.ts"
import { awaitRecords, type Found, fetchBatches, fetchRecords, leaderOf } from "./KafkaFetch.ts"
import { keepOffsets } from "./KafkaGroup.ts"
import * as KafkaRecords from "./KafkaRecords.ts"
import { type Cluster, find, ranges } from "./KafkaTopics.ts"

/** `changed` ends after so long whatever happens, in milliseconds: a partition may have come. */
const lookAgainMillis = 1_000

/** A partition that is read. */
interface Feed {
  readonly partition: number
  /** The next to hand out. */
  position: Offset
  /** What was fetched and not handed out; the first may begin before `position`. */
  records: ReadonlyArray<KafkaRecords.Records>
  /** Of the first: records that were handed out. */
  taken: number
  /** A request from `position` on that is under way. */
  request: { readonly fiber: Fiber.Fiber<void, KafkaFailure>; readonly waits: boolean } | null
  /** The last request found nothing, and nobody was told. */
  isEmpty: boolean
  /** How the record before `position` is recognised, where it is known. */
  mark: RecordMark | null
}

/** A topic that is read. */
export interface ReadTopic {
  readonly topic: string
  readonly id: string
  /** Is it compacted? */
  readonly forgets: boolean
}

export const reader = (
  cluster: Cluster,
  { forgets, id, topic }: ReadTopic
): Effect.Effect<SourceReader, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope): SourceReader => {
    const feeds = new Map<number, Feed>()
    /** Has a request brought something, or failed, since `changed` ended? */
    let stirred = false
    const feedAt = (partition: number, offset: Offset): Feed => {
      const known = feeds.get(partition)
      if (known?.position === offset) return known
      // What is under way for another offset ends by itself, and is dropped.
      const feed = { partition, position: offset, records: [], taken: 0, request: null, isEmpty: false, mark: null }
      feeds.set(partition, feed)
      return feed
    }
    const received = (feed: Feed, records: Found["records"]): void => {
      feed.records = records
      feed.taken = 0
      feed.isEmpty = records.length === 0
      stirred ||= records.length > 0
    }
    const started = (feeds: ReadonlyArray<Feed>, waits: boolean, request: Effect.Effect<void, KafkaFailure>) =>
      Effect.gen(function* () {
        const failed = Effect.sync(() => {
          stirred = true
        })
        const fiber = yield* Effect.forkIn(
          Effect.onError(request, () => failed),
          scope
        )
        for (const feed of feeds) feed.request = { fiber, waits }
      })
    const start = (feed: Feed): Effect.Effect<void> =>
      started(
        [feed],
        false,
        fetchRecords(cluster, topic, { partition: feed.partition, offset: feed.position }).pipe(
          patiently(cluster.client),
          Effect.map((records) => received(feed, records))
        )
      )
    /** Ends when the request that is under way has ended; its failure is the caller's. */
    const joined = (feed: Feed): Effect.Effect<void, KafkaFailure> =>
      Effect.gen(function* () {
        const exit = yield* Fiber.await(feed.request!.fiber)
        feed.request = null
        if (Exit.isFailure(exit)) return yield* Effect.failCause(exit.cause)
      })
    const take = (feed: Feed, recordsMax: number): Effect.Effect<KafkaRecords.Records> =>
      Effect.gen(function* () {
        const first = feed.records[0]!
        // Never past so many offsets: a cut behind which nothing was to be read is not passed over.
        const records = KafkaRecords.part(first, feed.taken, feed.position + Math.max(1, recordsMax))
        feed.taken += records.count
        feed.position = records.nextOffset
        feed.mark = records.mark
        if (feed.position >= first.nextOffset) {
          feed.records = feed.records.slice(1)
          feed.taken = 0
        }
        if (feed.records.length === 0) yield* start(feed)
        return records
      })
    const read = (partition: number, offset: Offset, recordsMax: number) =>
      Effect.gen(function* () {
        const feed = feedAt(partition, offset)
        while (true) {
          if (feed.records.length > 0) return yield* take(feed, recordsMax)
          if (feed.request !== null) {
            // Whoever waits for records at the broker has said that there are none.
            if (feed.request.waits && (yield* Fiber.poll(feed.request.fiber))._tag === "None") return null
            yield* joined(feed)
            continue
          }
          if (feed.isEmpty) {
            feed.isEmpty = false
            return null
          }
          yield* start(feed)
        }
      })
    /** Asks the leaders of all partitions that are read to their end to answer when something comes. */
    const wait = Effect.gen(function* () {
      const idle = [...feeds.values()].filter((feed) => feed.request === null)
      const leaders = yield* Effect.forEach(idle, (feed) => leaderOf(cluster, topic, feed.partition))
      for (const leader of new Set(leaders)) {
        const led = idle.filter((_, i) => leaders[i] === leader)
        const wanted = led.map(({ partition, position }) => ({ partition, offset: position }))
        const request = Effect.map(awaitRecords(cluster, topic, leader, wanted), (found) => {
          for (const one of found) {
            const feed = led.find(({ partition }) => partition === one.partition)!
            // The read that follows meets an error again, and asks for what did not fit.
            if (one.error === 0 && !one.isCut) received(feed, one.records)
            else stirred = true
          }
        })
        yield* started(led, true, request)
      }
    })
    /** Ends with the first of the requests that are under way, or after a while. */
    const oneAnswered = Effect.gen(function* () {
      const fibers = new Set([...feeds.values()].flatMap(({ request }) => (request === null ? [] : [request.fiber])))
      const open = yield* Effect.filter(fibers, (fiber) => Effect.map(Fiber.poll(fiber), Option.isNone))
      yield* Effect.raceAll([...open.map(Fiber.await), Effect.sleep(lookAgainMillis)])
    })

    return {
      identity: `kafka/${cluster.id}/${id}`,
      finite: false,
      forgets,
      partitions: Effect.gen(function* () {
        const found = yield* patiently(cluster.client)(find(cluster, topic))
        if (found.id !== id) return yield* replaced(topic)
        return yield* ranges(cluster, topic)
      }).pipe(mapped(topic)),
      read: (partition, offset, recordsMax) =>
        Effect.catchIf(
          read(partition, offset, recordsMax),
          ({ type }) => type === "OFFSET_OUT_OF_RANGE",
          () =>
            Effect.flatMap(rangeOf(cluster, topic, partition), (range) => outOfRange(topic, partition, offset, range))
        ).pipe(mapped(topic)),
      changed: Effect.gen(function* () {
        if (!stirred) {
          // Where the brokers cannot be asked now, the read that follows says why.
          yield* Effect.ignore(wait)
          yield* oneAnswered
        }
        stirred = false
      }),
      markBefore: (partition, offset) =>
        Effect.suspend(() => {
          const feed = feeds.get(partition)
          return feed?.position === offset && feed.mark !== null
            ? Effect.succeed(feed.mark)
            : Effect.catchIf(
                patiently(cluster.client)(markBefore(cluster, topic, partition, offset)),
                ({ type }) => type === "OFFSET_OUT_OF_RANGE",
                () => Effect.succeed(null)
              )
        }).pipe(mapped(topic)),
      acknowledge: (job, offsets) => mapped(topic)(keepOffsets(cluster, job, topic, offsets))
    }
  })

/** Committed records with keys and headers, as copies. */
export const fetch = (
  cluster: Cluster,
  topic: string,
  partition: number,
  offset: Offset,
  count: number
): Effect.Effect<ReadonlyArray<StoredRecord>, SourceError> =>
  Effect.gen(function* () {
    const found: Array<StoredRecord> = []
    let position = offset
    while (found.length < count) {
      const all = yield* patiently(cluster.client)(fetchRecords(cluster, topic, { partition, offset: position }))
      if (all.length === 0) break
      for (const records of all) {
        for (let i = 0; i < records.count && found.length < count; i++) found.push(storedRecord(records, i))
        position = records.nextOffset
      }
    }
    return found
  }).pipe(
    Effect.catchIf(
      ({ type }) => type === "OFFSET_OUT_OF_RANGE",
      () => Effect.flatMap(rangeOf(cluster, topic, partition), (range) => outOfRange(topic, partition, offset, range))
    ),
    mapped(topic)
  )

// Private

const storedRecord = (records: KafkaRecords.Records, i: number): StoredRecord => {
  const { bytes, keyEnds, keyStarts, offsets, partition, timestamps, valueEnds, valueStarts } = records
  return {
    partition,
    offset: offsets[i]!,
    timestamp: timestamps[i]!,
    key: keyStarts[i]! < 0 ? null : new Uint8Array(bytes.subarray(keyStarts[i], keyEnds[i])),
    value: new Uint8Array(bytes.subarray(valueStarts[i], valueEnds[i])),
    headers: KafkaRecords.headersAt(records, i)
  }
}

/** The mark of whatever stands before `offset`: a marker of a transaction too. */
const markBefore = (
  cluster: Cluster,
  topic: string,
  partition: number,
  offset: Offset
): Effect.Effect<RecordMark | null, KafkaFailure> =>
  Effect.gen(function* () {
    if (offset <= 0) return null
    const batches = yield* fetchBatches(cluster, topic, { partition, offset: offset - 1 }, 1)
    const batch = batches.find(({ base, nextOffset }) => base < offset && offset <= nextOffset)
    return batch === undefined ? null : KafkaRecords.markOf(batch, offset)
  })

const rangeOf = (cluster: Cluster, topic: string, partition: number) =>
  Effect.map(ranges(cluster, topic), (ranges) => ranges[partition] ?? { partition, oldest: 0, latest: 0 })

/** Failures of the cluster in the contract's words; a reader writes nothing, so it meets no record that is too large. */
const mapped =
  (topic: string) =>
  <A, E>(effect: Effect.Effect<A, E | KafkaFailure>): Effect.Effect<A, Exclude<E, KafkaFailure> | SourceError> =>
    Effect.catchAll(effect, (error): Effect.Effect<never, Exclude<E, KafkaFailure> | SourceError> => {
      if (!(error instanceof KafkaFailure)) return Effect.fail(error as Exclude<E, KafkaFailure>)
      const explained = explain(topic, error)
      return explained._tag === "RecordTooLarge" ? Effect.die(explained) : Effect.fail(explained)
    })

const replaced = (topic: string) =>
  new SourceReplaced({
    source: topic,
    message: `Topic ${topic} was created again while it was read`,
    hint: "Results of the old records cannot be continued with new ones. Begin a new lineage with `weir reset <job>`."
  })
