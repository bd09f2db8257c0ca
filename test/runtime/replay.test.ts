/** What a job set aside is put through its mended code once, whatever happens meanwhile. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Logger, LogLevel, Scope } from "effect"
import { CheckpointStore, type CheckpointStoreService } from "../../src/checkpoint/CheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as ReplayWorld from "./ReplayWorld.ts"
import { context } from "./World.ts"

const small = { count: 160, partitions: 2, rate: 3, items: 12, malformed: 0.05, farFuture: 0.02, seed: 11 }
const replay = { replayOnly: true } as const

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>
beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const run = <A, E>(
  effect: Effect.Effect<A, E, Layer.Layer.Success<typeof context> | Tables | Scope.Scope>
): Promise<A> => Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(context), Effect.provide(tables)))

const lookUp = Effect.flatMap(CheckpointStore, (store) => store.lookUp("orders")).pipe(
  Effect.provide(SqlCheckpointStore.layer)
)

/** The first code has read everything. */
const begun = (values: Parameters<typeof ReplayWorld.make>[0] = small) =>
  Effect.gen(function* () {
    const world = yield* ReplayWorld.make(values)
    yield* ReplayWorld.live(world, ReplayWorld.before, { availableNow: true })
    const aside = yield* ReplayWorld.places(world, "orders.invalid")
    const unusable = world.expected.deadLetters.map(({ offset, partition }) => `${partition}/${offset}`)
    const mended = aside.filter((place) => !unusable.includes(place))
    expect(mended.length).toBeGreaterThan(20)
    expect(mended.length).toBeLessThan(100)
    expect(unusable.length).toBeGreaterThan(3)
    return { world, aside, unusable, mended }
  })

const timesOf = (places: ReadonlyArray<string>): ReadonlyMap<string, number> => {
  const times = new Map<string, number>()
  for (const place of places) times.set(place, (times.get(place) ?? 0) + 1)
  return times
}

describe("a replay of dead letters", () => {
  it(
    "counts what the mended code can read, once, and sets aside again what it cannot",
    () =>
      run(
        Effect.gen(function* () {
          const { mended, unusable, world } = yield* begun()
          expect(yield* ReplayWorld.rows).not.toEqual(ReplayWorld.wanted(world))
          const watermark = (yield* lookUp)?.manifest?.watermark
          yield* ReplayWorld.live(world, ReplayWorld.mended, replay)
          expect(yield* ReplayWorld.rows).toEqual(ReplayWorld.wanted(world))
          const times = timesOf(yield* ReplayWorld.places(world, "orders.invalid"))
          for (const place of mended) expect(times.get(place)).toBe(1)
          for (const place of unusable) expect(times.get(place)).toBe(2)
          const manifest = (yield* lookUp)!.manifest!
          const records = mended.length + unusable.length
          expect(manifest.replayed).toEqual({ records, late: 0, deadLetters: unusable.length, skipped: 0 })
          expect(manifest.watermark).toBe(watermark)
          // What was set aside again is there for the next one, and nothing else.
          yield* ReplayWorld.live(world, ReplayWorld.mended, replay)
          expect((yield* lookUp)!.manifest!.replayed?.records).toBe(records + unusable.length)
          expect(yield* ReplayWorld.rows).toEqual(ReplayWorld.wanted(world))
        })
      ),
    60_000
  )

  it(
    "does the same after a crash at any durable step",
    () =>
      run(
        Effect.gen(function* () {
          const seen = { crashes: 0, goneOn: 0 }
          for (let step = 1; ; step += 3) {
            const { mended, unusable, world } = yield* begun()
            const crashedAt = yield* ReplayWorld.live(world, ReplayWorld.mended, replay, step)
            if (crashedAt === null) break
            seen.crashes += 1
            // A start without a word of replays goes on with what was begun, and begins none.
            yield* ReplayWorld.live(world, ReplayWorld.mended, { availableNow: true })
            const isBegun = ((yield* lookUp)!.manifest!.replayed?.records ?? 0) > 0
            if (isBegun) seen.goneOn += 1
            else yield* ReplayWorld.live(world, ReplayWorld.mended, replay)
            expect(yield* ReplayWorld.rows).toEqual(ReplayWorld.wanted(world))
            const times = timesOf(yield* ReplayWorld.places(world, "orders.invalid"))
            for (const place of mended) expect(times.get(place)).toBe(1)
            for (const place of unusable) expect(times.get(place)).toBe(2)
            const records = mended.length + unusable.length
            const counts = { records, late: 0, deadLetters: unusable.length, skipped: 0 }
            expect((yield* lookUp)!.manifest!.replayed).toEqual(counts)
          }
          expect(seen.crashes).toBeGreaterThan(8)
          expect(seen.goneOn).toBeGreaterThan(3)
        })
      ),
    120_000
  )

  it(
    "says how many came too late for their windows, and keeps those as late events",
    () =>
      run(
        Effect.gen(function* () {
          const world = yield* ReplayWorld.make({ ...small, count: 600 })
          yield* ReplayWorld.live(world, ReplayWorld.before, { availableNow: true })
          const aside = yield* ReplayWorld.places(world, "orders.invalid")
          yield* ReplayWorld.live(world, ReplayWorld.hasty, replay)
          const replayed = (yield* lookUp)!.manifest!.replayed!
          const late = yield* ReplayWorld.places(world, "orders.late")
          expect(replayed.records).toBe(aside.length)
          expect(replayed.late).toBeGreaterThan(10)
          expect(late.length).toBe(replayed.late)
          const counted = [...(yield* ReplayWorld.rows).values()].reduce(
            (sum, row) => sum + Number(row.split(" ")[2]),
            0
          )
          expect(counted + late.length + world.expected.deadLetters.length).toBe(600)
        })
      ),
    60_000
  )
})

describe("a running job", () => {
  it(
    "replays beside the records that come, and answers what became of them",
    () =>
      run(
        Effect.gen(function* () {
          const { mended, unusable, world } = yield* begun()
          const answer = yield* Effect.gen(function* () {
            const running = yield* Runner.start(ReplayWorld.mended, {}, () => Effect.void)
            const answers = yield* Effect.all([running.replay, running.replay], { concurrency: "unbounded" })
            const topics = yield* Topics
            const more = new TextEncoder().encode(
              '{"orderid":1,"region":"AMER","shopid":1,"itemid":1,"price":1.00,"count":1,"timestamp":1}'
            )
            yield* topics.produce("orders", 0, [{ key: null, value: more, headers: [] }])
            yield* Effect.repeat(Effect.delay(running.status, "20 millis"), { until: ({ rowsIn }) => rowsIn === 161 })
            yield* running.stop
            return answers
          }).pipe(
            Effect.scoped,
            Effect.provide(Layer.merge(SqlCheckpointStore.layer, world.layer)),
            Logger.withMinimumLogLevel(LogLevel.None)
          )
          const records = mended.length + unusable.length
          expect(answer[0]).toEqual({ records, late: 0, deadLetters: unusable.length, skipped: 0 })
          // The second request replays what the first one set aside again, and nothing else.
          expect(answer[1].records).toBe(unusable.length)
          const found = yield* ReplayWorld.rows
          for (const [key, row] of ReplayWorld.wanted(world)) expect(found.get(key)).toBe(row)
          expect(found.size).toBe(world.expected.rows.size + 1)
        })
      ),
    60_000
  )
})

describe("a lineage that goes on from a savepoint", () => {
  it("replays what was set aside before it, and reads the rest again", { timeout: 60_000 }, () =>
    run(
      Effect.gen(function* () {
        const world = yield* ReplayWorld.make(small, 30)
        const store = <A, E>(use: (store: CheckpointStoreService) => Effect.Effect<A, E>) =>
          Effect.flatMap(CheckpointStore, use).pipe(Effect.provide(SqlCheckpointStore.layer))
        yield* ReplayWorld.live(world, ReplayWorld.before, { availableNow: true })
        const kept = yield* ReplayWorld.places(world, "orders.invalid")
        const savepoint = yield* store(({ savepoint }) => savepoint("orders", "half", 0))
        yield* world.more
        yield* ReplayWorld.live(world, ReplayWorld.before, { availableNow: true })
        expect((yield* ReplayWorld.places(world, "orders.invalid")).length).toBeGreaterThan(kept.length + 10)
        yield* store(({ reset }) => reset("orders", 0, savepoint!))
        yield* ReplayWorld.live(world, ReplayWorld.mended, { availableNow: true })
        yield* ReplayWorld.live(world, ReplayWorld.mended, replay)
        const unusable = new Set(world.expected.deadLetters.map(({ offset, partition }) => `${partition}/${offset}`))
        // Those of the lineage that was given up are not among them; those of the new one are.
        const again = [...unusable].filter((place) => !kept.includes(place)).length
        expect((yield* lookUp)!.manifest!.replayed!.records).toBe(kept.length + again)
        expect(yield* ReplayWorld.rows).toEqual(ReplayWorld.wanted(world))
      })
    )
  )
})
