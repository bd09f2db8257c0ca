/** Things that have a time: those before a time are at hand, whatever the order in which they were put in. */
import type { Millis } from "../model/Time.ts"
import { Calendar } from "./Calendar.ts"

export interface Timed {
  readonly eventTime: Millis
}

export class TimeQueue<A extends Timed> {
  readonly #buckets = new Calendar<Array<A>>()

  /** The earliest time; infinity if there is none. Costs a look at the things of one bucket. */
  get earliest(): Millis {
    const bucket = this.#buckets.get(this.#buckets.earliest) ?? []
    return bucket.reduce((earliest, { eventTime }) => Math.min(earliest, eventTime), Number.POSITIVE_INFINITY)
  }

  put(thing: A): void {
    const start = bucketOf(thing.eventTime)
    const bucket = this.#buckets.get(start)
    if (bucket === undefined) this.#buckets.put(start, [thing])
    else bucket.push(thing)
  }

  /** Takes out the things before a time, in no order. */
  takeBefore(until: Millis, take: (thing: A) => void): void {
    for (const bucket of this.#buckets.takeUntil(until - 1)) {
      for (const thing of bucket) {
        if (thing.eventTime < until) take(thing)
        else this.put(thing)
      }
    }
  }
}

/** Milliseconds whose things lie in one bucket: a heap of single milliseconds would be deep. */
const bucketMillis = 1024
const bucketOf = (eventTime: Millis): number => Math.floor(eventTime / bucketMillis) * bucketMillis
