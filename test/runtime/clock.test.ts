/** Times of epochs, where the clock of the process goes backwards. */
import { it } from "@effect/vitest"
import { Clock, Effect, Layer, Queue, Schema } from "effect"
import { expect } from "vitest"
import type { Intent } from "../../src/checkpoint/Checkpoint.ts"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Flow, Job, Trigger } from "../../src/index.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const Visit = Schema.Struct({ page: Schema.String })
const copies = Job.make("copies", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () => Flow.from(Topic.source("visits")).pipe(Flow.decode(Visit), Flow.to(Topic.sink("copies", Visit)))
})

/** A clock that is an hour earlier each time it is read. */
const falling = (): Clock.Clock => {
  let now = Date.UTC(2024, 0, 1)
  const read = (): number => {
    now -= 3_600_000
    return now
  }
  return Object.assign(Clock.make(), { unsafeCurrentTimeMillis: read, currentTimeMillis: Effect.sync(read) })
}

/** A clock that is off by so many milliseconds. */
const off = (byMillis: () => number): Clock.Clock => {
  const read = (): number => Date.now() + byMillis()
  return Object.assign(Clock.make(), { unsafeCurrentTimeMillis: read, currentTimeMillis: Effect.sync(read) })
}

it.live("never fall, in a life or from one to the next", () =>
  Effect.gen(function* () {
    const topics = yield* Topics
    const encoder = new TextEncoder()
    const value = encoder.encode(JSON.stringify({ page: "a" }))
    const real = yield* MemoryCheckpointStore.make
    const intents: Array<Intent> = []
    const store = {
      ...real,
      writeIntent: (...[claim, intent]: Parameters<typeof real.writeIntent>) => {
        intents.push(intent)
        return real.writeIntent(claim, intent)
      }
    }
    yield* topics.create("visits", { partitions: 1 })
    const clock = falling()
    for (let life = 0; life < 3; life++) {
      yield* topics.produce("visits", 0, new Array(4).fill({ key: null, value, headers: [] }))
      yield* Effect.scoped(
        Effect.flatMap(
          Runner.start(copies, { availableNow: true, set: { maxPerEpoch: "1" } }, () => Effect.void),
          (running) => running.ended
        )
      ).pipe(Effect.withClock(clock), Effect.provideService(CheckpointStore, store))
    }
    expect(intents.length).toBeGreaterThan(10)
    const times = intents.flatMap(({ closedAt, openedAt }) => [openedAt, closedAt])
    expect(times).toEqual([...times].sort((one, other) => one - other))
  }).pipe(Effect.provide(Layer.merge(TopicsMemory.layer(), layerNone)))
)

it.live("come at their trigger, though the clock was set back by an hour in a life, or between two", () =>
  Effect.gen(function* () {
    const topics = yield* Topics
    const value = new TextEncoder().encode(JSON.stringify({ page: "a" }))
    const store = yield* MemoryCheckpointStore.make
    yield* topics.create("visits", { partitions: 1 })
    let hours = 0
    const epochs = yield* Queue.unbounded<number>()
    const visited = Effect.zipRight(
      topics.produce("visits", 0, [{ key: null, value, headers: [] }]),
      Effect.timeoutFail(Queue.take(epochs), {
        duration: "10 seconds",
        onTimeout: () => new Error(`no epoch came ${hours} hours back`)
      })
    )
    for (let life = 0; life < 2; life++) {
      yield* Effect.gen(function* () {
        const running = yield* Runner.start(copies, { set: { trigger: "50 millis" } }, (event) =>
          event._tag === "Progress" && event.progress.inputRows > 0
            ? Queue.offer(epochs, event.progress.epoch)
            : Effect.void
        )
        yield* visited
        hours -= 1
        yield* visited
        yield* visited
        yield* running.stop
      }).pipe(
        Effect.scoped,
        Effect.withClock(off(() => hours * 3_600_000)),
        Effect.provideService(CheckpointStore, store)
      )
      hours -= 1
    }
  }).pipe(Effect.provide(Layer.merge(TopicsMemory.layer(), layerNone)))
)
