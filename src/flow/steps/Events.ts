/** Where flows begin, and the steps that look at one event at a time. */
import { Schema } from "effect"
import type { RecordUnusable } from "../../model/Errors.ts"
import type { Invalid, RawEvent } from "../../model/Event.ts"
import type { NoOpenWindow, Refuses, Without } from "../Brands.ts"
import * as Codec from "../Codec.ts"
import type { Sink } from "../Sink.ts"
import type { Source } from "../Source.ts"
import type { Input } from "../Topology.ts"
import { type Flow, step } from "./Step.ts"

/** Where records go that cannot be used, and what is kept of them. */
export type InvalidSink<E, R> = Sink<Invalid, E, R>

export const from = <A, E, R>(source: Source<A, E, R>): Flow<A, E, R> => step({ kind: "source", source })

/** How a step that reads records is told their form. */
export interface DecodeOptions<E, R, E2, R2> {
  /** Where records go that cannot be used. Default: the first of them fails the job. */
  readonly invalid?: InvalidSink<E, R>
  /** The form of values. Default: `Codec.json`. */
  readonly codec?: Codec.Codec<E2, R2>
}

/**
 * Reads a record's value by a Schema. Records that it cannot read, and later those from the far future and rows that
 * a sink refuses, go to `invalid` with their raw bytes, and the job goes on. Without it the first of them fails the job:
 * nothing of its epoch is written, and every start fails there until the job has an `invalid`, or can use the record.
 */
export const decode =
  <A, I, E2 = RecordUnusable, R2 = never, E3 = never, R3 = never>(
    schema: Schema.Schema<A, I>,
    options: DecodeOptions<E2, R2, E3, R3> = {}
  ) =>
  <E, R, B>(self: Flow<RawEvent, E, R, B>): Flow<A, E | E2 | E3, R | R2 | R3, B> => {
    const { codec = Codec.json, invalid = null } = options
    return step({ kind: "decode", schema, value: { schema, codec }, key: null, invalid }, self)
  }

/**
 * Reads a record's key and value, each by its Schema and codec, as rows of `{ key, value }`. A record without a key is
 * read where the key's Schema takes `null`. What cannot be used goes to `invalid`, as in `Flow.decode`.
 *
 *     Flow.decodeRecord({ key: OrderKey, value: Order }, { keyCodec: Codec.text, codec: Avro.codec(), invalid })
 */
export const decodeRecord =
  <K, KI, A, I, E2 = RecordUnusable, R2 = never, E3 = never, R3 = never, E4 = never, R4 = never>(
    schemas: { readonly key: Schema.Schema<K, KI>; readonly value: Schema.Schema<A, I> },
    options: DecodeOptions<E2, R2, E3, R3> & {
      /** The form of keys. Default: `Codec.text`. */
      readonly keyCodec?: Codec.Codec<E4, R4>
    } = {}
  ) =>
  <E, R, B>(
    self: Flow<RawEvent, E, R, B>
  ): Flow<{ readonly key: K; readonly value: A }, E | E2 | E3 | E4, R | R2 | R3 | R4, B> => {
    const { codec = Codec.json, invalid = null, keyCodec = Codec.text } = options
    const value = { schema: schemas.value, codec }
    const key = { schema: schemas.key, codec: keyCodec }
    return step({ kind: "decode", schema: Schema.Struct(schemas), value, key, invalid }, self)
  }

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
