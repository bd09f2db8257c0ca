/**
 * A world for one job: a log in a folder, tables and checkpoints in memory that outlive a life, and the orders in it.
 *
 * A life is one start of the job. It can be made to end at a durable step; what it had made durable stays.
 */
import { FileSystem, type Path } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import orders from "../../actors/orders.ts"
import { orders as generate, type OrdersValues } from "../../fixtures/orders.ts"
import { type Expected, expectedOf } from "../../fixtures/orders-oracle.ts"
import type { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as FileCheckpointStore from "../../src/checkpoint/FileCheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import * as Log from "../../src/connectors/log/index.ts"
import type { Daemon } from "../../src/daemon/Daemon.ts"
import * as DaemonLive from "../../src/daemon/DaemonLive.ts"
import type * as Job from "../../src/flow/Job.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import type { EpochProgress } from "../../src/observe/Progress.ts"
import type * as CrashPoints from "./CrashPoints.ts"
import * as Expectation from "./Expectation.ts"
import * as Life from "./Life.ts"

export type Checkpoints = "in the tables" | "in files"

export interface World {
  readonly folder: string
  readonly checkpoints: Checkpoints
  readonly expected: Expected
}

/** A folder with the generated orders in its log, and empty tables. */
export const make = (values: Partial<OrdersValues>, checkpoints: Checkpoints) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    const partitions: Array<Array<Uint8Array>> = Array.from({ length: values.partitions ?? 4 }, () => [])
    yield* Effect.gen(function* () {
      const topics = yield* Topics
      yield* topics.create("orders", { partitions: partitions.length })
      for (const { records } of generate(values)) {
        for (const record of records) partitions[record.partition]!.push(record.value.slice())
      }
      yield* Effect.forEach(partitions, (all, partition) =>
        topics.produce(
          "orders",
          partition,
          all.map((value) => ({ key: null, value, headers: [] }))
        )
      )
    }).pipe(Effect.provide(logLayer(folder)))
    yield* emptyTables
    return { folder, checkpoints, expected: expectedOf(partitions, { windowMillis: 60_000 }) } satisfies World
  })

/** Drops every table, so that the next start is a first start. */
const emptyTables = Effect.gen(function* () {
  const tables = yield* Tables
  yield* tables.transaction([
    { sql: "drop schema public cascade", parameters: [] },
    { sql: "create schema public", parameters: [] }
  ])
})

const storeLayer = (world: World): Layer.Layer<CheckpointStore, unknown, FileSystem.FileSystem | Tables> =>
  world.checkpoints === "in files" ? FileCheckpointStore.layer(`${world.folder}/checkpoints`) : SqlCheckpointStore.layer

const logLayer = (folder: string) => Log.layer({ folder: `${folder}/log` })

/** Starts the job, `orders` or another over the same topic, and lets it run to its end, or to its `crashAt`-th durable step. */
export const live = <E>(
  world: World,
  crashAt = 0,
  set: Readonly<Record<string, string>> = {},
  started: Job.Job<E, Tables | Topics, {}> = orders as never
) =>
  Effect.gen(function* () {
    const reports: Array<EpochProgress> = []
    const options = { availableNow: true, final: true, set: { maxPerEpoch: "100", ...set } }
    const { crashedAt, reached } = yield* Life.live(crashAt, (points) =>
      Effect.provide(Life.job(started, options, reports), layersOf(world, points))
    )
    return { crashedAt, reached, reports }
  })

/**
 * One life of a daemon with the job, in which somebody does something; it ends after that, or at its `crashAt`-th
 * durable step. Answers where it crashed, and what was answered to whoever did it.
 */
export const hosted = <A, E>(world: World, crashAt: number, script: Effect.Effect<A, E, Daemon>) =>
  Life.live(crashAt, (points) =>
    Effect.provide(script, Layer.provide(DaemonLive.layer([orders]), layersOf(world, points)))
  )

const layersOf = (world: World, points: CrashPoints.CrashPoints) =>
  Layer.provideMerge(Layer.mergeAll(storeLayer(world), logLayer(world.folder), layerNone), Life.services(points))

/** Holds the table alone against the oracle: what was appended may be there twice after a way back. */
export const checkTable = (world: World) =>
  Effect.flatMap(Tables, (tables) => Expectation.checkTable(world.expected, tables))

/** Holds what the job wrote against the oracle. */
export const check = (world: World) =>
  Effect.flatMap(Effect.all([Tables, Topics]), ([tables, topics]) =>
    Expectation.check(world.expected, tables, topics)
  ).pipe(Effect.provide(logLayer(world.folder)))

/** A daemon over the world's topics, tables and checkpoints. */
export const daemonLayer = (world: World): Layer.Layer<Daemon, unknown, FileSystem.FileSystem | Path.Path | Tables> =>
  Layer.provide(DaemonLive.layer([orders]), Layer.mergeAll(storeLayer(world), logLayer(world.folder), layerNone))

export const context = NodeContext.layer
