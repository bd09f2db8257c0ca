/** Things that fall due: one for each time, taken out in the order of time. Finding what is due costs only what is due. */
export class Calendar<A> {
  readonly #byTime = new Map<number, A>()
  /** A binary heap of the times, the earliest first. Those whose thing was removed stay until they are half of all. */
  #times: Array<number> = []

  get size(): number {
    return this.#byTime.size
  }

  /** The earliest time that has a thing; infinity if none has. */
  get earliest(): number {
    while (this.#times.length > 0 && !this.#byTime.has(this.#times[0]!)) this.#pop()
    return this.#times[0] ?? Number.POSITIVE_INFINITY
  }

  /** The first times that have a thing, in order. */
  first(count: number): ReadonlyArray<number> {
    return [...this.#byTime.keys()].sort((a, b) => a - b).slice(0, count)
  }

  get(time: number): A | undefined {
    return this.#byTime.get(time)
  }

  /** Puts a thing at a time that has none. */
  put(time: number, thing: A): void {
    this.#byTime.set(time, thing)
    const times = this.#times
    let at = times.push(time) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (times[above]! <= time) break
      times[at] = times[above]!
      at = above
    }
    times[at] = time
  }

  /** Takes the thing of a time out. */
  remove(time: number): void {
    this.#byTime.delete(time)
    if (this.#times.length < 2 * this.#byTime.size + 16) return
    // In order they are a heap.
    this.#times = [...this.#byTime.keys()].sort((a, b) => a - b)
  }

  /** Takes out all things up to and with `limit`, the earliest first. */
  takeUntil(limit: number): ReadonlyArray<A> {
    const due: Array<A> = []
    while (this.#byTime.size > 0 && this.earliest <= limit) {
      const time = this.#pop()
      due.push(this.#byTime.get(time)!)
      this.#byTime.delete(time)
    }
    return due
  }

  #pop(): number {
    const times = this.#times
    const earliest = times[0]!
    const last = times.pop()!
    if (times.length === 0) return earliest
    let at = 0
    for (;;) {
      let below = at * 2 + 1
      if (below >= times.length) break
      if (below + 1 < times.length && times[below + 1]! < times[below]!) below++
      if (times[below]! >= last) break
      times[at] = times[below]!
      at = below
    }
    times[at] = last
    return earliest
  }
}
