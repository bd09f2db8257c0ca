/**
 * Where traces and metrics are sent: the standard variables of OpenTelemetry, read by its rules.
 *
 * Lists are `name=value,name=value`, names and values percent-encoded. Nothing of `OTEL_EXPORTER_OTLP_HEADERS` is ever
 * part of a message.
 */
import { Either, Redacted } from "effect"
import { InvalidConfiguration } from "../model/Errors.ts"

export interface TelemetrySettings {
  /** Without `/v1/traces` and the like, and without a slash at its end. */
  readonly endpoint: string
  readonly headers: Redacted.Redacted<Readonly<Record<string, string>>>
  readonly service: string
  /** What is said of the process with every trace and metric. */
  readonly attributes: Readonly<Record<string, string>>
}

type Environment = Readonly<Record<string, string | undefined>>

/** `null` where `OTEL_EXPORTER_OTLP_ENDPOINT` is not set: nothing is sent. */
export const read = (environment: Environment): Either.Either<TelemetrySettings | null, InvalidConfiguration> => {
  const text = environment.OTEL_EXPORTER_OTLP_ENDPOINT ?? ""
  if (text === "") return Either.right(null)
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || !/^https?:$/.test(url.protocol))
    return refuse("OTEL_EXPORTER_OTLP_ENDPOINT", "is not an http or https address", "http://127.0.0.1:4318")
  // A name and a password in an address end up in logs.
  if (url.username !== "" || url.password !== "")
    return refuse("OTEL_EXPORTER_OTLP_ENDPOINT", "holds a name or a password", "OTEL_EXPORTER_OTLP_HEADERS for them")
  const headers = pairs(environment.OTEL_EXPORTER_OTLP_HEADERS)
  if (headers === null || !Object.entries(headers).every(isHeader))
    return refuse("OTEL_EXPORTER_OTLP_HEADERS", "is not a list of headers", "authorization=Bearer%20…,other=value")
  const attributes = pairs(environment.OTEL_RESOURCE_ATTRIBUTES)
  if (attributes === null)
    return refuse("OTEL_RESOURCE_ATTRIBUTES", "is not a list of attributes", "deployment.environment=test,team=data")
  const { "service.name": named, ...others } = attributes
  const service = environment.OTEL_SERVICE_NAME || named || "weir"
  return Either.right({
    endpoint: `${url.origin}${url.pathname.replace(/\/+$/, "")}`,
    headers: Redacted.make(headers),
    service,
    attributes: others
  })
}

const refuse = (name: string, why: string, right: string): Either.Either<never, InvalidConfiguration> =>
  Either.left(
    new InvalidConfiguration({
      name,
      message: `${name} ${why}: no traces and no metrics are sent`,
      hint: `Write for example ${right}.`
    })
  )

/** `null` if it is no such list. Of two of the same name the last one counts. */
const pairs = (text: string | undefined): Readonly<Record<string, string>> | null => {
  const found: Array<readonly [string, string]> = []
  for (const part of (text ?? "").split(",")) {
    if (part.trim() === "") continue
    const at = part.indexOf("=")
    if (at < 1) return null
    try {
      found.push([decodeURIComponent(part.slice(0, at).trim()), decodeURIComponent(part.slice(at + 1).trim())])
    } catch {
      return null
    }
  }
  return Object.fromEntries(found)
}

/** Nothing that would end the header. */
const isHeader = ([name, value]: readonly [string, string]): boolean =>
  /^[\w!#$%&'*+.^`|~-]+$/.test(name) && /^[\t\x20-\x7e\x80-\xff]*$/.test(value)
