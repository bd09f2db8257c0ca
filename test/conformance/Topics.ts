/** The systems of topics that there are. */
import { randomUUID } from "node:crypto"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Layer } from "effect"
import { layerKafka } from "../../src/connectors/kafka/index.ts"
import * as Log from "../../src/connectors/log/index.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"
import * as TopicsSuite from "../../src/testing/TopicsSuite.ts"
import * as Subject from "./Subject.ts"

const of = (implementation: string, world: TopicsSuite.World): Subject.Subject =>
  Subject.make(implementation, Layer.empty, { topics: TopicsSuite.cases(world) })

/** Those that need no server; `folder` is new. */
export const embedded = (folder: string): ReadonlyArray<Subject.Subject> => {
  const log = (name: string, options: { readonly segmentBytesMax?: number }) =>
    Layer.provide(Log.layer({ folder: join(folder, name), ...options }), NodeContext.layer)
  const topic = (name: string) => name
  return [
    of("memory", { layer: TopicsMemory.layer(TopicsMemory.makeStore()), topic }),
    of("log", { layer: log("log", {}), topic }),
    of("log, a segment for each append", { layer: log("segments", { segmentBytesMax: 1 }), topic })
  ]
}

export const kafka = (brokers: string): Subject.Subject => {
  const run = randomUUID().slice(0, 8)
  return of("Kafka", { layer: layerKafka({ brokers: brokers.split(",") }), topic: (name) => `${run}.${name}` })
}
