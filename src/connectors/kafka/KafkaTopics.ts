/** The topics of a cluster: which there are, who leads their partitions, what they hold, and how one is made. */
import { Clock, Effect, Schedule } from "effect"
import type { TopicDescription } from "../../flow/Topics.ts"
import { type InvalidTopic, TopicExists } from "../../model/Errors.ts"
import type { Offset } from "../../model/Event.ts"
import * as Limits from "../../model/Limits.ts"
import { type Client, checked, failureOfCode, patiently } from "./KafkaClient.ts"
import type { Compression } from "./KafkaCompression.ts"
import { epochsTopic, explain, invalid, KafkaFailure, type TopicFailure } from "./KafkaFailure.ts"
import * as Requests from "./KafkaRequests.ts"

/** Milliseconds for which it is taken as known who leads a partition, and how many there are. */
const knownMillis = 1_000
/** Milliseconds that the brokers of a cluster may take to learn of a topic that was made. */
const spreadMillis = 10_000

export interface KnownTopic {
  readonly topic: string
  /** For good: a topic that is created again under the same name has another one. */
  readonly id: string
  /** The broker that leads each partition; -1: none at this moment. */
  readonly leaders: ReadonlyArray<number>
  readonly knownAt: number
}

export interface Cluster {
  readonly client: Client
  /** For good. */
  readonly id: string
  /** How records are written. */
  readonly compression: Compression
  readonly known: Map<string, KnownTopic>
  /** The brokers that coordinate, by what. */
  readonly coordinators: Map<string, number>
}

export const make = (client: Client, compression: Compression): Effect.Effect<Cluster, KafkaFailure> =>
  Effect.map(client.send(null, Requests.metadata([])), ({ clusterId }) => ({
    client,
    id: clusterId,
    compression,
    known: new Map(),
    coordinators: new Map()
  }))

/** The topic as it is known, or as it is if that is more than a second ago. */
export const find = ({ client, known }: Cluster, topic: string): Effect.Effect<KnownTopic, KafkaFailure> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const before = known.get(topic)
    if (before !== undefined && now - before.knownAt < knownMillis) return before
    const found = (yield* client.send(null, Requests.metadata([topic]))).topics.find((one) => one.topic === topic)
    known.delete(topic)
    if (found === undefined || found.error === 3) return yield* unknownTopic
    yield* checked(found)
    const leaders = [...found.partitions].sort((a, b) => a.partition - b.partition).map(({ leader }) => leader)
    const made = { topic, id: found.id, leaders, knownAt: now }
    known.set(topic, made)
    return made
  })

/** Asks the leader of a partition, until it answers or patience ends; an answer with an error is a failure. */
export const onLeader = <A extends { readonly error: number }>(
  cluster: Cluster,
  topic: string,
  partition: number,
  request: Requests.Request<A>
): Effect.Effect<A, KafkaFailure> =>
  Effect.gen(function* () {
    const { leaders } = yield* find(cluster, topic)
    if (partition >= leaders.length || partition < 0) return yield* unknownTopic
    if (leaders[partition]! < 0) return yield* failureOfCode(5)
    return yield* Effect.flatMap(cluster.client.send(leaders[partition]!, request), checked)
  }).pipe(
    Effect.tapError(() => Effect.sync(() => cluster.known.delete(topic))),
    patiently(cluster.client)
  )

/** An end of every partition of some topics, in order. */
export const offsets = (
  cluster: Cluster,
  names: ReadonlyArray<string>,
  end: "oldest" | "latest",
  isolation: Requests.Isolation
): Effect.Effect<ReadonlyMap<string, ReadonlyArray<Offset>>, KafkaFailure> =>
  Effect.gen(function* () {
    const topics = yield* Effect.forEach(names, (topic) => find(cluster, topic))
    const leaders = new Set(topics.flatMap(({ leaders }) => leaders))
    if (leaders.has(-1)) return yield* failureOfCode(5)
    const answers = yield* Effect.forEach(
      leaders,
      (leader) => {
        const led = topics.map(({ leaders, topic }) => ({
          topic,
          partitions: leaders.flatMap((one, partition) => (one === leader ? [partition] : []))
        }))
        return cluster.client.send(leader, Requests.listOffsets(led, end, isolation))
      },
      { concurrency: 8 }
    )
    const found = new Map(topics.map(({ topic }) => [topic, [] as Array<Offset>]))
    for (const answer of answers.flat()) {
      yield* checked(answer)
      found.get(answer.topic)![answer.partition] = answer.offset
    }
    return found
  }).pipe(
    Effect.tapError(() => Effect.sync(() => cluster.known.clear())),
    patiently(cluster.client)
  )

/** What readers of committed records can read of each partition. */
export const ranges = (cluster: Cluster, topic: string): Effect.Effect<TopicDescription["partitions"], KafkaFailure> =>
  Effect.map(
    Effect.all(
      [offsets(cluster, [topic], "oldest", "read committed"), offsets(cluster, [topic], "latest", "read committed")],
      { concurrency: 2 }
    ),
    ([oldest, latest]) => rangesOf(topic, oldest, latest)
  )

/** All topics but Kafka's own and the one of the epochs. */
export const list = (cluster: Cluster): Effect.Effect<ReadonlyArray<TopicDescription>, KafkaFailure> =>
  Effect.gen(function* () {
    const { topics } = yield* cluster.client.send(null, Requests.metadata(null))
    const names = topics.filter(({ error, isInternal, topic }) => error === 0 && !isInternal && topic !== epochsTopic)
    return yield* described(cluster, names.map(({ topic }) => topic).sort())
  }).pipe(patiently(cluster.client))

export const describe = (cluster: Cluster, topic: string): Effect.Effect<TopicDescription, KafkaFailure> =>
  described(cluster, [topic]).pipe(
    Effect.map(([description]) => description!),
    patiently(cluster.client)
  )

/** Settings of one topic. */
export const settings = (
  cluster: Cluster,
  topic: string,
  names: ReadonlyArray<string>
): Effect.Effect<ReadonlyMap<string, string>, KafkaFailure> =>
  cluster.client.send(null, Requests.describeConfigs([topic], names)).pipe(
    Effect.flatMap(([found]) => checked(found!)),
    Effect.map(({ settings }) => settings),
    patiently(cluster.client)
  )

/** Makes a topic whose records carry the time of their append. `retentionMillis: null`: they are kept for ever. */
export const create = (
  cluster: Cluster,
  topic: string,
  { partitions, retentionMillis }: { readonly partitions: number; readonly retentionMillis: number | null }
): Effect.Effect<void, TopicExists | InvalidTopic | TopicFailure> =>
  Effect.gen(function* () {
    yield* check(topic, partitions, retentionMillis)
    yield* Effect.catchAll(
      createOnce(cluster, {
        topic,
        partitions,
        settings: [
          ["retention.ms", String(retentionMillis ?? -1)],
          ["message.timestamp.type", "LogAppendTime"]
        ]
      }),
      (failure) => Effect.fail(failure.type === "TOPIC_ALREADY_EXISTS" ? exists(topic) : explain(topic, failure))
    )
  })

/** The topic, made with so many partitions if it is not there. */
export const ensured = (
  cluster: Cluster,
  topic: string,
  partitions: number
): Effect.Effect<KnownTopic, InvalidTopic | TopicFailure> =>
  Effect.catchAll(patiently(cluster.client)(find(cluster, topic)), (failure) =>
    failure.type === "UNKNOWN_TOPIC_OR_PARTITION"
      ? create(cluster, topic, { partitions, retentionMillis: null }).pipe(
          Effect.catchTag("TopicExists", () => Effect.void),
          Effect.zipRight(Effect.mapError(spread(cluster, topic), (failure) => explain(topic, failure)))
        )
      : Effect.fail(explain(topic, failure))
  )

/** The topic of the epochs, made if it is not there: compacted soon and often, since it is read whole at each start. */
export const ensureEpochs = (cluster: Cluster): Effect.Effect<KnownTopic, KafkaFailure> =>
  Effect.catchIf(
    find(cluster, epochsTopic),
    ({ type }) => type === "UNKNOWN_TOPIC_OR_PARTITION",
    () =>
      Effect.zipRight(
        Effect.catchIf(
          createOnce(cluster, {
            topic: epochsTopic,
            partitions: 1,
            settings: [
              ["cleanup.policy", "compact"],
              ["segment.bytes", "1048576"],
              ["segment.ms", "600000"],
              ["min.cleanable.dirty.ratio", "0.1"],
              ["delete.retention.ms", "60000"]
            ]
          }),
          ({ type }) => type === "TOPIC_ALREADY_EXISTS",
          () => Effect.void
        ),
        spread(cluster, epochsTopic)
      )
  ).pipe(patiently(cluster.client))

// Private

const unknownTopic = new KafkaFailure({
  type: "UNKNOWN_TOPIC_OR_PARTITION",
  message: "there is no such topic or partition",
  retry: false
})

const createOnce = (cluster: Cluster, topic: Requests.NewTopic): Effect.Effect<void, KafkaFailure> =>
  Effect.gen(function* () {
    const { controller } = yield* cluster.client.send(null, Requests.metadata([]))
    const { error, message } = yield* cluster.client.send(controller, Requests.createTopic(topic))
    if (error === 0) return
    const failure = failureOfCode(error)
    return yield* new KafkaFailure({ ...failure, message: message ?? failure.message })
  }).pipe(patiently(cluster.client), Effect.zipRight(Effect.asVoid(spread(cluster, topic.topic))))

/** Waits until the brokers know a topic that was made, and each partition has a leader. */
const spread = (cluster: Cluster, topic: string): Effect.Effect<KnownTopic, KafkaFailure> =>
  Effect.suspend(() => {
    cluster.known.delete(topic)
    return find(cluster, topic)
  }).pipe(
    Effect.filterOrFail(
      ({ leaders }) => leaders.length > 0 && leaders.every((leader) => leader >= 0),
      () => failureOfCode(5)
    ),
    Effect.retry(Schedule.upTo(Schedule.spaced("50 millis"), spreadMillis))
  )

const described = (
  cluster: Cluster,
  names: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<TopicDescription>, KafkaFailure> =>
  Effect.gen(function* () {
    if (names.length === 0) return []
    const [oldest, latest, settings] = yield* Effect.all(
      [
        offsets(cluster, names, "oldest", "read committed"),
        offsets(cluster, names, "latest", "read committed"),
        cluster.client.send(null, Requests.describeConfigs(names, ["retention.ms"]))
      ],
      { concurrency: 3 }
    )
    const retention = new Map(
      settings.map(({ settings, topic }) => [topic, Number(settings.get("retention.ms") ?? -1)])
    )
    return names.map((topic) => {
      const millis = retention.get(topic) ?? -1
      return {
        topic,
        partitions: rangesOf(topic, oldest, latest),
        retentionMillis: millis < 0 ? null : millis
      }
    })
  })

const rangesOf = (
  topic: string,
  oldest: ReadonlyMap<string, ReadonlyArray<Offset>>,
  latest: ReadonlyMap<string, ReadonlyArray<Offset>>
): TopicDescription["partitions"] =>
  oldest.get(topic)!.map((offset, partition) => ({
    partition,
    oldest: offset,
    latest: latest.get(topic)![partition]!
  }))

const check = (
  topic: string,
  partitions: number,
  retentionMillis: number | null
): Effect.Effect<void, InvalidTopic> => {
  if (!/^[A-Za-z0-9._-]{1,249}$/.test(topic) || topic === "." || topic === "..")
    return Effect.fail(invalid(topic, "a name is made of up to 249 letters, digits, '.', '_' and '-'"))
  if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= Limits.partitionsMax))
    return Effect.fail(invalid(topic, `it cannot have ${partitions} partitions: 1 to ${Limits.partitionsMax} can be`))
  if (retentionMillis !== null && !(retentionMillis > 0))
    return Effect.fail(invalid(topic, `records cannot be kept for ${retentionMillis} ms`))
  return Effect.void
}

const exists = (topic: string) =>
  new TopicExists({ topic, message: `Topic ${topic} is there already`, hint: "`weir topics` lists the topics." })
