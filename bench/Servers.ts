/** The servers of the benches of real parts: a broker of Kafka and a Postgres of the bench's own, gone when it ends. */
import { chmodSync, mkdirSync } from "node:fs"
import { join } from "node:path"
import { Layer } from "effect"
import { Kafka, logLevel } from "kafkajs"
import postgres from "postgres"
import * as SqlCheckpointStore from "../src/checkpoint/SqlCheckpointStore.ts"
import { layerKafka } from "../src/connectors/kafka/index.ts"
import { layerPostgres } from "../src/connectors/sql/index.ts"
import * as kafkaServer from "../test/services/kafka.ts"
import * as postgresServer from "../test/services/postgres.ts"
import * as World from "./World.ts"

export interface Servers {
  /** `host:port` */
  readonly brokers: string
  /** The address of a database that is there. */
  readonly database: string
}

/**
 * Runs with both, which begin empty. Postgres has its own settings, fsync on, but that it keeps the times of commits:
 * by them rows tell when they could be seen.
 */
export const withServers = <A>(use: (servers: Servers) => Promise<A>): Promise<A> =>
  World.withFolder(async (folder) => {
    // Postgres runs as another user where this one is root.
    chmodSync(folder, 0o711)
    const [kafka, database] = ["kafka", "postgres"].map((name) => join(folder, name)) as [string, string]
    mkdirSync(kafka)
    mkdirSync(database)
    const started = await Promise.all([
      kafkaServer.start(kafka),
      postgresServer.start(database, ["track_commit_timestamp=on"])
    ])
    try {
      return await use({ brokers: started[0].address, database: started[1].address })
    } finally {
      await Promise.all(started.map(({ stop }) => stop()))
    }
  })

/** Runs with a database with nothing in it; the server writes down before what it still has to of the others. */
export const withDatabase = async <A>({ database }: Servers, use: (url: string) => Promise<A>): Promise<A> => {
  const client = postgres(database, { max: 1, onnotice: () => {} })
  try {
    await client.unsafe("drop database if exists bench with (force)")
    await client.unsafe("create database bench")
    await client.unsafe("checkpoint")
  } finally {
    await client.end()
  }
  const url = new URL(database)
  url.pathname = "/bench"
  return use(url.href)
}

/** Removes all topics but these: what a job wrote, and what it knows of it. */
export const keepTopics = async ({ brokers }: Servers, kept: ReadonlyArray<string>): Promise<void> => {
  const admin = new Kafka({ brokers: [brokers], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  const topics = (await admin.listTopics()).filter((topic) => !topic.startsWith("__") && !kept.includes(topic))
  if (topics.length > 0) await admin.deleteTopics({ topics })
  await admin.disconnect()
}

export const topicsLayer = (brokers: string) => layerKafka({ brokers: [brokers] })
export const tablesLayer = (url: string) => layerPostgres({ url })
export const storeLayer = (url: string) => Layer.provideMerge(SqlCheckpointStore.layer, tablesLayer(url))
