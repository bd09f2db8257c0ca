/**
 * The API over the daemon, its topics and its tables. Served by whatever `HttpServer` is given: a port, or a socket
 * in the data folder.
 */
import {
  type Etag,
  type FileSystem,
  HttpApiBuilder,
  type HttpPlatform,
  type HttpServer,
  HttpServerResponse,
  OpenApi,
  type Path
} from "@effect/platform"
import { Clock, Deferred, Duration, Effect, Layer, Ref, Schema } from "effect"
import * as Parameter from "../flow/Parameter.ts"
import { Tables } from "../flow/Tables.ts"
import { Topics } from "../flow/Topics.ts"
import { InvalidRequest, UnknownTable } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"
import * as Metrics from "../observe/Metrics.ts"
import type { JobStatus } from "../observe/Progress.ts"
import { Api } from "./Api.ts"
import { deadLetterShown, detailShown, progressShown, statusShown } from "./ApiAnswers.ts"
import * as ApiBody from "./ApiBody.ts"
import { layerControl } from "./ApiControlLive.ts"
import { answering } from "./ApiErrors.ts"
import * as ApiEvents from "./ApiEvents.ts"
import { layerAnswers, layerAuthorization, type Token } from "./ApiGuard.ts"
import * as ApiRecords from "./ApiRecords.ts"
import { ProducedRecord, QueryAnswer, ReplayOptions, RunOptions } from "./ApiSchemas.ts"
import * as ApiTopics from "./ApiTopics.ts"
import { Daemon } from "./Daemon.ts"
import * as DaemonFacts from "./DaemonFacts.ts"
import { Dashboard } from "./DashboardSchemas.ts"
import * as Dashboards from "./Dashboards.ts"
import * as DocsPage from "./DocsPage.ts"
import * as PageFiles from "./PageFiles.ts"
import * as SchemaSample from "./SchemaSample.ts"

export interface ApiOptions {
  readonly token: Token
  /** The folder of the page's files: `src/daemon/page`, or where a build has put it. */
  readonly pageFolder: string
  /** Where dashboards are kept: a folder of the data folder. */
  readonly dashboardsFolder: string
  /** Where dashboards of the project are found: `<name>/dashboard.json`. */
  readonly systemsFolder: string
  readonly process: Effect.Effect<Metrics.ProcessFacts>
}

/**
 * Serves the API until its scope ends; streams of events end first. Each call makes an API of its own, so that one
 * process may serve a port and a local socket side by side.
 */
export const layer = (
  options: ApiOptions
): Layer.Layer<
  never,
  never,
  | HttpServer.HttpServer
  | HttpPlatform.HttpPlatform
  | Etag.Generator
  | FileSystem.FileSystem
  | Path.Path
  | Daemon
  | Topics
  | Tables
> =>
  Layer.fresh(
    HttpApiBuilder.serve().pipe(
      Layer.provide(layerAnswers),
      Layer.provide(HttpApiBuilder.api(Api)),
      Layer.provide([
        layerJobs,
        layerControl,
        layerTopics,
        layerTables,
        layerSchema,
        layerDatabases,
        layerDashboards(options),
        layerObserve(options),
        layerHealth,
        layerPage(options.pageFolder)
      ]),
      Layer.provide(layerAuthorization(options.token))
    )
  )

const layerJobs = HttpApiBuilder.group(Api, "jobs", (handlers) =>
  Effect.gen(function* () {
    const daemon = yield* Daemon
    const closing = yield* Deferred.make<void>()
    yield* Effect.addFinalizer(() => Deferred.succeed(closing, undefined))
    const shown = <E, R>(status: Effect.Effect<Parameters<typeof statusShown>[0], E, R>) =>
      Effect.zipWith(status, Clock.currentTimeMillis, statusShown)
    return handlers
      .handle("list", () =>
        Effect.zipWith(daemon.statuses, Clock.currentTimeMillis, (statuses, now) =>
          statuses.map((status) => statusShown(status, now))
        )
      )
      .handle("detail", ({ path }) =>
        answering(Effect.zipWith(daemon.detail(path.job), Clock.currentTimeMillis, detailShown))
      )
      .handle("progress", ({ path, urlParams }) =>
        answering(Effect.map(daemon.progress(path.job, urlParams.last ?? 10), (all) => all.map(progressShown)))
      )
      .handle("waiting", ({ path }) => answering(daemon.waiting(path.job)))
      .handle("deadLetters", ({ path, urlParams }) =>
        answering(
          Effect.map(daemon.deadLetters(path.job, { ...urlParams, last: urlParams.last ?? 100 }), (all) =>
            all.map(deadLetterShown)
          )
        )
      )
      .handleRaw("replayDeadLetters", ({ path, request }) =>
        ApiBody.json(request, ReplayOptions, Limits.requestJsonBytesMax).pipe(
          Effect.flatMap((options) => daemon.replayDeadLetters(path.job, options)),
          answering
        )
      )
      .handleRaw("start", ({ path, request }) =>
        ApiBody.json(request, RunOptions, Limits.requestJsonBytesMax).pipe(
          Effect.flatMap((options) => shown(daemon.start(path.job, options))),
          answering
        )
      )
      .handle("stop", ({ path }) => answering(shown(daemon.stop(path.job))))
      .handleRaw("reset", ({ path, request }) =>
        ApiBody.json(request, resetBody, Limits.requestJsonBytesMax).pipe(
          Effect.flatMap(({ tables }) => daemon.reset(path.job, { tables: tables ?? false })),
          Effect.map((remains) => ({ remains })),
          answering
        )
      )
      .handle("events", () => Effect.succeed(ApiEvents.response(daemon, closing)))
  })
)

const resetBody = Schema.Struct({ tables: Schema.optional(Schema.Boolean) })
const answerOfQuery = HttpServerResponse.schemaJson(QueryAnswer)
const queryBody = Schema.Struct({ sql: Schema.NonEmptyString })

const layerTopics = HttpApiBuilder.group(Api, "topics", (handlers) =>
  Effect.gen(function* () {
    const topics = yield* Topics
    const turns = yield* Ref.make(0)
    return handlers
      .handle("list", () => answering(topics.list))
      .handle("create", ({ path, urlParams }) =>
        retentionOf(urlParams.retention).pipe(
          Effect.flatMap((retentionMillis) =>
            topics.create(path.topic, {
              partitions: urlParams.partitions ?? ApiTopics.partitionsDefault,
              retentionMillis
            })
          ),
          Effect.zipRight(topics.describe(path.topic)),
          answering
        )
      )
      .handleRaw("produce", ({ path, request, urlParams }) =>
        ApiBody.bytes(request, Limits.requestBytesMax).pipe(
          Effect.flatMap((lines) => ApiTopics.produce(topics, turns, { ...urlParams, topic: path.topic, lines })),
          answering
        )
      )
      .handleRaw("append", ({ path, request, urlParams }) =>
        ApiBody.json(request, Schema.Array(ProducedRecord), Limits.requestBytesMax).pipe(
          Effect.flatMap((records) => ApiTopics.append(topics, { ...urlParams, topic: path.topic, records })),
          answering
        )
      )
      .handle("read", ({ path, urlParams }) =>
        answering(
          Effect.map(ApiTopics.read(topics, path.topic, urlParams), (records) => records.map(ApiRecords.stored))
        )
      )
  })
)

const retentionOf = (text: string | undefined): Effect.Effect<number | null, InvalidRequest> => {
  if (text === undefined) return Effect.succeed(null)
  const duration = Parameter.parseDuration(text)
  return duration === null || Duration.toMillis(duration) <= 0
    ? new InvalidRequest({
        message: `retention '${text}' is no duration`,
        hint: "Write a number and a unit, such as '7 days', or leave it out to keep records for ever."
      })
    : Effect.succeed(Duration.toMillis(duration))
}

const layerTables = HttpApiBuilder.group(Api, "tables", (handlers) =>
  Effect.map(Tables, (tables) =>
    handlers
      .handleRaw("query", ({ request }) =>
        ApiBody.json(request, queryBody, Limits.requestJsonBytesMax).pipe(
          Effect.flatMap(({ sql }) =>
            tables.ask(sql, { rowsMax: Limits.queryRowsMax, millisMax: Limits.queryMillisMax })
          ),
          // An answer that the contract of `Tables` does not allow is no fault of the caller's: it dies.
          Effect.flatMap((answer) => Effect.orDie(answerOfQuery(answer))),
          answering
        )
      )
      .handle("list", () => answering(tables.list))
      .handle("describe", ({ path }) =>
        Effect.flatMap(tables.describe(path.table), (found) =>
          found === null ? unknownTable(path.table) : Effect.succeed({ table: path.table, ...found })
        ).pipe(answering)
      )
  )
)

const unknownTable = (table: string) =>
  new UnknownTable({
    message: `There is no table '${table}'`,
    hint: "GET /api/tables lists all tables and views.",
    table
  })

const layerDatabases = HttpApiBuilder.group(Api, "databases", (handlers) =>
  Effect.map(Tables, (tables) =>
    handlers.handle("list", () =>
      answering(
        Effect.gen(function* () {
          const names = yield* tables.list
          const described = yield* Effect.forEach(names, (table, i) =>
            i < Limits.catalogTablesMax ? tables.describe(table) : Effect.succeed(null)
          )
          const found = names.map((table, i) => ({
            table,
            columns: described[i]?.columns ?? null,
            primaryKey: described[i]?.primaryKey ?? []
          }))
          return [{ database: tables.identity, dialect: tables.dialect.name, tables: found }]
        })
      )
    )
  )
)

const layerDashboards = ({ dashboardsFolder: folder, systemsFolder: systems }: ApiOptions) =>
  HttpApiBuilder.group(Api, "dashboards", (handlers) =>
    Effect.map(Dashboards.make({ folder, systems }), (dashboards) =>
      handlers
        .handle("list", () => answering(dashboards.list))
        .handle("read", ({ path }) => answering(dashboards.read(path.dashboard)))
        .handleRaw("write", ({ path, request }) =>
          ApiBody.json(request, Dashboard, Limits.dashboardBytesMax).pipe(
            Effect.flatMap((dashboard) => dashboards.write(path.dashboard, dashboard)),
            answering
          )
        )
        .handle("remove", ({ path }) =>
          answering(Effect.as(dashboards.remove(path.dashboard), { removed: path.dashboard }))
        )
    )
  )

const layerSchema = HttpApiBuilder.group(Api, "schema", (handlers) =>
  Effect.map(Effect.all([Topics, Tables]), ([topics, tables]) =>
    handlers.handle("sample", ({ urlParams }) =>
      answering(
        SchemaSample.describe(Effect.succeed(topics), Effect.succeed(tables), urlParams.of, urlParams.sample ?? 1_000)
      )
    )
  )
)

const layerObserve = (options: ApiOptions) =>
  HttpApiBuilder.group(Api, "observe", (handlers) =>
    Effect.map(Daemon, (daemon) =>
      handlers.handle("metrics", () =>
        DaemonFacts.gather(daemon, options.process).pipe(
          Effect.map((facts) =>
            HttpServerResponse.text(Metrics.toText(facts), { contentType: "text/plain; version=0.0.4; charset=utf-8" })
          ),
          answering
        )
      )
    )
  )

const layerHealth = HttpApiBuilder.group(Api, "health", (handlers) =>
  Effect.map(Daemon, (daemon) =>
    handlers
      .handle("live", () => Effect.succeed({ live: true as const }))
      .handle("ready", () =>
        Effect.map(daemon.statuses, (statuses) => {
          const waitingFor = statuses.filter(isUnready).map(({ job }) => job)
          const ready = waitingFor.length === 0
          return HttpServerResponse.unsafeJson({ ready, waitingFor }, { status: ready ? 200 : 503 })
        })
      )
  )
)

/** It does not run, and will by itself; or it runs, and waits for another system. */
const isUnready = ({ reason, state }: JobStatus): boolean =>
  state === "starting" || state === "recovering" || state === "backing off" || (state === "running" && reason !== null)

const layerPage = (folder: string) =>
  HttpApiBuilder.group(Api, "page", (handlers) =>
    Effect.map(PageFiles.make(folder), (files) => {
      const description = OpenApi.fromApi(Api)
      return handlers
        .handle("index", ({ request }) => answering(files.serve("index.html", request)))
        .handle("file", ({ path, request }) => answering(files.serve(path.file, request)))
        .handle("openapi", () => Effect.succeed(HttpServerResponse.unsafeJson(description)))
        .handle("docs", () => Effect.succeed(HttpServerResponse.html(DocsPage.toHtml(description))))
    })
  )
