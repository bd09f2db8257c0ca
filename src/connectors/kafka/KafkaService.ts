/** The cluster as `Topics`. */
import { Effect, type Scope } from "effect"
import { type TopicsService, topicPartitionsDefault } from "../../flow/Topics.ts"
import * as KafkaClient from "./KafkaClient.ts"
import type { Compression } from "./KafkaCompression.ts"
import * as KafkaEpochs from "./KafkaEpochs.ts"
import { type KafkaFailure, mapped, unknown } from "./KafkaFailure.ts"
import * as KafkaProducer from "./KafkaProducer.ts"
import { epochWriter } from "./KafkaSink.ts"
import { fetch, reader } from "./KafkaSource.ts"
import * as KafkaTopics from "./KafkaTopics.ts"

/** Who follows a topic looks again after so long, in milliseconds. */
const followMillis = 200

/** Topics of the cluster that `connect` reaches: once for all, and once more for each reader. */
export const serviceOf = (
  connect: Effect.Effect<KafkaClient.Client, KafkaFailure, Scope.Scope>,
  compression: Compression
): Effect.Effect<TopicsService, KafkaFailure, Scope.Scope> =>
  Effect.gen(function* () {
    const cluster = yield* KafkaTopics.make(yield* connect, compression)
    const epochs = yield* KafkaEpochs.make(cluster)
    const produce = yield* producing(cluster)
    return {
      identity: `kafka/${cluster.id}`,
      list: mapped("")(KafkaTopics.list(cluster)),
      describe: (topic) => mapped(topic)(KafkaTopics.describe(cluster, topic)),
      create: (topic, { partitions, retentionMillis }) =>
        KafkaTopics.create(cluster, topic, { partitions, retentionMillis: retentionMillis ?? null }),
      reader: (topic) =>
        Effect.gen(function* () {
          const { id } = yield* KafkaTopics.ensured(cluster, topic, topicPartitionsDefault)
          const forgets = yield* isCompacted(cluster, topic)
          // Connections of its own: a request that waits for records at a broker holds up those behind it.
          const own = yield* connect
          return yield* reader({ ...cluster, client: own, known: new Map() }, { topic, id, forgets })
        }).pipe(mapped(topic)),
      produce: (topic, partition, records) => mapped(topic)(produce(topic, partition, records)),
      fetch: (topic, partition, offset, count) =>
        Effect.zipRight(
          mapped(topic)(existing(cluster, topic, partition)),
          fetch(cluster, topic, partition, offset, count)
        ),
      changed: () => Effect.sleep(followMillis),
      epochWriter: (topic, { partitions, ...opening }) =>
        Effect.flatMap(KafkaTopics.ensured(cluster, topic, partitions), (found) =>
          epochWriter(cluster, epochs, found, opening)
        )
    } satisfies TopicsService
  })

// Private

const existing = (cluster: KafkaTopics.Cluster, topic: string, partition: number) =>
  Effect.flatMap(KafkaClient.patiently(cluster.client)(KafkaTopics.find(cluster, topic)), ({ leaders }) =>
    partition >= 0 && partition < leaders.length ? Effect.void : Effect.fail(unknown(topic))
  )

/** Appends by one producer, call after call: one that failed is followed by a new one. */
const producing = (cluster: KafkaTopics.Cluster) =>
  Effect.map(Effect.makeSemaphore(1), (turn) => {
    let producer: KafkaProducer.Producer | null = null
    const sizes = new Map<string, number>()
    const append: (...call: Parameters<TopicsService["produce"]>) => Effect.Effect<number, KafkaFailure> = (
      topic,
      partition,
      records
    ) =>
      Effect.gen(function* () {
        producer ??= yield* KafkaProducer.make(cluster)
        return yield* KafkaProducer.append(cluster, producer, { topic, partition }, records)
      }).pipe(
        Effect.onError(() =>
          Effect.sync(() => {
            producer = null
          })
        ),
        turn.withPermits(1)
      )
    return (topic: string, partition: number, records: Parameters<TopicsService["produce"]>[2]) =>
      Effect.gen(function* () {
        yield* existing(cluster, topic, partition)
        const bytesMax = sizes.get(topic) ?? (yield* KafkaProducer.recordBytesMax(cluster, topic))
        sizes.set(topic, bytesMax)
        yield* KafkaProducer.checkSizes(topic, bytesMax, records)
        if (records.length > 0) return yield* append(topic, partition, records)
        const ends = yield* KafkaTopics.offsets(cluster, [topic], "latest", "read uncommitted")
        return ends.get(topic)![partition]!
      })
  })

/** Does the topic keep the newest record of each key only? */
const isCompacted = (cluster: KafkaTopics.Cluster, topic: string): Effect.Effect<boolean, KafkaFailure> =>
  Effect.map(KafkaTopics.settings(cluster, topic, ["cleanup.policy"]), (found) =>
    /compact/.test(found.get("cleanup.policy") ?? "")
  )
