/**
 * Writes the epochs of a sink: each once, in order, by the newest owner.
 *
 * An epoch is one transaction, opened when it is committed: its records, and the fence that says that it is there. An
 * owner takes a transactional id, and with it the broker fences the one before and aborts what it left; then it reads
 * how far that one came. After every failure whose outcome is unknown it does so again, unless a newer owner has begun:
 * then it stops, and takes nothing.
 */
import { Effect, Schedule } from "effect"
import * as EpochFence from "../../flow/EpochFence.ts"
import type { EpochStamp, EpochWriter, ProducedRecord, TopicsError } from "../../flow/Topics.ts"
import type { Fenced, OtherLineage, SinkAhead, SinkBehind } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import { patiently } from "./KafkaClient.ts"
import * as KafkaCoordinator from "./KafkaCoordinator.ts"
import * as KafkaEpochs from "./KafkaEpochs.ts"
import { epochsTopic, isFenced, KafkaFailure, mapped, unknown } from "./KafkaFailure.ts"
import * as KafkaProducer from "./KafkaProducer.ts"
import type { Request } from "./KafkaRequests.ts"
import { type Cluster, type KnownTopic, offsets } from "./KafkaTopics.ts"
import * as TransactionRequests from "./KafkaTransactionRequests.ts"

/** Times that a transaction is begun anew, of an owner whom others disturb, before it fails. */
const attemptsMax = 5
/**
 * Milliseconds that are waited for records to be seen by readers, who see none behind a transaction that is open; and
 * for a fence, that nothing holds back.
 */
const visibleMillisMax = { records: 250, fence: 2_000 }

type Records = ReadonlyMap<number, ReadonlyArray<ProducedRecord>>

interface Sink {
  readonly cluster: Cluster
  readonly epochs: KafkaEpochs.Epochs
  readonly topic: string
  readonly stamp: EpochStamp
}

/** Takes over the sink on this topic, durably. */
export const epochWriter = (
  cluster: Cluster,
  epochs: KafkaEpochs.Epochs,
  { leaders, topic }: KnownTopic,
  opening: EpochFence.Opening
): Effect.Effect<EpochWriter, TopicsError | Fenced | SinkAhead | SinkBehind | OtherLineage> =>
  Effect.gen(function* () {
    const { stamp } = opening
    const sink: Sink = { cluster, epochs, topic, stamp }
    const turn = yield* Effect.makeSemaphore(1)
    const bytesMax = yield* KafkaProducer.recordBytesMax(cluster, topic)
    const judged = Effect.gen(function* () {
      const found = yield* epochs.fenceOf(topic, stamp)
      const ends = (yield* offsets(cluster, [topic], "latest", "read uncommitted")).get(topic)!
      return yield* EpochFence.open(found, opening, (partition) => ends[partition] ?? 0)
    })
    const takeOver = Effect.gen(function* () {
      // Who is refused has disturbed nobody.
      yield* judged
      const producer = yield* own(sink)
      const fence = yield* judged
      yield* commit(sink, producer, new Map(), fence)
      // Who had the sink before is to find out from now on.
      yield* eventually(epochs.fenceOf(topic, stamp), visibleMillisMax.fence, (found) => !isBefore(found, stamp))
      return { producer, fence }
    })
    const taken = yield* again(takeOver)
    let fence = taken.fence
    const isReplaying = fence.epoch > stamp.epoch
    const partitions = isReplaying ? (fence.partitions ?? leaders.length) : leaders.length
    let producer: KafkaProducer.Producer | null = taken.producer

    /** Fails if a newer owner has begun. What this one has committed itself, a broker may not show yet. */
    const checkOwner = Effect.flatMap(epochs.fenceOf(topic, stamp), (found) =>
      found !== null && EpochFence.isOvertaken(stamp, found)
        ? Effect.fail(EpochFence.fenced(stamp, found))
        : Effect.void
    )
    /** The fence as it is, once the id is taken: until then no transaction of this owner is under way. */
    const current = Effect.flatMap(epochs.fenceOf(topic, stamp), (found) =>
      found === null || found.generation !== stamp.generation || found.lineage !== stamp.lineage
        ? Effect.fail(EpochFence.fenced(stamp, found ?? fence))
        : Effect.succeed(found)
    )
    const write = (epoch: number, records: Records, digest: string | null) =>
      Effect.gen(function* () {
        if (producer === null) {
          yield* checkOwner
          producer = yield* own(sink)
          fence = yield* current
        }
        const verdict = yield* EpochFence.admit(fence, stamp, epoch, digest)
        if (verdict === "already there" || digest === null) {
          if (digest !== null) yield* checkOwner
          return "already there" as const
        }
        const next = { ...EpochFence.advance(fence, epoch, digest), partitions }
        yield* commit(sink, producer, records, next)
        fence = next
        return "written" as const
      }).pipe(
        Effect.onError(() =>
          Effect.sync(() => {
            producer = null
          })
        )
      )
    return {
      partitions,
      write: (epoch, records) =>
        Effect.gen(function* () {
          for (const [partition, part] of records) {
            if (partition >= leaders.length) return yield* unknown(topic)
            yield* KafkaProducer.checkSizes(topic, bytesMax, part)
          }
          return yield* again(write(epoch, records, EpochFence.digestOf(records)))
        }).pipe(turn.withPermits(1), mapped(topic)),
      position: Effect.map(offsets(cluster, [topic], "latest", "read uncommitted"), (found) =>
        EpochFence.formatPosition(
          fence,
          found.get(topic)!.flatMap((latest, partition) => (latest > 0 ? [[partition, latest] as const] : []))
        )
      ).pipe(mapped(topic))
    } satisfies EpochWriter
  }).pipe(mapped(topic))

// Private

/** Begins anew where the broker no longer knows this owner: only what is kept of the sink says whether another is newer. */
const again = <A, E>(effect: Effect.Effect<A, E | KafkaFailure>): Effect.Effect<A, E | KafkaFailure> =>
  Effect.retry(effect, { times: attemptsMax, while: (error) => error instanceof KafkaFailure && isFenced(error) })

/** Becomes the owner of the transactional id: an earlier owner's transaction ends, and so does the owner. */
const own = ({ cluster, stamp, topic }: Sink): Effect.Effect<KafkaProducer.Producer, KafkaFailure> =>
  Effect.gen(function* () {
    const transactionalId = `weir.${KafkaEpochs.keyOf(topic, stamp)}`
    const request = TransactionRequests.initProducerId(transactionalId, Limits.transactionMillisMax)
    const { producerEpoch, producerId } = yield* onCoordinator(cluster, transactionalId, request)
    return { producerId, producerEpoch, transactionalId, sequences: new Map() }
  })

/** Writes records and fence: all of it, or, if it fails, as much as the next owner finds out. */
const commit = (
  { cluster, topic }: Sink,
  producer: KafkaProducer.Producer,
  records: Records,
  fence: EpochFence.EpochFence
): Effect.Effect<void, KafkaFailure> =>
  Effect.gen(function* () {
    const parts = [...records].filter(([, part]) => part.length > 0)
    const places = parts.map(([partition, part]) => ({ place: { topic, partition }, part }))
    const fenced = { place: { topic: epochsTopic, partition: 0 }, part: [KafkaEpochs.recordOf(topic, fence)] }
    const transactionalId = producer.transactionalId!
    const transaction = { ...producer, transactionalId }
    const named = [
      ...(parts.length === 0 ? [] : [{ topic, partitions: parts.map(([partition]) => partition) }]),
      { topic: epochsTopic, partitions: [0] }
    ]
    yield* onCoordinator(cluster, transactionalId, TransactionRequests.addPartitionsToTxn(transaction, named))
    const ends = yield* Effect.forEach(
      [...places, fenced],
      ({ part, place }) =>
        Effect.map(KafkaProducer.append(cluster, producer, place, part), (first) => first + part.length),
      { concurrency: 8 }
    )
    yield* onCoordinator(cluster, transactionalId, TransactionRequests.endTxn(transaction, "commit"))
    if (parts.length > 0) yield* seen(cluster, topic, new Map(parts.map(([partition], i) => [partition, ends[i]!])))
  })

/** Waits until readers see the records before these ends. */
const seen = (cluster: Cluster, topic: string, ends: ReadonlyMap<number, number>): Effect.Effect<void> =>
  eventually(offsets(cluster, [topic], "latest", "read committed"), visibleMillisMax.records, (found) =>
    [...ends].every(([partition, end]) => (found.get(topic)![partition] ?? 0) >= end)
  )

/** Is the fence of an owner before this one, or of none? */
const isBefore = (found: EpochFence.EpochFence | null, stamp: EpochStamp): boolean =>
  found === null || (found.generation !== stamp.generation && !EpochFence.isOvertaken(stamp, found))

/**
 * Looks until something committed can be seen, as it will be: a broker says that a transaction is committed before it
 * is. After `millisMax` it is done all the same, and so if it cannot look.
 */
const eventually = <A>(
  look: Effect.Effect<A, KafkaFailure>,
  millisMax: number,
  isSeen: (found: A) => boolean
): Effect.Effect<void> =>
  look.pipe(
    Effect.repeat({
      until: isSeen,
      schedule: Schedule.union(Schedule.exponential("1 millis"), Schedule.spaced("50 millis"))
    }),
    Effect.timeoutOption(millisMax),
    Effect.ignore
  )

/** Asks the broker that coordinates the transactions of this id, until it answers or patience ends. */
const onCoordinator = <A extends { readonly error: number }>(
  cluster: Cluster,
  transactionalId: string,
  request: Request<A>
): Effect.Effect<A, KafkaFailure> =>
  patiently(cluster.client)(
    KafkaCoordinator.onCoordinator(cluster, { kind: "transaction", name: transactionalId }, request)
  )
