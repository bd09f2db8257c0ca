/** Topics of Kafka, as the configuration names its brokers. */
import { FileSystem } from "@effect/platform"
import { Effect, Layer, Redacted } from "effect"
import { type KafkaSasl, type KafkaTls, layerKafka } from "../connectors/kafka/index.ts"
import type { Topics } from "../flow/Topics.ts"
import { type AccessRefused, InvalidConfiguration, type SourceUnavailable } from "../model/Errors.ts"
import type { Configuration } from "./Configuration.ts"

export const layer = (
  brokers: string,
  configuration: Configuration
): Layer.Layer<Topics, AccessRefused | InvalidConfiguration | SourceUnavailable, FileSystem.FileSystem> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const tls = yield* tlsOf(configuration.kafkaSsl)
      const sasl = saslOf(configuration)
      return layerKafka({
        brokers: brokers.split(","),
        compression: configuration.kafkaCompression,
        ...(tls === null ? {} : { tls }),
        ...(sasl === null ? {} : { sasl })
      })
    })
  )

// Private

const saslOf = ({ kafkaSaslMechanism, kafkaSaslPassword, kafkaSaslUsername }: Configuration): KafkaSasl | null =>
  kafkaSaslUsername === null
    ? null
    : { mechanism: kafkaSaslMechanism, username: kafkaSaslUsername, password: kafkaSaslPassword ?? Redacted.make("") }

const tlsOf = (
  given: string | null
): Effect.Effect<true | KafkaTls | null, InvalidConfiguration, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    if (given === null || given === "false") return null
    if (given === "true") return true
    const files = yield* FileSystem.FileSystem
    const authority = yield* Effect.mapError(
      files.readFileString(given),
      (error) =>
        new InvalidConfiguration({
          name: "KAFKA_SSL",
          message: `KAFKA_SSL: the file ${given} cannot be read: ${error.message}`,
          hint: "It is 'true', or a file with the certificate of an authority in PEM form."
        })
    )
    return { authority }
  })
