/** What a step without windows keeps of one key: a state for each aggregate, how many rows it has, and since when. */
import { AggregateEntry } from "./AggregateEntry.ts"
import type { Due } from "./DueEntries.ts"

export class KeyedEntry extends AggregateEntry implements Due {
  /** Rows added less rows taken back; counted over changes only. */
  live = 0
  /** When the epoch of its last event was closed. */
  lastAt = Number.NEGATIVE_INFINITY
  dueAt = 0
  dueIndex = -1
}
