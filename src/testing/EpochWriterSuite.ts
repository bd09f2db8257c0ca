/** What every epoch writer of a topic must hold: each epoch once, in order, by the newest owner. */
import { Effect } from "effect"
import type { EpochStamp, TopicsService } from "../flow/Topics.ts"
import { equal, failsWith, record, type Story, story, textOf } from "./TopicsCase.ts"

export const stories: ReadonlyArray<Story> = [
  story(
    "writes an epoch once, over all its partitions, whoever asks again",
    (topics, topic) =>
      Effect.gen(function* () {
        const writer = yield* topics.epochWriter(topic("epochs"), opening(1, 0))
        equal(yield* writer.write(1, parts("one")), "written")
        equal(yield* writer.write(1, parts("one")), "already there")
        equal(yield* writer.write(2, parts("two")), "written")
        yield* contents(topics, topic("epochs"), ["one", "two"])
      }),
    (topics, topic) =>
      Effect.gen(function* () {
        // Both epochs were written, their manifests were not.
        const writer = yield* topics.epochWriter(topic("epochs"), opening(2, 0, { intentEpochs: [1, 2, 3] }))
        equal(yield* writer.write(1, parts("one")), "already there")
        equal(yield* writer.write(2, parts("two")), "already there")
        equal(yield* writer.write(3, parts("three")), "written")
        yield* contents(topics, topic("epochs"), ["one", "two", "three"])
      })
  ),
  story(
    "refuses an epoch that was computed again with other records",
    (topics, topic) =>
      Effect.gen(function* () {
        const writer = yield* topics.epochWriter(topic("digests"), opening(1, 0))
        yield* writer.write(1, parts("one"))
        yield* writer.write(3, parts("three"))
        yield* failsWith("NotDeterministic", writer.write(1, parts("other")))
        yield* failsWith("NotDeterministic", writer.write(1, new Map()))
        yield* failsWith("NotDeterministic", writer.write(2, parts("two")))
        equal(yield* writer.write(2, new Map()), "already there")
      }),
    (topics, topic) =>
      Effect.gen(function* () {
        const writer = yield* topics.epochWriter(topic("digests"), opening(2, 0, { intentEpochs: [1, 2, 3] }))
        yield* failsWith("NotDeterministic", writer.write(3, parts("other")))
        equal(yield* writer.write(3, parts("three")), "already there")
        yield* contents(topics, topic("digests"), ["one", "three"])
      })
  ),
  story("writes nothing for an epoch without records", (topics, topic) =>
    Effect.gen(function* () {
      const writer = yield* topics.epochWriter(topic("empty"), opening(1, 0))
      equal(yield* writer.write(1, new Map([[0, []]])), "already there")
      yield* contents(topics, topic("empty"), [])
      const position = yield* writer.position
      yield* topics.epochWriter(topic("empty"), opening(2, 7, { position }))
    })
  ),
  story(
    "fences an owner when a newer one opens the sink, for good",
    (topics, topic) =>
      Effect.gen(function* () {
        const old = yield* topics.epochWriter(topic("fenced"), opening(1, 0))
        yield* old.write(1, parts("one"))
        const newer = yield* topics.epochWriter(topic("fenced"), opening(2, 1))
        yield* failsWith("Fenced", old.write(1, parts("one")))
        yield* failsWith("Fenced", old.write(2, parts("zombie")))
        equal(yield* newer.write(2, parts("two")), "written")
        yield* failsWith("Fenced", topics.epochWriter(topic("fenced"), opening(1, 2)))
        yield* failsWith("Fenced", topics.epochWriter(topic("fenced"), opening(2, 2)))
        const other = yield* topics.epochWriter(topic("fenced"), opening(1, 0, { sink: "another sink" }))
        equal(yield* other.write(1, parts("other")), "written")
      }),
    (topics, topic) =>
      Effect.gen(function* () {
        yield* failsWith("Fenced", topics.epochWriter(topic("fenced"), opening(2, 2)))
        const newest = yield* topics.epochWriter(topic("fenced"), opening(3, 2))
        equal(yield* newest.write(3, parts("three")), "written")
        yield* contents(topics, topic("fenced"), ["one", "two", "other", "three"])
      })
  ),
  story(
    "refuses a sink that is ahead of its checkpoint, unless intents say why",
    (topics, topic) =>
      Effect.gen(function* () {
        const writer = yield* topics.epochWriter(topic("ahead"), opening(1, 0))
        for (const epoch of [1, 2, 3]) yield* writer.write(epoch, parts(`${epoch}`))
      }),
    (topics, topic) =>
      Effect.gen(function* () {
        yield* failsWith("SinkAhead", topics.epochWriter(topic("ahead"), opening(2, 1)))
        yield* failsWith("SinkAhead", topics.epochWriter(topic("ahead"), opening(2, 1, { intentEpochs: [3] })))
        yield* topics.epochWriter(topic("ahead"), opening(2, 1, { intentEpochs: [2, 3] }))
      })
  ),
  story("refuses a sink that is behind what the checkpoint saw of it", (topics, topic) =>
    Effect.gen(function* () {
      const writer = yield* topics.epochWriter(topic("behind"), opening(1, 0))
      yield* writer.write(1, parts("one"))
      const position = yield* writer.position
      yield* failsWith("SinkBehind", topics.epochWriter(topic("behind-elsewhere"), opening(2, 1, { position })))
      yield* topics.epochWriter(topic("behind"), opening(2, 1, { position }))
      const fuller = yield* topics.epochWriter(topic("fuller"), opening(1, 0))
      yield* fuller.write(1, new Map([[0, [record("one"), record("two")]]]))
      yield* failsWith(
        "SinkBehind",
        topics.epochWriter(topic("behind"), opening(3, 1, { position: yield* fuller.position }))
      )
      const later = yield* topics.epochWriter(topic("longer"), opening(1, 0))
      for (const epoch of [1, 2]) yield* later.write(epoch, parts(`${epoch}`))
      yield* failsWith(
        "SinkBehind",
        topics.epochWriter(topic("behind"), opening(3, 2, { position: yield* later.position }))
      )
    })
  ),
  story("goes on in a higher lineage, and refuses a lower one", (topics, topic) =>
    Effect.gen(function* () {
      const writer = yield* topics.epochWriter(topic("lineages"), opening(1, 0, { lineage: 2 }))
      yield* writer.write(1, parts("one"))
      yield* failsWith("OtherLineage", topics.epochWriter(topic("lineages"), opening(9, 0, { lineage: 1 })))
      const reset = yield* topics.epochWriter(topic("lineages"), opening(1, 0, { lineage: 3 }))
      yield* failsWith("Fenced", writer.write(2, parts("zombie")))
      equal(yield* reset.write(2, parts("two")), "written")
      yield* contents(topics, topic("lineages"), ["one", "two"])
    })
  )
]

// Private

const opening = (
  generation: number,
  manifestEpoch: number,
  more: { sink?: string; lineage?: number; intentEpochs?: ReadonlyArray<number>; position?: string | null } = {}
) => {
  const { sink = "out", lineage = 1, intentEpochs = [], position = null } = more
  const stamp: EpochStamp = { job: "job", sink, lineage, generation, epoch: manifestEpoch }
  return { stamp, intentEpochs, position, partitions: 2 }
}
const parts = (value: string) =>
  new Map([
    [0, [record(`${value} 0`)]],
    [1, [record(`${value} 1`), record(`${value} 1 again`)]]
  ])
const contents = (topics: TopicsService, topic: string, values: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const found = yield* Effect.forEach([0, 1], (partition) => topics.fetch(topic, partition, 0, 1_000))
    equal(
      found.map((records) => records.map(({ value }) => textOf(value))),
      [values.map((value) => `${value} 0`), values.flatMap((value) => [`${value} 1`, `${value} 1 again`])]
    )
  })
