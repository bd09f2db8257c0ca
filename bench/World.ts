/** What the benches run in: a folder with a log, an embedded database and checkpoints in it, and orders in the log. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer, Logger } from "effect"
import type { GeneratedRecord } from "../fixtures/Generator.ts"
import * as SqlCheckpointStore from "../src/checkpoint/SqlCheckpointStore.ts"
import * as Log from "../src/connectors/log/index.ts"
import { layerPGlite } from "../src/connectors/sql/index.ts"
import { type ProducedRecord, Topics } from "../src/flow/Topics.ts"
import * as SqlThread from "../src/platform/SqlThread.ts"

/** Files, with logs of the engine left out. */
export const machineLayer = Layer.merge(NodeContext.layer, Logger.remove(Logger.defaultLogger))

export const logLayer = (folder: string) => Log.layer({ folder: join(folder, "log") })
/** The module of the database's thread: its source, or its bundle beside that of the bench. */
const database = import.meta.filename.endsWith(".ts")
  ? join(import.meta.dirname, "../src/platform/SqlWorker.ts")
  : join(import.meta.dirname, "SqlWorker.js")

export const tablesLayer = (folder: string) =>
  layerPGlite({ folder: join(folder, "postgres"), thread: SqlThread.make(database) })
export const storeLayer = (folder: string) => Layer.provideMerge(SqlCheckpointStore.layer, tablesLayer(folder))

/** Where benches put their folders: `WEIR_BENCH_FOLDER`, or the folder for temporary files. */
export const home = (): string => {
  const folder = join(process.env.WEIR_BENCH_FOLDER ?? tmpdir(), "weir-bench")
  mkdirSync(folder, { recursive: true })
  return folder
}

/** Runs with a new folder, and removes it. */
export const withFolder = async <A>(use: (folder: string) => Promise<A>): Promise<A> => {
  const folder = mkdtempSync(join(home(), "run-"))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

type Records = ReadonlyArray<Pick<GeneratedRecord, "partition" | "value">>

/** Appends records to a topic, each to the partition that it names; an unknown topic gets four partitions. */
export const fill = (topic: string, blocks: Iterable<{ readonly records: Records }>) =>
  Effect.gen(function* () {
    const topics = yield* Topics
    if (!(yield* topics.list).some((one) => one.topic === topic)) yield* topics.create(topic, { partitions: 4 })
    for (const { records } of blocks) {
      const byPartition = new Map<number, Array<ProducedRecord>>()
      for (const { partition, value } of records) {
        const all = byPartition.get(partition)
        if (all === undefined) byPartition.set(partition, [{ key: null, value, headers: [] }])
        else all.push({ key: null, value, headers: [] })
      }
      yield* Effect.forEach(byPartition, ([partition, all]) => topics.produce(topic, partition, all), {
        discard: true
      })
    }
  })

export const run = <A, E>(effect: Effect.Effect<A, E, Layer.Layer.Success<typeof machineLayer>>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, machineLayer))
