/** Entries that each fall due at one time: what is due is found without a look at the others. */
import { Calendar } from "./Calendar.ts"

/** What can fall due. */
export interface Due {
  /** The time under which it stands. */
  dueAt: number
  /** Its index among those of its time; -1 while it stands nowhere. */
  dueIndex: number
}

export class DueEntries<E extends Due> {
  size = 0
  readonly #calendar = new Calendar<Array<E>>()
  readonly #slotMillis: number

  /** `slotMillis`: entries due within so many milliseconds stand together. Many small times make the calendar deep. */
  constructor(slotMillis = 1) {
    this.#slotMillis = slotMillis
  }

  /** The beginning of the slot that is due first; infinity if there is none. */
  get earliest(): number {
    return this.#calendar.earliest
  }

  /** The entries of the slot that is due first. */
  get first(): ReadonlyArray<E> {
    return this.#calendar.get(this.#calendar.earliest) ?? []
  }

  /** The entries that are due first, by slots, at most so many. */
  firstOf(count: number): ReadonlyArray<E> {
    return this.#calendar
      .first(count)
      .flatMap((slot) => this.#calendar.get(slot)!)
      .slice(0, count)
  }

  /** Puts an entry in that stands nowhere. */
  put(entry: E, dueAt: number): void {
    const slot = Math.floor(dueAt / this.#slotMillis) * this.#slotMillis
    const entries = this.#calendar.get(slot)
    entry.dueAt = slot
    entry.dueIndex = entries?.length ?? 0
    if (entries === undefined) this.#calendar.put(slot, [entry])
    else entries.push(entry)
    this.size++
  }

  /** Takes an entry out, if it stands anywhere: the last one of its slot moves to its place. */
  remove(entry: E): void {
    if (entry.dueIndex < 0) return
    const entries = this.#calendar.get(entry.dueAt)!
    const last = entries.pop()!
    if (last !== entry) {
      entries[entry.dueIndex] = last
      last.dueIndex = entry.dueIndex
    }
    if (entries.length === 0) this.#calendar.remove(entry.dueAt)
    entry.dueIndex = -1
    this.size--
  }

  /** Takes out the entries of all slots that begin at `limit` or before, by slots. */
  takeUntil(limit: number): ReadonlyArray<E> {
    const due = this.#calendar.takeUntil(limit).flat()
    for (const entry of due) entry.dueIndex = -1
    this.size -= due.length
    return due
  }
}
