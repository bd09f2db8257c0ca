/** The servers of a soak, proxies before them, a database for each path, and a copy of the program. */
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { NodeContext } from "@effect/platform-node"
import { Effect } from "effect"
import { Kafka, logLevel } from "kafkajs"
import * as Log from "../../src/connectors/log/index.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Kills from "../crash/Kills.ts"
import * as Database from "../services/Database.ts"
import * as Proxy from "../services/Proxy.ts"
import * as Restarts from "../services/Restarts.ts"
import { freePort } from "../services/Service.ts"
import * as Bank from "./Bank.ts"
import type { Path, ServerName } from "./Paths.ts"
import type { Restart } from "./Schedule.ts"

export interface World {
  readonly servers: ReadonlyArray<ServerName>
  /** Lets a server die, and come back. */
  readonly restart: (of: Restart<ServerName>) => Promise<void>
  /** Was a server away after this moment of `performance.now`? */
  readonly wasAwaySince: (server: ServerName, moment: number) => boolean
  /** Where Kafka is, by no proxy; `null`: no path needs it. */
  readonly brokers: string | null
  readonly weir: string
  readonly project: string
  readonly placeOf: (path: Path) => Place
  readonly close: () => Promise<void>
}

/** What is one path's own. */
export interface Place {
  /** A folder. */
  readonly home: string
  /** What its processes are told. */
  readonly environment: Readonly<Record<string, string>>
  /** Its database, by no proxy; `null`: it has none that others could ask. */
  readonly database: string | null
  /** Stands before the server whose connections are cut. */
  readonly proxy: Proxy.Proxy | null
}

/** Starts all that the paths need below a folder. Rejects with `Missing` where a server cannot be had. */
export const open = async (home: string, paths: ReadonlyArray<Path>): Promise<World> => {
  const needed = [...new Set(paths.flatMap(({ servers }) => servers))]
  const closing: Array<() => Promise<unknown>> = []
  const close = async (): Promise<void> => {
    for (const one of closing.splice(0).reverse()) await one()
  }
  const proxyBefore = async (port: number): Promise<Proxy.Proxy> => {
    const proxy = await Proxy.start(port)
    closing.push(proxy.close)
    return proxy
  }
  try {
    const weir = program(home)
    const project = join(weir, "project")
    // The first who asks has the jobs built.
    execFileSync(process.execPath, [join(weir, "bin/weir.mjs"), "explain", paths[0]!.job], {
      cwd: project,
      env: { ...process.env, WEIR_DATA: join(home, "asked") },
      stdio: ["ignore", "ignore", "inherit"]
    })

    const kafka = needed.includes("kafka") ? await startKafka(home, proxyBefore) : null
    if (kafka !== null) closing.push(kafka.server.takeAway)
    const databases = new Map<ServerName, Restarts.Server>()
    for (const name of ["postgres", "mariadb"] as const) {
      if (!needed.includes(name)) continue
      const server = await Restarts.database(name, home)
      closing.push(server.takeAway)
      databases.set(name, server)
    }
    if (kafka !== null) await createTopics(kafka.server.address, paths)

    const places = new Map<string, Place>()
    for (const path of paths) {
      const own = join(home, path.name)
      mkdirSync(own)
      const server = path.servers.find((name) => name !== "kafka")
      if (server === undefined) {
        await createLocally(own)
        places.set(path.name, { home: own, environment: {}, database: null, proxy: null })
        continue
      }
      const { url } = await Database.make(databases.get(server)!.address)
      const proxy = await proxyBefore(Number(new URL(url).port))
      const through = new URL(url)
      through.port = String(proxy.port)
      places.set(path.name, {
        home: own,
        environment: { KAFKA_BROKERS: kafka!.proxied, DATABASE_URL: through.href },
        database: url,
        proxy: path.commit?.server === "kafka" ? kafka!.proxy : proxy
      })
    }
    const backAt = new Map<ServerName, number>()
    return {
      servers: needed,
      restart: async ({ awayMillis, server }) => {
        const of = server === "kafka" ? kafka!.server : databases.get(server)!
        backAt.set(server, Number.POSITIVE_INFINITY)
        await of.takeAway()
        await sleep(awayMillis)
        await givenBack(of)
        backAt.set(server, performance.now())
      },
      wasAwaySince: (server, moment) => (backAt.get(server) ?? Number.NEGATIVE_INFINITY) >= moment,
      brokers: kafka?.server.address ?? null,
      weir,
      project,
      placeOf: ({ name }) => places.get(name)!,
      close
    }
  } catch (cause) {
    await close()
    throw cause
  }
}

/** The topics of a path in the log of its data folder, which nobody has at that time. */
export const inLog = <A, E>({ home }: Place, effect: Effect.Effect<A, E, Topics>): Promise<A> =>
  effect.pipe(
    Effect.provide(Log.layer({ folder: join(home, "first", "log") })),
    Effect.scoped,
    Effect.provide(NodeContext.layer),
    Effect.runPromise
  )

// Private

const root = join(import.meta.dirname, "../..")

/** The program as it is built now, so that what is changed in this working copy meanwhile does not reach a process. */
const program = (home: string): string => {
  Kills.build()
  const weir = join(home, "weir")
  mkdirSync(weir)
  for (const name of ["package.json", "bin", "dist"])
    cpSync(join(root, name), join(weir, name), { recursive: true, preserveTimestamps: true })
  symlinkSync(join(root, "node_modules"), join(weir, "node_modules"))
  cpSync(join(import.meta.dirname, "project"), join(weir, "project"), {
    recursive: true,
    preserveTimestamps: true,
    filter: (file) => !file.includes(".weir")
  })
  return weir
}

/** Clients of the listener behind the proxy are the jobs; readers and feeds come by the other one. */
const startKafka = async (home: string, proxyBefore: (port: number) => Promise<Proxy.Proxy>) => {
  const [port, guardedPort, behind] = [await freePort(), await freePort(), await freePort()]
  const proxy = await proxyBefore(behind)
  const server = await Restarts.broker(home, {
    ports: { port, guardedPort },
    proxied: { port: behind, proxyPort: proxy.port }
  })
  return { server, proxy, proxied: `127.0.0.1:${proxy.port}` }
}

/** Starts that a port is tried which somebody else has for a moment: the end of a connection, as a rule. */
const startsMax = 5

const givenBack = async (server: Restarts.Server): Promise<void> => {
  for (let attempt = 1; ; attempt++) {
    try {
      return await server.giveBack()
    } catch (cause) {
      if (attempt === startsMax) throw cause
      await sleep(1_000)
    }
  }
}

const createTopics = async (brokers: string, paths: ReadonlyArray<Path>): Promise<void> => {
  const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const names = new Set(
    paths.filter(({ servers }) => servers.length > 0).flatMap(({ reads, writes }) => [reads, ...writes])
  )
  const topics = [...names].map((topic) => ({ topic, numPartitions: Bank.partitions, replicationFactor: 1 }))
  await admin.createTopics({ topics }).finally(() => admin.disconnect())
}

const createLocally = (home: string): Promise<void> =>
  inLog(
    { home, environment: {}, database: null, proxy: null },
    Effect.flatMap(Topics, (topics) => topics.create("transfers", { partitions: Bank.partitions }))
  ).then(() => {})
