/** One row that a windowed step keeps: a key, its window, and a state for each aggregate. */
import type { Key } from "../model/Key.ts"
import * as Keys from "../model/Key.ts"
import { AggregateEntry } from "./AggregateEntry.ts"
import type { Due } from "./DueEntries.ts"

export class WindowEntry extends AggregateEntry implements Due {
  readonly start: number
  /** Grows with a session. */
  end: number
  /** The row went where it cannot be replaced: later events are late. Its states are gone. */
  closed = false
  dueAt = 0
  dueIndex = -1

  constructor(key: Key, hash: number, start: number, end: number, states: Array<unknown>) {
    super(key, hash, states)
    this.start = start
    this.end = end
  }
}

/** The order in which rows leave: by key, then by window. */
export const compare = (left: WindowEntry, right: WindowEntry): number =>
  Keys.compare(left.key, right.key) || left.start - right.start
