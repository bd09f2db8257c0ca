/** Two owners that claim a job at the same time. */
import { FileSystem } from "@effect/platform"
import { NodeFileSystem } from "@effect/platform-node"
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import * as FileCheckpointStore from "../../src/checkpoint/FileCheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { Tables } from "../../src/flow/Tables.ts"
import * as Limits from "../../src/model/Limits.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"
import * as Database from "../../src/testing/simulation/Database.ts"
import * as TablesServer from "../../src/testing/simulation/TablesServer.ts"

const makeDatabase = await Database.load()

it.scoped.each([
  { about: "to claim", asked: "claim" },
  { about: "to commit", asked: "commit" }
] as const)("is told that another one has it, if that one collects what it was about to read $about", ({ asked }) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const root = yield* files.makeTempDirectoryScoped()
    const store = yield* FileCheckpointStore.make(root)
    const first = yield* store.claim("job", "id")
    for (const epoch of [1, 2]) yield* store.writeIntent(first, StoreSuite.intentOf(first, epoch))
    yield* store.commit(first, StoreSuite.epochOf(first, 1))
    let asleep = true
    const sleepy = yield* FileCheckpointStore.make(root).pipe(
      Effect.provideService(FileSystem.FileSystem, {
        ...files,
        readFile: (path) => {
          if (!asleep || !path.includes("/manifests/")) return files.readFile(path)
          asleep = false
          return Effect.zipRight(Effect.orDie(newer), files.readFile(path))
        }
      })
    )
    const newer = Effect.gen(function* () {
      const claim = yield* store.claim("job", "id")
      for (let epoch = 2; epoch <= 2 + Limits.manifestsKept; epoch++) {
        if (epoch > 2) yield* store.writeIntent(claim, StoreSuite.intentOf(claim, epoch))
        yield* store.commit(claim, StoreSuite.epochOf(claim, epoch))
      }
    })
    const asks = asked === "claim" ? sleepy.claim("job", "id") : sleepy.commit(first, StoreSuite.epochOf(first, 2))
    const generation = asked === "claim" ? 2 : 1
    expect(yield* Effect.flip(asks)).toMatchObject({ _tag: "Fenced", generation, newer: generation + 1 })
    expect(asleep).toBe(false)
  }).pipe(Effect.provide(NodeFileSystem.layer))
)

it.scoped("is told that another one has it, if that one removes what it has written half", () =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const root = yield* files.makeTempDirectoryScoped()
    const store = yield* FileCheckpointStore.make(root)
    let asleep = false
    const sleepy = yield* FileCheckpointStore.make(root).pipe(
      Effect.provideService(FileSystem.FileSystem, {
        ...files,
        link: (from, to) =>
          asleep ? Effect.zipRight(Effect.orDie(store.claim("job", "id")), files.link(from, to)) : files.link(from, to)
      })
    )
    const owner = yield* sleepy.claim("job", "id")
    asleep = true
    expect(yield* Effect.flip(sleepy.writeIntent(owner, StoreSuite.intentOf(owner, 1)))).toMatchObject({
      _tag: "Fenced",
      generation: 1,
      newer: 2
    })
    expect((yield* store.claim("job", "id")).intents).toEqual([])
  }).pipe(Effect.provide(NodeFileSystem.layer))
)

it.effect("take different generations", () =>
  Effect.gen(function* () {
    const tables = yield* Tables
    // Whoever has read lets the other read, too, before it writes.
    const polite = {
      ...tables,
      query: (...of: Parameters<typeof tables.query>) => Effect.tap(tables.query(...of), Effect.yieldNow())
    }
    const store = yield* Effect.provideService(SqlCheckpointStore.make, Tables, polite)
    yield* store.claim("job", "id")
    const both = yield* Effect.all([store.claim("job", "id"), store.claim("job", "id")], { concurrency: "unbounded" })
    expect(both.map(({ generation }) => generation).sort()).toEqual([2, 3])
  }).pipe(Effect.provide(TablesServer.layerAt(makeDatabase())))
)
