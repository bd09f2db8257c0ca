/**
 * Sends traces and metrics to a collector of OpenTelemetry, over HTTP.
 *
 * - **Keeps** what has not been sent: spans of at most `Limits.tracesPerSecondMax` traces a second, for as long as a
 *   request and its repetitions may take; nothing while a collector does not answer, which is looked at each minute
 * - **Fails with** nothing: a collector that is absent, slow or refuses is told once in the log, and again when it
 *   has come back
 */
import * as OtlpResource from "@effect/opentelemetry/OtlpResource"
import * as OtlpSerialization from "@effect/opentelemetry/OtlpSerialization"
import * as OtlpTracer from "@effect/opentelemetry/OtlpTracer"
import { FetchHttpClient, HttpClient, HttpClientError, HttpClientRequest } from "@effect/platform"
import {
  ConfigProvider,
  Context,
  Effect,
  Exit,
  FiberRef,
  Layer,
  Logger,
  LogLevel,
  Option,
  Redacted,
  Schedule,
  type Scope,
  type Tracer
} from "effect"
import * as Limits from "../model/Limits.ts"
import type { Millis } from "../model/Time.ts"
import type { Facts } from "./Metrics.ts"
import * as MetricsExport from "./MetricsExport.ts"
import type { JobEvent } from "./Progress.ts"
import * as Spans from "./Spans.ts"
import type { TelemetrySettings } from "./TelemetrySettings.ts"

export interface Telemetry {
  /** Makes a trace of what happened; never waits, never throws. */
  readonly hear: (event: JobEvent) => void
  /** Sends metrics from now on until the scope closes, then once more. */
  readonly report: (facts: Effect.Effect<Facts, unknown>) => Effect.Effect<void, never, Scope.Scope>
}

/** How often spans and metrics are sent, in milliseconds. */
export interface Intervals {
  readonly spansMillis: number
  readonly metricsMillis: number
}

const often: Intervals = { spansMillis: 5_000, metricsMillis: 15_000 }

/** Sends until the scope closes; what is left then is sent within `Limits.telemetryDrainMillisMax`. */
export const make = (
  settings: TelemetrySettings,
  intervals: Intervals = often
): Effect.Effect<Telemetry, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const level = yield* FiberRef.get(FiberRef.currentMinimumLogLevel)
    const client = watched(yield* HttpClient.HttpClient, settings.endpoint, level)
    const resource = { serviceName: settings.service, attributes: { ...settings.attributes } }
    const headers = Redacted.value(settings.headers)
    const tracer = yield* OtlpTracer.make({
      url: `${settings.endpoint}/v1/traces`,
      resource,
      headers,
      exportInterval: intervals.spansMillis,
      shutdownTimeout: Limits.telemetryDrainMillisMax
    }).pipe(
      Effect.provideService(HttpClient.HttpClient, client),
      // Its settings are given: what it would read from the environment by other rules is not asked for.
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map())),
      // It would log causes with requests in them, and headers in these.
      Logger.withMinimumLogLevel(LogLevel.None)
    )
    const serialization = yield* OtlpSerialization.OtlpSerialization
    const send = (facts: Effect.Effect<Facts, unknown>) =>
      Effect.gen(function* () {
        const body = serialization.metrics(MetricsExport.request(yield* facts, OtlpResource.make(resource)))
        const request = HttpClientRequest.post(`${settings.endpoint}/v1/metrics`, { headers })
        yield* client.execute(HttpClientRequest.setBody(request, body))
      }).pipe(Effect.ignore, Effect.withTracerEnabled(false))
    const traceOf = Spans.make()
    return {
      hear: (event) => {
        const span = traceOf(event, clock.unsafeCurrentTimeMillis())
        if (span !== null) tell(tracer, span, Option.none())
      },
      report: (facts) =>
        Effect.addFinalizer(() =>
          send(facts).pipe(Effect.interruptible, Effect.timeoutOption(Limits.telemetryDrainMillisMax))
        ).pipe(
          Effect.zipRight(
            Effect.forkScoped(
              Effect.repeat(
                Effect.zipRight(Effect.sleep(intervals.metricsMillis), Effect.interruptible(send(facts))),
                Schedule.forever
              )
            )
          ),
          Effect.asVoid
        )
    } satisfies Telemetry
  }).pipe(Effect.provide(Layer.merge(FetchHttpClient.layer, OtlpSerialization.layerJson)))

const tell = (tracer: Tracer.Tracer, span: Spans.Span, parent: Option.Option<Tracer.AnySpan>): void => {
  const told = tracer.span(span.name, parent, Context.empty(), [], nanosOf(span.from), "internal")
  for (const [name, value] of Object.entries(span.attributes)) told.attribute(name, value)
  for (const part of span.parts) tell(tracer, part, Option.some(told))
  told.end(nanosOf(span.to), span.failure === null ? Exit.void : Exit.fail(span.failure))
}

const nanosOf = (at: Millis): bigint => BigInt(Math.round(at)) * 1_000_000n

/** A client that does not wait for ever, and says once when it does not get through and once when it does again. */
const watched = (client: HttpClient.HttpClient, endpoint: string, level: LogLevel.LogLevel): HttpClient.HttpClient => {
  let failing = false
  const turn = (failed: string | null) =>
    Effect.suspend(() => {
      if (failing === (failed !== null)) return Effect.void
      failing = failed !== null
      return failed === null
        ? Effect.logInfo(`Traces and metrics reach ${endpoint} again`)
        : Effect.logWarning(`Traces and metrics do not reach ${endpoint}: ${failed}. Jobs go on without them`)
    }).pipe(Logger.withMinimumLogLevel(level))
  return HttpClient.transform(client, (response, request) =>
    response.pipe(
      Effect.timeoutFail({
        duration: Limits.telemetryMillisMax,
        onTimeout: () => new HttpClientError.RequestError({ request, reason: "Transport", description: "no answer" })
      }),
      Effect.tapBoth({
        onSuccess: ({ status }) => turn(status < 400 ? null : `it answers with status ${status}`),
        onFailure: () => turn("it does not answer")
      })
    )
  )
}
