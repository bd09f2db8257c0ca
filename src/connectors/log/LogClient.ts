/** The log as `Topics`: opens topics when they are first named, and hands out readers and writers. */

import type { FileSystem, Path } from "@effect/platform"
import { Clock, Effect, Option, type Scope } from "effect"
import { type TopicsError, type TopicsService, topicPartitionsDefault } from "../../flow/Topics.ts"
import type { TopicExists } from "../../model/Errors.ts"
import { type LogConfig, resolve } from "./LogConfig.ts"
import * as LogFiles from "./LogFiles.ts"
import { produce } from "./LogPartition.ts"
import { checkSizes } from "./LogRecord.ts"
import { epochWriter } from "./LogSink.ts"
import { fetch, reader } from "./LogSource.ts"
import * as LogTopic from "./LogTopic.ts"

/** `changed` looks again after so long, in milliseconds: what came between a fetch and the call wakes nobody. */
const lookAgainMillis = 1_000

export const make = (
  options: LogConfig
): Effect.Effect<TopicsService, TopicsError, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
  Effect.gen(function* () {
    const config = resolve(options)
    const files = yield* LogFiles.make
    const identity = yield* LogTopic.logIdentity(files, config.folder)
    const topics = new Map<string, LogTopic.Topic>()
    const opening = yield* Effect.makeSemaphore(1)

    const known = (topic: string): Effect.Effect<Option.Option<LogTopic.Topic>, TopicsError> =>
      Effect.suspend(() => {
        const open = topics.get(topic)
        return open === undefined ? opening.withPermits(1)(load(topic)) : Effect.succeed(Option.some(open))
      })
    const load = (topic: string): Effect.Effect<Option.Option<LogTopic.Topic>, TopicsError> =>
      Effect.gen(function* () {
        const open = topics.get(topic)
        if (open !== undefined) return Option.some(open)
        const loaded = yield* LogTopic.load(files, config, topic)
        if (Option.isSome(loaded)) topics.set(topic, loaded.value)
        return loaded
      }).pipe(Effect.uninterruptible)
    const existing = (topic: string): Effect.Effect<LogTopic.Topic, TopicsError> =>
      Effect.flatMap(known(topic), (found) =>
        Option.match(found, { onNone: () => LogTopic.unknown(topic), onSome: Effect.succeed })
      )
    const create = (
      topic: string,
      partitions: number,
      retentionMillis: number | null
    ): Effect.Effect<LogTopic.Topic, TopicExists | TopicsError> =>
      Effect.gen(function* () {
        const createdAt = yield* Clock.currentTimeMillis
        const made = yield* LogTopic.create(files, config, topic, { partitions, retentionMillis, createdAt })
        topics.set(topic, made)
        return made
      }).pipe(Effect.uninterruptible, opening.withPermits(1))
    const ensured = (topic: string, partitions: number): Effect.Effect<LogTopic.Topic, TopicsError> =>
      Effect.flatMap(
        known(topic),
        Option.match({
          onNone: () => Effect.catchTag(create(topic, partitions, null), "TopicExists", () => existing(topic)),
          onSome: (found) => Effect.succeed(found)
        })
      )
    const describe = (topic: string) =>
      Effect.gen(function* () {
        const found = yield* existing(topic)
        yield* LogTopic.expire(files, found)
        return LogTopic.describe(found)
      })

    return {
      identity,
      list: Effect.flatMap(LogTopic.names(files, config.folder), (names) => Effect.forEach(names, describe)),
      describe,
      create: (topic, { partitions, retentionMillis }) =>
        Effect.asVoid(create(topic, partitions, retentionMillis ?? null)),
      reader: (topic) => Effect.map(ensured(topic, topicPartitionsDefault), (found) => reader(files, found, identity)),
      produce: (topic, number, records) =>
        Effect.gen(function* () {
          const partition = yield* Effect.flatMap(existing(topic), (found) => LogTopic.partitionOf(found, number))
          const bytes = yield* checkSizes(topic, records)
          return records.length === 0 ? partition.latest : yield* produce(files, partition, records, bytes)
        }),
      fetch: (topic, number, offset, count) =>
        Effect.flatMap(existing(topic), (found) =>
          Effect.flatMap(LogTopic.partitionOf(found, number), (partition) => fetch(files, partition, offset, count))
        ),
      changed: (topic) =>
        Effect.raceFirst(
          Effect.sleep(lookAgainMillis),
          Effect.flatMap(Effect.orElseSucceed(known(topic), Option.none), (found) =>
            Option.isSome(found) ? LogTopic.changedSince(found.value, found.value.version) : Effect.never
          )
        ),
      epochWriter: (topic, { partitions, ...opening }) =>
        Effect.flatMap(ensured(topic, partitions), (found) => epochWriter(files, found, opening))
    } satisfies TopicsService
  })
