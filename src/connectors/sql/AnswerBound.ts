/**
 * How long a connection may say nothing. A server that is gone without a word, or a network that loses what is sent,
 * leaves the client waiting: no statement's own bound reaches it.
 */
import { type Clock, Duration, Effect, Exit, FiberId } from "effect"

/** Rejects where what is asked is not answered in time: its connection is of no use any more. */
export type AnswerBound = <A>(answer: Promise<A>) => Promise<A>

export const make =
  (clock: Clock.Clock, within: Duration.Duration): AnswerBound =>
  async (answer) => {
    const sleep = Effect.runFork(clock.sleep(within))
    const silence = new Promise<never>((_, reject) =>
      sleep.addObserver((exit) => {
        if (Exit.isSuccess(exit)) reject(new Error(`nothing was answered for ${Duration.format(within)}`))
      })
    )
    try {
      return await Promise.race([answer, silence])
    } finally {
      sleep.unsafeInterruptAsFork(FiberId.none)
    }
  }
