/** How a cluster of Kafka is reached. */
import { Effect, Redacted } from "effect"
import { InvalidConfiguration } from "../../model/Errors.ts"
import type { Compression } from "./KafkaCompression.ts"

export interface KafkaConfig {
  /** Where to ask first, as `host:port`; the port is 9092 if none is named. The cluster names its other brokers itself. */
  readonly brokers: ReadonlyArray<string>
  /** How Weir calls itself in the brokers' logs and quotas. Default: `weir`. */
  readonly clientId?: string
  /** TLS. `true`: against the authorities that the runtime trusts. Absent: none. */
  readonly tls?: true | KafkaTls
  /** Who Weir is. Absent: nobody. */
  readonly sasl?: KafkaSasl
  /** How records are written: `none`, `gzip` or `lz4`. Default: `none`. What others wrote is read however it is packed. */
  readonly compression?: Compression
}

/** Texts in PEM form. */
export interface KafkaTls {
  /** The authority that signed the brokers' certificates. Absent: those that the runtime trusts. */
  readonly authority?: string
  /** Weir's own certificate and key, where the brokers ask for one. */
  readonly certificate?: string
  readonly key?: Redacted.Redacted
}

export interface KafkaSasl {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512"
  readonly username: string
  readonly password: Redacted.Redacted
}

export interface ResolvedConfig {
  readonly brokers: ReadonlyArray<string>
  readonly clientId: string
  readonly tls: true | KafkaTls | null
  readonly sasl: KafkaSasl | null
  readonly compression: Compression
}

/** The configuration with what is left out filled in. Fails where a broker is no `host:port`. */
export const resolve = (config: KafkaConfig): Effect.Effect<ResolvedConfig, InvalidConfiguration> =>
  Effect.gen(function* () {
    const brokers = config.brokers.map((broker) => broker.trim()).filter((broker) => broker !== "")
    if (brokers.length === 0) return yield* invalid("no broker is named")
    const wrong = brokers.find((broker) => !/^[^\s:/]+(:\d{1,5})?$/.test(broker))
    if (wrong !== undefined) return yield* invalid(`'${wrong}' is no host:port`)
    return {
      brokers: brokers.map((broker) => (broker.includes(":") ? broker : `${broker}:9092`)),
      clientId: config.clientId ?? "weir",
      tls: config.tls ?? null,
      sasl: config.sasl ?? null,
      compression: config.compression ?? "none"
    }
  })

/** The same in the driver's words. */
export const driverOptions = ({ brokers, clientId, sasl, tls }: ResolvedConfig): object => ({
  brokers: [...brokers],
  clientId,
  ssl: tls === null ? null : tls === true ? {} : secureContext(tls),
  sasl:
    sasl === null
      ? null
      : { mechanism: sasl.mechanism, username: sasl.username, password: Redacted.value(sasl.password) }
})

/** A text without the password, whoever put it there. */
export const withoutPassword = ({ sasl }: ResolvedConfig, text: string): string => {
  const password = sasl === null ? "" : Redacted.value(sasl.password)
  return password === "" ? text : text.replaceAll(password, "…")
}

// Private

const secureContext = ({ authority, certificate, key }: KafkaTls): object => ({
  ...(authority === undefined ? {} : { ca: [authority] }),
  ...(certificate === undefined ? {} : { cert: certificate }),
  ...(key === undefined ? {} : { key: Redacted.value(key) })
})

const invalid = (why: string) =>
  new InvalidConfiguration({
    name: "KAFKA_BROKERS",
    message: `The brokers of Kafka cannot be asked: ${why}`,
    hint: "Name them as host:port, separated by commas: KAFKA_BROKERS=kafka1:9092,kafka2:9092."
  })
