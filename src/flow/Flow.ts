/**
 * The language of a job: an open Flow, closed by sinks into Outputs, named by a Job. It says, it runs nothing.
 *
 * What a flow already is stands in its brands; a combinator that needs more names the missing brand in its error:
 * read the last line of a message.
 */
import { Duration, type Schema } from "effect"
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type { KeyValue } from "../model/Columns.ts"
import type { RecordUnusable } from "../model/Errors.ts"
import type { Invalid, RawEvent } from "../model/Event.ts"
import type { Aggregate } from "./Aggregate.ts"
import type { Sink } from "./Sink.ts"
import type { Source } from "./Source.ts"
import type { Node, NodeSpec } from "./Topology.ts"
import type * as Window from "./Window.ts"

// Brands

export interface HasEventTime {
  readonly hasEventTime: true
}
/** Carries the key's columns. */
export interface IsKeyed<out Key = unknown> {
  readonly isKeyed: Key
}
/** Its events fall into windows: an aggregate is due. */
export interface IsWindowed {
  readonly isWindowed: true
}
/** Rows of windows: they can be final. */
export interface IsWindowResult {
  readonly isWindowResult: true
}
/** What travels are changes of rows: a later one replaces an earlier one. */
export interface Changes {
  readonly changes: "rows replace earlier rows"
}
type Brand = keyof (HasEventTime & IsKeyed & IsWindowed & IsWindowResult & Changes)
/** Refuses a brand; `Why` is the error message. It lists the others too, else TypeScript says "no properties in common". */
export type Refuses<Name extends Brand, Why extends string> = { readonly [P in Brand]?: P extends Name ? Why : unknown }

interface NoOpenWindow extends Refuses<"isWindowed", "put Flow.aggregate between window and sink"> {}

// `& {}` makes messages show the properties, not the name of this type.
type Simplify<T> = { readonly [P in keyof T]: T[P] } & {}
type Without<B, Names> = { readonly [P in keyof B as Exclude<P, Names>]: B[P] } & {}
type With<B, More> = Simplify<Without<B, keyof More> & More>
type KeyOf<B> = B extends IsKeyed<infer Key> ? Key : never

// Types

/** An open description: rows of type A, what can fail, what it needs, and what it already is. `row` to `brands` exist as types only. */
export interface Flow<out A, out E = never, out R = never, out Brands = {}> extends Pipeable {
  readonly node: Node
  /** Which of the node's outputs goes on. */
  readonly port: "out" | "late"
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

export const from = <A, E, R>(source: Source<A, E, R>): Flow<A, E, R> => flow({ kind: "source", source }, null)

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
    step(self, { kind: "decode", schema, invalid: options?.invalid ?? null })

/** A key's columns are of the event before: after it, `keyBy` is due again. */
export const map =
  <A, A2>(f: (event: A) => A2) =>
  <E, R, B>(self: Flow<A, E, R, B>): Flow<A2, E, R, Without<B, "isKeyed">> =>
    step(self, { kind: "map", f })

/** Over changes: a row that no longer passes is taken back downstream. */
export const filter: {
  <A, A2 extends A>(predicate: (event: A) => event is A2): <E, R, B>(self: Flow<A, E, R, B>) => Flow<A2, E, R, B>
  <A>(predicate: (event: A) => boolean): <E, R, B>(self: Flow<A, E, R, B>) => Flow<A, E, R, B>
} = (predicate: (event: never) => boolean) => (self: any) => step(self, { kind: "filter", predicate })

/** A key's columns are of the event before: after it, `keyBy` is due again. */
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
    step(self, { kind: "flatMap", f })

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
    step(self, {
      kind: "eventTime",
      at,
      maxOutOfOrdernessMillis: Duration.toMillis(options.maxOutOfOrderness),
      idleAfterMillis: Duration.toMillis(options.idleAfter ?? idleAfterDefault),
      maxFutureSkewMillis: Duration.toMillis(options.maxFutureSkew ?? maxFutureSkewDefault)
    })

/** The columns that can be a key; the union is written out in `keyBy` so that a message lists the names. */
type KeyColumns<A> = { readonly [P in keyof A]-?: A[P] extends KeyValue ? P : never }
type ComputedColumns<A> = { readonly [name: string]: (event: A) => KeyValue }
type KeyFrom<A, Columns> = Simplify<
  { readonly [P in Extract<Columns[keyof Columns & number], string> & keyof A]: A[P] } & UnionToIntersection<
    ComputedKey<Exclude<Columns[keyof Columns & number], string>>
  >
>
type ComputedKey<C> = C extends object
  ? { readonly [P in keyof C]: C[P] extends (event: never) => infer V ? V : never }
  : never
type UnionToIntersection<U> = [U] extends [never]
  ? unknown
  : (U extends unknown ? (_: U) => void : never) extends (_: infer I) => void
    ? I
    : never

/** Names of columns, computed columns, or both; `keyBy()` puts all events under one key. */
export const keyBy =
  <A, const Columns extends ReadonlyArray<(KeyColumns<A>[keyof A] & string) | ComputedColumns<A>>>(
    ...columns: Columns
  ) =>
  <E, R, B>(self: Flow<A, E, R, B>): Flow<A, E, R, With<B, IsKeyed<KeyFrom<A, Columns>>>> =>
    step(self, {
      kind: "keyBy",
      columns: columns.flatMap((column) =>
        typeof column === "string"
          ? [{ name: column, of: (event: never) => event[column] as KeyValue }]
          : Object.entries(column).map(([name, of]) => ({ name, of: of as (event: never) => KeyValue }))
      )
    })

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
    step(self, {
      kind: "window",
      window,
      allowedLatenessMillis: Duration.toMillis(options?.allowedLateness ?? "0 seconds")
    })

// Combinators: state

type Aggregates<A> = { readonly [name: string]: Aggregate<A, any, any> }
type Results<Aggs> = {
  readonly [N in keyof Aggs]: Aggs[N] extends Aggregate<never, any, infer Result> ? Result : never
}

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

/**
 * One row for each key and window: key columns, window bounds, results. `id` names the step, its state and its
 * metrics; it must not change while its state is to live on.
 */
export const aggregate =
  <A, const Aggs extends Aggregates<A>>(id: string, aggregates: Aggs) =>
  <E, R, B extends IsKeyed & IsWindowed>(
    self: Flow<A, E, R, B>
  ): WindowResult<
    Simplify<KeyOf<B> & Window.WindowBounds & Results<Aggs>>,
    E,
    R,
    With<Without<B, "isWindowed" | "isKeyed">, Changes & IsWindowResult>,
    Flow<A, E, R, Without<B, "isWindowed">>
  > => {
    const result = step(self, { kind: "aggregate", id, aggregates })
    return Object.assign(result, { late: flowOf(result.node, "late") }) as never
  }

export type Mode = "onUpdate" | "onClose"

/** `onUpdate` (the default): changed rows at each epoch; `onClose`: a window's row, once. */
export const emit =
  <const M extends Mode>(mode: M) =>
  <A, E, R, B extends Changes & IsWindowResult>(
    self: Flow<A, E, R, B>
  ): Flow<A, E, R, M extends "onClose" ? Without<B, "changes"> : B> =>
    step(self, { kind: "emit", mode })

// Outputs

export const to =
  <A, E2, R2, Takes>(sink: Sink<A, E2, R2, Takes>) =>
  <E, R, B extends Takes & NoOpenWindow>(self: Flow<A, E, R, B>): Output<E | E2, R | R2> =>
    ({ hasSink: true, node: nodeOf({ kind: "sink", sink }, self) }) as never

// Private

const nodeOf = (spec: NodeSpec, input: { readonly node: Node; readonly port: "out" | "late" } | null): Node => ({
  spec,
  input: input === null ? null : { node: input.node, port: input.port }
})
const flowOf = (node: Node, port: "out" | "late"): any => ({
  node,
  port,
  pipe() {
    return pipeArguments(this, arguments)
  }
})
const flow = (spec: NodeSpec, input: Flow<unknown, unknown, unknown, unknown> | null): any =>
  flowOf(nodeOf(spec, input), "out")
const step = (self: Flow<any, unknown, unknown, unknown>, spec: NodeSpec): any => flow(spec, self)
