/**
 * Control under load: a job is paused, resumed, saved, restarted and brought back to a savepoint while its records flow,
 * and its process is killed between and in the middle of that. Its table ends as if nobody had touched it.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Schedule, Scope } from "effect"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import { Daemon, type DaemonService } from "../../src/daemon/Daemon.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import type { JobStatus } from "../../src/observe/Progress.ts"
import * as World from "./World.ts"

const input = { count: 900, partitions: 2, rate: 6, items: 12, outOfOrder: 0.1, late: 0.03, malformed: 0.02, seed: 3 }
/** Some records an epoch, an epoch every few milliseconds: whatever is done, records flow. */
const running = { set: { maxPerEpoch: "20", trigger: "15 millis" } }

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>
beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const run = <A, E>(
  effect: Effect.Effect<A, E, Layer.Layer.Success<typeof World.context> | Tables | Scope.Scope>
): Promise<A> => Effect.runPromise(effect.pipe(Effect.scoped, Effect.provide(World.context), Effect.provide(tables)))

const statusOf = (daemon: DaemonService) => Effect.map(daemon.detail("orders"), ({ status }) => status)

/** Waits until the job has committed so many epochs more, or has read all. */
const goOn = (daemon: DaemonService, epochs: number) =>
  Effect.gen(function* () {
    const { epoch } = yield* Effect.repeat(statusOf(daemon), {
      until: ({ state }: JobStatus) => state === "running",
      schedule: Schedule.spaced("3 millis")
    }).pipe(Effect.zipRight(statusOf(daemon)))
    yield* Effect.repeat(statusOf(daemon), {
      until: (now: JobStatus) => now.epoch >= epoch + epochs || (now.state === "running" && now.rowsIn >= input.count),
      schedule: Schedule.spaced("3 millis")
    })
  })

/** The job runs, whatever it was doing when the last process was killed. */
const begin = (daemon: DaemonService) =>
  Effect.flatMap(statusOf(daemon), ({ state }) =>
    state === "paused" ? daemon.resume("orders") : daemon.start("orders", running)
  )

type Script = (daemon: DaemonService) => Effect.Effect<unknown, unknown>
const scripts: Readonly<Record<string, Script>> = {
  pause: (daemon) => daemon.pause("orders"),
  "pause and resume": (daemon) =>
    Effect.zipRight(daemon.pause("orders"), Effect.zipRight(daemon.resume("orders"), goOn(daemon, 2))),
  restart: (daemon) => Effect.zipRight(daemon.restart("orders"), goOn(daemon, 2)),
  savepoint: (daemon) => Effect.zipRight(daemon.savepoint("orders", null), goOn(daemon, 1)),
  "savepoint while paused": (daemon) => Effect.zipRight(daemon.pause("orders"), daemon.savepoint("orders", null)),
  stop: (daemon) => daemon.stop("orders")
}

/** Runs everything to its end and answers the status. */
const finish = (world: World.World) => World.live(world)

describe.each(["in the tables", "in files"] as const)("with checkpoints %s", (checkpoints) => {
  it("a paused job reads nothing, stays paused through a kill, and goes on where it was", { timeout: 60_000 }, () =>
    run(
      Effect.gen(function* () {
        const world = yield* World.make(input, checkpoints)
        const first = yield* World.hosted(
          world,
          0,
          Effect.gen(function* () {
            const daemon = yield* Daemon
            yield* daemon.start("orders", running)
            yield* goOn(daemon, 5)
            const paused = yield* daemon.pause("orders")
            const refusals = yield* Effect.forEach(
              [daemon.pause("orders"), daemon.start("orders", running), daemon.restart("orders")],
              Effect.flip
            )
            yield* Effect.sleep(120)
            return { paused, later: yield* statusOf(daemon), refusals: refusals.map(({ message }) => message) }
          })
        )
        const { later, paused, refusals } = first.answer!
        expect([paused.state, paused.rowsIn < input.count, paused.rowsIn > 0]).toEqual(["paused", true, true])
        expect(later).toEqual(paused)
        expect(refusals).toEqual(["Job orders is paused already", "Job orders is paused", "Job orders is paused"])
        const second = yield* World.hosted(
          world,
          0,
          Effect.gen(function* () {
            const daemon = yield* Daemon
            const found = yield* statusOf(daemon)
            yield* daemon.resume("orders")
            yield* goOn(daemon, 3)
            // It goes on with the options that it ran with.
            const { settings } = yield* daemon.detail("orders")
            const stopped = yield* daemon.stop("orders")
            return { found, settings, stopped, again: yield* Effect.flip(daemon.resume("orders")) }
          })
        )
        expect([second.answer!.found.state, second.answer!.found.epoch]).toEqual(["paused", paused.epoch])
        expect(second.answer!.settings.find(({ name }) => name === "maxPerEpoch")?.value).toBe("20")
        expect(second.answer!.stopped.epoch).toBeGreaterThan(paused.epoch)
        expect(second.answer!.again.message).toContain("is not paused")
        yield* finish(world)
        yield* World.check(world)
      })
    )
  )

  it(
    "a savepoint of a running job holds all that it has read; a run from it ends with the same table",
    { timeout: 60_000 },
    () =>
      run(
        Effect.gen(function* () {
          const world = yield* World.make(input, checkpoints)
          const { answer } = yield* World.hosted(
            world,
            0,
            Effect.gen(function* () {
              const daemon = yield* Daemon
              yield* daemon.start("orders", { set: { ...running.set, trigger: "1 hour" } })
              yield* Effect.repeat(daemon.detail("orders"), {
                until: ({ figures }) => figures.some(({ node, rowsIn }) => node === "orders" && rowsIn > 0),
                schedule: Schedule.spaced("3 millis")
              })
              // The trigger is far away: the savepoint asks for an epoch of its own.
              const early = yield* daemon.savepoint("orders", "early")
              yield* daemon.restart("orders")
              yield* daemon.stop("orders")
              yield* daemon.start("orders", running)
              yield* goOn(daemon, 6)
              yield* daemon.stop("orders")
              const { epoch } = yield* statusOf(daemon)
              const savepoints = yield* daemon.savepoints("orders")
              const remains = yield* daemon.rewind("orders", { savepoint: "early", tables: false })
              return {
                early,
                epoch,
                names: savepoints.map(({ name }) => name),
                remains,
                after: yield* statusOf(daemon)
              }
            })
          )
          const { after, early, epoch, names, remains } = answer!
          expect(early.manifest.totals.recordsIn).toBeGreaterThan(0)
          expect(names).toEqual(["early"])
          expect(remains.join("\n")).toContain(`with epoch ${epoch + 2}`)
          expect(remains.join("\n")).toContain(
            "shop_item_income: its rows stay; those of the same keys will be written over"
          )
          expect([after.epoch, after.rowsIn]).toEqual([epoch + 1, early.manifest.totals.recordsIn])
          const life = yield* finish(world)
          expect(life.reports[0]?.lineage).toBe(2)
          yield* World.checkTable(world)
        })
      )
  )

  it("whatever is done to it and wherever it is killed, its table ends as the oracle's", { timeout: 120_000 }, () =>
    run(
      Effect.gen(function* () {
        const world = yield* World.make(input, checkpoints)
        let state = checkpoints === "in files" ? 99 : 7
        const random = (below: number): number => {
          state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
          return (state >> 8) % below
        }
        const names = Object.keys(scripts)
        const seen = { lives: 0, crashed: 0, paused: 0, done: new Set<string>() }
        for (; seen.lives < 24; seen.lives++) {
          // Every third life is not killed: in these, each thing is done at least once.
          const isQuiet = seen.lives % 3 === 2
          const name = names[isQuiet ? Math.floor(seen.lives / 3) % names.length : random(names.length)]!
          const crashAt = isQuiet ? 0 : 10 + random(70)
          const { crashedAt } = yield* World.hosted(
            world,
            crashAt,
            Effect.gen(function* () {
              const daemon = yield* Daemon
              if ((yield* statusOf(daemon)).state === "paused") seen.paused += 1
              yield* begin(daemon)
              yield* goOn(daemon, 1 + random(3))
              yield* scripts[name]!(daemon)
            })
          )
          if (crashedAt === null) seen.done.add(name)
          else seen.crashed += 1
        }
        expect(seen.crashed).toBeGreaterThan(8)
        expect(seen.done.size).toBe(names.length)
        expect(seen.paused).toBeGreaterThan(0)
        yield* finish(world)
        yield* World.check(world)
      })
    )
  )

  it("killed on its way back to a savepoint it is where it was, or there", { timeout: 120_000 }, () =>
    run(
      Effect.gen(function* () {
        const world = yield* World.make({ ...input, count: 300 }, checkpoints)
        const { answer } = yield* World.hosted(
          world,
          0,
          Effect.gen(function* () {
            const daemon = yield* Daemon
            yield* daemon.start("orders", running)
            yield* goOn(daemon, 3)
            const early = yield* daemon.savepoint("orders", "early")
            yield* goOn(daemon, 4)
            yield* daemon.stop("orders")
            return { early, stopped: yield* statusOf(daemon) }
          })
        )
        const { early, stopped } = answer!
        const places: Array<number> = [stopped.rowsIn, early.manifest.totals.recordsIn]
        let crashes = 0
        for (let crashAt = 1; ; crashAt++) {
          const back = yield* World.hosted(
            world,
            crashAt,
            Effect.flatMap(Daemon, (daemon) => daemon.rewind("orders", { savepoint: "early", tables: false }))
          )
          const { answer: found } = yield* World.hosted(
            world,
            0,
            Effect.flatMap(Daemon, (daemon) => statusOf(daemon))
          )
          expect(places).toContain(found!.rowsIn)
          if (back.crashedAt === null) break
          crashes += 1
        }
        expect(crashes).toBeGreaterThan(2)
        yield* finish(world)
        yield* World.checkTable(world)
      })
    )
  )
})
