/** Brokers that are away, die, or refuse who asks: of this file alone. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Logger, LogLevel, Redacted } from "effect"
import { type KafkaSasl, layerKafka } from "../../../src/connectors/kafka/index.ts"
import { Topics } from "../../../src/flow/Topics.ts"
import * as kafka from "../../services/kafka.ts"
import { freePort, Missing } from "../../services/Service.ts"
import { numbered, readAll, textOf, topicNamed, valuesOf, withTopics } from "./World.ts"

const folder = mkdtempSync(join(tmpdir(), "weir-kafka-"))
const missing = await kafka.jars().then(
  () => null,
  (cause: unknown) => {
    if (cause instanceof Missing && process.env.WEIR_REQUIRE_SERVICES !== "1") return cause.message
    throw cause
  }
)
let broker: kafka.Broker

describe.skipIf(missing !== null)("a broker of Kafka", () => {
  beforeAll(async () => {
    broker = await kafka.start(folder, { signal: "KILL" })
  })
  afterAll(async () => {
    await broker?.stop()
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  })

  const asUser = (password: string, mechanism: KafkaSasl["mechanism"] = "plain") =>
    layerKafka({
      brokers: [broker.guarded],
      tls: { authority: broker.authority },
      sasl: { mechanism, username: kafka.user, password: Redacted.make(password) }
    })

  it.live("serves who names the right password, over TLS", () =>
    Effect.gen(function* () {
      const topics = yield* Topics
      const topic = topicNamed("guarded")
      yield* topics.create(topic, { partitions: 1 })
      yield* topics.produce(topic, 0, numbered(0, 10))
      expect(valuesOf((yield* readAll(yield* topics.reader(topic), 0)).events).length).toBe(10)
    }).pipe(Effect.scoped, Effect.provide(Layer.suspend(() => asUser(kafka.password))))
  )

  it.live("refuses who names a wrong one within 5 seconds, and nothing says it", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ annotations, cause, message }) => {
        lines.push(JSON.stringify([message, cause, [...annotations]]))
      })
      const begun = Date.now()
      const error = yield* Effect.flip(Effect.scoped(Layer.build(asUser("wrong secret")))).pipe(
        Effect.provide(Logger.replace(Logger.defaultLogger, logger)),
        Logger.withMinimumLogLevel(LogLevel.All)
      )
      expect(Date.now() - begun).toBeLessThan(5_000)
      expect(error).toMatchObject({ _tag: "AccessRefused", hint: expect.stringContaining("KAFKA_SASL_PASSWORD") })
      expect(error.message).toContain(`refuses user ${kafka.user}`)
      expect(lines.length).toBeGreaterThan(0)
      expect(
        `${error.message} ${error.hint} ${JSON.stringify(error)} ${error.stack} ${lines.join("\n")}`
      ).not.toContain("wrong secret")
      const unknown = yield* Effect.flip(Effect.scoped(Layer.build(asUser(kafka.password, "scram-sha-256"))))
      expect(unknown).toMatchObject({ _tag: "AccessRefused" })
    })
  )

  it.live("that wants a user, or is none, is said to within 5 seconds", () =>
    Effect.gen(function* () {
      const nobody = `127.0.0.1:${yield* Effect.promise(freePort)}`
      for (const config of [
        { brokers: [nobody] },
        { brokers: [broker.guarded] },
        // Its certificate is signed by nobody whom the runtime trusts.
        { brokers: [broker.guarded], tls: true as const }
      ]) {
        const [address] = config.brokers
        const begun = Date.now()
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layerKafka(config))))
        expect(Date.now() - begun).toBeLessThan(5_000)
        expect(error).toMatchObject({ _tag: "SourceUnavailable", retry: true })
        expect(error.message).toContain(address)
      }
      for (const brokers of [[], ["a b:1"], ["kafka://x:1"]])
        expect(yield* Effect.flip(Effect.scoped(Layer.build(layerKafka({ brokers }))))).toMatchObject({
          _tag: "InvalidConfiguration"
        })
    })
  )

  it.live(
    "may be killed and started again while it is read and written: nothing is lost, nothing comes twice",
    () =>
      withTopics(broker.address, (topics) =>
        Effect.gen(function* () {
          const topic = topicNamed("killed")
          yield* topics.create(topic, { partitions: 2 })
          const reader = yield* topics.reader(topic)
          const writer = yield* topics.epochWriter(`${topic}.out`, {
            stamp: { job: topic, sink: "out", lineage: 1, generation: 1, epoch: 0 },
            intentEpochs: [],
            position: null,
            partitions: 2
          })
          // Produces, reads what it produced, writes it on as an epoch, again and again.
          const positions = [0, 0]
          const total = 60
          let kills = 0
          const rounds = Effect.gen(function* () {
            for (let n = 0; n < total; n++) {
              const partition = n % 2
              yield* topics.produce(topic, partition, numbered(n * 10, n * 10 + 10))
              const values: Array<string> = []
              while (values.length < 10) {
                const { end, events } = yield* readAll(reader, partition, positions[partition]!)
                positions[partition] = end
                values.push(...valuesOf(events))
                if (values.length < 10) yield* reader.changed
              }
              const records = values.map((value) => ({
                key: null,
                value: new TextEncoder().encode(value),
                headers: []
              }))
              yield* writer.write(n + 1, new Map([[partition, records]]))
              yield* Effect.sleep("40 millis")
            }
          })
          const killing = Effect.gen(function* () {
            for (; kills < 2; kills++) {
              yield* Effect.sleep("700 millis")
              yield* Effect.promise(() => broker.stop())
              yield* Effect.sleep("1 second")
              broker = yield* Effect.promise(() =>
                kafka.start(folder, { signal: "KILL", ports: { port: broker.port, guardedPort: broker.guardedPort } })
              )
            }
          })
          yield* Effect.all([rounds, killing], { concurrency: 2 })
          expect(kills).toBe(2)
          const expected = (partition: number) =>
            Array.from({ length: total / 2 }, (_, i) =>
              numbered((2 * i + partition) * 10, (2 * i + partition) * 10 + 10)
            )
              .flat()
              .map(({ value }) => textOf(value))
          for (const partition of [0, 1])
            for (const name of [topic, `${topic}.out`]) {
              const found = yield* topics.fetch(name, partition, 0, 10_000)
              expect(found.map(({ value }) => textOf(value))).toEqual(expected(partition))
            }
        })
      ),
    120_000
  )
})
