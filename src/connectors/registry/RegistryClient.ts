/**
 * Asks a schema registry, over HTTP.
 *
 * - **Keeps** the schemas of numbers, which never change: the last `Limits.schemasKept`
 * - **Tries again** what did not answer, or answered that it cannot now, for `Limits.outageMillisMax`
 * - **Fails with** `SourceUnavailable` then; `InvalidConfiguration` where it refuses who asks; `InvalidSchema` where it
 *   refuses a schema
 */
import { FetchHttpClient, HttpClient, HttpClientRequest, type HttpClientResponse } from "@effect/platform"
import { Data, Effect, Layer, Redacted, Schema, Stream } from "effect"
import { patiently } from "../../flow/Patience.ts"
import {
  type OwnSchema,
  type RegisteredSchema,
  type SchemaForm,
  SchemaRegistry,
  type SchemaRegistryService
} from "../../flow/SchemaRegistry.ts"
import { InvalidConfiguration, InvalidSchema, SourceUnavailable } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import { type RegistryConfig, type ResolvedConfig, resolve } from "./RegistryConfig.ts"

/** A registry is asked when something needs it: that it is away fails no start of a job that needs none. */
export const layerRegistry = (config: RegistryConfig): Layer.Layer<SchemaRegistry, InvalidConfiguration> =>
  Layer.effect(
    SchemaRegistry,
    Effect.gen(function* () {
      const resolved = yield* resolve(config)
      return serviceOf(resolved, yield* HttpClient.HttpClient)
    })
  ).pipe(Layer.provide(FetchHttpClient.layer))

// Private

/** No answer, or one that says to ask again. */
class Away extends Data.TaggedError("Away")<{ readonly message: string }> {}

interface Answer {
  readonly status: number
  readonly body: unknown
}

type Failure = SourceUnavailable | InvalidConfiguration

const Reference = Schema.Struct({ name: Schema.String, subject: Schema.String, version: Schema.Int })
const Found = Schema.Struct({
  id: Schema.optional(Schema.Int),
  schema: Schema.String,
  schemaType: Schema.optionalWith(Schema.Literal("AVRO", "PROTOBUF", "JSON"), { default: () => "AVRO" }),
  references: Schema.optionalWith(Schema.Array(Reference), { default: () => [] })
})
const Numbered = Schema.Struct({ id: Schema.Int })
const Refusal = Schema.Struct({ message: Schema.String })
/** How a registry says that it has no such subject, version or schema; another 404 says that it is no registry. */
const Absence = Schema.Struct({ error_code: Schema.Literal(40401, 40402, 40403) })

const serviceOf = (config: ResolvedConfig, client: HttpClient.HttpClient): SchemaRegistryService => {
  const kept = new Map<string, RegisteredSchema>()
  const ask = asking(config, client)
  const read = <A, I>(schema: Schema.Schema<A, I>, { body }: Answer) =>
    Effect.mapError(Schema.decodeUnknown(schema)(body), () => unreadable(config))
  const get = (path: string): Effect.Effect<typeof Found.Type | null, Failure> =>
    Effect.flatMap(ask(HttpClientRequest.get(path)), (answer) =>
      answer.status === 200 ? read(Found, answer) : absent(config, answer)
    )
  return {
    schema: (id, form) =>
      Effect.suspend(() => {
        const key = `${form} ${id}`
        const known = kept.get(key)
        if (known !== undefined) return Effect.succeed(known)
        return Effect.map(get(`/schemas/ids/${id}${formOf(form)}`), (found) => {
          if (found === null) return null
          const schema = schemaOf(found)
          kept.set(key, schema)
          if (kept.size > Limits.schemasKept) kept.delete(kept.keys().next().value!)
          return schema
        })
      }),
    version: (subject, version, form) =>
      Effect.flatMap(get(`/subjects/${encodeURIComponent(subject)}/versions/${version}${formOf(form)}`), (found) => {
        if (found === null) return Effect.succeed(null)
        return found.id === undefined
          ? Effect.fail(unreadable(config))
          : Effect.succeed({ ...schemaOf(found), id: found.id })
      }),
    find: (subject, schema) =>
      Effect.flatMap(ask(posted(`/subjects/${encodeURIComponent(subject)}`, schema)), (answer) =>
        answer.status === 200 ? Effect.map(read(Numbered, answer), ({ id }) => id) : absent(config, answer)
      ),
    register: (subject, schema) =>
      Effect.flatMap(
        ask(posted(`/subjects/${encodeURIComponent(subject)}/versions`, schema)),
        (answer): Effect.Effect<number, Failure | InvalidSchema> => {
          if (answer.status === 200) return Effect.map(read(Numbered, answer), ({ id }) => id)
          return answer.status === 409 || answer.status === 422
            ? Effect.fail(refusedSchema(subject, schema, answer))
            : Effect.fail(refused(config, answer))
        }
      )
  }
}

const formOf = (form: SchemaForm): string => (form === "compiled" ? "?format=serialized" : "")

const schemaOf = ({ references, schema, schemaType }: typeof Found.Type): RegisteredSchema => ({
  format: schemaType,
  text: schema,
  references
})

const posted = (path: string, { format, text }: OwnSchema): HttpClientRequest.HttpClientRequest =>
  HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post(path), {
    schema: text,
    // The word for it came later than Avro: an old registry does not know it.
    ...(format === "AVRO" ? {} : { schemaType: format })
  })

/** Asks until there is an answer that means something, and reads no more of it than a schema may have. */
const asking = (config: ResolvedConfig, client: HttpClient.HttpClient) => {
  const prepared = HttpClient.mapRequest(client, (request) =>
    (config.user === null
      ? request
      : HttpClientRequest.basicAuth(request, config.user.username, Redacted.value(config.user.password))
    ).pipe(
      HttpClientRequest.prependUrl(config.url),
      HttpClientRequest.setHeader("accept", "application/vnd.schemaregistry.v1+json, application/json")
    )
  )
  return (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Answer, Failure> =>
    prepared.execute(request).pipe(
      Effect.mapError(({ reason }) => new Away({ message: `no answer (${reason})` })),
      Effect.flatMap(answerOf),
      Effect.scoped,
      Effect.timeoutFail({
        duration: Limits.registryMillisMax,
        onTimeout: () => new Away({ message: `no answer within ${Limits.registryMillisMax} milliseconds` })
      }),
      Effect.tapError(({ message }) => Effect.logDebug(`Schema registry ${config.url}: ${message}`)),
      Effect.mapError(({ message }) => unavailable(config, message)),
      patiently,
      Effect.filterOrFail(
        ({ status }) => status !== 401 && status !== 403,
        ({ status }) => unknownUser(config, status)
      ),
      Effect.withTracerEnabled(false)
    )
}

const answerOf = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<Answer, Away> => {
  const { status } = response
  if (status >= 500 || status === 408 || status === 429)
    return new Away({ message: `it answers with status ${status}` })
  return Stream.runFoldEffect(response.stream, new Uint8Array(0), (bytes, chunk) =>
    bytes.length + chunk.length > Limits.schemaBytesMax
      ? new Away({ message: `it answers with more than ${Limits.schemaBytesMax} bytes` })
      : Effect.succeed(joined(bytes, chunk))
  ).pipe(
    Effect.mapError((error) => (error instanceof Away ? error : new Away({ message: "its answer broke off" }))),
    Effect.map((bytes) => ({ status, body: parsed(new TextDecoder().decode(bytes)) }))
  )
}

const joined = (bytes: Uint8Array, chunk: Uint8Array): Uint8Array<ArrayBuffer> => {
  const all = new Uint8Array(bytes.length + chunk.length)
  all.set(bytes)
  all.set(chunk, bytes.length)
  return all
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const saidBy = ({ body, status }: Answer): string => {
  const said = Schema.decodeUnknownOption(Refusal)(body)
  return said._tag === "Some" ? said.value.message : `status ${status}`
}

/** `null` where the registry says that there is no such thing. */
const absent = (config: ResolvedConfig, answer: Answer): Effect.Effect<null, InvalidConfiguration> => {
  if (answer.status !== 404) return Effect.fail(refused(config, answer))
  return Schema.is(Absence)(answer.body) ? Effect.succeed(null) : Effect.fail(unreadable(config))
}

const hint = "See whether the registry of SCHEMA_REGISTRY_URL runs and can be reached. A job tries again by itself."

const unavailable = ({ url }: ResolvedConfig, message: string): SourceUnavailable =>
  new SourceUnavailable({ source: url, message: `The schema registry at ${url}: ${message}`, hint })

const unreadable = ({ url }: ResolvedConfig): InvalidConfiguration =>
  new InvalidConfiguration({
    name: "SCHEMA_REGISTRY_URL",
    message: `What answers at ${url} is no schema registry`,
    hint: "SCHEMA_REGISTRY_URL is the address under which /subjects is found."
  })

const refused = ({ url }: ResolvedConfig, answer: Answer): InvalidConfiguration =>
  new InvalidConfiguration({
    name: "SCHEMA_REGISTRY_URL",
    message: `The schema registry at ${url} refuses a request: ${saidBy(answer)}`,
    hint: "SCHEMA_REGISTRY_URL is the address under which /subjects is found; the registry's log says more."
  })

const unknownUser = ({ url, user }: ResolvedConfig, status: number): InvalidConfiguration =>
  new InvalidConfiguration({
    name: "SCHEMA_REGISTRY_PASSWORD",
    message: `The schema registry at ${url} refuses ${user === null ? "whoever names no user" : `user ${user.username}`} (status ${status})`,
    hint: "See to SCHEMA_REGISTRY_USERNAME and SCHEMA_REGISTRY_PASSWORD."
  })

const refusedSchema = (subject: string, { text }: OwnSchema, answer: Answer): InvalidSchema =>
  new InvalidSchema({
    schema: text,
    message: `The schema registry refuses the job's schema for the subject ${subject}: ${saidBy(answer)}`,
    hint: "Change the job's Schema so that readers of older records can read it too, or the compatibility of the subject."
  })
