/**
 * Hosts one chain of operators: takes batches from its mailbox, sends on what they become.
 *
 * - **Emits** batches to other chains and sinks; at the barrier of all its inputs the rows of the epoch, then the barrier
 * - **Keeps** what its operators keep; hands the changes of every epoch to the coordinator
 * - **Backpressures** when a mailbox downstream is full
 */
import { Effect } from "effect"
import type { Acknowledgement } from "../checkpoint/EpochFacts.ts"
import type { Preparation } from "../flow/Codec.ts"
import { type Explained, isExplained, type MailboxClosed, StepFailed } from "../model/Errors.ts"
import type { Message } from "../model/Message.ts"
import { Alignment, type Incoming } from "./Alignment.ts"
import type { Chain, Outgoing } from "./Chain.ts"

export interface OperatorOptions {
  readonly id: string
  readonly chain: Chain
  /** The actors that send to it. */
  readonly inputs: ReadonlyArray<string>
  /** Actors that get every barrier. */
  readonly actors: ReadonlyArray<string>
  readonly take: Effect.Effect<Incoming, MailboxClosed>
  readonly send: (actor: string, message: Message, input: number) => Effect.Effect<void, MailboxClosed>
  readonly acknowledge: (epoch: number, acknowledgement: Acknowledgement) => Effect.Effect<void>
}

export const run = (options: OperatorOptions): Effect.Effect<void, Explained & Error> =>
  Effect.gen(function* () {
    const { chain } = options
    const forward = (message: Message) =>
      Effect.forEach(options.actors, (actor) => options.send(actor, message, 0), { discard: true })
    const sendAll = (outgoing: ReadonlyArray<Outgoing>) =>
      Effect.forEach(outgoing, ({ actor, batch, input }) => options.send(actor, batch, input), { discard: true })
    const clock = yield* Effect.clock
    let busyMillis = 0
    const busy = <A>(decide: () => A): Effect.Effect<A, Explained & Error> =>
      attempt(options.id, () => {
        const begun = clock.unsafeCurrentTimeMillis()
        const decided = decide()
        busyMillis += clock.unsafeCurrentTimeMillis() - begun
        return decided
      })
    const alignment = new Alignment(options.inputs)
    while (true) {
      for (const turn of alignment.offer(yield* options.take)) {
        switch (turn.kind) {
          case "end":
            return yield* forward({ _tag: "End" })
          case "barrier": {
            const { acknowledgement, barrier, outgoing } = yield* busy(() => chain.onBarrier(turn.barrier))
            yield* sendAll(outgoing)
            yield* forward(barrier)
            yield* options.acknowledge(barrier.epoch, { ...acknowledgement, busyMillis })
            busyMillis = 0
            break
          }
          case "batch":
            yield* prepared(chain.prepare(turn.batch))
            yield* sendAll(yield* busy(() => chain.onBatch(turn.batch, turn.input)))
            // Other actors get their turn, and between two turns of the scheduler timers and sockets get theirs.
            yield* Effect.yieldNow()
        }
      }
    }
  })

/** What a codec asks for can fail with nothing but errors of the engine; what it needs, the job needs. */
const prepared = (preparation: Preparation | null): Effect.Effect<void, Explained & Error> =>
  preparation === null ? Effect.void : (preparation as Effect.Effect<void, Explained & Error>)

const attempt = <A>(id: string, decide: () => A): Effect.Effect<A, Explained & Error> =>
  Effect.try({
    try: decide,
    catch: (error) =>
      isExplained(error)
        ? error
        : new StepFailed({
            step: id,
            message: `Step ${id} failed: ${error instanceof Error ? error.message : String(error)}`,
            hint: "This looks like a defect of Weir; run again with --log-level debug to see where."
          })
  })
