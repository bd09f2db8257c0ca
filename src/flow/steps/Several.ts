/** Steps that bring two things together: flows with flows, events with a lookup. */
import type { DuplicateKey, LookupUnreadable } from "../../model/Errors.ts"
import type { HasEventTime, IsKeyed, NoOpenWindow, NotComplete, Refuses, Simplify, Without } from "../Brands.ts"
import * as Join from "../Join.ts"
import type * as Lookup from "../Lookup.ts"
import { type Input, lateRight, type NodeSpec } from "../Topology.ts"
import type * as Window from "../Window.ts"
import { type Flow, flowOf, step } from "./Step.ts"

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

// Private

const latenessOf = (options: { readonly allowedLateness?: Window.DurationInput } | undefined) => ({
  allowedLatenessMillis: Join.millisOf("allowedLateness", options?.allowedLateness ?? "0 seconds")
})
const joined = <F>(spec: NodeSpec, ...inputs: ReadonlyArray<Input>): F => {
  const result: Input = step(spec, ...inputs)
  return Object.assign(result, {
    late: flowOf(result.node, "late"),
    lateOther: flowOf(result.node, lateRight)
  }) as never
}
