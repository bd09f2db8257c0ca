/** A slow sink reaches the brokers: they are asked for no more than may be in memory, and for nothing while it hangs. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Schedule, Schema } from "effect"
import * as MemoryCheckpointStore from "../../../src/checkpoint/MemoryCheckpointStore.ts"
import type { Fetched } from "../../../src/connectors/kafka/KafkaRequests.ts"
import { Topic } from "../../../src/connectors/topic/index.ts"
import { Topics } from "../../../src/flow/Topics.ts"
import { Flow, Job, Parameter, Trigger } from "../../../src/index.ts"
import * as Limits from "../../../src/model/Limits.ts"
import * as Runner from "../../../src/runtime/Runner.ts"
import { ask } from "../../services/asked.ts"
import { type Interceptor, readAll, record, topicNamed, valuesOf, withIntercepted } from "./World.ts"

const found = await ask("kafka")
const brokers = "missing" in found ? "" : found.address

const Sale = Schema.Struct({ item: Schema.Int, text: Schema.String })
const copies = Job.make("copies-slowly", {
  parameters: { topic: Parameter.text("sales", { meaning: "topic of the sales" }) },
  trigger: Trigger.every("50 millis"),
  outputs: ({ topic }) => [
    Flow.from(Topic.source(topic)).pipe(Flow.decode(Sale), Flow.to(Topic.sink(`${topic}.copied`, Sale)))
  ]
})

const recordsPerEpoch = 1_000
const recordBytes = 1_000
const partitions = 2
/** Records of each partition. */
const records = 8_000

describe.skipIf(brokers === "")("a sink of a job over Kafka that hangs", () => {
  it.live(
    "stops the fetches of its sources, with no more in memory than the bounds say, and loses nothing",
    () => {
      let fetched = 0
      let fetches = 0
      const gate = Effect.unsafeMakeLatch(false)
      const intercept: Interceptor = (request, send) => {
        if (request.name === "EndTxn") return Effect.zipRight(gate.await, send)
        if (request.name !== "Fetch") return send
        fetches++
        return Effect.tap(send, (answer) =>
          Effect.sync(() => {
            for (const { batches } of answer as ReadonlyArray<Fetched>) fetched += batches.length
          })
        )
      }
      return withIntercepted(brokers, intercept, (topics) =>
        Effect.gen(function* () {
          const topic = topicNamed("sales")
          yield* topics.create(topic, { partitions })
          const text = "x".repeat(recordBytes)
          for (let partition = 0; partition < partitions; partition++)
            for (let from = 0; from < records; from += 2_000)
              yield* topics.produce(
                topic,
                partition,
                Array.from({ length: 2_000 }, (_, i) => record(`{"item":${from + i},"text":"${text}"}`))
              )
          // Opening the sink writes its fence in a transaction.
          yield* gate.open
          const set = { topic, maxPerEpoch: String(recordsPerEpoch) }
          const running = yield* Effect.provideService(
            Runner.start(copies, { set }, () => Effect.void),
            Topics,
            topics
          )
          yield* Effect.repeat(running.status, {
            until: ({ epoch }) => epoch >= 3,
            schedule: Schedule.spaced("10 millis")
          })
          yield* gate.close
          yield* Effect.sleep("1 second")
          const { rowsIn } = yield* running.status
          const before = fetches
          yield* Effect.sleep("1 second")
          expect(fetches).toBe(before)
          expect((yield* running.status).rowsIn).toBe(rowsIn)
          // Two epochs that are cut, one that is read, and of each partition what is handed out and what is next.
          const open = (Limits.epochsInFlight + 1) * recordsPerEpoch * (recordBytes + 100)
          const ahead = partitions * 2 * (Limits.batchBytesMax + 524_288)
          expect(fetched - rowsIn * recordBytes).toBeGreaterThan(0)
          expect(fetched - rowsIn * (recordBytes + 24)).toBeLessThan(open + ahead)
          expect(fetched).toBeLessThan(partitions * records * recordBytes)
          yield* gate.open
          yield* Effect.repeat(running.status, {
            until: ({ rowsIn }) => rowsIn === partitions * records,
            schedule: Schedule.spaced("50 millis")
          })
          yield* running.stop
          const reader = yield* topics.reader(`${topic}.copied`)
          const ends = (yield* topics.describe(`${topic}.copied`)).partitions.length
          let copied = 0
          for (let partition = 0; partition < ends; partition++)
            copied += valuesOf((yield* readAll(reader, partition)).events).length
          expect(copied).toBe(partitions * records)
        }).pipe(Effect.scoped)
      ).pipe(Effect.provide(MemoryCheckpointStore.layer))
    },
    60_000
  )
})
