import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema, TestClock } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import type { Source, SourceError, SourceReader } from "../../src/flow/Source.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Flow, Job, Trigger } from "../../src/index.ts"
import { SourceUnavailable } from "../../src/model/Errors.ts"
import type { RawEvent } from "../../src/model/Event.ts"
import * as Limits from "../../src/model/Limits.ts"
import * as Acknowledgements from "../../src/runtime/Acknowledgements.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

type Acknowledge = NonNullable<SourceReader["acknowledge"]>

const offered = (acknowledge: Acknowledge) =>
  Acknowledgements.make({ job: "job", source: "sales", reader: { acknowledge } as SourceReader })

/** The cuts of an epoch, of which one is another source's. */
const cuts = (offset: number) => [
  { source: "sales", partition: 0, offset, state: "active" as const },
  { source: "other", partition: 0, offset: 999, state: "active" as const }
]

const unavailable = new SourceUnavailable({ source: "sales", message: "away", hint: "wait" })

describe("what is told to a source", () => {
  it.scoped("is the newest that is known, one call at a time", () =>
    Effect.gen(function* () {
      const told: Array<number | undefined> = []
      const { offer, settled } = yield* offered((_, offsets) =>
        Effect.zipRight(
          Effect.sync(() => told.push(offsets.get(0))),
          Effect.sleep("1 second")
        )
      )
      offer(cuts(1))
      yield* Effect.yieldNow()
      yield* TestClock.adjust(0)
      for (const offset of [2, 3, 4]) offer(cuts(offset))
      yield* TestClock.adjust("900 millis")
      expect(told).toEqual([1])
      const end = yield* Effect.fork(settled)
      yield* TestClock.adjust("2 seconds")
      expect(told).toEqual([1, 4])
      yield* end
    })
  )

  it.scoped("may fail, hang or break, and is told again with the next epoch: one warning for a row of failures", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => {
        lines.push(String(message))
      })
      const outcomes: ReadonlyArray<Effect.Effect<void, SourceError>> = [
        Effect.fail(unavailable),
        Effect.never,
        Effect.die(new Error("broken")),
        Effect.void,
        Effect.fail(unavailable)
      ]
      let calls = 0
      yield* Effect.gen(function* () {
        const { offer, settled } = yield* offered(() => outcomes[calls++]!)
        for (const [i] of outcomes.entries()) {
          offer(cuts(i))
          const end = yield* Effect.fork(settled)
          yield* TestClock.adjust(Limits.acknowledgeMillisMax)
          yield* end
          expect(calls).toBe(i + 1)
        }
      }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
      expect(lines).toEqual(
        Array(2).fill(
          "Job job: source sales could not be told what is done with: away. The job goes on: its own checkpoints say where it stands. wait"
        )
      )
    })
  )

  it.live("is what a manifest that is durable holds, never more, and at a start what the last one holds", () =>
    Effect.gen(function* () {
      const store = yield* CheckpointStore
      // Who is told too early hears it long before the manifest is there.
      const slow: typeof store = { ...store, commit: (...commit) => Effect.delay(store.commit(...commit), "30 millis") }
      const topics = yield* Topics
      const told: Array<readonly [offset: number, durable: number]> = []
      const durable = Effect.map(store.lookUp("copies"), (found) => found?.manifest?.partitions[0]?.offset ?? -1)
      const source: Source<RawEvent, SourceError, Topics> = {
        ...Topic.source("sales"),
        open: Effect.map(
          Topic.source("sales").open,
          (reader): SourceReader => ({
            ...reader,
            acknowledge: (_, offsets) =>
              Effect.flatMap(Effect.orDie(durable), (durable) =>
                Effect.sync(() => told.push([offsets.get(0)!, durable]))
              )
          })
        )
      }
      const job = Job.make("copies", {
        parameters: {},
        trigger: Trigger.every("1 hour"),
        outputs: () => [
          Flow.from(source).pipe(
            Flow.decode(Schema.Struct({ item: Schema.Int })),
            Flow.to(Topic.sink("out", Schema.Struct({ item: Schema.Int })))
          )
        ]
      })
      const value = new TextEncoder().encode(`{"item":1}`)
      const runs = Effect.scoped(
        Effect.gen(function* () {
          const options = { availableNow: true, set: { maxPerEpoch: "10" } }
          const running = yield* Runner.start(job, options, () => Effect.void)
          yield* running.ended
        })
      ).pipe(Effect.provideService(CheckpointStore, slow))
      yield* topics.create("sales", { partitions: 1 })
      yield* topics.produce("sales", 0, Array(95).fill({ key: null, value, headers: [] }))
      yield* runs
      expect(told.length).toBeGreaterThan(1)
      expect(told.every(([offset, durable]) => offset <= durable)).toBe(true)
      expect(told.at(-1)).toEqual([95, 95])
      const before = told.length
      yield* runs
      expect(told.slice(before)[0]).toEqual([95, 95])
    }).pipe(Effect.provide(Layer.merge(MemoryCheckpointStore.layer, TopicsMemory.layer())))
  )
})
