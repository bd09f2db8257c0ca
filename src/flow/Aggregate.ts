/** What a group of events becomes. Four functions; `merge` joins two parts of a group; `remove` takes back a row that has been replaced. */
import type { Decimal, Int64, Numeric, Ordered } from "../model/Columns.ts"

export interface Aggregate<in A, in out S, out B> {
  readonly empty: () => S
  readonly add: (state: S, event: A, place: Place) => S
  readonly merge: (left: S, right: S) => S
  readonly result: (state: S) => B
  readonly remove?: (state: S, event: A) => S
}

/** Where an event stands: what `first` and `last` break ties by, so that they do not depend on the order of arrival. */
export interface Place {
  readonly eventTime: number
  readonly partition: number
  readonly offset: number
  readonly row: number
}

/** An aggregate that can also be kept over a flow of changes. */
export interface Retractable<in A, in out S, out B> extends Aggregate<A, S, B> {
  readonly remove: (state: S, event: A) => S
}
