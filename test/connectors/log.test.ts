import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Log from "../../src/connectors/log/index.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"
import * as TopicsSuite from "../../src/testing/TopicsSuite.ts"

describe("topics of the log", () => {
  for (const { name, run } of TopicsSuite.cases)
    it.live(name, () =>
      Effect.gen(function* () {
        const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "weir-log-" })
        yield* run({ layer: Layer.provide(Log.layer({ folder }), NodeContext.layer), topic: (name) => name })
      }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
    )
})

describe("topics of a log with a new segment for each append", () => {
  for (const { name, run } of TopicsSuite.cases)
    it.live(name, () =>
      Effect.gen(function* () {
        const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped({ prefix: "weir-log-" })
        const layer = Layer.provide(Log.layer({ folder, segmentBytesMax: 1 }), NodeContext.layer)
        yield* run({ layer, topic: (name) => name })
      }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
    )
})

describe("topics in memory", () => {
  for (const { name, run } of TopicsSuite.cases)
    it.live(name, () => run({ layer: TopicsMemory.layer(TopicsMemory.makeStore()), topic: (name) => name }))
})
