/**
 * Who takes over from an owner that died builds on what is there, and some of that may not be durable yet: a power loss
 * must take nothing away that the successor has found or promised.
 */
import { FileSystem, type Path } from "@effect/platform"
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import * as FileCheckpointStore from "../../src/checkpoint/FileCheckpointStore.ts"
import * as Log from "../../src/connectors/log/index.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"
import * as Chance from "../../src/testing/simulation/Chance.ts"
import * as Disk from "../../src/testing/simulation/Disk.ts"
import * as DiskFiles from "../../src/testing/simulation/DiskFiles.ts"
import { isThorough } from "../Thorough.ts"

type Owner<A> = Effect.Effect<A, unknown, FileSystem.FileSystem | Path.Path>

const timeout = 120_000
const seeds = Array.from({ length: isThorough ? 12 : 3 }, (_, i) => i + 1)

const living = <A>(disk: Disk.Disk, owner: Owner<A>): Effect.Effect<A> =>
  Effect.orDie(Effect.provide(owner, DiskFiles.layerBeside(disk)))

/** Runs an owner that dies where it would make a folder's names durable for the nth time; was there an nth time? */
const dying = (disk: Disk.Disk, nth: number, owner: Owner<void>): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const dead = yield* Deferred.make<boolean>()
    let syncs = 0
    const mortal: FileSystem.FileSystem = {
      ...files,
      open: (path, options) =>
        options?.flag !== "r"
          ? files.open(path, options)
          : Effect.flatMap(files.stat(path), ({ type }) =>
              type === "Directory" && ++syncs === nth
                ? Effect.zipRight(Deferred.succeed(dead, true), Effect.never)
                : files.open(path, options)
            )
    }
    const life = yield* Effect.forkDaemon(Effect.provideService(owner, FileSystem.FileSystem, mortal))
    return yield* Effect.raceFirst(Deferred.await(dead), Effect.as(Fiber.join(life), false))
  }).pipe(Effect.provide(DiskFiles.layerBeside(disk)), Effect.orDie)

/**
 * An owner dies at one sync of names after the other; `successor` answers what it has found or promised, and after a
 * power loss `last` must find all of it. Answers at how many syncs one died.
 */
const holds = (owner: Owner<void>, successor: Owner<ReadonlyArray<string>>, last: Owner<ReadonlyArray<string>>) =>
  Effect.gen(function* () {
    let deaths = 0
    for (const seed of seeds)
      for (let nth = 1; ; nth++) {
        const chance = Chance.fromSeed(seed)
        const disk = Disk.make(chance)
        disk.makeFolder("/data", false)
        disk.open("/", "r").sync()
        if (!(yield* dying(disk, nth, owner))) break
        deaths++
        const promised = yield* living(disk, successor)
        disk.losePower(() => chance.below(2) === 0)
        expect([seed, nth, yield* living(disk, last)]).toEqual([seed, nth, expect.arrayContaining([...promised])])
      }
    return deaths / seeds.length
  })

describe("after a power loss", () => {
  it.live(
    "a folder of checkpoints holds what a successor found in it",
    () =>
      Effect.gen(function* () {
        const store = FileCheckpointStore.make("/data/checkpoints")
        const owner = Effect.gen(function* () {
          const { claim, commit, writeIntent } = yield* store
          const claimed = yield* claim("job", "id")
          for (const epoch of [1, 2]) {
            yield* writeIntent(claimed, StoreSuite.intentOf(claimed, epoch))
            yield* commit(claimed, StoreSuite.epochOf(claimed, epoch))
          }
          yield* writeIntent(claimed, StoreSuite.intentOf(claimed, 3))
        })
        const found = Effect.map(
          Effect.flatMap(store, ({ claim }) => claim("job", "id")),
          ({ generation, intents, manifest }) => {
            const epochs = Array.from({ length: manifest?.epoch ?? 0 }, (_, i) => `manifest ${i + 1}`)
            const open = intents.map(({ epoch }) => `intent ${epoch}`)
            return { generation, promised: [...epochs, ...open] }
          }
        )
        let generation = 0
        const successor = Effect.map(found, (claim) => {
          generation = claim.generation
          return claim.promised
        })
        const last = Effect.map(found, (claim) => {
          expect(claim.generation).toBeGreaterThan(generation)
          return claim.promised
        })
        expect(yield* holds(owner, successor, last)).toBeGreaterThan(8)
      }),
    timeout
  )

  it.live(
    "a log holds what a successor was told is in it, and what it has added",
    () =>
      Effect.gen(function* () {
        const inLog = <A, E>(use: (topics: Topics["Type"]) => Effect.Effect<A, E>): Owner<A> =>
          Effect.flatMap(Topics, use).pipe(
            Effect.provide(Log.layer({ folder: "/data/topics", segmentBytesMax: 64 })),
            Effect.scoped
          )
        const value = (text: string) => ({ key: null, value: new TextEncoder().encode(text), headers: [] })
        const contents = (topics: Topics["Type"]) =>
          topics.fetch("letters", 0, 0, 100).pipe(
            Effect.map((records) => records.map((record) => new TextDecoder().decode(record.value))),
            Effect.catchTag("UnknownTopic", () => Effect.succeed([])),
            Effect.map((found) => [`the log is ${topics.identity}`, ...found])
          )
        const owner = inLog((topics) =>
          Effect.gen(function* () {
            yield* topics.create("letters", { partitions: 1 })
            for (const text of ["a", "b", "c"]) yield* topics.produce("letters", 0, [value(text)])
          })
        )
        const successor = inLog((topics) =>
          Effect.gen(function* () {
            const found = yield* contents(topics)
            yield* Effect.catchTag(topics.create("letters", { partitions: 1 }), "TopicExists", () => Effect.void)
            yield* topics.produce("letters", 0, [value("of the successor")])
            return [...found, "of the successor"]
          })
        )
        expect(yield* holds(owner, successor, inLog(contents))).toBeGreaterThan(5)
      }),
    timeout
  )
})
