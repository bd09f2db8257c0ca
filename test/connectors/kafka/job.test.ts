/**
 * The job of orders over topics of Kafka, killed at each kind of step, request by request, and started again: into
 * tables of the embedded Postgres, and into topics of dead letters and late orders.
 */
import { NodeContext } from "@effect/platform-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import orders from "../../../actors/orders.ts"
import { orders as generate } from "../../../fixtures/orders.ts"
import { type Expected, expectedOf } from "../../../fixtures/orders-oracle.ts"
import * as SqlCheckpointStore from "../../../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory } from "../../../src/connectors/sql/index.ts"
import type * as Job from "../../../src/flow/Job.ts"
import { Tables } from "../../../src/flow/Tables.ts"
import { Topics, type TopicsService } from "../../../src/flow/Topics.ts"
import type { EpochProgress } from "../../../src/observe/Progress.ts"
import * as Expectation from "../../runtime/Expectation.ts"
import * as Life from "../../runtime/Life.ts"
import { ask } from "../../services/asked.ts"
import { peer, topicNamed, withIntercepted, withTopics } from "./World.ts"

const found = await ask("kafka")
const brokers = "missing" in found ? "" : found.address

/** Requests that change something at the brokers. */
const durable = new Set(["InitProducerId", "AddPartitionsToTxn", "Produce", "EndTxn"])

/** Orders in a topic with markers and aborted records between them: their places are not those in the list of orders. */
const produced = (topics: TopicsService, topic: string) =>
  Effect.gen(function* () {
    const partitions: Array<Array<Uint8Array>> = [[], [], []]
    for (const { records } of generate({ count: 1_500, partitions: 3, seed: 11, late: 0.02, malformed: 0.01 }))
      for (const { partition, value } of records) partitions[partition]!.push(value.slice())
    yield* topics.create(topic, { partitions: 3 })
    yield* Effect.promise(async () => {
      const producer = peer(brokers).producer({ transactionalId: topic, maxInFlightRequests: 1 })
      await producer.connect()
      for (let from = 0; from < 1_500; from += 25)
        for (const [partition, values] of partitions.entries()) {
          const messages = values.slice(from, from + 25).map((value) => ({ value: Buffer.from(value), partition }))
          if (messages.length === 0) continue
          for (const end of from % 100 === 0 ? (["abort", "commit"] as const) : (["commit"] as const)) {
            const transaction = await producer.transaction()
            await transaction.send({ topic, messages })
            await transaction[end]()
          }
        }
      await producer.disconnect()
    })
    return expectedOf(partitions, { windowMillis: 60_000 })
  })

const live = (topic: string, crashAt: number) =>
  Effect.gen(function* () {
    const reports: Array<EpochProgress> = []
    const options = { availableNow: true, final: true, set: { topic, maxPerEpoch: "100" } }
    const life = yield* Life.live(crashAt, (points) =>
      withIntercepted(
        brokers,
        (request, send) => (durable.has(request.name) ? points.step(request.name, send) : send),
        (topics) =>
          Life.job(orders as unknown as Job.Job<unknown, Tables | Topics, {}>, options, reports).pipe(
            Effect.provide(Layer.provideMerge(SqlCheckpointStore.layer, Life.services(points))),
            Effect.provideService(Topics, topics)
          )
      )
    )
    return { ...life, reports }
  })

const check = (topics: TopicsService, topic: string, expected: Expected) =>
  Effect.gen(function* () {
    yield* Expectation.checkTable(expected, yield* Tables)
    const values = (name: string) =>
      Effect.gen(function* () {
        const { partitions } = yield* topics.describe(name)
        const all = yield* Effect.forEach(partitions, ({ partition }) => topics.fetch(name, partition, 0, 10_000))
        return all.flat().map(({ headers }) => {
          const about = new Map(headers.map(({ name, value }) => [name, new TextDecoder().decode(value)]))
          return `${about.get("weir.partition")}/${about.get("weir.offset")}`
        })
      })
    const invalid = yield* values(`${topic}.invalid`)
    expect(invalid.length).toBe(expected.deadLetters.length)
    expect(new Set(invalid).size).toBe(invalid.length)
    const late = yield* values(`${topic}.late`)
    expect(late.length).toBe(expected.late.length)
    expect(new Set(late).size).toBe(late.length)
  })

describe.skipIf(brokers === "")("the job of orders over Kafka", () => {
  it.live(
    "writes every row to the cent, and every other record in one place, through kills at each kind of step",
    () =>
      withTopics(brokers, (topics) =>
        Effect.gen(function* () {
          const topic = topicNamed("orders")
          const expected = yield* produced(topics, topic)
          expect(expected.late.length).toBeGreaterThan(0)
          expect(expected.deadLetters.length).toBeGreaterThan(0)
          const crashes: Array<string> = []
          let replayed = 0
          for (let n = 0; ; n++) {
            const { crashedAt, reports } = yield* live(topic, n < 16 ? 3 + ((n * 7) % 31) : 0)
            replayed += reports.filter(({ replayed }) => replayed).length
            if (crashedAt === null) break
            crashes.push(crashedAt)
          }
          for (const name of durable) expect(crashes.some((crash) => crash.endsWith(name))).toBe(true)
          expect(crashes.some((crash) => crash.endsWith("transaction"))).toBe(true)
          expect(replayed).toBeGreaterThan(0)
          yield* check(topics, topic, expected)
        })
      ).pipe(Effect.provide(Layer.merge(layerMemory, NodeContext.layer))),
    180_000
  )
})
