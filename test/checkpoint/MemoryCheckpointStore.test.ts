import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import * as StoreSuite from "../../src/testing/StoreSuite.ts"

describe("the checkpoint store in memory", () => {
  // It has no tables, and memory that fails is not its affair.
  for (const { name, run } of StoreSuite.cases({ tables: false, damage: false })) {
    it.scoped(name, () =>
      Effect.flatMap(MemoryCheckpointStore.make, (store) => run({ open: Effect.succeed(store), damage: null }))
    )
  }
})
