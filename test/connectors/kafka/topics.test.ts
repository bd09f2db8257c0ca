import { randomUUID } from "node:crypto"
import { describe, it } from "@effect/vitest"
import { layerKafka } from "../../../src/connectors/kafka/index.ts"
import * as TopicsSuite from "../../../src/testing/TopicsSuite.ts"
import { ask } from "../../services/asked.ts"

const kafka = await ask("kafka")

describe.skipIf("missing" in kafka)("topics of Kafka", () => {
  const layer = layerKafka({ brokers: "missing" in kafka ? [] : kafka.address.split(",") })
  for (const { name, run } of TopicsSuite.cases) {
    const own = randomUUID().slice(0, 8)
    it.live(name, () => run({ layer, topic: (name) => `${own}.${name}` }))
  }
})
