/** Steps with one row for each key, or each key and window. */
import { Duration } from "effect"
import type { Aggregate } from "../Aggregate.ts"
import type {
  Changes,
  IsKeyed,
  IsWindowed,
  IsWindowResult,
  KeyOf,
  NoOpenWindow,
  Refuses,
  Simplify,
  With,
  Without
} from "../Brands.ts"
import type { Input } from "../Topology.ts"
import type * as Window from "../Window.ts"
import { type Flow, flowOf, step } from "./Step.ts"

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
    const result: Input = step({ kind: "aggregate", id, aggregates, timeToLiveMillis }, self)
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

// Private

const millisOf = (duration: Window.DurationInput | undefined): number | null =>
  duration === undefined ? null : Duration.toMillis(duration)
