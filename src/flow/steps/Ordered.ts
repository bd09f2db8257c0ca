/** Steps that take the events of each key in order: moving aggregates, and a user's own operator. */
import type { Schema } from "effect"
import type { Instant } from "../../model/Columns.ts"
import type { HasEventTime, IsKeyed, NoOpenWindow, Refuses, Simplify } from "../Brands.ts"
import type * as Frame from "../Frame.ts"
import * as Process from "../Process.ts"
import type { Input } from "../Topology.ts"
import { type Flow, flowOf, step } from "./Step.ts"

type Frames<A> = { readonly [name: string]: Frame.Frame<A, unknown> }
type Framed<A, Fs> = Simplify<
  { readonly [N in keyof A as Exclude<N, keyof Fs>]: A[N] } & {
    readonly [N in keyof Fs]: Fs[N] extends Frame.Frame<never, infer Result> ? Result : never
  }
>

/**
 * Moving aggregates: for each event one row, its own columns and the result of each frame over the rows of its key up
 * to it, in the order of event time (then of partition, offset, row). A result takes the place of a column of its name.
 *
 * Events wait in the state until the watermark has passed them, at a final run not longer; one whose time has passed
 * goes to `late`. Kept are the last rows of each key that its largest frame takes in, for good: keys times rows are
 * `Limits.stateKeysMax` at most. A row has its event's time; a key is due again after it.
 *
 *     days.pipe(
 *       Flow.keyBy("symbol"),
 *       Flow.frames("averages", {
 *         ma20: Frame.rows(20, Aggregate.avg((day) => day.close)),
 *         ma50: Frame.rows(50, Aggregate.avg((day) => day.close))
 *       })
 *     )
 */
export const frames =
  <A extends object, const Fs extends Frames<A>>(id: string, frames: Fs) =>
  <
    E,
    R,
    B extends HasEventTime &
      IsKeyed &
      Refuses<"changes", "frames take events, not changes: put Flow.emit(onClose) before it"> &
      NoOpenWindow
  >(
    self: Flow<A, E, R, B>
  ): Flow<Framed<A, Fs>, E, R, HasEventTime> & { readonly late: Flow<A, E, R, B> } => {
    const result: Input = step({ kind: "frames", id, frames }, self)
    return Object.assign(result, { late: flowOf(result.node, "late") }) as never
  }

/** Names that the result of a step has already. */
type NoOwnName = {
  readonly [N in "late" | "node" | "port" | "row" | "error" | "requirements" | "brands" | "pipe"]?: never
}
/** What `Flow.process` gives: rows that go on; its other outputs by name; in timed flows, the events that came too late. */
type Processed<A, A2, Outputs, E, R, B> = Flow<A2, E, R, Timed<B>> & {
  readonly [N in keyof Outputs]: Flow<Process.RowsOf<Outputs>[N], E, R, Timed<B>>
} & (B extends HasEventTime ? { readonly late: Flow<A, E, R, B> } : unknown)
type Timed<B> = { readonly [P in keyof B & "hasEventTime"]: B[P] } & {}

/** What an operator of one's own is given beside an event or a timer. */
export type ProcessContext<S, Key, Rows = {}> = Process.Context<S, Key, Rows>

/** Declares one of the `outputs` of `Flow.process`, by the type of its rows. */
export const output = <A>(): Process.SideOutput<A> => ({ isOutput: true })

/**
 * Your own operator for each key: a function of an event and of what the key has kept. It gives rows by returning
 * them, and rows of other kinds to its `outputs`; a key is due again after it.
 *
 * In a flow with event time, events wait in the state until the watermark has passed them and then come in the order
 * of their time (then of partition, offset, row): what the operator gives does not depend on the order of arrival or on
 * where epochs are cut. An event whose time has passed goes to `late`. Timers come in between: at one time after its
 * events. Rows have the time of the event or timer that made them; those of a processing-time timer that of the
 * watermark. Without event time, the events of each epoch come at its end in the order of partition, offset, row, and
 * there are processing-time timers only.
 *
 * A final run hands in all events that wait, and the timers before the last of them; later timers wait for the next
 * run. Price: a sort of each epoch's events, `Limits.waitingEventsMax` events that wait, `Limits.stateKeysMax` keys.
 *
 *     const sessions = clicks.pipe(
 *       Flow.keyBy("user"),
 *       Flow.process("sessions", {
 *         state: Schema.Struct({ clicks: Schema.Number, until: Schema.Number }),
 *         outputs: { long: Flow.output<string>() },
 *         onEvent: (click: Click, { keep, setTimer, state }) => {
 *           const until = click.at + 60_000
 *           keep({ clicks: (state?.clicks ?? 0) + 1, until })
 *           setTimer(until)
 *         },
 *         onTimer: (at, { emit, forget, key, state }) => {
 *           if (state === undefined || at < state.until) return []
 *           if (state.clicks > 100) emit("long", key.user)
 *           forget()
 *           return [{ user: key.user, clicks: state.clicks }]
 *         }
 *       })
 *     )
 */
export const process =
  <A, S, I, Key, const Outputs extends Process.SideOutputs & NoOwnName = {}, A2 = never, A3 = never, A4 = never>(
    id: string,
    operator: {
      /** Of what is kept for a key; its encoded side is what the state holds. */
      readonly state: Schema.Schema<S, I>
      readonly outputs?: Outputs
      readonly onEvent: (
        event: A,
        context: Process.Context<S, Key, Process.RowsOf<Outputs>>
      ) => Iterable<A2> | undefined
      readonly onTimer?: (
        at: Instant,
        context: Process.Context<S, Key, Process.RowsOf<Outputs>>
      ) => Iterable<A3> | undefined
      readonly onProcessingTimer?: (
        at: Instant,
        context: Process.Context<S, Key, Process.RowsOf<Outputs>>
      ) => Iterable<A4> | undefined
    }
  ) =>
  <
    E,
    R,
    B extends IsKeyed &
      Refuses<"changes", "process takes events: put Flow.updates or emit(onClose) before it"> &
      NoOpenWindow
  >(
    self: Flow<A, E, R, B> & { readonly brands: IsKeyed<Key> }
  ): Processed<A, A2 | A3 | A4, Outputs, E, R, B> => {
    const { onEvent, onProcessingTimer = null, onTimer = null } = operator
    const outputs = Object.keys(operator.outputs ?? {})
    const state = Process.stateCodec(operator.state)
    const result: Input = step({ kind: "process", id, state, outputs, onEvent, onTimer, onProcessingTimer }, self)
    const sides = outputs.map((name) => [name, flowOf(result.node, `side ${name}`)])
    return Object.assign(result, Object.fromEntries(sides), { late: flowOf(result.node, "late") }) as never
  }
