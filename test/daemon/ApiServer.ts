/** The API over a fake world on a port of its own, for tests. */
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { HttpServer } from "@effect/platform"
import { NodeHttpServer } from "@effect/platform-node"
import { Clock, Context, Effect, Layer, Logger, Option, Redacted } from "effect"
import * as ApiLive from "../../src/daemon/ApiLive.ts"
import { Daemon } from "../../src/daemon/Daemon.ts"
import { Tables, type TablesService } from "../../src/flow/Tables.ts"
import { Topics, type TopicsService } from "../../src/flow/Topics.ts"
import * as FakeWorld from "./FakeWorld.ts"

export const pageFolder = new URL("../../src/daemon/page", import.meta.url).pathname

export const processFacts = Effect.succeed({ residentBytes: 120_000_000, heapBytes: 40_000_000, uptimeMillis: 90_000 })

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "weir-dashboards-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** Serves until the scope ends; answers the address, and what moves the fake daemon. */
export const start = (
  options: {
    readonly token?: string
    readonly topics?: TopicsService
    readonly tables?: TablesService
    /** Kept by whoever names it; else a folder that goes with the scope. */
    readonly dashboardsFolder?: string
    /** Whose dashboards are brought along; none are if nobody says. */
    readonly systemsFolder?: string
    readonly port?: number
  } = {}
) =>
  Effect.gen(function* () {
    const dashboardsFolder = options.dashboardsFolder ?? (yield* temporaryFolder)
    const world = yield* FakeWorld.makeDaemon
    const topics = options.topics ?? FakeWorld.makeTopics()
    const server = NodeHttpServer.layer(createServer, { port: options.port ?? 0, host: "127.0.0.1" })
    const api = ApiLive.layer({
      token: Option.map(Option.fromNullable(options.token), Redacted.make),
      pageFolder,
      dashboardsFolder,
      systemsFolder: options.systemsFolder ?? `${dashboardsFolder}/none`,
      process: processFacts
    }).pipe(
      Layer.provideMerge(server),
      Layer.provide(Logger.remove(Logger.defaultLogger)),
      Layer.provide(
        Layer.mergeAll(
          Layer.succeed(Daemon, world.service),
          Layer.succeed(Topics, topics),
          Layer.succeed(Tables, options.tables ?? FakeWorld.makeTables(Clock.currentTimeMillis))
        )
      )
    )
    const { address } = Context.get(yield* Layer.build(api), HttpServer.HttpServer)
    const port = address._tag === "TcpAddress" ? address.port : 0
    return { ...world, topics, port, url: `http://127.0.0.1:${port}` }
  })
