/** Two owners that claim a job, each having read the same. */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { expect } from "vitest"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { Tables } from "../../src/flow/Tables.ts"
import * as Database from "../../src/testing/simulation/Database.ts"
import * as TablesServer from "../../src/testing/simulation/TablesServer.ts"

const makeDatabase = await Database.load()

it.effect("take different generations", () =>
  Effect.gen(function* () {
    const tables = yield* Tables
    // Whoever has read lets the other read, too, before it writes.
    const polite = {
      ...tables,
      query: (...of: Parameters<typeof tables.query>) => Effect.tap(tables.query(...of), Effect.yieldNow())
    }
    const store = yield* Effect.provideService(SqlCheckpointStore.make, Tables, polite)
    yield* store.claim("job", "id")
    const both = yield* Effect.all([store.claim("job", "id"), store.claim("job", "id")], { concurrency: "unbounded" })
    expect(both.map(({ generation }) => generation).sort()).toEqual([2, 3])
  }).pipe(Effect.provide(TablesServer.layerAt(makeDatabase())))
)
