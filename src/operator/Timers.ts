/** Timers of keys: which fall due, in the order of time and key. A key has each time at most once. */
import type { Key } from "../model/Key.ts"
import * as Keys from "../model/Key.ts"
import { Calendar } from "./Calendar.ts"

/** What has timers. `at` is its times, in no order. */
export interface Timed {
  readonly key: Key
}

export class Timers<A extends Timed> {
  readonly #calendar = new Calendar<Set<A>>()

  /** The earliest time of a timer; infinity if there is none. */
  get earliest(): number {
    return this.#calendar.earliest
  }

  set(thing: A, at: number): void {
    const others = this.#calendar.get(at)
    if (others === undefined) this.#calendar.put(at, new Set([thing]))
    else others.add(thing)
  }

  cancel(thing: A, at: number): void {
    const things = this.#calendar.get(at)
    if (things === undefined) return
    things.delete(thing)
    if (things.size === 0) this.#calendar.remove(at)
  }

  /** Takes out the timers up to and with `limit`, by time, those of one time by key. */
  takeUntil(limit: number): ReadonlyArray<readonly [at: number, things: ReadonlyArray<A>]> {
    const due: Array<readonly [number, ReadonlyArray<A>]> = []
    while (this.#calendar.earliest <= limit) {
      const at = this.#calendar.earliest
      const [things] = this.#calendar.takeUntil(at)
      due.push([at, [...things!].sort((left, right) => Keys.compare(left.key, right.key))])
    }
    return due
  }
}
