/** A job whose checkpoints are away for longer than it has patience: it does not fail, and it says why it waits. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, TestClock } from "effect"
import { Order } from "../../actors/orders.ts"
import { CheckpointStore, type CheckpointStoreService } from "../../src/checkpoint/CheckpointStore.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Topics, type TopicsService } from "../../src/flow/Topics.ts"
import { Flow, Job, Trigger } from "../../src/index.ts"
import { AccessRefused, TablesUnavailable } from "../../src/model/Errors.ts"
import * as Runner from "../../src/runtime/Runner.ts"

const kept = Job.make("kept", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () => Flow.from(Topic.source("all")).pipe(Flow.decode(Order), Flow.to(Topic.sink("kept", Order)))
})

const sentence = { message: "The database is away", hint: "Start it." }

/** The job over a store that nobody can claim it at. */
const started = (error: TablesUnavailable | AccessRefused) =>
  Runner.start(kept, {}, () => Effect.void).pipe(
    Effect.provide(
      Layer.merge(
        Layer.succeed(CheckpointStore, {
          claim: () => Effect.fail(error),
          lookUp: () => Effect.fail(error)
        } as unknown as CheckpointStoreService),
        // It is never asked: whoever cannot claim a job opens nothing of it.
        Layer.succeed(Topics, {} as TopicsService)
      )
    ),
    Effect.provide(Logger.remove(Logger.defaultLogger))
  )

describe("a job whose checkpoints are away", () => {
  it.scoped("waits for ten minutes and more, and shows it", () =>
    Effect.gen(function* () {
      const running = yield* started(new TablesUnavailable({ ...sentence, code: "08006" }))
      for (let minute = 1; minute <= 10; minute++) {
        yield* TestClock.adjust("1 minute")
        const { reason, restarts, state } = yield* running.status
        expect(["starting", "backing off"]).toContain(state)
        expect(reason).toMatchObject({ tag: "TablesUnavailable", hint: "Start it." })
        expect(restarts).toBeLessThanOrEqual(minute)
      }
    })
  )

  it.scoped("fails, when its restarts are spent, where it is let in no more", () =>
    Effect.gen(function* () {
      const running = yield* started(new AccessRefused({ ...sentence, system: "database" }))
      yield* TestClock.adjust("2 minutes")
      const { reason, restarts, state } = yield* running.status
      expect([state, restarts]).toEqual(["failed", 10])
      expect(reason).toMatchObject({ tag: "RestartBudgetSpent", hint: "Start it." })
    })
  )
})
