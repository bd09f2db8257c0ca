/**
 * A job that looks shops up in a file that changes while it runs.
 *
 * What it writes is held against the intents and versions that it stored itself: each order has the shop of the version
 * that the intent of its epoch names. A crash at any durable step changes nothing of that.
 */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Logger, LogLevel, Schema, Scope } from "effect"
import type { Intent } from "../../src/checkpoint/Checkpoint.ts"
import { CheckpointStore, type CheckpointStoreService } from "../../src/checkpoint/CheckpointStore.ts"
import * as FileCheckpointStore from "../../src/checkpoint/FileCheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { Files } from "../../src/connectors/files/index.ts"
import * as Log from "../../src/connectors/log/index.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Job from "../../src/flow/Job.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as Life from "./Life.ts"

const Order = Schema.Struct({ n: Schema.Int, shopid: Schema.String })
const Shop = Schema.Struct({ shopid: Schema.String, name: Schema.String })
const Row = Schema.Struct({ n: Schema.Int, name: Schema.NullOr(Schema.String) })

const orders = 48
const ordersInEpoch = 4

interface Options {
  readonly type?: "left" | "inner"
  readonly refresh?: "fixed" | "1 millis"
  /** Does the file stay as it is? Else it changes after each epoch. */
  readonly isStill?: boolean
  /** Is there time after each epoch to load the file that has changed? */
  readonly isSlow?: boolean
}

const jobOf = (path: string, { refresh = "1 millis", type = "left" }: Options = {}) =>
  Job.make("enriched", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () =>
      Flow.from(Topic.source("orders")).pipe(
        Flow.decode(Order),
        Flow.enrich("shop", Files.lookup(path, Shop, { key: ["shopid"], refresh }), {
          type,
          key: ({ shopid }) => ({ shopid }),
          into: ({ n }, shop) => ({ n, name: shop?.name ?? null })
        }),
        Flow.to(Sql.upsert("enriched", Row, { key: ["n"] }))
      )
  })

/** Everything that lives longer than a life. */
interface World {
  readonly folder: string
  readonly path: string
  readonly inFiles: boolean
  /** What was to be stored: of an epoch that was not, the next life says it anew. */
  readonly intents: Map<number, Intent>
  readonly versions: Map<string, ReadonlyMap<string, string>>
  changes: number
}

const file = (world: Pick<World, "path">, text: string) =>
  Effect.flatMap(FileSystem.FileSystem, (files) => files.writeFileString(world.path, text))
/** Three shops; the orders know a fourth. */
const change = (world: World) => {
  world.changes++
  return file(world, `shopid,name\n${["a", "b", "c"].map((id) => `${id},${id} ${world.changes}`).join("\n")}\n`)
}

const logLayer = (folder: string) => Log.layer({ folder: `${folder}/log` })

const make = (inFiles = false) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const folder = yield* files.makeTempDirectoryScoped()
    const encoder = new TextEncoder()
    yield* Effect.gen(function* () {
      const topics = yield* Topics
      yield* topics.create("orders", { partitions: 1 })
      const values = Array.from({ length: orders }, (_, n) => JSON.stringify({ n, shopid: "abcd"[n % 4] }))
      yield* topics.produce(
        "orders",
        0,
        values.map((value) => ({ key: null, value: encoder.encode(value), headers: [] }))
      )
    }).pipe(Effect.provide(logLayer(folder)))
    const tables = yield* Tables
    yield* tables.transaction([
      { sql: "drop schema public cascade", parameters: [] },
      { sql: "create schema public", parameters: [] }
    ])
    const path = `${folder}/shops.csv`
    const world: World = { folder, path, inFiles, intents: new Map(), versions: new Map(), changes: 0 }
    yield* change(world)
    return world
  })

/** A store that tells the world what it is told. */
const watched = (world: World, store: CheckpointStoreService): CheckpointStoreService => ({
  ...store,
  writeIntent: (claim, intent) => {
    world.intents.set(intent.epoch, intent)
    return store.writeIntent(claim, intent)
  },
  writeLookup: (claim, rows, inUse) => {
    const lines = new TextDecoder().decode(rows.bytes).split("\n").filter(Boolean)
    const shops = lines.map((line) => JSON.parse(line) as typeof Shop.Type)
    world.versions.set(rows.version, new Map(shops.map(({ name, shopid }) => [shopid, name])))
    return store.writeLookup(claim, rows, inUse)
  }
})

/** One start of the job, to its end or to its `crashAt`-th durable step. */
const live = (world: World, crashAt = 0, options: Options = {}) =>
  Effect.gen(function* () {
    const opened: Effect.Effect<CheckpointStoreService, unknown, Tables | FileSystem.FileSystem> = world.inFiles
      ? FileCheckpointStore.make(`${world.folder}/checkpoints`)
      : SqlCheckpointStore.make
    const store = Layer.effect(
      CheckpointStore,
      Effect.map(opened, (found) => watched(world, found))
    )
    const files = yield* FileSystem.FileSystem
    const life = Effect.gen(function* () {
      const job = yield* Runner.start(
        jobOf(world.path, options),
        { availableNow: true, set: { maxPerEpoch: String(ordersInEpoch) } },
        (event) =>
          event._tag === "Progress" && options.isStill !== true
            ? Effect.orDie(Effect.provideService(change(world), FileSystem.FileSystem, files)).pipe(
                Effect.zipRight(options.isSlow === true ? Effect.sleep("20 millis") : Effect.void)
              )
            : Effect.void
      )
      yield* job.ended
    })
    return yield* Life.live(crashAt, (points) =>
      life.pipe(
        Effect.scoped,
        Effect.provide(Layer.provideMerge(Layer.merge(store, logLayer(world.folder)), Life.services(points))),
        Logger.withMinimumLogLevel(LogLevel.None)
      )
    )
  })

/** Starts that die sooner or later, until one has begun a second epoch: the intent of the first is durable. */
const begun = (world: World, options: Options = {}) =>
  Effect.gen(function* () {
    for (let step = 1; world.intents.size < 2; step++) yield* live(world, step, options)
  })

const written = Effect.flatMap(Tables, (tables) =>
  tables.query({ sql: "select n, name from enriched order by n", parameters: [] })
)

/** Each order with the shop of the version that its epoch's intent names. */
const expectedOf = (world: World, type: "left" | "inner" = "left") => {
  const rows: Array<{ readonly n: number; readonly name: string | null }> = []
  for (const [, { lookups, partitions }] of [...world.intents].sort(([a], [b]) => a - b)) {
    const shops = world.versions.get(lookups![world.path]!)!
    for (let n = rows.length; n < partitions[0]!.offset; n++) rows.push({ n, name: shops.get("abcd"[n % 4]!) ?? null })
  }
  return rows.filter(({ name }) => type === "left" || name !== null)
}

const versionsSeen = (world: World) =>
  new Set([...world.intents.values()].map((intent) => intent.lookups?.[world.path])).size

const check = (world: World) =>
  Effect.gen(function* () {
    const expected = expectedOf(world)
    expect(expected.length).toBe(orders)
    expect(yield* written).toEqual(expected)
  })

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>

beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const run = <A, E>(
  effect: Effect.Effect<A, E, Layer.Layer.Success<typeof NodeContext.layer> | Tables | Scope.Scope>
): Promise<A> =>
  Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(NodeContext.layer), Effect.provide(tables)))

describe("a refreshed lookup", () => {
  it(
    "takes effect epoch by epoch while the job runs",
    () =>
      run(
        Effect.gen(function* () {
          // Files are loaded beside the epochs: all of a run may be over before the first is.
          let seen = 0
          for (let attempt = 0; attempt < 10 && seen < 2; attempt++) {
            const world = yield* make()
            yield* live(world, 0, { isSlow: true })
            yield* check(world)
            seen = versionsSeen(world)
            const rows = yield* written
            expect(rows.filter(({ name }) => name === null).length).toBe(orders / 4)
          }
          expect(seen).toBeGreaterThan(1)
        })
      ),
    30_000
  )

  it.each([
    { inFiles: false, stride: 4 },
    { inFiles: true, stride: 31 }
  ])(
    "gives what its intents say after a crash at any durable step (checkpoints in files: $inFiles)",
    ({ inFiles, stride }) =>
      run(
        Effect.gen(function* () {
          const seen = { crashes: 0, versions: 0 }
          for (let step = 1; ; step += stride) {
            const world = yield* make(inFiles)
            const { crashedAt } = yield* live(world, step)
            if (crashedAt === null) break
            seen.crashes++
            yield* change(world)
            // Another crash, while it recovers or soon after.
            yield* live(world, 3 + (step % 7))
            yield* live(world)
            yield* check(world)
            seen.versions = Math.max(seen.versions, versionsSeen(world))
          }
          expect(seen.crashes).toBeGreaterThan(10)
          expect(seen.versions).toBeGreaterThan(2)
        })
      ),
    120_000
  )

  it(
    "leaves the version before in force where the file cannot be read",
    () =>
      run(
        Effect.gen(function* () {
          const world = yield* make()
          yield* begun(world)
          const before = [...world.intents.values()].at(-1)!.lookups![world.path]!
          yield* file(world, "shopid,name\na,once\na,twice\n")
          world.changes = 100
          yield* live({ ...world, path: world.path })
          yield* check(world)
          expect(world.versions.has(before)).toBe(true)
        })
      ),
    30_000
  )
})

describe("a fixed lookup", () => {
  it(
    "has one version for a lineage, whatever becomes of the file",
    () =>
      run(
        Effect.gen(function* () {
          const world = yield* make()
          yield* begun(world, { refresh: "fixed" })
          yield* Effect.flatMap(FileSystem.FileSystem, (files) => files.remove(world.path))
          yield* live(world, 0, { refresh: "fixed" })
          yield* check(world)
          expect(versionsSeen(world)).toBe(1)
          expect((yield* written)[0]).toEqual({ n: 0, name: "a 1" })
        })
      ),
    30_000
  )

  it(
    "drops events without a row where it is inner",
    () =>
      run(
        Effect.gen(function* () {
          const world = yield* make()
          yield* live(world, 0, { type: "inner" })
          expect(yield* written).toEqual(expectedOf(world, "inner"))
          expect((yield* written).length).toBe((orders * 3) / 4)
        })
      ),
    30_000
  )

  it.each([
    ["names both rows of one key", "shopid,name\na,once\nb,x\na,twice\n", /shopid = a: .*once.*line 2.*twice.*line 4/],
    ["names line and column of a bad row", "shopid,name\na,\n\nb\n", /line 4 has 1 cells/],
    ["names a column that is missing", "shopid,title\na,x\n", /line 1: there is no column name, but shopid, title/],
    ["names the file that is missing", null, /there is no file .*shops.csv/]
  ])(
    "fails the start and %s",
    (_, text, message) =>
      run(
        Effect.gen(function* () {
          const world = yield* make()
          yield* text === null
            ? Effect.flatMap(FileSystem.FileSystem, (files) => files.remove(world.path))
            : file(world, text)
          const error = yield* Effect.flip(live(world, 0, { refresh: "fixed" }))
          expect(String((error as Error).message)).toMatch(message)
          expect([...world.intents]).toEqual([])
        })
      ),
    30_000
  )
})
