/** What a broker refused, or why it could not be asked; and the same as an error of the contract. */
import { Data, Effect } from "effect"
import {
  AccessRefused,
  InvalidTopic,
  OffsetOutOfRange,
  RecordTooLarge,
  SourceUnavailable,
  UnknownTopic
} from "../../model/Errors.ts"
import type { Offset } from "../../model/Event.ts"

/** Where the epochs of sinks are kept: one record for each sink and topic, the newest. */
export const epochsTopic = "weir.epochs"

/** `type` is Kafka's own name of the error, or `CONNECTION`, `AUTHENTICATION`, `COMPRESSION`, `FORMAT`. */
export class KafkaFailure extends Data.TaggedError("KafkaFailure")<{
  readonly type: string
  readonly message: string
  /** Can the same request succeed later? */
  readonly retry: boolean
}> {}

/** A newer owner of a transactional id has begun, or the broker has forgotten this one. */
export const isFenced = ({ type }: KafkaFailure): boolean => fenced.has(type)

/** Does the client know the cluster, or its leaders, as they were? */
export const isStale = ({ type }: KafkaFailure): boolean => stale.has(type)

/** What every call on a topic can fail with. */
export type TopicFailure = UnknownTopic | InvalidTopic | SourceUnavailable | AccessRefused | RecordTooLarge

/** The failure of a call on a topic, in the contract's words. */
export const explain = (topic: string, { message, retry, type }: KafkaFailure): TopicFailure => {
  switch (type) {
    case "UNKNOWN_TOPIC_OR_PARTITION":
      return unknown(topic)
    case "INVALID_TOPIC_EXCEPTION":
      return invalid(
        topic,
        "Kafka refuses the name: it is no name, or differs from another topic's in '.' and '_' only"
      )
    case "INVALID_PARTITIONS":
    case "INVALID_CONFIG":
    case "POLICY_VIOLATION":
    case "INVALID_REPLICATION_FACTOR":
      return invalid(topic, message)
    case "TOPIC_AUTHORIZATION_FAILED":
    case "TRANSACTIONAL_ID_AUTHORIZATION_FAILED":
    case "CLUSTER_AUTHORIZATION_FAILED":
    case "GROUP_AUTHORIZATION_FAILED":
      return new UnknownTopic({
        topic,
        message: `Topic ${topic}: the cluster does not allow it to this user (${type})`,
        hint: `Grant this user read, write and describe on the topic and on ${epochsTopic}, and the transactional ids and groups that begin with 'weir.'.`
      })
    case "AUTHENTICATION":
      return new AccessRefused({
        system: "Kafka",
        message: `Kafka, topic ${topic}: the brokers do not let this user in: ${message}`,
        hint: "See to KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM: what was changed at the brokers takes a new start of this process."
      })
    case "COMPRESSION":
    case "FORMAT":
      return new InvalidTopic({
        topic,
        message: `Topic ${topic} cannot be read: ${message}`,
        hint: "What is written stays as it is: write these records once more to another topic, in smaller batches or packed in another way, and read that."
      })
    case "MESSAGE_TOO_LARGE":
    case "RECORD_LIST_TOO_LARGE":
      return new RecordTooLarge({
        bytes: 0,
        bytesMax: 0,
        message: `Topic ${topic}: the broker finds a record too large`,
        hint: "Raise `max.message.bytes` of the topic, or put what is large into a file."
      })
    default:
      return unavailable(`topic ${topic}`, message, retry)
  }
}

/** Failures of calls on a topic, in the contract's words. */
export const mapped =
  (topic: string) =>
  <A, E, R>(
    effect: Effect.Effect<A, E | KafkaFailure, R>
  ): Effect.Effect<A, Exclude<E, KafkaFailure> | TopicFailure, R> =>
    Effect.mapError(effect, (error) =>
      error instanceof KafkaFailure ? explain(topic, error) : (error as Exclude<E, KafkaFailure>)
    )

export const unavailable = (source: string, message: string, retry = true): SourceUnavailable =>
  new SourceUnavailable({
    source,
    message: `Kafka, ${source}: ${message}`,
    hint: retry
      ? "See whether the brokers of KAFKA_BROKERS run and can be reached. A job tries again by itself."
      : "The brokers' logs say more."
  })

export const unknown = (topic: string): UnknownTopic =>
  new UnknownTopic({ topic, message: `There is no topic ${topic}`, hint: "`weir topics` lists the topics." })

export const invalid = (topic: string, why: string): InvalidTopic =>
  new InvalidTopic({
    topic,
    message: `Topic '${topic.slice(0, 249)}' cannot be used: ${why}`,
    hint: "Choose a name such as 'orders' or 'orders.late', and from 1 partition on."
  })

export const outOfRange = (
  topic: string,
  partition: number,
  wanted: Offset,
  { latest, oldest }: { readonly oldest: Offset; readonly latest: Offset }
): OffsetOutOfRange =>
  new OffsetOutOfRange({
    topic,
    partition,
    wanted,
    oldest,
    latest,
    message: `Topic ${topic}, partition ${partition}: offset ${wanted} is wanted, ${oldest} to ${latest} are held`,
    hint: "Its records are no longer kept, or the topic is older than the checkpoint. Keep records for longer, or begin anew: `weir reset <job>`."
  })

// Private

const fenced = new Set([
  "INVALID_PRODUCER_EPOCH",
  "PRODUCER_FENCED",
  "INVALID_PRODUCER_ID_MAPPING",
  "INVALID_TXN_STATE",
  "OUT_OF_ORDER_SEQUENCE_NUMBER",
  "UNKNOWN_PRODUCER_ID"
])

const stale = new Set([
  "NOT_LEADER_FOR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "UNKNOWN_TOPIC_OR_PARTITION",
  "KAFKA_STORAGE_ERROR",
  "NOT_CONTROLLER",
  "NOT_COORDINATOR_FOR_GROUP",
  "GROUP_COORDINATOR_NOT_AVAILABLE",
  "GROUP_LOAD_IN_PROGRESS",
  "CONNECTION"
])
