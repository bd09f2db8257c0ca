import { describe, it } from "@effect/vitest"
import * as SqlClient from "../../src/connectors/sql/SqlClient.ts"
import * as SinkSuite from "../../src/testing/SinkSuite.ts"
import * as TablesSuite from "../../src/testing/TablesSuite.ts"

describe("the embedded database", () => {
  it.layer(SqlClient.layerMemory, { timeout: "30 seconds" })((it) => {
    for (const { name, run } of TablesSuite.cases()) it.scoped(name, () => run)
    for (const { name, run } of SinkSuite.cases()) it.scoped(`a sink: ${name}`, () => run)
  })
})
