/**
 * A process that stood still while it opened its parts, and wakes up when a successor has written several epochs: what
 * it finds elsewhere than its checkpoint said is no damage, and it must not say so.
 */
import { it } from "@effect/vitest"
import { Deferred, Effect, Either, Layer, Schema } from "effect"
import { describe, expect } from "vitest"
import { CheckpointStore, type CheckpointStoreService } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Aggregate, Flow, Int64, Job, Trigger } from "../../src/index.ts"
import { StorageFailed, TablesUnavailable } from "../../src/model/Errors.ts"
import * as Limits from "../../src/model/Limits.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const Sale = Schema.Struct({ shop: Schema.String, count: Int64 })
const Total = Schema.Struct({ shop: Schema.String, total: Int64 })

const totals = Sql.upsert("totals", Total, { key: ["shop"] })
const jobOf = (sink: typeof totals) =>
  Job.make("totals", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () =>
      Flow.from(Topic.source("sales")).pipe(
        Flow.decode(Sale),
        Flow.keyBy("shop"),
        Flow.aggregate("total", { total: Aggregate.sum((sale) => sale.count) }),
        Flow.to(sink)
      )
  })

/** `gate` is passed before the sink is opened. */
const jobWith = (gate: Effect.Effect<void>) =>
  jobOf({ ...totals, open: (opening) => Effect.zipRight(gate, totals.open(opening)) })

const encoder = new TextEncoder()
const sell = (from: number, count: number) =>
  Effect.flatMap(Topics, (topics) =>
    topics.produce(
      "sales",
      0,
      Array.from({ length: count }, (_, i) => ({
        key: null,
        value: encoder.encode(JSON.stringify({ shop: `shop ${(from + i) % 3}`, count: 1 })),
        headers: []
      }))
    )
  )

const runAll = (job: ReturnType<typeof jobWith>, maxPerEpoch = "2") =>
  Effect.scoped(
    Effect.flatMap(
      Runner.start(job, { availableNow: true, set: { maxPerEpoch } }, () => Effect.void),
      (running) => running.ended
    )
  )

/** Epochs enough that nothing of the first ones is kept. */
const epochs = Limits.manifestsKept + 4
const timeout = 120_000

/** The failure of a process that `waits` at a gate while its successor writes `epochs` epochs. */
const overtaken = (
  waiting: (
    gate: Effect.Effect<void>,
    store: CheckpointStoreService
  ) => readonly [ReturnType<typeof jobWith>, CheckpointStoreService]
) =>
  Effect.gen(function* () {
    const topics = yield* Topics
    yield* topics.create("sales", { partitions: 1 })
    const store = yield* MemoryCheckpointStore.make
    const plain = jobWith(Effect.void)
    const through = (service: CheckpointStoreService) => Effect.provideService(CheckpointStore, service)
    yield* sell(0, 6)
    yield* through(store)(runAll(plain))

    const arrived = yield* Deferred.make<void>()
    const opened = yield* Deferred.make<void>()
    const gate = Effect.zipRight(Deferred.succeed(arrived, undefined), Deferred.await(opened))
    const [job, seen] = waiting(gate, store)
    yield* sell(6, 2)
    const asleep = yield* Effect.fork(Effect.either(through(seen)(runAll(job))))
    yield* Deferred.await(arrived)
    yield* sell(8, 2 * epochs)
    yield* through(store)(runAll(plain))
    yield* Deferred.succeed(opened, undefined)
    const outcome = yield* asleep.await
    return outcome._tag === "Success" ? Either.flip(outcome.value) : outcome
  }).pipe(Effect.provide(Layer.mergeAll(layerMemory, TopicsMemory.layer(), layerNone)))

/** A store that, from then on, fails once when it is asked where the job stands. */
const failing = (
  store: CheckpointStoreService,
  gate: Effect.Effect<void>,
  failure: TablesUnavailable | StorageFailed
) => {
  let lost: "not yet" | "next" | "done" = "not yet"
  const lookUp: CheckpointStoreService["lookUp"] = (job) =>
    Effect.suspend(() => {
      if (lost !== "next") return store.lookUp(job)
      lost = "done"
      return failure
    })
  const passed = Effect.zipRight(
    gate,
    Effect.sync(() => {
      lost = "next"
    })
  )
  return [jobWith(passed), { ...store, lookUp }] as const
}

/** A job whose sink fails once, behind the gate, in a way that lets its process begin anew. */
const failingOnce = (gate: Effect.Effect<void>) => {
  const lost = new TablesUnavailable({ code: "08006", message: "the line was cut", hint: "Ask again." })
  let fails = true
  return jobOf({
    ...totals,
    open: (opening) =>
      Effect.map(totals.open(opening), (writer) => ({
        ...writer,
        prepare: (rows) =>
          Effect.suspend(() => {
            if (!fails) return writer.prepare(rows)
            fails = false
            return Effect.zipRight(gate, Effect.fail(lost))
          })
      }))
  })
}

describe("a process that begins anew", () => {
  it.live(
    "says that it was fenced where another has taken over meanwhile, and takes nothing back",
    () =>
      Effect.gen(function* () {
        let claims = 0
        const failure = yield* overtaken((gate, store) => [
          failingOnce(gate),
          {
            ...store,
            claim: (...of) => {
              claims++
              return store.claim(...of)
            }
          }
        ])
        expect(failure).toMatchObject({ _tag: "Right", right: { _tag: "Fenced" } })
        expect(claims).toBe(1)
      }),
    timeout
  )
})

describe("a process that was overtaken while it opened", () => {
  it.live.each<[says: string, tag: string, waiting: Parameters<typeof overtaken>[0]]>([
    [
      "its sinks says that it was fenced, not that the sink is ahead",
      "Fenced",
      (gate, store) => [jobWith(gate), store]
    ],
    [
      "its sinks asks again who has the job, where the answer is lost",
      "Fenced",
      (gate, store) =>
        failing(
          store,
          gate,
          new TablesUnavailable({ code: "08006", message: "the answer is lost", hint: "Ask again." })
        )
    ],
    [
      "its sinks says that the disk is broken, where it is, and not that the sink is ahead",
      "StorageFailed",
      (gate, store) =>
        failing(
          store,
          gate,
          new StorageFailed({ path: "/claims/12", message: "cannot be read", hint: "Mend the disk." })
        )
    ],
    [
      "its state says that it was fenced, not that the state is gone",
      "Fenced",
      (gate, store) => [
        jobWith(Effect.void),
        { ...store, readState: (manifest) => Effect.zipRight(gate, store.readState(manifest)) }
      ]
    ]
  ])(
    "%s",
    ([, tag, waiting]) =>
      Effect.map(overtaken(waiting), (failure) =>
        expect(failure).toMatchObject({ _tag: "Right", right: { _tag: tag } })
      ),
    timeout
  )
})
