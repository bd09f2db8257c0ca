/** A program that drains for long after an interrupt. */
import { Effect } from "effect"
import { Process } from "../../src/cli/Process.ts"
import { runMain } from "../../src/platform/bun.ts"

const modules = { root: "", actors: "", fixtures: "", page: "", weir: "", weirFixtures: "" }

runMain(
  modules,
  Effect.flatMap(Process, ({ report }) =>
    Effect.zipRight(report("runs\n"), Effect.never).pipe(
      Effect.onInterrupt(() => Effect.zipRight(report("drains\n"), Effect.sleep("60 seconds")))
    )
  )
)
