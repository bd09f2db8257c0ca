/**
 * Tells a source, beside the flow of its job, up to where its records are done with: the newest that is known, one call
 * at a time. A call that fails costs the job nothing: it is said once, and the next epoch's tells more.
 */
import { Cause, Effect, Exit, type Scope } from "effect"
import type { SourceReader } from "../flow/Source.ts"
import type { Offset } from "../model/Event.ts"
import * as Limits from "../model/Limits.ts"
import type { PartitionCut } from "../model/Message.ts"

export interface Acknowledgements {
  /** These cuts are durable. Never waits. */
  readonly offer: (cuts: ReadonlyArray<PartitionCut>) => void
  /** Ends when nothing is left to tell, or after `Limits.acknowledgeMillisMax`. */
  readonly settled: Effect.Effect<void>
}

export interface AcknowledgementOptions {
  readonly job: string
  readonly source: string
  readonly reader: SourceReader
}

/** Of one source, until the scope ends. A source that wants to hear of nothing is told nothing. */
export const make = ({
  job,
  reader,
  source
}: AcknowledgementOptions): Effect.Effect<Acknowledgements, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { acknowledge } = reader
    if (acknowledge === undefined) return none
    const wake = yield* Effect.makeLatch(false)
    const idle = yield* Effect.makeLatch(true)
    let newest: ReadonlyMap<number, Offset> | null = null
    let isTrusted = true
    const tell = Effect.gen(function* () {
      yield* wake.await
      yield* wake.close
      const offsets = newest!
      newest = null
      const exit = yield* Effect.exit(Effect.timeout(acknowledge(job, offsets), Limits.acknowledgeMillisMax))
      if (Exit.isFailure(exit) && isTrusted) yield* warn(job, source, exit.cause)
      isTrusted = Exit.isSuccess(exit)
      if (newest === null) yield* idle.open
    })
    yield* Effect.forkScoped(Effect.forever(tell))
    return {
      offer: (cuts) => {
        newest = new Map(
          cuts.filter((cut) => cut.source === source).map(({ offset, partition }) => [partition, offset])
        )
        idle.unsafeClose()
        wake.unsafeOpen()
      },
      settled: Effect.ignore(Effect.timeout(idle.await, Limits.acknowledgeMillisMax))
    } satisfies Acknowledgements
  })

// Private

const none: Acknowledgements = { offer: () => {}, settled: Effect.void }

const warn = (job: string, source: string, cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  const { hint, message } = Cause.squash(cause) as Error & { readonly hint?: string }
  return Effect.logWarning(
    `Job ${job}: source ${source} could not be told what is done with: ${message}. The job goes on: its own checkpoints say where it stands.${hint === undefined ? "" : ` ${hint}`}`
  )
}
