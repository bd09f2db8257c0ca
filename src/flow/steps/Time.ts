/** When events happened, what state is kept by, and the windows of both. */
import { Duration } from "effect"
import type { KeyValue } from "../../model/Columns.ts"
import type { HasEventTime, IsKeyed, IsWindowed, NotComplete, Refuses, With } from "../Brands.ts"
import type { ComputedColumns, KeyColumns, KeyFrom } from "../KeyColumns.ts"
import type * as Window from "../Window.ts"
import { type Flow, step } from "./Step.ts"

/** How long a partition may be silent before it no longer holds the watermark back. */
export const idleAfterDefault: Window.DurationInput = "30 seconds"
/** How far an event may be ahead of the clock before it is set aside. */
export const maxFutureSkewDefault: Window.DurationInput = "1 hour"

/**
 * Says when an event happened, in milliseconds since 1970, and how much out of order events of one partition may come:
 * the watermark of a partition is its highest event time minus `maxOutOfOrderness`; the job's is the lowest of its
 * active partitions. One without events for `idleAfter` (30 seconds) is not active; an event further ahead of the clock
 * than `maxFutureSkew` (1 hour) goes to `invalid` of `Flow.decode`.
 */
export const eventTime =
  <A>(
    at: (event: A) => number,
    options: {
      readonly maxOutOfOrderness: Window.DurationInput
      readonly idleAfter?: Window.DurationInput
      readonly maxFutureSkew?: Window.DurationInput
    }
  ) =>
  <E, R, B extends Refuses<"changes" | "isWindowResult", "event time belongs before the aggregate">>(
    self: Flow<A, E, R, B>
  ): Flow<A, E, R, With<B, HasEventTime>> =>
    step(
      {
        kind: "eventTime",
        at,
        maxOutOfOrdernessMillis: Duration.toMillis(options.maxOutOfOrderness),
        idleAfterMillis: Duration.toMillis(options.idleAfter ?? idleAfterDefault),
        maxFutureSkewMillis: Duration.toMillis(options.maxFutureSkew ?? maxFutureSkewDefault)
      },
      self
    )

/**
 * Says what the steps after it keep their state by: names of columns, computed columns, or both. `keyBy()` puts all
 * events under one key. A column of a key holds text, a number, a bigint, a boolean or null.
 *
 *     Flow.keyBy("region", { day: (order) => order.orderedAt - (order.orderedAt % 86_400_000) })
 */
export const keyBy =
  <A, const Columns extends ReadonlyArray<(KeyColumns<A>[keyof A] & string) | ComputedColumns<A>>>(
    ...columns: Columns
  ) =>
  <E, R, B extends NotComplete>(self: Flow<A, E, R, B>): Flow<A, E, R, With<B, IsKeyed<KeyFrom<A, Columns>>>> =>
    step(
      {
        kind: "keyBy",
        columns: columns.flatMap((column) =>
          typeof column === "string"
            ? [{ name: column, of: (event: never) => event[column] as KeyValue }]
            : Object.entries(column).map(([name, of]) => ({ name, of: of as (event: never) => KeyValue }))
        )
      },
      self
    )

/**
 * Collects the events of one key by event time, for the aggregate after it: side by side (`Window.tumbling`), one begun
 * every so often (`Window.sliding`), or as long as events come (`Window.session`). A window ends at `windowEnd`, and
 * takes events until it closes, at `windowEnd + allowedLateness` (default 0).
 *
 *     Flow.window(Window.sliding("10 minutes", "1 minute"), { allowedLateness: "30 seconds" })
 */
export const window =
  (window: Window.Window, options?: { readonly allowedLateness?: Window.DurationInput }) =>
  <
    A,
    E,
    R,
    B extends HasEventTime &
      IsKeyed &
      Refuses<"changes", "windows over changing rows: put Flow.emit(onClose) before it">
  >(
    self: Flow<A, E, R, B>
  ): Flow<A, E, R, With<B, IsWindowed>> =>
    step(
      {
        kind: "window",
        window,
        allowedLatenessMillis: Duration.toMillis(options?.allowedLateness ?? "0 seconds")
      },
      self
    )
