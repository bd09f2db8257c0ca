/** Where flows begin, and the steps that look at one event at a time. */
import type { Schema } from "effect"
import type { RecordUnusable } from "../../model/Errors.ts"
import type { Invalid, RawEvent } from "../../model/Event.ts"
import type { NoOpenWindow, Refuses, Without } from "../Brands.ts"
import type { Sink } from "../Sink.ts"
import type { Source } from "../Source.ts"
import type { Input } from "../Topology.ts"
import { type Flow, step } from "./Step.ts"

/** Where records go that cannot be used, and what is kept of them. */
export type InvalidSink<E, R> = Sink<Invalid, E, R>

export const from = <A, E, R>(source: Source<A, E, R>): Flow<A, E, R> => step({ kind: "source", source })

/**
 * Reads a record's value by a Schema. Records that it cannot read, and later those from the far future and rows that
 * a sink refuses, go to `invalid` with their raw bytes, and the job goes on. Without it the first of them fails the job:
 * nothing of its epoch is written, and every start fails there until the job has an `invalid`, or can use the record.
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
} =
  (predicate: (event: never) => boolean) =>
  (self: Input): never =>
    step({ kind: "filter", predicate }, self)

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
