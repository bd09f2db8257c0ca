/** A job with a past: its log in a folder, its table and its checkpoint in memory, and orders that come in between. */
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer, Logger, LogLevel, ManagedRuntime } from "effect"
import job from "../../actors/orders.ts"
import { orders } from "../../fixtures/orders.ts"
import { type Expected, expectedOf } from "../../fixtures/orders-oracle.ts"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import * as Log from "../../src/connectors/log/index.ts"
import { layerMemory } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics, type TopicsService } from "../../src/flow/Topics.ts"
import { type Explained, isExplained } from "../../src/model/Errors.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import { check } from "../runtime/Expectation.ts"

export interface World {
  /** Appends orders of half an hour that the job has not read yet. */
  readonly produce: () => Promise<void>
  /** Runs the job to its end; answers why it failed, or `null`. */
  readonly run: () => Promise<(Explained & Error) | null>
  /** Starts the job, lets another owner run it to its end meanwhile, and appends orders; answers why the first one ended. */
  readonly overtake: () => Promise<Explained & Error>
  /** Lets the job begin anew with its next start, as `weir reset` does. */
  readonly reset: () => Promise<void>
  readonly execute: (...statements: ReadonlyArray<string>) => Promise<void>
  readonly withTopics: <A, E>(body: Effect.Effect<A, E, Topics>) => Promise<A>
  /** Orders that are in a row. */
  readonly counted: () => Promise<number>
  readonly expected: () => Expected
  /** Holds table and topics to the oracle. */
  readonly verify: () => Promise<void>
  readonly close: () => Promise<void>
}

const halfHour = 1_800_000

export const make = (folder: string): World => {
  const runtime = ManagedRuntime.make(Layer.merge(layerMemory, NodeContext.layer))
  const log = Log.layer({ folder: `${folder}/log` })
  const partitions: Array<Array<Uint8Array>> = [[], [], [], []]
  let slices = 0
  const withTopics: World["withTopics"] = (body) => runtime.runPromise(Effect.provide(body, log))

  const slice = (): ReadonlyArray<ReadonlyArray<Uint8Array>> => {
    slices += 1
    const start = Date.UTC(2018, 8, 21) + slices * halfHour
    const made = partitions.map((): Array<Uint8Array> => [])
    for (const { records } of orders({ seed: slices, start, count: 400, rate: 40, items: 50, malformed: 0.02 }))
      for (const { partition, value } of records) made[partition]!.push(value.slice())
    return made
  }

  const append = (made: ReadonlyArray<ReadonlyArray<Uint8Array>>, topics: TopicsService) =>
    Effect.forEach(
      made,
      (values, partition) => {
        partitions[partition]!.push(...values)
        const records = values.map((value) => ({ key: null, value, headers: [] }))
        return topics.produce("orders", partition, records)
      },
      { discard: true }
    )

  const produce = () =>
    withTopics(
      Effect.gen(function* () {
        const topics = yield* Topics
        if (slices === 0) yield* topics.create("orders", { partitions: 4 })
        yield* append(slice(), topics)
      })
    )

  const run = () =>
    Effect.gen(function* () {
      const running = yield* Runner.start(job, { availableNow: true, set: { maxPerEpoch: "150" } }, () => Effect.void)
      yield* running.ended
      return null
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.merge(SqlCheckpointStore.layer, log)),
      Effect.catchAll((error) => (isExplained(error) ? Effect.succeed(error) : Effect.die(error))),
      Logger.withMinimumLogLevel(LogLevel.Error),
      runtime.runPromise
    )

  const overtake = () =>
    Effect.gen(function* () {
      const first = yield* Runner.start(job, { set: { trigger: "20 millis" } }, () => Effect.void)
      yield* Effect.repeat(Effect.delay(first.status, "20 millis"), {
        until: ({ lag, state }) => state === "running" && lag === 0
      })
      const second = yield* Runner.start(job, { availableNow: true }, () => Effect.void)
      yield* second.ended
      // Through the log that both have: the sleeper finds work, and does it in vain.
      yield* append(slice(), yield* Topics)
      return yield* Effect.flip(first.ended)
    }).pipe(
      Effect.scoped,
      Effect.provide(Layer.provideMerge(SqlCheckpointStore.layer, log)),
      Logger.withMinimumLogLevel(LogLevel.None),
      runtime.runPromise
    ) as Promise<Explained & Error>

  const expected = () => expectedOf(partitions, { windowMillis: 60_000 })
  return {
    produce,
    run,
    overtake,
    withTopics,
    reset: () =>
      Effect.flatMap(CheckpointStore, (store) => store.reset(job.name, 0)).pipe(
        Effect.asVoid,
        Effect.provide(SqlCheckpointStore.layer),
        runtime.runPromise
      ),
    expected,
    execute: (...statements) =>
      runtime.runPromise(
        Effect.flatMap(Tables, (tables) => tables.transaction(statements.map((sql) => ({ sql, parameters: [] })))).pipe(
          Effect.asVoid
        )
      ),
    counted: () =>
      runtime.runPromise(
        Effect.flatMap(Tables, (tables) =>
          tables.query({ sql: "select sum(total_orders)::text as counted from shop_item_income", parameters: [] })
        ).pipe(Effect.map((rows) => Number(rows[0]!.counted)))
      ),
    verify: () =>
      runtime.runPromise(
        Effect.flatMap(Effect.all([Tables, Topics]), ([tables, topics]) => check(expected(), tables, topics)).pipe(
          Effect.provide(log)
        )
      ),
    close: () => runtime.dispose()
  }
}
