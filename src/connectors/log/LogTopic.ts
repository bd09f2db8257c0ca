/**
 * A topic of the log: its folder, the file that describes it, its partitions.
 *
 *     <folder>/@log.json                      which log this is, for good
 *     <folder>/<topic>/@topic.json            which topic this is, for good; it is there when all of the folder is
 *     <folder>/<topic>/<partition>/<base>.log
 *     <folder>/<topic>/<partition>/durable    how far it is known to be whole
 */
import { Deferred, Effect, FiberId, Option, Schema } from "effect"
import * as EpochFence from "../../flow/EpochFence.ts"
import type { TopicDescription } from "../../flow/Topics.ts"
import { InvalidTopic, type LogCorrupted, type StorageFailed, TopicExists, UnknownTopic } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import type { ResolvedConfig } from "./LogConfig.ts"
import type { LogFiles } from "./LogFiles.ts"
import { fenceKey, oldest, type Partition, removeExpired } from "./LogPartition.ts"
import { corrupted, cutTail, recover } from "./LogRecovery.ts"

export interface Topic {
  readonly topic: string
  /** For good: a topic that is created again under the same name has another one. */
  readonly id: string
  readonly retentionMillis: number | null
  readonly partitions: ReadonlyArray<Partition>
  /** How often records were published: whoever remembers it knows whether more have come. */
  version: number
  /** Ended at the next publication; `null`: nobody waits. */
  signal: Deferred.Deferred<void> | null
}

const Description = Schema.Struct({
  format: Schema.Literal(1),
  topic: Schema.String,
  id: Schema.String,
  partitions: Schema.Int.pipe(Schema.between(1, Limits.partitionsMax)),
  retentionMillis: Schema.NullOr(Schema.Number),
  createdAt: Schema.Number
})
type Description = typeof Description.Type

/** Something that no other log, and no other topic, was ever called. */
const uniqueId = Effect.sync((): string => globalThis.crypto.randomUUID())

/** The log's identity, made at the first opening. */
export const logIdentity = (files: LogFiles, folder: string): Effect.Effect<string, StorageFailed | LogCorrupted> =>
  Effect.gen(function* () {
    const file = files.join(folder, "@log.json")
    const text = yield* files.readText(file)
    if (text !== null) {
      const { id } = yield* parsed(file, text, Schema.Struct({ format: Schema.Literal(1), id: Schema.String }))
      yield* files.syncFolder(folder)
      return id
    }
    yield* files.makeFolder(folder)
    const id = yield* uniqueId
    yield* files.replaceText(file, `${JSON.stringify({ format: 1, id })}\n`)
    return id
  })

/** Names of the topics that are there. */
export const names = (files: LogFiles, folder: string): Effect.Effect<ReadonlyArray<string>, StorageFailed> =>
  Effect.flatMap(files.names(folder), (names) =>
    Effect.filter(
      names.filter((name) => wrongName(name) === null),
      (name) => Effect.map(files.names(files.join(folder, name)), (inside) => inside.includes("@topic.json"))
    )
  )

/** Opens a topic, or answers none: finds the ends of its partitions and cuts off what was never durable. */
export const load = (
  files: LogFiles,
  config: ResolvedConfig,
  topic: string
): Effect.Effect<Option.Option<Topic>, InvalidTopic | StorageFailed | LogCorrupted> =>
  Effect.gen(function* () {
    yield* checkName(topic)
    const file = files.join(config.folder, topic, "@topic.json")
    const text = yield* files.readText(file)
    if (text === null) return Option.none()
    const description = yield* parsed(file, text, Description)
    // A disk that does not tell capitals from small letters shows the folder of another topic.
    if (description.topic !== topic) return Option.none()
    const made = make(files, config, description)
    const inside = yield* files.names(files.join(config.folder, topic))
    for (const { partition, folder } of made.partitions)
      if (!inside.includes(String(partition))) return yield* corrupted(folder, 0, "the folder is gone")
    // Who made what is here may have died before the names were durable, and more is written on their strength.
    yield* files.syncFolder(files.join(config.folder, topic))
    const found = (partition: Partition) =>
      Effect.zipLeft(recover(files, partition), files.syncFolder(partition.folder))
    const tails = yield* Effect.forEach(made.partitions, found, { concurrency: 4 })
    yield* Effect.forEach(made.partitions, (partition, i) => {
      const tail = tails[i]
      return tail && !isEverywhere(made, tail) ? cutTail(files, partition, tail) : Effect.void
    })
    return Option.some(made)
  })

export const create = (
  files: LogFiles,
  config: ResolvedConfig,
  topic: string,
  options: { readonly partitions: number; readonly retentionMillis: number | null; readonly createdAt: number }
): Effect.Effect<Topic, TopicExists | InvalidTopic | StorageFailed | LogCorrupted> =>
  Effect.gen(function* () {
    yield* checkName(topic)
    yield* checkOptions(topic, options)
    const folder = files.join(config.folder, topic)
    const inside = yield* files.names(folder)
    if (inside.includes("@topic.json")) return yield* exists(topic)
    for (const name of inside)
      if ((yield* files.names(files.join(folder, name))).length > 0)
        return yield* corrupted(files.join(folder, "@topic.json"), 0, "it is gone, and records of the topic are there")
    const description: Description = { format: 1, topic, id: yield* uniqueId, ...options }
    yield* files.makeFolder(folder)
    for (let partition = 0; partition < options.partitions; partition++)
      yield* files.makeFolder(files.join(folder, String(partition)))
    yield* files.replaceText(files.join(folder, "@topic.json"), `${JSON.stringify(description)}\n`)
    return make(files, config, description)
  })

export const describe = (topic: Topic): TopicDescription => ({
  topic: topic.topic,
  partitions: topic.partitions.map((partition) => ({
    partition: partition.partition,
    oldest: oldest(partition),
    latest: partition.latest
  })),
  retentionMillis: topic.retentionMillis
})

/**
 * Removes what is older than the topic keeps. A disk that refuses is no reason not to be read; whoever appends is
 * told of it.
 */
export const expire = (files: LogFiles, topic: Topic): Effect.Effect<void> =>
  topic.retentionMillis === null
    ? Effect.void
    : Effect.forEach(
        topic.partitions,
        (partition) => Effect.ignore(partition.lock.withPermits(1)(removeExpired(files, partition))),
        { discard: true }
      )

/** How a sink's fence stands, over all partitions. */
export const fenceOf = (topic: Topic, job: string, sink: string): EpochFence.EpochFence | null => {
  const key = fenceKey(job, sink)
  const fences = topic.partitions.flatMap((partition) => partition.fences.get(key) ?? [])
  return fences.length === 0 ? null : fences.reduce(EpochFence.join)
}

export const partitionOf = (topic: Topic, partition: number): Effect.Effect<Partition, UnknownTopic> => {
  const found = topic.partitions[partition]
  return found === undefined
    ? Effect.fail(
        new UnknownTopic({
          topic: topic.topic,
          message: `Topic ${topic.topic} has no partition ${partition}: its partitions are 0 to ${topic.partitions.length - 1}`,
          hint: "The number of partitions is fixed when a topic is created."
        })
      )
    : Effect.succeed(found)
}

/** Ends when records were published since `version`. */
export const changedSince = (topic: Topic, version: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (topic.version !== version) return Effect.void
    topic.signal ??= Deferred.unsafeMake<void>(FiberId.none)
    return Deferred.await(topic.signal)
  })

export const unknown = (topic: string) =>
  new UnknownTopic({ topic, message: `There is no topic ${topic}`, hint: "`weir topics` lists the topics." })

// Private

const make = (files: LogFiles, config: ResolvedConfig, description: Description): Topic => {
  const { topic, id, retentionMillis } = description
  const published = (): void => {
    made.version++
    const signal = made.signal
    made.signal = null
    if (signal !== null) Deferred.unsafeDone(signal, Effect.void)
  }
  const seed = Number.parseInt(id.replaceAll("-", "").slice(0, 8), 16) | 0
  const made: Topic = {
    topic,
    id,
    retentionMillis,
    version: 0,
    signal: null,
    partitions: Array.from(
      { length: description.partitions },
      (_, partition): Partition => ({
        topic,
        partition,
        folder: files.join(config.folder, topic, String(partition)),
        seed: seed ^ partition,
        retentionMillis,
        segmentBytesMax: config.segmentBytesMax,
        segments: [],
        fences: new Map(),
        lock: Effect.unsafeMakeSemaphore(1),
        places: Effect.unsafeMakeSemaphore(Limits.appendsWaitingMax),
        waiting: [],
        isAppending: false,
        published,
        latest: 0,
        lastTime: 0,
        broken: null
      })
    )
  }
  return made
}

/** Does every partition of an epoch hold its part? */
const isEverywhere = (
  topic: Topic,
  { fence, partitions }: NonNullable<Effect.Effect.Success<ReturnType<typeof recover>>>
) =>
  partitions.every((partition) => {
    const there = topic.partitions[partition]?.fences.get(fenceKey(fence.job, fence.sink))
    return (
      there !== undefined &&
      (there.lineage > fence.lineage || (there.lineage === fence.lineage && there.epoch >= fence.epoch))
    )
  })

const parsed = <A, I>(file: string, text: string, schema: Schema.Schema<A, I>) =>
  Effect.mapError(Schema.decodeUnknown(Schema.parseJson(schema))(text), () =>
    corrupted(file, 0, "it does not say what it must")
  )

const checkName = (topic: string): Effect.Effect<void, InvalidTopic> => {
  const wrong = wrongName(topic)
  return wrong === null ? Effect.void : Effect.fail(invalid(topic, wrong))
}

const wrongName = (topic: string): string | null => {
  if (topic.length > Limits.topicNameMax)
    return `it has ${topic.length} characters, at most ${Limits.topicNameMax} can be`
  if (!/^[A-Za-z0-9._-]+$/.test(topic)) return "a name is made of letters, digits, '.', '_' and '-'"
  // Some systems drop a dot at the end of a folder's name, or take such names for devices.
  if (topic.endsWith(".")) return "it ends with '.'"
  return /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(topic) ? "some systems take it for a device" : null
}

const checkOptions = (
  topic: string,
  { partitions, retentionMillis }: { readonly partitions: number; readonly retentionMillis: number | null }
): Effect.Effect<void, InvalidTopic> => {
  if (!(Number.isInteger(partitions) && partitions >= 1 && partitions <= Limits.partitionsMax))
    return Effect.fail(invalid(topic, `it cannot have ${partitions} partitions: 1 to ${Limits.partitionsMax} can be`))
  if (retentionMillis !== null && !(retentionMillis > 0))
    return Effect.fail(invalid(topic, `records cannot be kept for ${retentionMillis} ms`))
  return Effect.void
}

const invalid = (topic: string, why: string) =>
  new InvalidTopic({
    topic,
    message: `Topic '${topic.slice(0, Limits.topicNameMax)}' cannot be: ${why}`,
    hint: "Choose a name such as 'orders' or 'orders.late', and from 1 partition on."
  })
const exists = (topic: string) =>
  new TopicExists({
    topic,
    message: `Topic ${topic} is there already, or one whose name differs only in capitals`,
    hint: "`weir topics` lists the topics."
  })
