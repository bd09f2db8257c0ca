/** Things in the order of their times: the earliest is at hand, whatever the order they were put in. */

export class TimeQueue<A> {
  // A binary heap: the children of i are at 2i + 1 and 2i + 2.
  readonly #times: Array<number> = []
  readonly #things: Array<A> = []

  get size(): number {
    return this.#times.length
  }

  /** The earliest time; infinity if there is none. */
  get earliest(): number {
    return this.#times.length === 0 ? Number.POSITIVE_INFINITY : this.#times[0]!
  }

  /** Costs next to nothing for a time that is later than most. */
  put(time: number, thing: A): void {
    const times = this.#times
    const things = this.#things
    let at = times.length
    times.push(time)
    things.push(thing)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (times[above]! <= time) break
      times[at] = times[above]!
      things[at] = things[above]!
      at = above
    }
    times[at] = time
    things[at] = thing
  }

  /** The thing of the earliest time, taken out; of equal times any. Not to be called while it is empty. */
  take(): A {
    const earliest = this.#things[0]!
    const time = this.#times.pop()!
    const thing = this.#things.pop()!
    if (this.#times.length > 0) this.#sink(time, thing)
    return earliest
  }

  clear(): void {
    this.#times.length = 0
    this.#things.length = 0
  }

  #sink(time: number, thing: A): void {
    const times = this.#times
    const things = this.#things
    const half = times.length >> 1
    let at = 0
    while (at < half) {
      let below = 2 * at + 1
      if (below + 1 < times.length && times[below + 1]! < times[below]!) below++
      if (times[below]! >= time) break
      times[at] = times[below]!
      things[at] = things[below]!
      at = below
    }
    times[at] = time
    things[at] = thing
  }
}
