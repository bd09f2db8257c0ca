/** A timer of processing time fires in a running job although no record comes any more. */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, LogLevel, Schedule, Schema } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import * as Log from "../../src/connectors/log/index.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Job from "../../src/flow/Job.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import * as Runner from "../../src/runtime/Runner.ts"

const Visit = Schema.Struct({ visitor: Schema.String })
const Row = Schema.Struct({ visitor: Schema.String, what: Schema.String })

const visits = Job.make("visits", {
  parameters: {},
  trigger: Trigger.every("50 millis"),
  outputs: () =>
    Flow.from(Topic.source("visits")).pipe(
      Flow.decode(Visit),
      Flow.keyBy("visitor"),
      Flow.process("leaving", {
        state: Schema.Number,
        onEvent: ({ visitor }, { keep, setProcessingTimer, state }) => {
          keep((state ?? 0) + 1)
          if (state === undefined) setProcessingTimer("400 millis")
          return [{ visitor, what: `visit ${(state ?? 0) + 1}` }]
        },
        onProcessingTimer: (_, { forget, key, state }) => {
          forget()
          return [{ visitor: key.visitor, what: `left after ${state}` }]
        }
      }),
      Flow.to(Sql.append("visits_table", Row))
    )
})

const written = Effect.flatMap(Tables, (tables) =>
  tables.query({ sql: "select visitor, what from visits_table order by visitor, what", parameters: [] })
)

it.live(
  "a timer of processing time fires although no record comes any more, and is not lost by a restart",
  () =>
    Effect.gen(function* () {
      const folder = yield* Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped())
      const services = Layer.merge(
        Layer.effect(CheckpointStore, SqlCheckpointStore.make),
        Log.layer({ folder: `${folder}/log` })
      )
      const values = ["ann", "bob", "ann"].map((visitor) => new TextEncoder().encode(JSON.stringify({ visitor })))
      yield* Effect.gen(function* () {
        const topics = yield* Topics
        yield* topics.create("visits", { partitions: 1 })
        yield* topics.produce(
          "visits",
          0,
          values.map((value) => ({ key: null, value, headers: [] }))
        )
      }).pipe(Effect.provide(Log.layer({ folder: `${folder}/log` })))
      const visited = ["visit 1", "visit 2"].map((what) => ({ visitor: "ann", what }))
      const bob = { visitor: "bob", what: "visit 1" }
      // The first life reads to the end and stops before any timer is due.
      const first = Effect.flatMap(
        Runner.start(visits, { availableNow: true }, () => Effect.void),
        (job) => job.ended
      )
      yield* first.pipe(Effect.scoped, Effect.provide(services))
      expect(yield* written).toEqual([...visited, bob])
      const second = Effect.gen(function* () {
        yield* Runner.start(visits, {}, () => Effect.void)
        yield* Effect.repeat(written, { until: (rows) => rows.length === 5, schedule: Schedule.spaced("50 millis") })
      })
      yield* second.pipe(Effect.timeout("20 seconds"), Effect.scoped, Effect.provide(services))
      expect(yield* written).toEqual([
        { visitor: "ann", what: "left after 2" },
        ...visited,
        { visitor: "bob", what: "left after 1" },
        bob
      ])
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(layerMemory, NodeContext.layer)),
      Logger.withMinimumLogLevel(LogLevel.None)
    ),
  30_000
)
