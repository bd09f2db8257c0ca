/** One row that a windowed step keeps: a key, its window, and a state for each aggregate. */
import type { Key } from "../model/Key.ts"
import * as Keys from "../model/Key.ts"
import { Entry } from "../state/StateStore.ts"

/** A row of results: key columns, `windowStart`, `windowEnd`, one column for each aggregate. */
export type Row = Readonly<Record<string, unknown>>

export class WindowEntry extends Entry {
  readonly key: Key
  readonly hash: number
  readonly start: number
  /** Grows with a session. */
  end: number
  /** One for each aggregate; empty once the window is closed. */
  states: Array<unknown>
  /** Is the row that was last emitted still right? */
  emitted = false
  /** The row went where it cannot be replaced: later events are late. */
  closed = false
  /** The row as last emitted, once it is no longer right. */
  before: Row | null = null

  constructor(key: Key, hash: number, start: number, end: number, states: Array<unknown>) {
    super(Keys.keyGroupOf(key))
    this.key = key
    this.hash = hash
    this.start = start
    this.end = end
    this.states = states
  }
}

/** The order in which rows leave: by key, then by window. */
export const compare = (left: WindowEntry, right: WindowEntry): number =>
  Keys.compare(left.key, right.key) || left.start - right.start
