/**
 * What a flow already is, and what a combinator refuses: types only. The name of a brand's property is the error
 * message; whoever refuses a brand says in its place what to do instead.
 */

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
/** All rows come at each epoch: a sink is due. What looks at one row at a time (`map`, `filter`, `branch`) may stand between. */
export interface IsComplete {
  readonly isComplete: true
}
export type Brand = keyof (HasEventTime & IsKeyed & IsWindowed & IsWindowResult & Changes & IsComplete)
/** Refuses a brand; `Why` is the error message. It lists the others too, else TypeScript says "no properties in common". */
export type Refuses<Name extends Brand, Why extends string> = { readonly [P in Brand]?: P extends Name ? Why : unknown }

export interface NotComplete
  extends Refuses<"isComplete", "all rows come at each epoch: put Flow.emit(complete) right before the sink"> {}
export interface NoOpenWindow extends Refuses<"isWindowed", "put Flow.aggregate between window and sink"> {}

// `& {}` makes messages show the properties, not the name of this type.
export type Simplify<T> = { readonly [P in keyof T]: T[P] } & {}
export type Without<B, Names> = { readonly [P in keyof B as Exclude<P, Names>]: B[P] } & {}
export type With<B, More> = Simplify<Without<B, keyof More> & More>
export type KeyOf<B> = B extends IsKeyed<infer Key> ? Key : never
