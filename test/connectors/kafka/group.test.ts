/** The group of a job in Kafka's own eyes: it stands where the checkpoint stands, and nothing depends on it. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Logger, Schema } from "effect"
import { CheckpointStore } from "../../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../../src/checkpoint/MemoryCheckpointStore.ts"
import { KafkaFailure } from "../../../src/connectors/kafka/KafkaFailure.ts"
import { Topic } from "../../../src/connectors/topic/index.ts"
import { Topics, type TopicsService } from "../../../src/flow/Topics.ts"
import { Flow, Job, Parameter, Trigger } from "../../../src/index.ts"
import * as Runner from "../../../src/runtime/Runner.ts"
import { ask } from "../../services/asked.ts"
import { type Interceptor, peer, record, topicNamed, withIntercepted } from "./World.ts"

const found = await ask("kafka")
const brokers = "missing" in found ? "" : found.address

const Sale = Schema.Struct({ item: Schema.Int })
/** A job whose name no other test has. */
const copies = (name: string) =>
  Job.make(name, {
    parameters: { topic: Parameter.text("sales", { meaning: "topic of the sales" }) },
    trigger: Trigger.every("50 millis"),
    outputs: ({ topic }) => [
      Flow.from(Topic.source(topic)).pipe(Flow.decode(Sale), Flow.to(Topic.sink(`${topic}.copied`, Sale)))
    ]
  })

const sales = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => record(`{"item":${from + i}}`))

const withAdmin = <A>(body: (admin: ReturnType<ReturnType<typeof peer>["admin"]>) => Promise<A>): Effect.Effect<A> =>
  Effect.promise(async () => {
    const admin = peer(brokers).admin()
    await admin.connect()
    return body(admin).finally(() => admin.disconnect())
  })

/** Offsets of the job's group, by partition, as Kafka's tools see them. */
const offsetsOf = (job: string, topic: string) =>
  withAdmin(async (admin) => {
    const [found] = await admin.fetchOffsets({ groupId: `weir.${job}`, topics: [topic] })
    return new Map(found!.partitions.map(({ offset, partition }) => [partition, Number(offset)]))
  })

/** The offsets of the last checkpoint, by partition. */
const checkpointOf = (job: string) =>
  Effect.gen(function* () {
    const { manifest } = (yield* (yield* CheckpointStore).lookUp(job))!
    return new Map(manifest!.partitions.map(({ offset, partition }) => [partition, offset]))
  })

const runs = (topics: TopicsService, name: string, topic: string) =>
  Effect.gen(function* () {
    const running = yield* Runner.start(copies(name), { availableNow: true, set: { topic } }, () => Effect.void)
    yield* running.ended
    return yield* running.status
  }).pipe(Effect.scoped, Effect.provideService(Topics, topics))

const copied = (topics: TopicsService, topic: string) =>
  Effect.gen(function* () {
    const { partitions } = yield* topics.describe(`${topic}.copied`)
    const all = yield* Effect.forEach(partitions, ({ partition }) =>
      topics.fetch(`${topic}.copied`, partition, 0, 1_000)
    )
    return all.flat().length
  })

const withNothing: Interceptor = (_, send) => send

describe.skipIf(brokers === "")("the group of a job", () => {
  it.live("stands where the checkpoint stands, without lag when all is read, and is not read back", () =>
    withIntercepted(brokers, withNothing, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("sales")
        const job = topicNamed("copies")
        yield* topics.create(topic, { partitions: 3 })
        for (const partition of [0, 1]) yield* topics.produce(topic, partition, sales(0, 100 + partition))
        expect((yield* runs(topics, job, topic)).rowsIn).toBe(201)
        expect([...(yield* offsetsOf(job, topic))]).toEqual([...(yield* checkpointOf(job))])
        expect([...(yield* offsetsOf(job, topic)).values()]).toEqual([100, 101, 0])
        const groups = yield* withAdmin((admin) => admin.describeGroups([`weir.${job}`]))
        expect(groups.groups[0]).toMatchObject({ state: "Empty", members: [] })

        yield* topics.produce(topic, 2, sales(0, 7))
        // Whatever becomes of it: the next start reads what the checkpoint has not, and puts it right.
        yield* withAdmin((admin) =>
          admin.setOffsets({ groupId: `weir.${job}`, topic, partitions: [{ partition: 0, offset: "3" }] })
        )
        expect((yield* runs(topics, job, topic)).rowsIn).toBe(208)
        expect([...(yield* offsetsOf(job, topic)).values()]).toEqual([100, 101, 7])
        expect(yield* copied(topics, topic)).toBe(208)
      })
    ).pipe(Effect.provide(MemoryCheckpointStore.layer))
  )

  it.live("follows a job that goes on, and shows what it has not read while it is away", () =>
    withIntercepted(brokers, withNothing, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("sales")
        const job = topicNamed("copies")
        yield* topics.create(topic, { partitions: 1 })
        const running = yield* Effect.provideService(
          Runner.start(copies(job), { set: { topic } }, () => Effect.void),
          Topics,
          topics
        )
        for (const end of [10, 30]) {
          yield* topics.produce(topic, 0, sales(0, end === 10 ? 10 : 20))
          yield* Effect.repeat(offsetsOf(job, topic), { until: (offsets) => offsets.get(0) === end }).pipe(
            Effect.timeout("10 seconds")
          )
        }
        yield* running.stop
        yield* topics.produce(topic, 0, sales(0, 5))
        expect((yield* topics.describe(topic)).partitions[0]!.latest - (yield* offsetsOf(job, topic)).get(0)!).toBe(5)
      }).pipe(Effect.scoped)
    ).pipe(Effect.provide(MemoryCheckpointStore.layer))
  )

  for (const [how, outcome, millisMax] of [
    [
      "refuse",
      Effect.fail(new KafkaFailure({ type: "GROUP_AUTHORIZATION_FAILED", message: "no", retry: false })),
      4_000
    ],
    ["do not answer", Effect.never, 9_000]
  ] as const)
    it.live(`costs a job nothing where the brokers ${how} it`, () => {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => {
        lines.push(String(message))
      })
      let asked = 0
      const intercept: Interceptor = (request, send) => {
        if (request.name !== "OffsetCommit") return send
        asked++
        return outcome
      }
      return withIntercepted(brokers, intercept, (topics) =>
        Effect.gen(function* () {
          const topic = topicNamed("sales")
          const job = topicNamed("copies")
          yield* topics.create(topic, { partitions: 1 })
          yield* topics.produce(topic, 0, sales(0, 50))
          const begun = Date.now()
          const status = yield* runs(topics, job, topic)
          expect(status).toMatchObject({ state: "finished", rowsIn: 50, restarts: 0 })
          expect(Date.now() - begun).toBeLessThan(millisMax)
          expect(yield* copied(topics, topic)).toBe(50)
          expect(asked).toBeGreaterThan(0)
          expect(lines.filter((line) => line.includes(`source ${topic} could not be told`)).length).toBe(1)
        })
      ).pipe(Effect.provide(MemoryCheckpointStore.layer), Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
    })
})
