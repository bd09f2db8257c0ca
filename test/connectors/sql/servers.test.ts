import { describe, it } from "@effect/vitest"
import * as SinkSuite from "../../../src/testing/SinkSuite.ts"
import * as TablesSuite from "../../../src/testing/TablesSuite.ts"
import { databases } from "../../services/databases.ts"

const found = (await databases()).slice(1)

for (const { isThere, layer, name } of found) {
  describe.skipIf(!isThere)(name, () => {
    it.layer(layer, { timeout: "60 seconds" })((it) => {
      for (const { name, run } of TablesSuite.cases()) it.scoped(name, () => run)
      for (const { name, run } of SinkSuite.cases()) it.scoped(`a sink: ${name}`, () => run)
    })
  })
}
