/** The orders job over Kafka, into the tables of servers and into topics, killed as a process. */
import { randomUUID } from "node:crypto"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { layerKafka } from "../../src/connectors/kafka/index.ts"
import { layerMysql, layerPostgres } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { check } from "../runtime/Expectation.ts"
import { ask, database } from "../services/asked.ts"
import { isThorough } from "../Thorough.ts"
import * as KillPaths from "./KillPaths.ts"
import * as Kills from "./Kills.ts"

const input = {
  seed: 23,
  count: 40_000,
  partitions: 4,
  rate: 400,
  items: 200,
  outOfOrder: 0.02,
  late: 0.005,
  malformed: 0.002,
  farFuture: 0.001
}

const kafka = await ask("kafka")
const brokers = "missing" in kafka ? "" : kafka.address
const targets = [
  { name: "Postgres", server: "postgres", layer: layerPostgres, own: await database("postgres") },
  { name: "MariaDB", server: "mariadb", layer: layerMysql, own: await database("mariadb") }
] as const

const missing: ReadonlySet<string> = new Set(targets.flatMap(({ own, server }) => (own === null ? [server] : [])))

const home = mkdtempSync(join(tmpdir(), "weir-kill-servers-"))
beforeAll(() => Kills.build(), 60_000)
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Kills of a path on a runtime: the least that shows each path, or, thoroughly, each path on each runtime. */
const killings = KillPaths.paths.flatMap((path) => {
  const isMain = path.name !== "kafka-kafka-postgres"
  if (!isThorough) return isMain ? [{ path, runtime: "node" as const, killsMin: 2 }] : []
  const onNode = { path, runtime: "node" as const, killsMin: isMain ? 20 : 3 }
  return isMain ? [onNode, ...(["bun", "deno"] as const).map((runtime) => ({ path, runtime, killsMin: 3 }))] : [onNode]
})

describe.each(killings)("$path.meaning, killed with SIGKILL on $runtime", ({ killsMin, path, runtime }) => {
  it.skipIf(brokers === "" || missing.has(path.database))(
    "writes to the cent what the oracle computes, killed again and again, nothing twice, nothing missing",
    { timeout: 900_000 },
    async () => {
      const own = (await database(path.database))!
      try {
        const servers = { brokers, database: own.url }
        const { differences, orders, seen } = await KillPaths.killed(path, servers, { killsMin, runtime })
        process.stdout.write(`${Kills.summary(seen)}\n`)
        expect(Kills.shortcomings(seen, killsMin)).toEqual([])
        for (const count of Object.values(orders)) expect(count).toBeGreaterThan(0)
        expect(differences).toEqual([])
      } finally {
        await own.drop()
      }
    }
  )
})

describe.each(targets)("weir run orders from Kafka into $name", ({ layer, own, server }) => {
  afterAll(() => own?.drop())

  it.skipIf(brokers === "" || own === null).each([
    { afterEpochs: 2, delayMillis: 0 },
    { afterEpochs: 3, delayMillis: 4 },
    { afterEpochs: 4, delayMillis: 9 }
  ])(
    "lets nothing through of a process that sleeps in epoch $afterEpochs while another takes over",
    { timeout: 180_000 },
    async (stop) => {
      const fresh = (await database(server))!
      try {
        const servers = Layer.merge(layer({ url: fresh.url }), layerKafka({ brokers: [brokers] }))
        const topic = `orders-${randomUUID().slice(0, 8)}`
        const some = { ...input, count: 6_000, late: 0.02 }
        const expected = await Effect.runPromise(Effect.provide(Kills.produce(topic, some), servers))
        const job = (folder: string) => ({
          environment: { WEIR_DATA: join(home, topic, folder), DATABASE_URL: fresh.url, KAFKA_BROKERS: brokers },
          topic,
          maxPerEpoch: 500
        })
        const { sleeper, successor } = await Kills.overtaken(job("first"), job("second"), stop)
        expect([successor.code, successor.generation]).toEqual([0, 2])
        expect([sleeper.code, sleeper.generation]).toEqual([1, 1])
        expect(sleeper.rest).toMatch(/^Fenced: .*generation 2/m)
        await Effect.gen(function* () {
          yield* check(expected, yield* Tables, yield* Topics, topic)
        }).pipe(Effect.provide(servers), Effect.runPromise)
      } finally {
        await fresh.drop()
      }
    }
  )
})
