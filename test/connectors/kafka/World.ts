/** What tests of Kafka share: the topics of a broker, and another client to compare them with: kafkajs' own. */
import { randomUUID } from "node:crypto"
import { Effect, type Scope } from "effect"
import { Kafka, logLevel, type Producer } from "kafkajs"
import { layerKafka } from "../../../src/connectors/kafka/index.ts"
import * as KafkaClient from "../../../src/connectors/kafka/KafkaClient.ts"
import { resolve } from "../../../src/connectors/kafka/KafkaConfig.ts"
import type { KafkaFailure } from "../../../src/connectors/kafka/KafkaFailure.ts"
import type { Request } from "../../../src/connectors/kafka/KafkaRequests.ts"
import { serviceOf } from "../../../src/connectors/kafka/KafkaService.ts"
import type { SourceReader } from "../../../src/flow/Source.ts"
import { type ProducedRecord, Topics, type TopicsService } from "../../../src/flow/Topics.ts"
import { type RawEvent, rawEventAt } from "../../../src/model/Event.ts"

process.env.KAFKAJS_NO_PARTITIONER_WARNING = "1"

/** A topic name that no other test has. */
export const topicNamed = (name: string): string => `${randomUUID().slice(0, 8)}.${name}`

/** Runs a body over the topics of these brokers. */
export const withTopics = <A, E, R>(
  brokers: string,
  body: (topics: TopicsService) => Effect.Effect<A, E, R>
): Effect.Effect<A, unknown, Exclude<Exclude<R, Scope.Scope>, Topics>> =>
  Effect.flatMap(Topics, body).pipe(Effect.scoped, Effect.provide(layerKafka({ brokers: brokers.split(",") })))

/** Asks the cluster, or something else: sees each request before it is sent. */
export type Interceptor = <A>(
  request: Request<A>,
  send: Effect.Effect<A, KafkaFailure>
) => Effect.Effect<A, KafkaFailure>

/** The same with every request in the hands of `intercept`. */
export const withIntercepted = <A, E, R>(
  brokers: string,
  intercept: Interceptor,
  body: (topics: TopicsService) => Effect.Effect<A, E, R>
): Effect.Effect<A, unknown, Exclude<R, Scope.Scope>> =>
  Effect.gen(function* () {
    const config = yield* resolve({ brokers: brokers.split(",") })
    const connect = Effect.map(
      KafkaClient.make(config),
      (client): KafkaClient.Client => ({
        ...client,
        send: (node, request) => intercept(request, client.send(node, request))
      })
    )
    return yield* body(yield* serviceOf(connect, config.compression))
  }).pipe(Effect.scoped)

/** Another client of the same cluster. */
export const peer = (brokers: string): Kafka =>
  new Kafka({ brokers: brokers.split(","), clientId: "peer", logLevel: logLevel.NOTHING })

export const withProducer = (
  brokers: string,
  transactionalId: string | null,
  body: (producer: Producer) => Promise<void>
): Effect.Effect<void> =>
  Effect.promise(async () => {
    const producer = peer(brokers).producer({
      ...(transactionalId === null ? {} : { transactionalId, maxInFlightRequests: 1 }),
      allowAutoTopicCreation: false
    })
    await producer.connect()
    await body(producer).finally(() => producer.disconnect())
  })

export const record = (value: string, key: string | null = null): ProducedRecord => ({
  key: key === null ? null : new TextEncoder().encode(key),
  value: new TextEncoder().encode(value),
  headers: []
})
export const numbered = (from: number, to: number): ReadonlyArray<ProducedRecord> =>
  Array.from({ length: to - from }, (_, i) => record(`value ${from + i}`))

export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

/** The records of a partition from `offset` on, as a job reads them: `stepMax` offsets at a time. */
export const readAll = (
  reader: SourceReader,
  partition: number,
  offset = 0,
  stepMax = 8_192
): Effect.Effect<{ readonly events: ReadonlyArray<RawEvent>; readonly end: number }, unknown> =>
  Effect.gen(function* () {
    const events: Array<RawEvent> = []
    let position = offset
    while (true) {
      const batch = yield* reader.read(partition, position, stepMax)
      if (batch === null) return { events, end: position }
      for (let i = 0; i < batch.count; i++) events.push(rawEventAt(batch, i))
      position = batch.nextOffset
    }
  })
export const valuesOf = (events: ReadonlyArray<RawEvent>): ReadonlyArray<string> =>
  events.map(({ value }) => textOf(value))
