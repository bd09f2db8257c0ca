/** Pause, savepoints and checks over the daemon. */
import { HttpApiBuilder } from "@effect/platform"
import { Clock, Effect } from "effect"
import type { Savepoint } from "../checkpoint/Savepoint.ts"
import * as Limits from "../model/Limits.ts"
import type { JobStatus } from "../observe/Progress.ts"
import type { Verdict } from "../runtime/Restorability.ts"
import { Api } from "./Api.ts"
import { statusShown } from "./ApiAnswers.ts"
import * as ApiBody from "./ApiBody.ts"
import { type Check, RewindOptions, SavepointOptions, type Savepoint as SavepointShown } from "./ApiControl.ts"
import { answering } from "./ApiErrors.ts"
import { Daemon } from "./Daemon.ts"

export const layerControl = HttpApiBuilder.group(Api, "control", (handlers) =>
  Effect.map(Daemon, (daemon) => {
    const shown = <E, R>(status: Effect.Effect<JobStatus, E, R>) =>
      Effect.zipWith(status, Clock.currentTimeMillis, statusShown)
    const statusOf = (job: string) => Effect.map(daemon.detail(job), ({ status }) => status)
    return handlers
      .handle("pause", ({ path }) => answering(shown(daemon.pause(path.job))))
      .handle("resume", ({ path }) => answering(shown(daemon.resume(path.job))))
      .handle("restart", ({ path }) => answering(shown(daemon.restart(path.job))))
      .handleRaw("savepoint", ({ path, request }) =>
        Effect.gen(function* () {
          const { name } = yield* ApiBody.json(request, SavepointOptions, Limits.requestJsonBytesMax)
          const savepoint = yield* daemon.savepoint(path.job, name ?? null)
          const status = yield* shown(statusOf(path.job))
          return { ...status, name: savepoint.name, savepoint: savepointShown(savepoint) }
        }).pipe(answering)
      )
      .handle("savepoints", ({ path }) =>
        answering(Effect.map(daemon.savepoints(path.job), (all) => all.map(savepointShown)))
      )
      .handle("removeSavepoint", ({ path }) =>
        answering(Effect.as(daemon.removeSavepoint(path.job, path.savepoint), { removed: path.savepoint }))
      )
      .handleRaw("rewind", ({ path, request }) =>
        ApiBody.json(request, RewindOptions, Limits.requestJsonBytesMax).pipe(
          Effect.flatMap((options) => daemon.rewind(path.job, { ...options, tables: options.tables ?? false })),
          Effect.map((remains) => ({ remains })),
          answering
        )
      )
      .handle("check", ({ path, urlParams }) =>
        answering(Effect.map(daemon.check(path.job, urlParams.savepoint ?? null), checkShown))
      )
      .handle("checkpoint", ({ path, urlParams }) =>
        answering(daemon.checkpoint(path.job, urlParams.savepoint ?? null))
      )
  })
)

const savepointShown = ({ manifest, name, takenAt }: Savepoint): typeof SavepointShown.Type => ({
  name,
  takenAt,
  lineage: manifest.lineage,
  epoch: manifest.epoch,
  closedAt: manifest.closedAt,
  stateRows: manifest.stateRows,
  stateBytes: manifest.stateBytes
})

const checkShown = ({ epoch, job, parts, refusal }: Verdict): typeof Check.Type => ({
  job,
  epoch,
  restorable: refusal === null,
  parts,
  refusal: refusal === null ? null : { tag: refusal._tag, message: refusal.message, hint: refusal.hint }
})
