/**
 * The world of a case: topics, tables and checkpoints that outlive the lives of its job, and a clock that goes on by a
 * second at each durable step.
 */
import { FileSystem } from "@effect/platform"
import { Clock, Effect, Layer } from "effect"
import { expect } from "vitest"
import type { Intent } from "../../../src/checkpoint/Checkpoint.ts"
import { CheckpointStore, type CheckpointStoreService } from "../../../src/checkpoint/CheckpointStore.ts"
import * as FileCheckpointStore from "../../../src/checkpoint/FileCheckpointStore.ts"
import * as MemoryCheckpointStore from "../../../src/checkpoint/MemoryCheckpointStore.ts"
import * as SqlCheckpointStore from "../../../src/checkpoint/SqlCheckpointStore.ts"
import { Tables } from "../../../src/flow/Tables.ts"
import { Topics } from "../../../src/flow/Topics.ts"
import type { EpochProgress } from "../../../src/observe/Progress.ts"
import * as TopicsMemory from "../../../src/testing/TopicsMemory.ts"
import type { CrashPoints } from "../CrashPoints.ts"
import * as Life from "../Life.ts"
import type { Case, Epoch, Row, Told, Value } from "./Case.ts"
import { inPlace, partitions, scale, start } from "./Records.ts"

export type Checkpoints = "in memory" | "in the tables" | "in files"

export interface CaseWorld {
  readonly of: Case
  readonly checkpoints: Checkpoints
  readonly topics: TopicsMemory.Store
  readonly memory: CheckpointStoreService
  /** Of checkpoints in files. */
  readonly folder: string
  /** What was to be stored: of an epoch that was not, the next life says it anew. */
  readonly intents: Map<number, Intent>
  readonly lookups: Map<string, ReadonlyArray<Readonly<Record<string, unknown>>>>
  /** Durable steps of all lives. */
  steps: number
}

const recordsInEpoch = 24 * scale
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Removes the tables of other cases: theirs may have the same names. */
export const clear = Effect.flatMap(Tables, (tables) =>
  tables.transaction([
    { sql: "drop schema public cascade", parameters: [] },
    { sql: "create schema public", parameters: [] }
  ])
)

/** Much faster than to drop what the next world makes again. */
const emptyTables = Effect.gen(function* () {
  const tables = yield* Tables
  const sql = "select tablename as name from pg_tables where schemaname = 'public'"
  const names = (yield* tables.query({ sql, parameters: [] })).map(({ name }) => tables.dialect.quote(String(name)))
  if (names.length > 0) yield* tables.transaction([{ sql: `truncate ${names.join(", ")}`, parameters: [] }])
})

/** Topics with all records, no rows, no checkpoint. */
export const make = (of: Case, checkpoints: Checkpoints) =>
  Effect.gen(function* () {
    const topics = TopicsMemory.makeStore()
    yield* Effect.forEach(Object.keys(of.topics), (topic) => produce(of, topic)).pipe(
      Effect.provide(TopicsMemory.layer(topics))
    )
    yield* emptyTables
    const files = yield* FileSystem.FileSystem
    const world: CaseWorld = {
      of,
      checkpoints,
      topics,
      memory: yield* MemoryCheckpointStore.make,
      folder: checkpoints === "in files" ? yield* files.makeTempDirectoryScoped() : "",
      intents: new Map(),
      lookups: new Map(),
      steps: 0
    }
    return world
  })

const produce = (of: Case, topic: string) =>
  Effect.gen(function* () {
    const topics = yield* Topics
    yield* topics.create(topic, { partitions })
    for (let partition = 0; partition < partitions; partition++) {
      const records = of.topics[topic]!.filter((record) => record.partition === partition)
      yield* topics.produce(
        topic,
        partition,
        records.map(({ text }) => ({ key: null, value: encoder.encode(text), headers: [] }))
      )
    }
  })

/** One start of the job, to its end or to its `crashAt`-th durable step. */
export const live = (world: CaseWorld, crashAt = 0) =>
  Effect.gen(function* () {
    const reports: Array<EpochProgress> = []
    const options = { availableNow: true, final: true, set: { maxPerEpoch: String(recordsInEpoch) } }
    const before = world.steps
    const { crashedAt } = yield* Life.live(crashAt, (points) => {
      const now = (): number => {
        world.steps = before + points.reached.length
        // Later than all records.
        return start + 86_400_000 * scale + world.steps * 1_000
      }
      return Life.job(world.of.job(now), options, reports).pipe(
        Effect.provide(layersOf(world, points)),
        Effect.withClock(clockOf(now))
      )
    })
    return { crashedAt, reports }
  })

const clockOf = (now: () => number): Clock.Clock =>
  Object.assign(Clock.make(), { unsafeCurrentTimeMillis: now, currentTimeMillis: Effect.sync(now) })

const layersOf = (world: CaseWorld, points: CrashPoints) =>
  Layer.provideMerge(
    Layer.merge(
      Layer.effect(
        CheckpointStore,
        Effect.map(storeOf(world, points), (store) => watched(world, store))
      ),
      Layer.provide(Layer.effect(Topics, Effect.map(Topics, points.topics)), TopicsMemory.layer(world.topics))
    ),
    Life.services(points)
  )

const storeOf = (
  { checkpoints, folder, memory }: CaseWorld,
  points: CrashPoints
): Effect.Effect<CheckpointStoreService, unknown, Tables | FileSystem.FileSystem> => {
  switch (checkpoints) {
    case "in memory":
      return Effect.succeed(points.checkpoints(memory))
    case "in the tables":
      return SqlCheckpointStore.make
    case "in files":
      return FileCheckpointStore.make(`${folder}/checkpoints`)
  }
}

/** A store that tells the world what it is told. */
const watched = (world: CaseWorld, store: CheckpointStoreService): CheckpointStoreService => ({
  ...store,
  writeIntent: (claim, intent) => {
    world.intents.set(intent.epoch, intent)
    return store.writeIntent(claim, intent)
  },
  writeLookup: (claim, rows, inUse) => {
    const lines = decoder.decode(rows.bytes).split("\n").filter(Boolean)
    const found = lines.map((line) => JSON.parse(line))
    world.lookups.set(rows.version, found)
    return store.writeLookup(claim, rows, inUse)
  }
})

/** What the oracle is told, once all epochs are durable. */
const told = ({ intents, lookups, of }: CaseWorld): Told => {
  const offsets = new Map<string, number>()
  const epochs = [...intents.values()]
    .sort((one, other) => one.epoch - other.epoch)
    .map((intent): Epoch => {
      const came = Object.entries(of.topics).map(([topic, records]) => {
        const cuts = new Map(
          intent.partitions.flatMap(({ offset, partition, source }) => (source === topic ? [[partition, offset]] : []))
        )
        const isOf = ({ offset, partition }: { readonly offset: number; readonly partition: number }) =>
          offset >= (offsets.get(`${topic}/${partition}`) ?? 0) && offset < (cuts.get(partition) ?? 0)
        const some = records.filter(isOf).sort(inPlace)
        for (const [partition, offset] of cuts) offsets.set(`${topic}/${partition}`, offset)
        return [topic, some] as const
      })
      return {
        closedAt: intent.closedAt,
        came: Object.fromEntries(came),
        lookup: Object.values(intent.lookups ?? {}).flatMap((version) => lookups.get(version)!)
      }
    })
  return { topics: of.topics, epochs }
}

/** Holds all that the job wrote against the oracle. Answers how often what happened. */
export const check = (world: CaseWorld, when: string) =>
  Effect.gen(function* () {
    const { happened, tables, topics = {} } = world.of.expected(told(world))
    const written: Record<string, ReadonlyArray<string>> = {}
    const wanted: Record<string, ReadonlyArray<string>> = {}
    for (const [table, rows] of Object.entries(tables)) {
      written[table] = yield* rowsOf(table)
      wanted[table] = rows.map(textOf).sort()
    }
    for (const [topic, texts] of Object.entries(topics)) {
      written[topic] = recordsOf(world, topic)
      wanted[topic] = [...texts].sort()
    }
    expect(written, when).toEqual(wanted)
    return { ...happened, ...Object.fromEntries(Object.entries(wanted).map(([name, rows]) => [name, rows.length])) }
  })

const rowsOf = (table: string) =>
  Effect.map(
    Effect.flatMap(Tables, (tables) => tables.query({ sql: `select * from ${table}`, parameters: [] })),
    (rows) => rows.map((row) => textOf(row as Row)).sort()
  )

/** A row by its columns in order, without the sink's own; numbers of all kinds by their digits. */
const textOf = (row: Row): string =>
  JSON.stringify(
    Object.entries(row)
      .filter(([column]) => !column.startsWith("weir_"))
      .map(([column, value]): readonly [string, Value] => [snakeCase(column), value === null ? null : String(value)])
      .sort(([one], [other]) => (one < other ? -1 : 1))
  )
const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

const recordsOf = ({ topics }: CaseWorld, topic: string): ReadonlyArray<string> =>
  (topics.topics.get(topic)?.partitions ?? [])
    .flat()
    .map(({ value }) => decoder.decode(value))
    .sort()
