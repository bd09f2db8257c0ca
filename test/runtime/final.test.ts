/** What `--final` owes: the rows of open windows, even if nothing came since the last checkpoint, and once. */
import { it } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { expect } from "vitest"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Aggregate, Flow, InstantFromMillis, Int64, Job, Trigger, Window } from "../../src/index.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const Visit = Schema.Struct({ page: Schema.String, at: InstantFromMillis })
const Counted = Schema.Struct({ page: Schema.String, visits: Int64 })

const visits = Job.make("visits", {
  parameters: {},
  trigger: Trigger.every("1 second"),
  outputs: () =>
    Flow.from(Topic.source("visits")).pipe(
      Flow.decode(Visit),
      Flow.eventTime((visit) => visit.at, { maxOutOfOrderness: "1 second" }),
      Flow.keyBy("page"),
      Flow.window(Window.tumbling("1 minute")),
      Flow.aggregate("counts", { visits: Aggregate.count }),
      Flow.emit("onClose"),
      Flow.map(({ page, visits }) => ({ page, visits })),
      Flow.to(Topic.sink("counted", Counted))
    )
})

const start = Date.UTC(2024, 0, 1)
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const come = (pages: ReadonlyArray<string>) =>
  Effect.flatMap(Topics, (topics) =>
    topics.produce(
      "visits",
      0,
      pages.map((page, i) => ({
        key: null,
        value: encoder.encode(JSON.stringify({ page, at: start + i * 1_000 })),
        headers: []
      }))
    )
  )

const run = (final: boolean) =>
  Effect.scoped(
    Effect.flatMap(
      Runner.start(visits, { availableNow: true, final }, () => Effect.void),
      (running) => running.ended
    )
  )

const counted = Effect.gen(function* () {
  const topics = yield* Topics
  const { partitions } = yield* topics.describe("counted")
  const records = yield* Effect.forEach(partitions, ({ latest, oldest, partition }) =>
    topics.fetch("counted", partition, oldest, latest - oldest)
  )
  return records
    .flat()
    .map(({ value }) => decoder.decode(value))
    .sort()
})

it.live(
  "a final run emits open windows though nothing came since the last checkpoint, and no other run does again",
  () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* topics.create("visits", { partitions: 1 })
      yield* come(["a", "b", "a", "a"])
      yield* run(false)
      expect(yield* counted).toEqual([])
      yield* run(true)
      const rows = ['{"page":"a","visits":3}', '{"page":"b","visits":1}']
      expect((yield* counted).map((row) => row.replaceAll(/"(\d+)"/g, "$1"))).toEqual(rows)
      yield* run(true)
      yield* run(false)
      expect(yield* counted).toHaveLength(rows.length)
    }).pipe(
      Effect.provide(Layer.merge(TopicsMemory.layer(), layerNone)),
      Effect.provideServiceEffect(CheckpointStore, MemoryCheckpointStore.make)
    )
)
