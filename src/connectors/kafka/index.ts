/**
 * Topics of a cluster of Kafka, 2.8 or newer: read by their committed records, written exactly once for whoever reads
 * committed records.
 */
import { Effect, Layer } from "effect"
import { Topics } from "../../flow/Topics.ts"
import { AccessRefused, type InvalidConfiguration, type SourceUnavailable } from "../../model/Errors.ts"
import * as KafkaClient from "./KafkaClient.ts"
import { type KafkaConfig, type ResolvedConfig, resolve } from "./KafkaConfig.ts"
import { type KafkaFailure, unavailable } from "./KafkaFailure.ts"
import { serviceOf } from "./KafkaService.ts"

export type { KafkaConfig, KafkaSasl, KafkaTls } from "./KafkaConfig.ts"

/**
 * Connects to a cluster. Fails within 5 seconds: with `SourceUnavailable` where no broker answers, with
 * `AccessRefused` where the brokers refuse who asks.
 */
export const layerKafka = (
  config: KafkaConfig
): Layer.Layer<Topics, SourceUnavailable | AccessRefused | InvalidConfiguration> =>
  Layer.scoped(
    Topics,
    Effect.gen(function* () {
      const resolved = yield* resolve(config)
      return yield* Effect.mapError(serviceOf(KafkaClient.make(resolved), resolved.compression), (failure) =>
        refused(resolved, failure)
      )
    })
  )

// Private

const refused = ({ brokers, sasl, tls }: ResolvedConfig, failure: KafkaFailure) =>
  failure.type === "AUTHENTICATION"
    ? new AccessRefused({
        system: "Kafka",
        message: `Kafka at ${brokers.join(", ")} refuses user ${sasl?.username ?? ""}: ${failure.message}`,
        hint: "See to KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM; brokers that ask for no user refuse one too: unset them there."
      })
    : unavailable(
        brokers.join(", "),
        `${failure.message}${sasl === null && tls === null ? "; it was asked without TLS and without a user" : ""}`
      )
