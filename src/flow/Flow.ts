/**
 * The language of a job: an open Flow, closed by sinks into Outputs, named by a Job. It says, it runs nothing.
 *
 * What a flow already is stands in its brands; a combinator that needs more names the missing brand in its error:
 * read the last line of a message.
 */
import { Duration, type Schema } from "effect"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type { Instant, KeyValue } from "../model/Columns.ts"
import type { DuplicateKey, LookupUnreadable, RecordUnusable } from "../model/Errors.ts"
import type { Invalid, RawEvent } from "../model/Event.ts"
import type { Aggregate } from "./Aggregate.ts"
import type {
  Changes,
  HasEventTime,
  IsComplete,
  IsKeyed,
  IsWindowed,
  IsWindowResult,
  KeyOf,
  NoOpenWindow,
  NotComplete,
  Refuses,
  Simplify,
  With,
  Without
} from "./Brands.ts"
import type * as Frame from "./Frame.ts"
import * as Join from "./Join.ts"
import type { ComputedColumns, KeyColumns, KeyFrom } from "./KeyColumns.ts"
import type * as Lookup from "./Lookup.ts"
import * as Process from "./Process.ts"
import type { Sink } from "./Sink.ts"
import type { Source } from "./Source.ts"
import { type Input, lateRight, type Node, type NodeSpec, type Port } from "./Topology.ts"
import type * as Window from "./Window.ts"

export type { Changes, HasEventTime, IsComplete, IsKeyed, IsWindowed, IsWindowResult, Refuses } from "./Brands.ts"
export type { JoinResult } from "./Join.ts"

// Types

/** An open description: rows of type A, what can fail, what it needs, and what it already is. `row` to `brands` exist as types only. */
export interface Flow<out A, out E = never, out R = never, out Brands = {}> extends Pipeable {
  readonly node: Node
  /** Which of the node's outputs goes on. */
  readonly port: Port
  readonly row: A
  readonly error: E
  readonly requirements: R
  readonly brands: Brands
}

/** A flow that ends in a sink. */
export interface Output<out E, out R> {
  readonly hasSink: true
  readonly node: Node
  readonly error: E
  readonly requirements: R
}

/** Where records go that cannot be used, and what is kept of them. */
export type InvalidSink<E, R> = Sink<Invalid, E, R>

// Constructors

export const from = <A, E, R>(source: Source<A, E, R>): Flow<A, E, R> => step({ kind: "source", source })

// Combinators: one event at a time

/**
 * Reads a record's value by a Schema. Records that it cannot read, and later those from the far future and rows that
 * a sink refuses, go to `invalid` with their raw bytes; without it the job fails at the first of them.
 */
export const decode =
  <A, I, E2 = RecordUnusable, R2 = never>(
    schema: Schema.Schema<A, I>,
    options?: { readonly invalid: InvalidSink<E2, R2> }
  ) =>
  <E, R, B>(self: Flow<RawEvent, E, R, B>): Flow<A, E | E2, R | R2, B> =>
    step({ kind: "decode", schema, invalid: options?.invalid ?? null }, self)

/** What a function makes of each event. A key's columns are of the event before: after it, `keyBy` is due again. */
export const map =
  <A, A2>(f: (event: A) => A2) =>
  <E, R, B>(self: Flow<A, E, R, B>): Flow<A2, E, R, Without<B, "isKeyed">> =>
    step({ kind: "map", f }, self)

/** The events for which a predicate holds. Over changes: a row that no longer passes is taken back downstream. */
export const filter: {
  <A, A2 extends A>(predicate: (event: A) => event is A2): <E, R, B>(self: Flow<A, E, R, B>) => Flow<A2, E, R, B>
  <A>(predicate: (event: A) => boolean): <E, R, B>(self: Flow<A, E, R, B>) => Flow<A, E, R, B>
} = (predicate: (event: never) => boolean) => (self: any) => step({ kind: "filter", predicate }, self)

/** All that a function makes of each event: none, one or several. After it, `keyBy` is due again. */
export const flatMap =
  <A, A2>(f: (event: A) => Iterable<A2>) =>
  <
    E,
    R,
    B extends Refuses<
      "changes",
      "one row cannot become several while rows replace each other: put Flow.flatMap before the aggregate"
    >
  >(
    self: Flow<A, E, R, B>
  ): Flow<A2, E, R, Without<B, "isKeyed">> =>
    step({ kind: "flatMap", f }, self)

// Combinators: time and key

/** How long a partition may be silent before it no longer holds the watermark back. */
export const idleAfterDefault: Window.DurationInput = "30 seconds"
/** How far an event may be ahead of the clock before it is set aside. */
export const maxFutureSkewDefault: Window.DurationInput = "1 hour"

/**
 * Says when an event happened, and how much out of order events of one partition may come: the watermark of a
 * partition is its highest event time minus `maxOutOfOrderness`; the job's is the lowest of its active partitions.
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
 * events under one key.
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

/** Collects the events of one key by event time. A window ends at `windowEnd` and closes at `windowEnd + allowedLateness`. */
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

// Combinators: several flows

/** Of two flows that become one: what both are; changes if one of them has them. */
type Both<B, B2> = Simplify<
  { readonly [P in keyof B & keyof B2 & "hasEventTime"]: B[P] } & Pick<B & B2, Extract<keyof (B & B2), "changes">>
>

/**
 * Lets two flows go on as one; the watermark is the lower of the two, of which one without active partitions holds
 * back none. A key is due again after it. Where only one flow has changes, the events of the other are rows that never
 * change.
 */
export const merge =
  <A2, E2, R2, B2 extends NoOpenWindow & NotComplete>(other: Flow<A2, E2, R2, B2>) =>
  <A, E, R, B extends NoOpenWindow & NotComplete>(self: Flow<A, E, R, B>): Flow<A | A2, E | E2, R | R2, Both<B, B2>> =>
    step({ kind: "merge" }, self, other)

/**
 * Pairs of events of equal key, the other's at most `within` before or after the flow's own: rows `{ left, right }`.
 * Each pair comes once, in the epoch in which its later one came. `left` gives also left events without a partner
 * (`right` is `null`), `outer` those of both sides: once no partner can come any more. A row's time is the later of
 * its two events'; a key is due again after it. `id` names the step and its state.
 *
 * Events wait for partners in the state, those of a fast flow for the slower one: `Limits.stateKeysMax` at most. An
 * event is late if its time + `allowedLateness` (default 0) is below the watermark; it goes to `late` or `lateOther`.
 * Steps below see a watermark that is lower by `allowedLateness`, and unless `inner` by `within` too.
 *
 *     orders    ──o1────────o2──────────────           watermark ────▲ o2's time + within
 *     payments  ──────p1────────────────────
 *                     (o1, p1)              (o2, null) with `left`
 *
 *     orders.pipe(Flow.join("paid", payments, { within: { before: "0 seconds", after: "1 hour" }, type: "left" }))
 */
export const join =
  <A2, E2, R2, B2 extends HasEventTime & IsKeyed & Join.Events, const T extends Join.JoinType = "inner">(
    id: string,
    other: Flow<A2, E2, R2, B2>,
    options: {
      readonly within: Join.Within
      readonly type?: T
      readonly allowedLateness?: Window.DurationInput
    }
  ) =>
  <A, E, R, B extends HasEventTime & IsKeyed & Join.Events>(
    self: Flow<A, E, R, B> & Join.SameKey<B, B2>
  ): Join.Joining<A, B, A2, B2, T, E | E2, R | R2> =>
    joined(
      { kind: "join", id, type: options.type ?? "inner", ...Join.boundsOf(options.within), ...latenessOf(options) },
      self,
      other
    )

/**
 * Each event with the version of its key at the event's time: the latest of `versions` at or before it. `versions`
 * are events, each the version of its key from its time on; of equal times the one with the highest place (partition,
 * offset) counts. Rows `{ left, right }` with the event's time; `left` gives also events before the first version.
 *
 * Events wait until the watermark has passed their time + `allowedLateness` (default 0), then leave in the order of
 * time and place. A later one is set aside on `late`, a version on `lateOther`: so the rows do not depend on where
 * epochs are cut. A version is kept until a newer one holds for all that can still come, the last of a key for good:
 * `Limits.stateKeysMax` events and versions at most.
 *
 *     rates   ──1.10──────────1.20─────────
 *     orders  ─────────o1──o2───────o3─────     (o1, 1.10) (o2, 1.10) (o3, 1.20)
 *
 *     orders.pipe(Flow.temporalJoin("rated", rates, { type: "left" }))
 */
export const temporalJoin =
  <A2, E2, R2, B2 extends HasEventTime & IsKeyed & Join.Events, const T extends Join.TemporalType = "inner">(
    id: string,
    versions: Flow<A2, E2, R2, B2>,
    options?: { readonly type?: T; readonly allowedLateness?: Window.DurationInput }
  ) =>
  <A, E, R, B extends HasEventTime & IsKeyed & Join.Events>(
    self: Flow<A, E, R, B> & Join.SameKey<B, B2>
  ): Join.Joining<A, B, A2, B2, T, E | E2, R | R2> =>
    joined({ kind: "temporalJoin", id, type: options?.type ?? "inner", ...latenessOf(options) }, self, versions)

/** What becomes of rows that have no JSON, or one key. */
type LookupError = DuplicateKey | LookupUnreadable

/** What a lookup's changes would break: the row that was emitted before must be found again. */
type StaysFixed<P extends Lookup.Policy> = P extends "fixed"
  ? unknown
  : Refuses<
      "changes",
      "a refreshed lookup over rows that replace earlier rows: make it fixed, or enrich before the aggregate"
    >

/**
 * Each event with the row of a lookup that has its key: what `into` makes of both. `left` (the default) gives `into` a
 * `null` where there is no row, `inner` drops the event. Keeps the event's time; a key is due again after it.
 *
 * All rows are in memory: `Limits.lookupRowsMax` at most. A refreshed lookup is loaded beside the flow, and its new
 * version takes effect at the end of an epoch; a refresh that fails leaves the old one in force. Which version an epoch
 * saw is recorded with it, so a replay gives the same rows. Two steps with one lookup see the same version.
 *
 *     const shops = Files.lookup("shops.csv", Shop, { key: ["shopid"], refresh: "5 minutes" })
 *     orders.pipe(Flow.enrich("shop", shops, {
 *       key: ({ shopid }) => ({ shopid }),
 *       into: (order, shop) => ({ ...order, shop: shop?.name ?? null })
 *     }))
 */
export const enrich =
  <A, Key, A2, E2, R2, P extends Lookup.Policy, A3, const T extends "inner" | "left" = "left">(
    id: string,
    lookup: Lookup.Lookup<Key, A2, E2, R2, P>,
    options: {
      readonly type?: T
      /** The columns of the lookup's key, from the event. */
      readonly key: (event: A) => NoInfer<Key>
      readonly into: (event: A, found: T extends "inner" ? A2 : A2 | null) => A3
    }
  ) =>
  <E, R, B extends StaysFixed<P> & NoOpenWindow>(
    self: Flow<A, E, R, B>
  ): Flow<A3, E | E2 | LookupError, R | R2, Without<B, "isKeyed">> =>
    step({ kind: "enrich", id, lookup, type: options.type ?? "left", key: options.key, into: options.into }, self)

type Predicates<A> = { readonly [name: string]: (event: A) => boolean }
type Branches<A, E, R, B, P> = {
  readonly [N in keyof P | "rest"]: Flow<
    N extends keyof P ? (P[N] extends (event: any) => event is infer A2 ? A2 & A : A) : A,
    E,
    R,
    B
  >
}

/**
 * Several flows instead of one, by name: each event goes to the first whose predicate holds, or to `rest`. A predicate
 * may be asked more than once for an event: it decides by the event alone.
 *
 *     const { large, small } = orders.pipe(Flow.branch({ large: (o) => o.count > 100n, small: (o) => o.count < 10n }))
 */
export const branch =
  <A, const P extends Predicates<A>>(predicates: P) =>
  <E, R, B extends NoOpenWindow>(self: Flow<A, E, R, B>): Branches<A, E, R, B, P> => {
    const names = Object.keys(predicates)
    const isFree = (event: A, count: number): boolean => {
      for (let i = 0; i < count; i++) if (predicates[names[i]!]!(event)) return false
      return true
    }
    const flows = names.map((name, i) => [
      name,
      step({ kind: "filter", predicate: (event: A) => isFree(event, i) && predicates[name]!(event), label: name }, self)
    ])
    const rest = step({ kind: "filter", predicate: (event: A) => isFree(event, names.length), label: "rest" }, self)
    return Object.fromEntries([...flows, ["rest", rest]])
  }

// Combinators: state

type Aggregates<A> = { readonly [name: string]: Aggregate<A, any, any> }
type Results<Aggs> = {
  readonly [N in keyof Aggs]: Aggs[N] extends Aggregate<never, any, infer Result> ? Result : never
}
/** The names of those that cannot take a row back refuse a flow of changes. */
type TakesChanges<Aggs> = [Irretractable<Aggs>] extends [never]
  ? unknown
  : Refuses<"changes", `rows cannot be taken back from '${Irretractable<Aggs>}': it has no remove`>
type Irretractable<Aggs> = {
  [N in keyof Aggs]: Aggs[N] extends { readonly isRetractable: true } ? never : N & string
}[keyof Aggs]

interface AggregateOptions {
  readonly timeToLive?: Window.DurationInput
}
/** Keys that are forgotten refuse a flow of changes. */
type Lives<Options> = Options extends { readonly timeToLive: unknown }
  ? Refuses<
      "changes",
      "a row of a forgotten key could not be taken back: put Flow.emit(onClose) before it, or no timeToLive"
    >
  : unknown

/** The rows of closed and open windows; `late` are the events that came after their window's allowed lateness. */
export interface WindowResult<
  out A,
  out E,
  out R,
  out Brands,
  out Late extends Flow<unknown, unknown, unknown, unknown>
> extends Flow<A, E, R, Brands> {
  readonly late: Late
}

type Aggregated<A, Aggs, E, R, B> = B extends IsWindowed
  ? WindowResult<
      Simplify<KeyOf<B> & Window.WindowBounds & Results<Aggs>>,
      E,
      R,
      With<Without<B, "isWindowed" | "isKeyed">, Changes & IsWindowResult>,
      Flow<A, E, R, Without<B, "isWindowed">>
    >
  : Flow<
      Simplify<KeyOf<B> & Results<Aggs>>,
      E,
      R,
      With<Without<B, "hasEventTime" | "isWindowResult" | "isKeyed">, Changes>
    >

/**
 * One row for each key, or for each key and window: key columns, window bounds, results. `id` names the step, its
 * state and its metrics; it must not change while its state is to live on.
 *
 * Without a window a row is kept for good, unless `timeToLive` says otherwise: a key of which no event came for so long
 * is forgotten, and its row is removed; an event that comes later begins anew. Time is that of the machine, judged
 * when an epoch is closed. Each epoch gives the rows that came out other than before, and costs what its events touched.
 *
 * Over changes, a row that was replaced or removed is taken back from its key; a key whose last row is gone loses its
 * row. So a count over rows that change is right at every epoch:
 *
 *     totals.pipe(Flow.filter((shop) => shop.total > 1_000n), Flow.keyBy("region"), Flow.aggregate("large", { shops: Aggregate.count }))
 *
 * There is no time to live over changes: of a key that was forgotten, a row could still be taken back.
 */
export const aggregate =
  <A, const Aggs extends Aggregates<A>, Options extends AggregateOptions = {}>(
    id: string,
    aggregates: Aggs,
    options?: Options
  ) =>
  <E, R, B extends IsKeyed & TakesChanges<Aggs> & Lives<Options>>(
    self: Flow<A, E, R, B>
  ): Aggregated<A, Aggs, E, R, B> => {
    const timeToLiveMillis = millisOf(options?.timeToLive)
    const result = step({ kind: "aggregate", id, aggregates, timeToLiveMillis }, self)
    return Object.assign(result, { late: flowOf(result.node, "late") }) as never
  }

/**
 * Lets the first event of each key through; of those that come in one epoch, the one with the lowest place (partition,
 * offset). A key is kept for good, or until `timeToLive` has passed since its first event came.
 */
export const distinct =
  (id: string, options?: { readonly timeToLive?: Window.DurationInput }) =>
  <
    A,
    E,
    R,
    B extends IsKeyed &
      Refuses<"changes", "distinct takes events, not changes: an aggregate over them has one row a key"> &
      NoOpenWindow
  >(
    self: Flow<A, E, R, B>
  ): Flow<A, E, R, B> =>
    step({ kind: "distinct", id, timeToLiveMillis: millisOf(options?.timeToLive) }, self)

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
    const result = step({ kind: "frames", id, frames }, self)
    return Object.assign(result, { late: flowOf(result.node, "late") })
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
    const result = step({ kind: "process", id, state, outputs, onEvent, onTimer, onProcessingTimer }, self)
    const sides = outputs.map((name) => [name, flowOf(result.node, `side ${name}`)])
    return Object.assign(result, Object.fromEntries(sides), { late: flowOf(result.node, "late") })
  }

export type Mode = "onUpdate" | "onClose" | "complete"
type Demands<M> = (M extends "onClose" ? Changes & IsWindowResult : Changes) & NotComplete
type Emitted<M, B> = M extends "onClose" ? Without<B, "changes"> : M extends "complete" ? With<B, IsComplete> : B

/**
 * `onUpdate` (the default): changed rows at each epoch; `onClose`: a window's row, once; `complete`: all rows at each
 * epoch with changes, for consoles and small tables: it keeps every row, `Limits.completeRowsMax` at most.
 */
export const emit =
  <const M extends Mode>(mode: M) =>
  <A, E, R, B extends Demands<M>>(self: Flow<A, E, R, B>): Flow<A, E, R, Emitted<M, B>> =>
    step(mode === "complete" ? { kind: "complete", id: `${stepOf(self.node)}.complete` } : { kind: "emit", mode }, self)

/** A change of a row as a row of its own: `before` is absent for a new row, `after` for a removed one. */
export interface Update<out A> {
  readonly before?: A
  readonly after?: A
}

/** Changes as events: a change log can be appended, mapped and counted. */
export const updates = <A, E, R, B extends Changes>(
  self: Flow<A, E, R, B>
): Flow<Update<A>, E, R, Without<B, "changes" | "isComplete">> => step({ kind: "updates" }, self)

// Outputs

export const to =
  <A, E2, R2, Takes>(sink: Sink<A, E2, R2, Takes>) =>
  <E, R, B extends Takes & NoOpenWindow>(self: Flow<A, E, R, B>): Output<E | E2, R | R2> =>
    ({ hasSink: true, node: nodeOf({ kind: "sink", sink }, self) }) as never

// Private

const millisOf = (duration: Window.DurationInput | undefined): number | null =>
  duration === undefined ? null : Duration.toMillis(duration)

const latenessOf = (options: { readonly allowedLateness?: Window.DurationInput } | undefined) => ({
  allowedLatenessMillis: Join.millisOf("allowedLateness", options?.allowedLateness ?? "0 seconds")
})
const joined = (spec: NodeSpec, ...inputs: ReadonlyArray<Flow<any, unknown, unknown, unknown>>): any => {
  const result = step(spec, ...inputs)
  return Object.assign(result, { late: flowOf(result.node, "late"), lateOther: flowOf(result.node, lateRight) })
}

/** The id of the nearest step above that has one. */
const stepOf = (node: Node): string =>
  "id" in node.spec ? node.spec.id : node.inputs[0] === undefined ? "rows" : stepOf(node.inputs[0].node)

const nodeOf = (spec: NodeSpec, ...inputs: ReadonlyArray<Input>): Node => ({
  spec,
  inputs: inputs.map(({ node, port }) => ({ node, port }))
})
const flowOf = (node: Node, port: Port): any => ({
  node,
  port,
  pipe() {
    return pipeArguments(this, arguments)
  }
})
/** A node that reads these flows, and its output. */
const step = (spec: NodeSpec, ...inputs: ReadonlyArray<Flow<any, unknown, unknown, unknown>>): any =>
  flowOf(nodeOf(spec, ...inputs), "out")
