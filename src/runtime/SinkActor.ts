/**
 * Gathers the rows of each epoch for one sink and prepares them; the coordinator commits what is prepared.
 *
 * - **Keeps** the batches of an epoch until the barriers of all its inputs have come
 * - **Sets aside** rows that the sink's columns cannot hold; a sink that takes such rows prepares after all others
 * - **Backpressures** while it prepares
 */
import { Effect } from "effect"
import type { Prepared, SinkError, SinkWriter } from "../flow/Sink.ts"
import { Defect, type MailboxClosed, RecordUnusable } from "../model/Errors.ts"
import type { Invalid } from "../model/Event.ts"
import type { Barrier, Batch } from "../model/Message.ts"
import { Alignment, type Incoming } from "./Alignment.ts"

export interface SinkOptions {
  readonly id: string
  readonly writer: SinkWriter
  /** Chains that write to it. */
  readonly inputs: ReadonlyArray<string>
  /** The rows that others refused in an epoch and that belong here; `null`: it takes none. */
  readonly refused: ((epoch: number) => Effect.Effect<ReadonlyArray<Invalid>>) | null
  /** Is there a sink for the rows that this one refuses? */
  readonly mayRefuse: boolean
  readonly take: Effect.Effect<Incoming, MailboxClosed>
  readonly prepared: (epoch: number, prepared: Prepared) => Effect.Effect<void>
}

export const run = (options: SinkOptions): Effect.Effect<void, SinkError | RecordUnusable | MailboxClosed | Defect> =>
  Effect.gen(function* () {
    const alignment = new Alignment(options.inputs)
    let batches: Array<Batch> = []
    while (true) {
      for (const turn of alignment.offer(yield* options.take)) {
        switch (turn.kind) {
          case "end":
            return
          case "barrier":
            yield* prepare(options, turn.barrier, batches)
            batches = []
            break
          case "batch":
            if (turn.batch._tag === "Records") return yield* rawRecords(options.id)
            batches.push(turn.batch)
        }
      }
    }
  })

const rawRecords = (sink: string) =>
  new Defect({ message: `Sink ${sink} was sent raw records`, hint: "This is a defect of Weir." })

const prepare = (
  options: SinkOptions,
  barrier: Barrier,
  batches: ReadonlyArray<Batch>
): Effect.Effect<void, SinkError | RecordUnusable> =>
  Effect.gen(function* () {
    const refused = options.refused === null ? [] : yield* options.refused(barrier.epoch)
    const all = refused.length === 0 ? batches : [...batches, batchOf(refused, barrier)]
    const prepared = yield* options.writer.prepare({ barrier, batches: all })
    if (prepared.invalid.length > 0 && !options.mayRefuse) return yield* unusable(options.id, prepared)
    yield* options.prepared(barrier.epoch, prepared)
  })

/** Refused rows as a batch: their places are those of the sinks that refused them, in order. */
const batchOf = (refused: ReadonlyArray<Invalid>, barrier: Barrier): Batch<Invalid> => ({
  _tag: "Batch",
  origin: "refused rows",
  partition: 0,
  openedAt: barrier.openedAt,
  values: refused,
  offsets: new Float64Array(refused.length).fill(barrier.epoch),
  rows: Float64Array.from(refused, (_, row) => row),
  eventTimes: null,
  ownWatermarks: null,
  records: null,
  recordIndexes: null
})

const unusable = (sink: string, prepared: Prepared): RecordUnusable => {
  const first = prepared.invalid[0]!
  return new RecordUnusable({
    step: sink,
    epoch: prepared.epoch,
    message: `Sink ${sink} cannot hold ${prepared.invalid.length} rows of epoch ${prepared.epoch}: ${first.cause}`,
    hint: "Mend the sink's schema, or give the flow's Flow.decode an `invalid` sink: it keeps such rows with their cause, and the job goes on."
  })
}
