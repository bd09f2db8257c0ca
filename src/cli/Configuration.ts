/**
 * The configuration: flags over environment over `weir.config.json`, read through one Schema.
 *
 * Every option is said once here, with its unit, default and meaning: the help texts are made from it.
 */
import { FileSystem } from "@effect/platform"
import { Effect, Either, ParseResult, Redacted, Schema } from "effect"
import { InvalidConfiguration } from "../model/Errors.ts"
import * as Suggestion from "../model/Suggestion.ts"
import { Process } from "./Process.ts"
import * as Usage from "./Usage.ts"

/** Where checkpoints lie: with the tables, or in a folder of their own. */
export type Checkpoints = { readonly kind: "tables" } | { readonly kind: "folder"; readonly folder: string }

/** What `WEIR_LOG` and `--log-level` may say. */
export const logLevels = ["all", "trace", "debug", "info", "warning", "error", "fatal", "none"] as const

/** How Kafka may be told who asks. */
const saslMechanisms = ["plain", "scram-sha-256", "scram-sha-512"] as const
/** How records may be packed that are written to it. */
const compressions = ["none", "gzip", "lz4"] as const

const port = Schema.NumberFromString.pipe(Schema.int(), Schema.between(0, 65_535))

const Checkpoints: Schema.Schema<Checkpoints, string> = Schema.transform(
  Schema.String.pipe(Schema.pattern(/^(tables|file:.+)$/s)),
  Schema.Any as Schema.Schema<Checkpoints>,
  {
    strict: true,
    decode: (text): Checkpoints =>
      text === "tables" ? { kind: "tables" } : { kind: "folder", folder: text.slice("file:".length) },
    encode: (checkpoints) => (checkpoints.kind === "tables" ? "tables" : `file:${checkpoints.folder}`)
  }
)

const ConfigurationText = Schema.Struct({
  data: Schema.NonEmptyString,
  host: Schema.NonEmptyString,
  port,
  token: Schema.NullOr(Schema.Redacted(Schema.String.pipe(Schema.minLength(8)))),
  checkpoints: Checkpoints,
  stockApiPort: port,
  databaseUrl: Schema.NullOr(
    Schema.Redacted(Schema.String.pipe(Schema.pattern(/^(postgres|postgresql|mysql|mariadb):\/\//)))
  ),
  kafkaBrokers: Schema.NullOr(Schema.NonEmptyString),
  kafkaSsl: Schema.NullOr(Schema.NonEmptyString),
  kafkaSaslMechanism: Schema.Literal(...saslMechanisms),
  kafkaSaslUsername: Schema.NullOr(Schema.NonEmptyString),
  kafkaSaslPassword: Schema.NullOr(Schema.Redacted(Schema.String)),
  schemaRegistryUrl: Schema.NullOr(Schema.Redacted(Schema.String.pipe(Schema.pattern(/^https?:\/\/./)))),
  schemaRegistryUsername: Schema.NullOr(Schema.NonEmptyString),
  schemaRegistryPassword: Schema.NullOr(Schema.Redacted(Schema.String)),
  kafkaCompression: Schema.Literal(...compressions),
  log: Schema.Literal(...logLevels)
})

export type Configuration = typeof ConfigurationText.Type

interface Setting {
  readonly variable: string
  readonly flag: string
  readonly takes: string
  readonly fallback: string | null
  readonly meaning: string
  /** What a right value looks like. */
  readonly form: string
}

/** Every option, by its name in `weir.config.json`. */
export const settings: { readonly [N in keyof Configuration]: Setting } = {
  data: {
    variable: "WEIR_DATA",
    flag: "data",
    takes: "FOLDER",
    fallback: "./.weir",
    meaning: "the data folder: embedded log, embedded Postgres, checkpoints, files",
    form: "a folder"
  },
  host: {
    variable: "WEIR_HOST",
    flag: "host",
    takes: "ADDRESS",
    fallback: "127.0.0.1",
    meaning: "the address that the HTTP API and the page listen on",
    form: "an address of this machine"
  },
  port: {
    variable: "WEIR_PORT",
    flag: "port",
    takes: "PORT",
    fallback: "7070",
    meaning: "the TCP port of the HTTP API and the page; 0 takes any free one",
    form: "a whole number from 0 to 65535"
  },
  token: {
    variable: "WEIR_TOKEN",
    flag: "token",
    takes: "TEXT",
    fallback: null,
    meaning: "bearer token for all that changes or shows data; a must when the host is not loopback",
    form: "a text of at least 8 characters"
  },
  checkpoints: {
    variable: "WEIR_CHECKPOINTS",
    flag: "checkpoints",
    takes: "PLACE",
    fallback: "tables",
    meaning: "where checkpoints lie: 'tables' (with the rows, in one transaction) or 'file:<folder>'",
    form: "'tables' or 'file:<folder>'"
  },
  stockApiPort: {
    variable: "WEIR_STOCK_API_PORT",
    flag: "stock-api-port",
    takes: "PORT",
    fallback: "5000",
    meaning: "the TCP port of the gateway of the stock API",
    form: "a whole number from 0 to 65535"
  },
  databaseUrl: {
    variable: "DATABASE_URL",
    flag: "database-url",
    takes: "URL",
    fallback: null,
    meaning:
      "a database server, as postgres://user:password@host:port/database, mysql://… or mariadb://…; set: tables are there, not in the data folder",
    form: "an address that begins with postgres://, mysql:// or mariadb://"
  },
  kafkaBrokers: {
    variable: "KAFKA_BROKERS",
    flag: "kafka-brokers",
    takes: "LIST",
    fallback: null,
    meaning: "brokers of Kafka as host:port, separated by commas; set: topics are Kafka's, not the data folder's",
    form: "a list of host:port"
  },
  kafkaSsl: {
    variable: "KAFKA_SSL",
    flag: "kafka-ssl",
    takes: "true|FILE",
    fallback: null,
    meaning: "TLS to Kafka: 'true', or the file with the certificate of the authority that the brokers are signed by",
    form: "'true', 'false' or a file"
  },
  kafkaSaslMechanism: {
    variable: "KAFKA_SASL_MECHANISM",
    flag: "kafka-sasl-mechanism",
    takes: "NAME",
    fallback: "plain",
    meaning: "how Kafka is told who asks, where a user is named",
    form: `one of ${saslMechanisms.join(", ")}`
  },
  kafkaSaslUsername: {
    variable: "KAFKA_SASL_USERNAME",
    flag: "kafka-sasl-username",
    takes: "NAME",
    fallback: null,
    meaning: "the user of Kafka",
    form: "a name"
  },
  kafkaSaslPassword: {
    variable: "KAFKA_SASL_PASSWORD",
    flag: "kafka-sasl-password",
    takes: "TEXT",
    fallback: null,
    meaning: "the password of that user",
    form: "a text"
  },
  schemaRegistryUrl: {
    variable: "SCHEMA_REGISTRY_URL",
    flag: "schema-registry-url",
    takes: "URL",
    fallback: null,
    meaning: "the schema registry that codecs ask, such as http://localhost:8081; unset: codecs that need one fail",
    form: "an address that begins with http:// or https://"
  },
  schemaRegistryUsername: {
    variable: "SCHEMA_REGISTRY_USERNAME",
    flag: "schema-registry-username",
    takes: "NAME",
    fallback: null,
    meaning: "the user of the schema registry, by basic authentication",
    form: "a name"
  },
  schemaRegistryPassword: {
    variable: "SCHEMA_REGISTRY_PASSWORD",
    flag: "schema-registry-password",
    takes: "TEXT",
    fallback: null,
    meaning: "the password of that user of the schema registry",
    form: "a text"
  },
  kafkaCompression: {
    variable: "KAFKA_COMPRESSION",
    flag: "kafka-compression",
    takes: "METHOD",
    fallback: "none",
    meaning: "how records are packed that are written to Kafka; read are also those packed by snappy and zstd",
    form: `one of ${compressions.join(", ")}`
  },
  log: {
    variable: "WEIR_LOG",
    flag: "log",
    takes: "LEVEL",
    fallback: "info",
    meaning: "the least level that is logged; pretty on a terminal, JSON elsewhere",
    form: `one of ${logLevels.join(", ")}`
  }
}

const names = Object.keys(settings) as ReadonlyArray<keyof Configuration>

/** What is never shown. */
const secrets: ReadonlyArray<keyof Configuration> = [
  "token",
  "databaseUrl",
  "kafkaSaslPassword",
  "schemaRegistryUrl",
  "schemaRegistryPassword"
]

export type Texts = { readonly [N in keyof Configuration]?: string | undefined }

/** The flag of an option, with its default and its variable in the help text. */
export const flagOf = (name: keyof Configuration) => {
  const { flag, takes, fallback, meaning, variable } = settings[name]
  return Usage.text(flag, takes, `${meaning} (default: ${fallback ?? "none"}; ${variable})`)
}

/** The configuration of this process: what flags say, else the environment, else `weir.config.json`, else defaults. */
export const load = (
  flags: Texts
): Effect.Effect<Configuration, InvalidConfiguration, Process | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const process = yield* Process
    const file = yield* fileTexts(process.modules.root)
    const texts: Record<string, string | null> = {}
    const origins: Record<string, string> = {}
    for (const name of names) {
      const { variable, flag, fallback } = settings[name]
      const fromEnvironment = process.environment[variable]
      if (flags[name] !== undefined) {
        texts[name] = flags[name]
        origins[name] = `--${flag}`
      } else if (fromEnvironment !== undefined && fromEnvironment !== "") {
        texts[name] = fromEnvironment
        origins[name] = variable
      } else {
        texts[name] = file[name] ?? fallback
        origins[name] = `'${name}' of weir.config.json`
      }
    }
    return yield* refuseOpenHost(yield* decode(texts, origins))
  })

const decode = (
  texts: Readonly<Record<string, string | null>>,
  origins: Readonly<Record<string, string>>
): Either.Either<Configuration, InvalidConfiguration> =>
  Either.mapLeft(Schema.decodeUnknownEither(ConfigurationText)(texts), (error) => {
    const name = ParseResult.ArrayFormatter.formatErrorSync(error)[0]!.path[0] as keyof Configuration
    const { form, meaning } = settings[name]
    const given = secrets.includes(name) ? "its value" : `'${texts[name]}'`
    return new InvalidConfiguration({
      name,
      message: `${origins[name]}: ${given} is not ${form}`,
      hint: `It sets ${meaning}.`
    })
  })

const refuseOpenHost = (configuration: Configuration): Either.Either<Configuration, InvalidConfiguration> =>
  isLoopback(configuration.host) || (configuration.token !== null && Redacted.value(configuration.token) !== "")
    ? Either.right(configuration)
    : Either.left(
        new InvalidConfiguration({
          name: "host",
          message: `WEIR_HOST is ${configuration.host}, which others can reach, and no WEIR_TOKEN is set`,
          hint: "Set WEIR_TOKEN to a long random text, or listen on 127.0.0.1."
        })
      )

/** Only this machine can reach it. */
export const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1|\[::1\])$/i.test(host)

/** What `weir.config.json` says: options by name, or by the name of their variable. */
const fileTexts = (folder: string): Effect.Effect<Texts, InvalidConfiguration, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const path = `${folder}/weir.config.json`
    if (!(yield* Effect.orElseSucceed(files.exists(path), () => false))) return {}
    const parsed = yield* files.readFileString(path).pipe(
      Effect.flatMap(Schema.decode(Schema.parseJson(fileForm))),
      Effect.mapError(
        (error) =>
          new InvalidConfiguration({
            name: path,
            message: `${path} cannot be read: ${error.message.split("\n")[0]}`,
            hint: 'Write one JSON object, for example {"data": "./.weir", "port": 7070}.'
          })
      )
    )
    const texts: Record<string, string> = {}
    for (const [key, value] of Object.entries(parsed)) {
      if (key === "$schema") continue
      const name = names.find((name) => key === name || key === settings[name].variable)
      if (name === undefined)
        return yield* Effect.fail(
          new InvalidConfiguration({
            name: key,
            message: `${path} has an option '${key}' that is not known`,
            hint: Suggestion.sentence(key, names)
          })
        )
      texts[name] = String(value)
    }
    return texts as Texts
  })

const fileForm = Schema.Record({ key: Schema.String, value: Schema.Union(Schema.String, Schema.Number) })
