import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { KafkaFailure } from "../../../src/connectors/kafka/KafkaFailure.ts"
import type { TopicsService } from "../../../src/flow/Topics.ts"
import { ask } from "../../services/asked.ts"
import { type Interceptor, numbered, peer, record, textOf, topicNamed, withIntercepted, withTopics } from "./World.ts"

const found = await ask("kafka")
const brokers = "missing" in found ? "" : found.address

const lost = (retry: boolean) => new KafkaFailure({ type: "CONNECTION", message: "the line was cut", retry })

const opening = (
  topic: string,
  generation: number,
  manifestEpoch: number,
  intentEpochs: ReadonlyArray<number> = []
) => ({
  stamp: { job: topic, sink: "out", lineage: 1, generation, epoch: manifestEpoch },
  intentEpochs,
  position: null,
  partitions: 2
})
const epoch = (n: number) =>
  new Map([
    [0, [record(`${n} a`)]],
    [1, [record(`${n} b`), record(`${n} c`)]]
  ])
const contents = (topics: TopicsService, topic: string) =>
  Effect.map(
    Effect.forEach([0, 1], (partition) => topics.fetch(topic, partition, 0, 1_000)),
    (parts) => parts.map((records) => records.map(({ value }) => textOf(value)))
  )
const expected = (...epochs: ReadonlyArray<number>) => [
  epochs.map((n) => `${n} a`),
  epochs.flatMap((n) => [`${n} b`, `${n} c`])
]

/** Loses the answer of the nth request of this name, which the broker has served; or the request itself. */
const losing = (name: string, nth: number, { isServed, retry }: { isServed: boolean; retry: boolean }) => {
  const seen = { count: 0, lost: 0 }
  const intercept: Interceptor = (request, send) => {
    if (request.name !== name || ++seen.count !== nth) return send
    seen.lost++
    return isServed ? Effect.zipRight(send, Effect.fail(lost(retry))) : Effect.fail(lost(retry))
  }
  return { seen, intercept }
}

describe.skipIf(brokers === "")("epochs of a sink into Kafka", () => {
  it.live("are spread as before while one may be computed again, whatever partitions were added", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("spread")
        const first = yield* topics.epochWriter(topic, opening(topic, 1, 0))
        expect(first.partitions).toBe(2)
        expect(yield* first.write(1, epoch(1))).toBe("written")
        yield* Effect.promise(async () => {
          const admin = peer(brokers).admin()
          await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
          await admin.disconnect()
        })
        // What is known of a topic is a second old at most.
        yield* Effect.sleep("1100 millis")
        // No manifest holds epoch 1: it is computed again, and after that killed once more.
        for (const generation of [2, 3]) {
          const again = yield* topics.epochWriter(topic, opening(topic, generation, 0, [1]))
          expect(again.partitions).toBe(2)
          expect(yield* again.write(1, epoch(1))).toBe("already there")
        }
        const next = yield* topics.epochWriter(topic, opening(topic, 4, 1))
        expect(next.partitions).toBe(4)
      })
    )
  )

  for (const name of ["AddPartitionsToTxn", "Produce", "EndTxn"])
    for (const isServed of [true, false])
      for (const retry of [true, false])
        it.live(
          `are there once when ${isServed ? "the answer to" : ""} ${name} is lost, ${retry ? "and asked again" : "for good"}`,
          () => {
            // The first of each is of the opening.
            const { intercept, seen } = losing(name, 4, { isServed, retry })
            return withIntercepted(brokers, intercept, (topics) =>
              Effect.gen(function* () {
                const topic = topicNamed("lost")
                const writer = yield* topics.epochWriter(topic, opening(topic, 1, 0))
                let failures = 0
                for (let n = 1; n <= 5; n++) {
                  const write = Effect.tapError(writer.write(n, epoch(n)), (error) =>
                    Effect.sync(() => {
                      failures++
                      expect(error).toMatchObject({ _tag: "SourceUnavailable", retry: true })
                    })
                  )
                  yield* Effect.retry(write, { times: 1 })
                }
                expect(seen.lost).toBe(1)
                expect(failures).toBe(retry ? 0 : 1)
                expect(yield* contents(topics, topic)).toEqual(expected(1, 2, 3, 4, 5))
              })
            )
          }
        )

  it.live("are refused to an owner as soon as another has opened the sink, however late the broker shows it", () => {
    // So often it does not show what was committed.
    let left = 0
    let shown = 0
    const intercept: Interceptor = (request, send) => {
      if (request.name === "EndTxn") left = 4
      if (request.name !== "ListOffsets") return send
      return Effect.tap(send, (answer) => {
        for (const end of answer as unknown as Array<{ topic: string; offset: number }>) {
          if (end.topic !== "weir.epochs") continue
          if (left === 0 || left-- === 0) shown = end.offset
          else if (end.offset > shown) end.offset = shown
        }
      })
    }
    return Effect.gen(function* () {
      const topic = topicNamed("refused")
      yield* withTopics(brokers, (topics) =>
        Effect.gen(function* () {
          const old = yield* topics.epochWriter(topic, opening(topic, 1, 0))
          expect(yield* old.write(1, epoch(1))).toBe("written")
          yield* withIntercepted(brokers, intercept, (others) => others.epochWriter(topic, opening(topic, 2, 0, [1])))
          expect(left).toBe(0)
          expect(yield* Effect.flip(old.write(1, epoch(1)))).toMatchObject({ _tag: "Fenced", generation: 1, newer: 2 })
        })
      )
    })
  })

  it.live("are written on by an owner to whom the broker does not show its own fence yet", () => {
    // A broker answers EndTxn before the markers are there; it gives the id out again only when they are.
    let shown = 0
    let isHidden = false
    let hidden = 0
    const losses = losing("Produce", 3, { isServed: false, retry: false })
    const intercept: Interceptor = (request, send) => {
      if (request.name === "EndTxn") isHidden = true
      if (request.name === "InitProducerId") isHidden = false
      if (request.name !== "ListOffsets") return losses.intercept(request, send)
      return Effect.tap(send, (answer) => {
        for (const end of answer as unknown as Array<{ topic: string; offset: number }>) {
          if (end.topic !== "weir.epochs") continue
          if (!isHidden) shown = end.offset
          else if (end.offset > shown) {
            hidden++
            end.offset = shown
          }
        }
      })
    }
    return Effect.gen(function* () {
      const topic = topicNamed("shown-late")
      yield* withTopics(brokers, (topics) =>
        Effect.flatMap(topics.epochWriter(topic, opening(topic, 1, 0)), (first) => first.write(1, epoch(1)))
      )
      yield* withIntercepted(brokers, intercept, (topics) =>
        Effect.gen(function* () {
          const writer = yield* topics.epochWriter(topic, opening(topic, 2, 0, [1]))
          expect(yield* writer.write(1, epoch(1))).toBe("already there")
          expect(hidden).toBeGreaterThan(0)
          expect(yield* Effect.flip(writer.write(2, epoch(2)))).toMatchObject({ _tag: "SourceUnavailable" })
          expect(losses.seen.lost).toBe(1)
          expect(yield* writer.write(2, epoch(2))).toBe("written")
          expect(yield* contents(topics, topic)).toEqual(expected(1, 2))
        })
      )
    })
  })

  it.live("are not written by an owner that wakes up in the middle of its transaction", () =>
    Effect.gen(function* () {
      const asleep = yield* Deferred.make<void>()
      const awake = yield* Deferred.make<void>()
      let ends = 0
      let taken = 0
      const intercept: Interceptor = (request, send) => {
        if (request.name === "InitProducerId") taken++
        return request.name === "EndTxn" && ++ends === 3
          ? Effect.zipRight(Effect.zipRight(Deferred.succeed(asleep, undefined), Deferred.await(awake)), send)
          : send
      }
      yield* withIntercepted(brokers, intercept, (old) =>
        withTopics(brokers, (topics) =>
          Effect.gen(function* () {
            const topic = topicNamed("zombie")
            const zombie = yield* old.epochWriter(topic, opening(topic, 1, 0))
            yield* zombie.write(1, epoch(1))
            const stuck = yield* Effect.fork(Effect.flip(zombie.write(2, epoch(2))))
            yield* Deferred.await(asleep)
            const newer = yield* topics.epochWriter(topic, opening(topic, 2, 1, [2]))
            for (const n of [2, 3, 4]) expect(yield* newer.write(n, epoch(n))).toBe("written")
            yield* Deferred.succeed(awake, undefined)
            expect(yield* Fiber.join(stuck)).toMatchObject({ _tag: "Fenced", generation: 1, newer: 2 })
            expect(yield* Effect.flip(zombie.write(3, epoch(3)))).toMatchObject({ _tag: "Fenced" })
            // It has taken the id once, at its opening, and not from the newer one.
            expect(taken).toBe(1)
            expect(yield* newer.write(5, epoch(5))).toBe("written")
            expect(yield* contents(topics, topic)).toEqual(expected(1, 2, 3, 4, 5))
          })
        )
      )
    })
  )

  it.live("go on where an older owner took the id from the newer one for a moment", () =>
    Effect.gen(function* () {
      const asked = yield* Deferred.make<void>()
      const go = yield* Deferred.make<void>()
      const intercept: Interceptor = (request, send) =>
        request.name === "InitProducerId"
          ? Effect.zipRight(Effect.zipRight(Deferred.succeed(asked, undefined), Deferred.await(go)), send)
          : send
      yield* withIntercepted(brokers, intercept, (late) =>
        withTopics(brokers, (topics) =>
          Effect.gen(function* () {
            const topic = topicNamed("moment")
            // It has looked, found nobody, and is about to take the id.
            const old = yield* Effect.fork(Effect.flip(late.epochWriter(topic, opening(topic, 1, 0))))
            yield* Deferred.await(asked)
            const newer = yield* topics.epochWriter(topic, opening(topic, 2, 0))
            expect(yield* newer.write(1, epoch(1))).toBe("written")
            yield* Deferred.succeed(go, undefined)
            expect(yield* Fiber.join(old)).toMatchObject({ _tag: "Fenced", newer: 2 })
            expect(yield* newer.write(2, epoch(2))).toBe("written")
            expect(yield* contents(topics, topic)).toEqual(expected(1, 2))
          })
        )
      )
    })
  )

  it.live("begin at once, whatever transaction another sink was killed in", () =>
    Effect.gen(function* () {
      let ends = 0
      const dies: Interceptor = (request, send) => (request.name === "EndTxn" && ++ends > 1 ? Effect.never : send)
      yield* withTopics(brokers, (topics) =>
        Effect.gen(function* () {
          const topic = topicNamed("killed")
          yield* withIntercepted(brokers, dies, (dying) =>
            Effect.gen(function* () {
              const writer = yield* dying.epochWriter(`${topic}.other`, opening(topic, 1, 0))
              yield* Effect.timeoutOption(writer.write(1, epoch(1)), "500 millis")
            })
          )
          const begun = Date.now()
          const writer = yield* topics.epochWriter(topic, opening(topic, 1, 0))
          expect(yield* writer.write(1, epoch(1))).toBe("written")
          expect(Date.now() - begun).toBeLessThan(10_000)
          expect(yield* contents(topics, topic)).toEqual(expected(1))
          expect(yield* contents(topics, `${topic}.other`)).toEqual(expected())
        })
      )
    })
  )

  it.live("hold as many records as batches can, in order", () =>
    withTopics(brokers, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("large")
        const writer = yield* topics.epochWriter(topic, opening(topic, 1, 0))
        const records = numbered(0, 120_000)
        yield* writer.write(1, new Map([[1, records]]))
        const found = yield* topics.fetch(topic, 1, 0, 200_000)
        expect(found.map(({ value }) => textOf(value))).toEqual(records.map(({ value }) => textOf(value)))
      })
    )
  )
})

describe.skipIf(brokers === "")("records produced to Kafka", () => {
  it.live("are there once and in order when answers are lost", () => {
    let count = 0
    let lostAnswers = 0
    const intercept: Interceptor = (request, send) => {
      if (request.name !== "Produce" || ++count % 3 !== 0) return send
      lostAnswers++
      return Effect.zipRight(send, Effect.fail(lost(true)))
    }
    return withIntercepted(brokers, intercept, (topics) =>
      Effect.gen(function* () {
        const topic = topicNamed("answers")
        yield* topics.create(topic, { partitions: 1 })
        for (let n = 0; n < 20; n++) expect(yield* topics.produce(topic, 0, numbered(n * 10, n * 10 + 10))).toBe(n * 10)
        expect(lostAnswers).toBeGreaterThan(5)
        const found = yield* topics.fetch(topic, 0, 0, 1_000)
        expect(found.map(({ value }) => textOf(value))).toEqual(numbered(0, 200).map(({ value }) => textOf(value)))
      })
    )
  })
})
