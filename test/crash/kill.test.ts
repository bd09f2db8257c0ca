/** The orders job on what is built in, killed as a process. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Expected } from "../../fixtures/orders-oracle.ts"
import * as Log from "../../src/connectors/log/index.ts"
import { layerPGlite } from "../../src/connectors/sql/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { check } from "../runtime/Expectation.ts"
import { isThorough } from "../Thorough.ts"
import * as Kills from "./Kills.ts"

const input = {
  seed: 11,
  count: 200_000,
  partitions: 4,
  rate: 400,
  items: 400,
  outOfOrder: 0.02,
  late: 0.002,
  malformed: 0.001,
  farFuture: 0.0005
}

let data: string
let expected: Expected

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), "weir-kill-"))
  expected = await Kills.produce("orders", input).pipe(
    Effect.provide(Log.layer({ folder: join(data, "log") })),
    Effect.scoped,
    Effect.provide(NodeContext.layer),
    Effect.runPromise
  )
  Kills.build()
}, 60_000)
afterAll(() => rmSync(data, { recursive: true, force: true }))

describe("weir run orders, killed with SIGKILL", () => {
  it("writes to the cent what the oracle computes, nothing twice, nothing missing", { timeout: 540_000 }, async () => {
    const environment = { WEIR_DATA: data }
    const killsMin = isThorough ? 30 : 10
    const seen = await Kills.killed({ environment, topic: "orders", maxPerEpoch: 1_500, killsMin })
    process.stdout.write(`${Kills.summary(seen)}\n`)
    expect(Kills.shortcomings(seen, killsMin)).toEqual([])
    expect(expected.late.length).toBeGreaterThan(0)
    await Effect.gen(function* () {
      yield* check(expected, yield* Tables, yield* Topics)
    }).pipe(
      Effect.provide(Log.layer({ folder: join(data, "log") })),
      Effect.provide(layerPGlite({ folder: join(data, "postgres") })),
      Effect.scoped,
      Effect.provide(NodeContext.layer),
      Effect.runPromise
    )
  })
})
