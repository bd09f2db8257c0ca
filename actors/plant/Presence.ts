/** What is counted no longer than it lives: a total that falls again. */
import { Duration, Schema } from "effect"
import { type Flow, Instant, type Int64 } from "../../src/index.ts"

const Living = Schema.Struct({ until: Instant })
const one = 1n as Int64
const minusOne = -1n as Int64

type Context<Key> = Flow.ProcessContext<typeof Living.Type, Key>

/**
 * For flows with event time, by keys of these columns: a key with `units: 1` at its first event, and with `units: -1`
 * when none came for `timeToLive` of event time.
 */
export const presence = <Key>(timeToLive: Duration.Duration) => {
  const millis = Duration.toMillis(timeToLive)
  return {
    state: Living,
    onEvent: ({ at }: { readonly at: Instant }, { cancelTimer, keep, key, setTimer, state }: Context<Key>) => {
      const until = (at + millis) as Instant
      if (state !== undefined) cancelTimer(state.until)
      keep({ until })
      setTimer(until)
      return state === undefined ? [{ ...key, units: one }] : []
    },
    onTimer: (_: Instant, { forget, key }: Context<Key>) => {
      forget()
      return [{ ...key, units: minusOne }]
    }
  }
}
