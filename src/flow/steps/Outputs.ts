/** How rows go on to sinks: which of them, and into what. */
import type { Changes, IsComplete, IsWindowResult, NoOpenWindow, NotComplete, With, Without } from "../Brands.ts"
import type { Sink } from "../Sink.ts"
import type { Node } from "../Topology.ts"
import { type Flow, nodeOf, type Output, step } from "./Step.ts"

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

export const to =
  <A, E2, R2, Takes>(sink: Sink<A, E2, R2, Takes>) =>
  <E, R, B extends Takes & NoOpenWindow>(self: Flow<A, E, R, B>): Output<E | E2, R | R2> =>
    ({ hasSink: true, node: nodeOf({ kind: "sink", sink }, self) }) as never

// Private

/** The id of the nearest step above that has one. */
const stepOf = (node: Node): string =>
  "id" in node.spec ? node.spec.id : node.inputs[0] === undefined ? "rows" : stepOf(node.inputs[0].node)
