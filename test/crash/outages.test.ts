/** Jobs whose servers are away, die, fall silent, or are full: nothing is lost, nothing twice, and it is said. */

import { execFileSync, spawn } from "node:child_process"
import { randomUUID } from "node:crypto"
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { orders } from "../../fixtures/orders.ts"
import { type Expected, expectedOf } from "../../fixtures/orders-oracle.ts"
import * as FileCheckpointStore from "../../src/checkpoint/FileCheckpointStore.ts"
import { layerKafka } from "../../src/connectors/kafka/index.ts"
import { layerMysql, layerPostgres } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { peer } from "../connectors/kafka/World.ts"
import { check, checkTable } from "../runtime/Expectation.ts"
import * as Database from "../services/Database.ts"
import * as Proxy from "../services/Proxy.ts"
import * as Restarts from "../services/Restarts.ts"
import { isRoot, Missing } from "../services/Service.ts"
import { isThorough } from "../Thorough.ts"
import * as Kills from "./Kills.ts"
import * as Outages from "./Outages.ts"

const home = mkdtempSync(join(tmpdir(), "weir-outages-"))
// A server that runs as another user has to reach the part that is its own.
chmodSync(home, 0o711)
async function smallDisk(): Promise<string | null> {
  if (!isRoot) return null
  const folder = join(home, "disk")
  mkdirSync(folder)
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m,mode=700,uid=postgres", "tmpfs", folder], { stdio: "ignore" })
    return folder
  } catch {
    return null
  }
}

const found = <A>(name: string, server: Promise<A>): Promise<A | null> =>
  server.catch((cause: unknown) => {
    if (!(cause instanceof Missing) || process.env.WEIR_REQUIRE_SERVICES === "1") throw cause
    process.stderr.write(`Not tested with ${name} taken away: ${cause.message}\n`)
    return null
  })
const [broker, postgres, mariadb] = await Promise.all([
  found("Kafka", Restarts.broker(home)),
  found("Postgres", Restarts.database("postgres", home)),
  found("MariaDB", Restarts.database("mariadb", home))
])
afterAll(async () => {
  await Promise.all([broker, postgres, mariadb].map((server) => server?.takeAway()))
  rmSync(home, { recursive: true, force: true, maxRetries: 5 })
})

/** A small disk of its own, where this user may mount one. */
const disk = await smallDisk()
afterAll(() => void (disk !== null && execFileSync("umount", ["-l", disk])))

const databases = [
  { name: "Postgres", server: postgres, layer: layerPostgres, commit: Buffer.from("\0commit\0") },
  { name: "MariaDB", server: mariadb, layer: layerMysql, commit: Buffer.from("\x03commit") }
] as const

const input = {
  seed: 31,
  count: isThorough ? 12_000 : 5_000,
  partitions: 4,
  rate: 400,
  items: 150,
  outOfOrder: 0.02,
  late: 0.005,
  malformed: 0.002,
  farFuture: 0.001
}

const kafka = () => layerKafka({ brokers: [broker!.address] })

interface Place {
  readonly topic: string
  /** The address of a database that nobody else has. */
  readonly url: string
}

/** Runs the job over a topic and a database of its own, and compares all that it wrote with what the oracle makes of the topic. */
const compared = (
  { layer, server }: (typeof databases)[number],
  run: (place: Place) => Effect.Effect<Outages.Seen, unknown>
): Promise<Outages.Seen> =>
  Effect.gen(function* () {
    const topic = `orders-${randomUUID().slice(0, 8)}`
    const { url } = yield* Effect.promise(() => Database.make(server!.address))
    const servers = Layer.merge(layer({ url }), kafka())
    const expected: Expected = yield* Effect.provide(Kills.produce(topic, input), servers)
    const seen = yield* run({ topic, url })
    yield* Effect.gen(function* () {
      yield* check(expected, yield* Tables, yield* Topics, topic)
    }).pipe(Effect.provide(servers))
    return seen
  }).pipe(Effect.runPromise)

const bounded = (topic: string) => ({
  availableNow: true,
  final: true,
  set: { topic, maxPerEpoch: "250" }
})

/** The same address, by way of a proxy. */
const through = (proxy: Proxy.Proxy, url: string): string => {
  const address = new URL(url)
  address.port = String(proxy.port)
  return address.href
}

const files = () => Layer.provide(FileCheckpointStore.layer(mkdtempSync(join(home, "checkpoints-"))), NodeContext.layer)

/** Says statements to a database. */
const saying = (layer: (typeof databases)[number]["layer"], url: string) => (statements: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const tables = yield* Tables
    for (const sql of statements) yield* tables.query({ sql, parameters: [] })
  }).pipe(Effect.provide(layer({ url })))

/** How a user of a database is made, and how its password is changed, with an end to its connections. */
const users = {
  Postgres: {
    made: (user: string, database: string) => [
      `create user ${user} password 'secret-1'`,
      `grant all on database ${database} to ${user}`,
      `grant all on schema public to ${user}`
    ],
    changed: (user: string, password: string) => [
      `alter user ${user} password '${password}'`,
      `select pg_terminate_backend(pid) from pg_stat_activity where usename = '${user}'`
    ]
  },
  MariaDB: {
    made: (user: string, database: string) => [
      `create user ${user}@'%' identified by 'secret-1'`,
      `grant all on ${database}.* to ${user}@'%'`
    ],
    changed: (user: string, password: string) => [
      `alter user ${user}@'%' identified by '${password}'`,
      `kill user ${user}`
    ]
  }
}

/** The same address for another user. */
const withUser = (name: string, url: string, password: string): string => {
  const address = new URL(url)
  address.username = name
  address.password = password
  return address.href
}

describe.each(databases)("the job of orders from Kafka into $name", (database) => {
  const { commit, layer, name, server } = database
  const isMissing = broker === null || server === null

  it.skipIf(isMissing)(
    "waits for a database that dies until it is there again, says so, and spends no restart",
    { timeout: 540_000 },
    async () => {
      const away = isThorough ? [30, 0, 1] : [3]
      const seen = await compared(database, ({ topic, url }) =>
        Outages.lived({
          servers: Layer.merge(layer({ url }), kafka()),
          options: bounded(topic),
          under: ({ epochs, when }) =>
            Effect.forEach(away, (seconds) =>
              Effect.gen(function* () {
                yield* epochs(3)
                yield* Effect.promise(server!.takeAway)
                const [took, status] = yield* Effect.timed(when(({ reason }) => reason !== null))
                expect(Duration.toSeconds(took)).toBeLessThan(5)
                expect(status).toMatchObject({ state: "running", restarts: 0, reason: { tag: "TablesUnavailable" } })
                yield* Effect.sleep(Duration.seconds(seconds))
                yield* Effect.promise(server!.giveBack)
              })
            )
        })
      )
      expect(seen.status).toMatchObject({ state: "finished", restarts: 0, reason: null })
      const waited = seen.told.filter(({ reason, state }) => state === "running" && reason !== null)
      expect(waited.length).toBe(away.length)
      expect(seen.log).toContain("waits, and asks again: Job orders: The database did not answer")
    }
  )

  it.skipIf(isMissing).each(["in files", "in the tables"] as const)(
    "keeps each epoch once where connections end around their commit or fall silent, with checkpoints %s",
    { timeout: 300_000 },
    async (checkpoints) => {
      const proxy = await Proxy.start(Number(new URL(server!.address).port))
      const struck: Array<string> = []
      const seen = await compared(database, ({ topic, url }) =>
        Outages.lived({
          servers: Layer.merge(layer({ url: through(proxy, url), answerWithin: "700 millis" }), kafka()),
          ...(checkpoints === "in files" ? { store: files() } : {}),
          options: bounded(topic),
          under: ({ epochs }) =>
            Effect.forEach(Array.from({ length: isThorough ? 3 : 1 }, () => Proxy.faults).flat(), (fault) =>
              Effect.gen(function* () {
                yield* epochs(2)
                // Rows that are cut within are a large message; the others are struck at their commit.
                const isIt = (message: Buffer) =>
                  fault === "cut within" ? message.length > 4_000 : message.includes(commit)
                yield* Effect.promise(() => proxy.strike(fault, isIt))
                struck.push(fault)
              })
            )
        })
      ).finally(proxy.close)
      expect(seen.status).toMatchObject({ state: "finished", restarts: 0, reason: null })
      expect(new Set(struck)).toEqual(new Set(Proxy.faults))
      // The fence says it of each epoch whose answer was lost, and of no other.
      if (checkpoints === "in files")
        expect(seen.alreadyThere).toBe(struck.filter((fault) => fault.endsWith("the answer")).length)
    }
  )

  // A connection that is not made costs its whole bound, twice.
  it.skipIf(isMissing || !isThorough)(
    "goes on where a server takes connections and answers none of them",
    { timeout: 300_000 },
    async () => {
      const proxy = await Proxy.start(Number(new URL(server!.address).port))
      const seen = await compared(database, ({ topic, url }) =>
        Outages.lived({
          servers: Layer.merge(layer({ url: through(proxy, url), answerWithin: "700 millis" }), kafka()),
          options: bounded(topic),
          under: ({ epochs, when }) =>
            Effect.gen(function* () {
              yield* epochs(2)
              proxy.silence(true)
              const status = yield* when(({ reason }) => reason !== null)
              expect(status).toMatchObject({ state: "running", restarts: 0 })
              expect(status.reason!.message).toMatch(/nothing was answered for|CONNECT_TIMEOUT|ETIMEDOUT/)
              proxy.silence(false)
            })
        })
      ).finally(proxy.close)
      expect(seen.status).toMatchObject({ state: "finished", restarts: 0, reason: null })
    }
  )

  it.skipIf(isMissing)(
    "says that it is let in no more while its password is another one, and goes on once it is right again",
    { timeout: 300_000 },
    async () => {
      const user = `u${randomUUID().slice(0, 8)}`
      const seen = await compared(database, ({ topic, url }) =>
        Effect.gen(function* () {
          const say = saying(layer, url)
          yield* say(users[name].made(user, new URL(url).pathname.slice(1)))
          return yield* Outages.lived({
            servers: Layer.merge(layer({ url: withUser(user, url, "secret-1") }), kafka()),
            options: bounded(topic),
            under: ({ epochs, when }) =>
              Effect.gen(function* () {
                yield* epochs(2)
                yield* say(users[name].changed(user, "secret-2"))
                const status = yield* when(({ reason }) => reason?.tag === "AccessRefused")
                expect(status.state).toBe("backing off")
                expect(status.reason!.hint).toContain("password")
                yield* say(users[name].changed(user, "secret-1"))
              })
          })
        })
      )
      expect(seen.status).toMatchObject({ state: "finished", reason: null })
      expect(seen.status.restarts).toBeGreaterThan(0)
      expect(seen.log).not.toContain("secret-")
    }
  )
})

describe("the job of orders from Kafka into Postgres", () => {
  const database = databases[0]
  const isMissing = broker === null || postgres === null

  it.skipIf(isMissing)(
    "waits for a broker that dies until it is there again, says so, and spends no restart",
    { timeout: 540_000 },
    async () => {
      const away = isThorough ? [30, 0, 1] : [3]
      const seen = await compared(database, ({ topic, url }) =>
        Outages.lived({
          servers: Layer.merge(layerPostgres({ url }), kafka()),
          options: bounded(topic),
          under: ({ epochs, when }) =>
            Effect.forEach(away, (seconds) =>
              Effect.gen(function* () {
                yield* epochs(3)
                yield* Effect.promise(broker!.takeAway)
                const status = yield* when(({ reason }) => reason !== null)
                expect(status).toMatchObject({ state: "running", restarts: 0, reason: { tag: "SourceUnavailable" } })
                yield* Effect.sleep(Duration.seconds(seconds))
                yield* Effect.promise(broker!.giveBack)
              })
            )
        })
      )
      expect(seen.status).toMatchObject({ state: "finished", restarts: 0, reason: null })
      expect(seen.log).toContain("waits, and asks again: Job orders: Kafka, the brokers")
    }
  )

  it.skipIf(isMissing)(
    "counts the records of partitions that its topic was given while it ran",
    { timeout: 300_000 },
    () =>
      Effect.gen(function* () {
        const topic = `orders-${randomUUID().slice(0, 8)}`
        const { url } = yield* Effect.promise(() => Database.make(postgres!.address))
        const servers = Layer.merge(layerPostgres({ url }), kafka())
        const partitions = Array.from({ length: 8 }, (): Array<Uint8Array> => [])
        for (const { records } of orders({ ...input, partitions: 8, late: 0 }))
          for (const { partition, value } of records) partitions[partition]!.push(value.slice())
        // The older half of all records is in the first partitions, the younger half in all.
        const older = partitions.map((values) => values.splice(0, values.length >> 1))
        const first = older.slice(0, 4).map((values, n) => [...values, ...older[n + 4]!])
        const produced = (places: ReadonlyArray<ReadonlyArray<Uint8Array>>) =>
          Effect.gen(function* () {
            const topics = yield* Topics
            for (const [partition, values] of places.entries())
              yield* topics.produce(
                topic,
                partition,
                values.map((value) => ({ key: null, value, headers: [] }))
              )
          }).pipe(Effect.provide(kafka()))
        yield* Effect.provide(
          Effect.flatMap(Topics, (topics) => topics.create(topic, { partitions: 4 })),
          kafka()
        )
        yield* produced(first)
        const all = partitions.map((values, n) => [...(first[n] ?? []), ...values])
        const expected = expectedOf(all, { windowMillis: 60_000 })
        const count = all.flat().length
        const seen = yield* Outages.lived({
          servers,
          options: { set: { topic, trigger: "200 millis" } },
          under: ({ running, when }) =>
            Effect.gen(function* () {
              yield* when(({ rowsIn }) => rowsIn === first.flat().length)
              yield* Effect.promise(async () => {
                const admin = peer(broker!.address).admin()
                await admin.connect()
                await admin.createPartitions({ topicPartitions: [{ topic, count: 8 }] })
                await admin.disconnect()
              })
              yield* produced(partitions)
              yield* when(({ rowsIn }) => rowsIn === count)
              yield* running.stop
            })
        })
        expect(seen.status).toMatchObject({ state: "stopped", restarts: 0, rowsIn: count })
        const read = new Set(seen.epochs.flatMap(({ partitions }) => partitions.map(({ partition }) => partition)))
        expect(read).toEqual(new Set([0, 1, 2, 3, 4, 5, 6, 7]))
        yield* Effect.flatMap(Tables, (tables) => checkTable(expected, tables)).pipe(Effect.provide(servers))
      }).pipe(Effect.runPromise)
  )

  it.skipIf(isMissing || disk === null)(
    "fails where the disk of the database is full, says so, and is exact once there is room (needs a user who may mount)",
    { timeout: 300_000 },
    async () => {
      const say = saying(layerPostgres, postgres!.address)
      await Effect.runPromise(say([`create tablespace small location '${disk}'`]))
      await compared(database, ({ topic, url }) =>
        Effect.gen(function* () {
          const own = new URL(url).pathname.slice(1)
          yield* say([`alter database ${own} set tablespace small`])
          const tables = saying(layerPostgres, url)
          yield* tables(["create table filler (text text)", "alter table filler alter column text set storage plain"])
          const life = (under: (of: Outages.Under) => Effect.Effect<void, unknown>) =>
            Outages.lived({ servers: Layer.merge(layerPostgres({ url }), kafka()), options: bounded(topic), under })
          const filled = ({ epochs }: Outages.Under) =>
            Effect.zipRight(
              epochs(1),
              // To the last page: by many rows, then by one.
              Effect.forEach(
                [200, 1],
                (rows) =>
                  Effect.ignore(
                    Effect.forever(
                      tables([`insert into filler select repeat('x', 7900) from generate_series(1, ${rows})`])
                    )
                  ),
                { discard: true }
              )
            )
          const full = yield* Effect.flip(life((under) => Effect.ignore(filled(under))))
          expect(full).toMatchObject({ _tag: "StorageFailed", retry: false })
          expect(String(full)).toContain("No space left on device")
          expect((full as { readonly hint: string }).hint).toContain("Give the disk space")
          yield* tables(["drop table filler"])
          return yield* life(() => Effect.void)
        })
      )
    }
  )
})

beforeAll(() => Kills.build(), 60_000)

describe.each(databases)("weir run with a wrong password", ({ name, server }) => {
  it.skipIf(server === null)(`of ${name} says so within 5 seconds, and does not print it`, { timeout: 60_000 }, () =>
    expectRefused({ DATABASE_URL: withUser("weir", server!.address, "s3cret-word") }, /DATABASE_URL|address/)
  )
})

describe("weir run with a wrong password of Kafka", () => {
  it.skipIf(broker === null || postgres === null)(
    "says so within 5 seconds, and does not print it",
    { timeout: 60_000 },
    () =>
      expectRefused(
        {
          DATABASE_URL: postgres!.address,
          KAFKA_BROKERS: broker!.guarded,
          KAFKA_SSL: broker!.authority,
          KAFKA_SASL_MECHANISM: "plain",
          KAFKA_SASL_USERNAME: "weir",
          KAFKA_SASL_PASSWORD: "s3cret-word"
        },
        /KAFKA_SASL_PASSWORD/
      )
  )
})

/** Starts the job as a process: it ends with 1, soon, and says how to mend it. */
const expectRefused = async (environment: Readonly<Record<string, string>>, hint: RegExp): Promise<void> => {
  const begun = Date.now()
  const folder = mkdtempSync(join(home, "refused-"))
  const { code, output } = await new Promise<{ readonly code: number | null; readonly output: string }>((resolve) => {
    const child = spawn(process.execPath, ["bin/weir.mjs", "run", "orders", "--available-now"], {
      cwd: join(import.meta.dirname, "../.."),
      env: { ...process.env, WEIR_DATA: folder, WEIR_LOG: "debug", ...environment }
    })
    let output = ""
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (text) => {
        output += text
      })
    child.on("close", (code) => resolve({ code, output }))
  })
  expect([code, output]).toEqual([1, expect.stringMatching(hint)])
  expect(Date.now() - begun).toBeLessThan(5_000)
  expect(output).not.toContain("s3cret")
}
