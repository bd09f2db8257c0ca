/** A start that finds two intents above the manifest: it makes both durable, and only then cuts anything new. */
import { it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Schema } from "effect"
import { expect } from "vitest"
import { CheckpointStore, type CheckpointStoreService } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Flow, Job, Trigger } from "../../src/index.ts"
import type { JobEvent } from "../../src/observe/Progress.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const Visit = Schema.Struct({ page: Schema.String })
const copies = Job.make("copies", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () => Flow.from(Topic.source("visits")).pipe(Flow.decode(Visit), Flow.to(Topic.sink("copies", Visit)))
})

const run = (listener: (event: JobEvent) => Effect.Effect<void>) =>
  Effect.scoped(
    Effect.flatMap(
      Runner.start(copies, { availableNow: true, set: { maxPerEpoch: "1" } }, listener),
      (running) => running.ended
    )
  )

it.live("cuts nothing new before what was intended is durable, and never a number twice", () =>
  Effect.gen(function* () {
    const topics = yield* Topics
    const value = new TextEncoder().encode(JSON.stringify({ page: "a" }))
    yield* topics.create("visits", { partitions: 1 })
    yield* topics.produce("visits", 0, new Array(8).fill({ key: null, value, headers: [] }))
    const store = yield* MemoryCheckpointStore.make
    const intended = yield* Deferred.make<void>()
    const through = (service: Partial<CheckpointStoreService>) =>
      Effect.provideService(CheckpointStore, { ...store, ...service })

    // Dies when epochs 3 and 4 are intended, and neither is durable.
    const dying = through({
      commit: (claim, epoch) => (epoch.manifest.epoch < 3 ? store.commit(claim, epoch) : Effect.never),
      writeIntent: (claim, intent) =>
        Effect.zipRight(
          store.writeIntent(claim, intent),
          intent.epoch === 4 ? Deferred.succeed(intended, undefined) : Effect.void
        )
    })
    const life = yield* Effect.fork(dying(run(() => Effect.void)))
    yield* Deferred.await(intended)
    yield* Fiber.interrupt(life)

    const steps: Array<string> = []
    const states: Array<string> = []
    const told = through({
      commit: (claim, epoch) =>
        Effect.zipRight(
          Effect.sleep(epoch.manifest.epoch === 4 ? 300 : 0),
          Effect.tap(store.commit(claim, epoch), () =>
            Effect.sync(() => steps.push(`manifest ${epoch.manifest.epoch}`))
          )
        ),
      writeIntent: (claim, intent) => {
        steps.push(`intent ${intent.epoch}`)
        return store.writeIntent(claim, intent)
      }
    })
    yield* told(
      run((event) =>
        Effect.sync(() => {
          if (event._tag === "State") states.push(event.status.state)
        })
      )
    )
    expect(steps.slice(0, 3)).toEqual(["manifest 3", "manifest 4", "intent 5"])
    expect(steps.filter((step) => step.startsWith("intent"))).toEqual(
      Array.from({ length: 5 }, (_, i) => `intent ${i + 5}`)
    )
    expect(states).not.toContain("backing off")
  }).pipe(Effect.provide(Layer.merge(TopicsMemory.layer(), layerNone)))
)
