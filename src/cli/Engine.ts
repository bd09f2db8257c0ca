/**
 * The engine in this process, over a data folder that it owns: each part is opened when somebody first asks for it,
 * and all are closed with the scope, the folder last.
 *
 * Whoever has the folder serves the API on its local socket, so that other commands work beside it: here from the
 * first request on.
 */
import { type FileSystem, HttpServer, type Path } from "@effect/platform"
import { Context, Effect, Layer, Option, Redacted, Scope } from "effect"
import type { CheckpointStore } from "../checkpoint/CheckpointStore.ts"
import { Daemon, type DaemonService } from "../daemon/Daemon.ts"
import * as DataFolder from "../daemon/DataFolder.ts"
import { Network } from "../daemon/Network.ts"
import type { Job } from "../flow/Job.ts"
import { OutputFolder } from "../flow/OutputFolder.ts"
import { Tables, type TablesService } from "../flow/Tables.ts"
import { Topics, type TopicsService } from "../flow/Topics.ts"
import type { Configuration } from "./Configuration.ts"
import { Process } from "./Process.ts"
import type { Failure } from "./Usage.ts"
import type { Needs } from "./Weir.ts"

export interface Engine {
  readonly folder: DataFolder.DataFolder
  readonly topics: Effect.Effect<TopicsService, Failure>
  readonly tables: Effect.Effect<TablesService, Failure>
  readonly daemon: Effect.Effect<DaemonService, Failure>
  /** Serves the API and the page over TCP until the scope closes; answers the port. */
  readonly serve: Effect.Effect<number, Failure, Scope.Scope>
}

/** Where the jobs come from: loaded only if something asks for them. */
export type Jobs = Effect.Effect<ReadonlyArray<Job>, Failure, Process | FileSystem.FileSystem>

/** Owns the folder, and opens the engine over it part by part. `isDaemon`: it stays until it is interrupted. */
export const make = (
  configuration: Configuration,
  jobs: Jobs,
  { isDaemon }: { readonly isDaemon: boolean }
): Effect.Effect<Engine, Failure, Needs | Scope.Scope> =>
  Effect.gen(function* () {
    const process = yield* Process
    const scope = yield* Effect.scope
    const given = yield* Effect.context<Needs>()
    const folder = yield* DataFolder.open(configuration.data, { pid: process.pid, port: null })
    const needs = Context.add(given, OutputFolder, folder.path)
    // Topics or tables that the program was given are taken, whatever the configuration says: a test gives some.
    const opened = <Id, Service, E extends Failure>(tag: Context.Tag<Id, Service>, layer: LazyLayer<Id, E>) =>
      Option.match(Context.getOption(needs, tag), {
        onSome: (given) => Effect.succeed(Effect.succeed(given)),
        onNone: () =>
          Effect.cached(
            Effect.flatMap(Effect.promise(layer), (part) => Layer.buildWithScope(part, scope)).pipe(
              Effect.map((built) => Context.get(built, tag)),
              Effect.provide(needs)
            )
          )
      })
    const topics = yield* opened(
      Topics,
      async (): Promise<Layer.Layer<Topics, Failure, FileSystem.FileSystem | Path.Path>> => {
        const brokers = configuration.kafkaBrokers
        if (brokers !== null) return (await import("./Kafka.ts")).layer(brokers, configuration)
        const log = await import("../connectors/log/index.ts")
        return log.layer({ folder: `${folder.path}/log` })
      }
    )
    const tables = yield* opened(
      Tables,
      async (): Promise<Layer.Layer<Tables, Failure, FileSystem.FileSystem | Path.Path>> => {
        const sql = await import("../connectors/sql/index.ts")
        const url = configuration.databaseUrl === null ? null : Redacted.value(configuration.databaseUrl)
        if (url === null) return sql.layerPGlite({ folder: `${folder.path}/postgres`, thread: process.databaseThread })
        return url.startsWith("postgres") ? sql.layerPostgres({ url }) : sql.layerMysql({ url })
      }
    )
    const daemon = yield* Effect.cached(
      openDaemon(configuration, { topics, tables, jobs, isDaemon, data: folder.path }, scope).pipe(
        Effect.provide(needs)
      )
    )
    const serveOn = (server: HttpServer.HttpServer, token: Configuration["token"]) =>
      Effect.gen(function* () {
        const [api, ...parts] = yield* Effect.all(
          [Effect.promise(() => import("../daemon/ApiLive.ts")), topics, tables, daemon],
          { concurrency: "unbounded" }
        )
        const services = Layer.mergeAll(
          (yield* Network).serverServices,
          Layer.succeed(HttpServer.HttpServer, server),
          Layer.succeed(Topics, parts[0]),
          Layer.succeed(Tables, parts[1]),
          Layer.succeed(Daemon, parts[2])
        )
        const served = api.layer({
          token: Option.fromNullable(token),
          pageFolder: process.modules.page,
          dashboardsFolder: `${folder.path}/dashboards`,
          systemsFolder: process.modules.actors,
          process: process.facts
        })
        yield* Layer.buildWithScope(Layer.provide(served, services), scope)
      }).pipe(Effect.provide(needs))
    yield* folder.server.demanded.pipe(
      Effect.zipRight(folder.server.http),
      Effect.flatMap((server) => serveOn(server, null)),
      // What is asked when this process ends is answered before the parts close.
      Effect.zipRight(Scope.addFinalizer(scope, folder.server.drain)),
      Effect.catchAll((error) => Effect.logError(`The local socket cannot be served: ${error.message}`)),
      Effect.forkScoped
    )
    return {
      folder,
      topics,
      tables,
      daemon,
      serve: Effect.gen(function* () {
        // First: a port that is in use is told before anything is opened.
        const server = yield* (yield* Network).listen(configuration.host, configuration.port)
        yield* serveOn(server, configuration.token)
        const port = server.address._tag === "TcpAddress" ? server.address.port : configuration.port
        yield* folder.tellPort(port)
        return port
      }).pipe(Effect.provide(needs))
    }
  })

type LazyLayer<Id, E> = () => Promise<Layer.Layer<Id, E, FileSystem.FileSystem | Path.Path>>

interface Parts {
  readonly topics: Engine["topics"]
  readonly tables: Engine["tables"]
  readonly jobs: Jobs
  readonly isDaemon: boolean
  /** The data folder. */
  readonly data: string
}

const openDaemon = (configuration: Configuration, parts: Parts, scope: Scope.Scope) =>
  Effect.gen(function* () {
    const telemetry = yield* Scope.extend(openTelemetry, scope)
    // What has to be loaded is, while the database opens.
    const [live, store, jobs, topics, tables, registry, files] = yield* Effect.all(
      [
        Effect.promise(() => import("../daemon/DaemonLive.ts")),
        storeLayer(configuration),
        parts.jobs,
        parts.topics,
        Effect.map(parts.tables, (tables) => Layer.succeed(Tables, tables)),
        Effect.promise(async () => (await import("./Registry.ts")).layer(configuration)),
        Effect.promise(() => import("../connectors/files/LedgerFolder.ts"))
      ],
      { concurrency: "unbounded" }
    )
    const layer = live
      .layer(jobs, { isDaemon: parts.isDaemon, ...(telemetry === null ? {} : { hear: telemetry.hear }) })
      .pipe(
        Layer.provide(
          Layer.mergeAll(
            Layer.succeed(Topics, topics),
            tables,
            registry,
            files.layer({ folder: files.inData(parts.data) }),
            Layer.provide(store, tables)
          )
        )
      )
    const daemon = Context.get(yield* Layer.buildWithScope(layer, scope), Daemon)
    if (telemetry !== null) {
      const facts = yield* Effect.promise(() => import("../daemon/DaemonFacts.ts"))
      yield* Scope.extend(telemetry.report(facts.gather(daemon, (yield* Process).facts)), scope)
    }
    return daemon
  })

/** Opened before the jobs, closed after them: their last epochs are told too. `null` where nobody wants it. */
const openTelemetry = Effect.gen(function* () {
  const { environment } = yield* Process
  if ((environment.OTEL_EXPORTER_OTLP_ENDPOINT ?? "") === "") return null
  const settings = (yield* Effect.promise(() => import("../observe/TelemetrySettings.ts"))).read(environment)
  if (settings._tag === "Left") {
    yield* Effect.logWarning(`${settings.left.message}. ${settings.left.hint}`)
    return null
  }
  if (settings.right === null) return null
  return yield* (yield* Effect.promise(() => import("../observe/Telemetry.ts"))).make(settings.right)
})

const storeLayer = ({ checkpoints }: Configuration) =>
  Effect.promise(
    async (): Promise<Layer.Layer<CheckpointStore, Failure, Tables | FileSystem.FileSystem>> =>
      checkpoints.kind === "tables"
        ? (await import("../checkpoint/SqlCheckpointStore.ts")).layer
        : (await import("../checkpoint/FileCheckpointStore.ts")).layer(checkpoints.folder)
  )
