/** Runs over what is there, where some partitions hold nothing: they keep no window open, and lose no record. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, LogLevel, Schedule, Schema } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Job from "../../src/flow/Job.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import * as Window from "../../src/flow/Window.ts"
import { InstantFromMillis, Int64 } from "../../src/model/Columns.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const Sale = Schema.Struct({ at: InstantFromMillis })
const Minute = Schema.Struct({ windowStart: InstantFromMillis, sales: Int64 })
const minute = 60_000

const job = Job.make("minutes", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () => {
    const minutes = Flow.from(Topic.source("sales")).pipe(
      Flow.decode(Sale),
      Flow.eventTime((sale) => sale.at, { maxOutOfOrderness: "0 seconds" }),
      Flow.keyBy(),
      Flow.window(Window.tumbling("1 minute")),
      Flow.aggregate("minutes", { sales: Aggregate.count })
    )
    return [
      minutes.pipe(Flow.emit("onClose"), Flow.to(Topic.sink("minutes.out", Minute))),
      minutes.late.pipe(Flow.to(Topic.late("late")))
    ]
  }
})

const makeWorld = Effect.gen(function* () {
  const store = yield* MemoryCheckpointStore.make
  const layers = Layer.merge(Layer.succeed(CheckpointStore, store), TopicsMemory.layer(TopicsMemory.makeStore()))
  const topics = yield* Effect.provide(Topics, layers)
  yield* topics.create("sales", { partitions: 4 })
  const produce = (partition: number, minutes: ReadonlyArray<number>) =>
    topics.produce(
      "sales",
      partition,
      minutes.map((at) => ({
        key: null,
        value: new TextEncoder().encode(JSON.stringify({ at: at * minute })),
        headers: []
      }))
    )
  const run = (options: Runner.RunOptions = { availableNow: true }) =>
    Effect.gen(function* () {
      const running = yield* Runner.start(job as Job.Job<never, Topics>, options, () => Effect.void)
      if (options.availableNow !== true && options.replayOnly !== true) {
        yield* Effect.repeat(running.status, {
          until: ({ rowsIn }) => rowsIn > 0,
          schedule: Schedule.spaced("5 millis")
        })
        yield* running.stop
      }
      yield* running.ended
      return (yield* running.status).epoch
    }).pipe(Effect.scoped, Effect.provide(layers), Logger.withMinimumLogLevel(LogLevel.None))
  const valuesOf = (topic: string) =>
    Effect.gen(function* () {
      const known = (yield* topics.list).find((one) => one.topic === topic)
      const all = yield* Effect.forEach(known?.partitions ?? [], ({ latest, partition }) =>
        topics.fetch(topic, partition, 0, latest)
      )
      return all.flat().map(({ value }) => JSON.parse(new TextDecoder().decode(value)))
    })
  const closed = Effect.map(valuesOf("minutes.out"), (rows) =>
    rows.map(({ sales, windowStart }) => `${windowStart / minute}: ${sales}`).sort()
  )
  return { produce, run, closed, late: valuesOf("late") }
})

describe("A run over what is there", () => {
  it.live(
    "gives the windows that closed in the partitions with records, and writes nothing more without new ones",
    () =>
      Effect.gen(function* () {
        const world = yield* makeWorld
        yield* world.produce(1, [1, 1, 2, 5])
        yield* world.produce(2, [1, 3])
        const epoch = yield* world.run()
        // The lower of the two partitions with records has come to 3; the two without hold nothing back.
        expect(yield* world.closed).toEqual(["1: 3", "2: 1"])
        expect(yield* world.run()).toBe(epoch)
        // A partition that fills up is read from its beginning, and holds the watermark from then on.
        yield* world.produce(0, [4])
        yield* world.produce(2, [9])
        yield* world.run()
        expect(yield* world.closed).toEqual(["1: 3", "2: 1", "3: 1"])
        expect(yield* world.late).toEqual([])
      })
  )

  it.live("that only replays dead letters moves no watermark", () =>
    Effect.gen(function* () {
      const world = yield* makeWorld
      yield* world.produce(1, [1, 5])
      yield* world.produce(2, [1, 5])
      // Not a run over what is there: the partitions without a record are waited for.
      const epoch = yield* world.run({})
      expect(yield* world.closed).toEqual([])
      expect(yield* world.run({ replayOnly: true })).toBe(epoch)
      expect(yield* world.run()).toBeGreaterThan(epoch)
      expect(yield* world.closed).toEqual(["1: 2"])
    })
  )
})
