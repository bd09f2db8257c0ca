/**
 * The group of a job: offsets that Weir writes and never reads, so that Kafka's own tools show how far a job is behind.
 * It has no member: nothing is assigned, and no rebalance or heartbeat stands in a job's way.
 */
import { Effect, Schedule } from "effect"
import type { Offset } from "../../model/Event.ts"
import { onCoordinator } from "./KafkaCoordinator.ts"
import type { KafkaFailure } from "./KafkaFailure.ts"
import { partitionErrors, type Request, request } from "./KafkaRequests.ts"
import type { Cluster } from "./KafkaTopics.ts"

/** The group of a job, by the name under which Kafka's tools list it. */
export const groupOf = (job: string): string => `weir.${job}`

/** Keeps the next offset to read of each partition. Brokers that are not ready, as after their start, are asked again. */
export const keepOffsets = (
  cluster: Cluster,
  job: string,
  topic: string,
  offsets: ReadonlyMap<number, Offset>
): Effect.Effect<void, KafkaFailure> => {
  const group = groupOf(job)
  return onCoordinator(cluster, { kind: "group", name: group }, offsetCommit(group, topic, offsets)).pipe(
    Effect.retry({ while: (failure) => failure.retry, schedule: Schedule.spaced("100 millis"), times: 30 }),
    Effect.asVoid
  )
}

// Private

/** Of one topic, for a group without members. Answers the first error. */
const offsetCommit = (
  group: string,
  topic: string,
  offsets: ReadonlyMap<number, Offset>
): Request<{ readonly error: number }> =>
  request(
    "OffsetCommit",
    8,
    5,
    (to) => {
      to.text(group)
      to.int32(-1)
      to.text("")
      to.list([topic], (topic) => {
        to.text(topic)
        to.list([...offsets], ([partition, offset]) => {
          to.int32(partition)
          to.int64(offset)
          to.text("")
        })
      })
    },
    (from) => {
      from.int32()
      const errors = partitionErrors(from)
      return { error: errors.find((error) => error !== 0) ?? 0 }
    }
  )
