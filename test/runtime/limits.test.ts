/** A job that sets too much aside stops behind a committed epoch, says why, and goes on from there when it is started. */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Logger, LogLevel, Scope } from "effect"
import { Order } from "../../actors/orders.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Daemon } from "../../src/daemon/Daemon.ts"
import * as DaemonLive from "../../src/daemon/DaemonLive.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import { Flow, Job, Trigger } from "../../src/index.ts"
import * as ReplayWorld from "./ReplayWorld.ts"
import { context } from "./World.ts"

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>
beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const options = { availableNow: true, set: { maxPerEpoch: "60" } }

/** A job that has nothing to do with the other one. */
const other = Job.make("other", {
  parameters: {},
  trigger: Trigger.every("20 millis"),
  outputs: () => Flow.from(Topic.source("nothing")).pipe(Flow.decode(Order), Flow.to(Topic.sink("kept", Order)))
})

describe("a job above its limit of dead letters", () => {
  it("fails behind the epoch that it committed, alone, and goes on when it is mended", { timeout: 60_000 }, () =>
    Effect.gen(function* () {
      const world = yield* ReplayWorld.make({ count: 300, partitions: 2, rate: 3, items: 12, seed: 3 })
      const daemonOf = (job: typeof ReplayWorld.mended) =>
        DaemonLive.layer([job, other]).pipe(
          Layer.provide([SqlCheckpointStore.layer, layerNone]),
          Layer.provide(world.layer)
        )
      yield* Effect.gen(function* () {
        const daemon = yield* Daemon
        yield* daemon.start("other", {})
        const ends = Effect.flip(Effect.zipRight(daemon.start("orders", options), daemon.ended("orders")))
        const status = Effect.map(daemon.statuses, (all) => all.find(({ job }) => job === "orders")!)
        expect(yield* ends).toMatchObject({ _tag: "DeadLetterLimitExceeded", shareMax: 0.2 })
        const first = yield* status
        expect(first).toMatchObject({ state: "failed", reason: { tag: "DeadLetterLimitExceeded" } })
        expect(first.reason!.message).toMatch(/\d+ of 60 records of epoch 2 could not be used/)
        expect(first.reason!.hint).toContain("weir dead-letters orders")
        expect([first.rowsIn, first.deadLetters > 10]).toEqual([60, true])
        // The same code again: it goes on behind that epoch, and stops at the next.
        yield* ends
        expect((yield* status).rowsIn).toBeGreaterThan(60)
        expect((yield* daemon.statuses).find(({ job }) => job === "other")!.state).toBe("running")
      }).pipe(Effect.provide(daemonOf(ReplayWorld.strict({ shareMax: 0.2 }))))
      yield* Effect.gen(function* () {
        const daemon = yield* Daemon
        yield* daemon.start("orders", options)
        yield* daemon.ended("orders")
        const answer = yield* daemon.replayDeadLetters("orders", {})
        expect(answer.replayed).toBeGreaterThan(20)
        expect(answer).toMatchObject({ succeeded: answer.replayed, late: 0, deadLetters: 0, skipped: 0 })
        expect(yield* ReplayWorld.rows).toEqual(ReplayWorld.wanted(world))
        expect(yield* daemon.replayDeadLetters("orders", {})).toMatchObject({ replayed: 0 })
        expect(yield* Effect.flip(daemon.replayDeadLetters("other", {}))).toMatchObject({ _tag: "InvalidJob" })
      }).pipe(Effect.provide(daemonOf(ReplayWorld.mended)))
    }).pipe(
      Effect.scoped,
      Effect.provide(context),
      Effect.provide(tables),
      Logger.withMinimumLogLevel(LogLevel.None),
      Effect.runPromise
    )
  )
})
