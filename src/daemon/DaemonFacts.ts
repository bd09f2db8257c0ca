/** What the metrics are made from: everything that a daemon and its process say of themselves now. */
import { Clock, Effect } from "effect"
import type { Explained } from "../model/Errors.ts"
import type * as Metrics from "../observe/Metrics.ts"
import type { DaemonService } from "./Daemon.ts"

export const gather = (
  daemon: DaemonService,
  process: Effect.Effect<Metrics.ProcessFacts>
): Effect.Effect<Metrics.Facts, Explained & Error> =>
  Effect.gen(function* () {
    const jobs = yield* Effect.forEach(yield* daemon.statuses, (status) =>
      Effect.zipWith(daemon.progress(status.job, 1), daemon.detail(status.job), (reports, { figures }) => ({
        status,
        last: reports.at(-1) ?? null,
        nodes: figures
      }))
    )
    return { now: yield* Clock.currentTimeMillis, jobs, process: yield* process }
  })
