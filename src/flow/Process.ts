/** A user's own operator for each key: what it is given, what it may do, what it says of itself. */
import { Duration, Schema } from "effect"
import type { Instant } from "../model/Columns.ts"
import * as SchemaFingerprint from "./SchemaFingerprint.ts"
import type { DurationInput } from "./Window.ts"

/** An output beside the one that goes on. `row` exists as a type only. */
export interface SideOutput<out A> {
  readonly isOutput: true
  readonly row?: A
}
export type SideOutputs = { readonly [name: string]: SideOutput<unknown> }
export type RowsOf<Outputs> = {
  readonly [N in keyof Outputs]: Outputs[N] extends SideOutput<infer A> ? A : never
}

/**
 * What an operator is given beside an event or a timer: valid during the call, for the key of that event or timer.
 * Whatever is done through it is done exactly once, with the epoch: state and timers survive restarts.
 */
export interface Context<in out S, out Key, in Rows> {
  /** The columns of the key. */
  readonly key: Key
  /** What was kept last; `undefined`: nothing. A change in place is not kept: hand the state to `keep` again. */
  readonly state: S | undefined
  readonly keep: (state: S) => undefined
  /** Keeps nothing any more. Timers stay. */
  readonly forget: () => undefined
  /** Event time of the event or timer; `null` in a flow without event time. */
  readonly eventTime: Instant | null
  /** When the epoch was closed: the only clock there is. */
  readonly closedAt: Instant
  /**
   * Calls `onTimer` once the watermark has passed `at`, after the events of that time and before later ones. One that
   * is set for a time before the event is set for the event's own; a timer sets timers for later than itself only.
   * Setting it again changes nothing.
   */
  readonly setTimer: (at: number) => undefined
  readonly cancelTimer: (at: number) => undefined
  /** Calls `onProcessingTimer` at the first barrier that closes so long after this one; answers for when it is set. */
  readonly setProcessingTimer: (after: DurationInput) => Instant
  readonly cancelProcessingTimer: (at: number) => undefined
  /** Gives a row to one of the `outputs`. */
  readonly emit: <N extends keyof Rows & string>(output: N, row: Rows[N]) => undefined
}

/** A state as it is kept: plain values, and a text that says how they are made of the state. */
export interface StateCodec {
  readonly encode: (state: never) => unknown
  readonly decode: (kept: unknown) => unknown
  readonly fingerprint: string
}

export const stateCodec = <S, I>(schema: Schema.Schema<S, I>): StateCodec => ({
  encode: Schema.encodeSync(schema) as (state: never) => unknown,
  decode: Schema.decodeUnknownSync(schema),
  fingerprint: SchemaFingerprint.make(Schema.encodedSchema(schema))
})

export const millisOf = (after: DurationInput): number => Duration.toMillis(after)
