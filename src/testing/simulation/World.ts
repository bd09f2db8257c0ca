/**
 * Time and order of a simulated world: one clock and one queue for everything that happens in it. Nothing waits for
 * the real clock, so an hour passes as fast as what happens in it; and nothing but the seed decides what comes first,
 * so the same seed gives the same world again.
 */
import * as Chance from "./Chance.ts"

/** One line of the story. */
export interface Entry {
  /** Milliseconds since the world began. */
  readonly at: number
  /** Who it happened to: a process, a server, the world. */
  readonly who: string
  readonly what: string
  /** The kind of fault that it is; absent: it is none. */
  readonly fault?: string
}

export interface World {
  readonly seed: number
  /** Random numbers of one concern: what is drawn for one never changes what is drawn for another. */
  readonly chance: (concern: string) => Chance.Chance
  /** Milliseconds since 1970, as in the world's own time. */
  readonly now: () => number
  /** Lets something happen after `millis`; answers how to take it back. */
  readonly after: (millis: number, what: () => void) => () => void
  readonly tell: (who: string, what: string, fault?: string) => void
  /** The last `Limits` entries of the story, oldest first. */
  readonly story: () => ReadonlyArray<Entry>
  /** Lets things happen, one after the other, until `isDone`, until nothing is left, or until `millis` have passed. */
  readonly run: (isDone: () => boolean, millis: number) => "done" | "quiet" | "too long"
}

/** Entries of a story that are kept. */
const entriesMax = 20_000

interface Event {
  readonly at: number
  readonly order: number
  what: (() => void) | null
}

/** When worlds begin, in milliseconds since 1970: 2100, so that what happens in an input has happened before. */
const beganDefault = Date.UTC(2100, 0, 1)

/** `began`: in milliseconds since 1970. */
export const make = (seed: number, began: number = beganDefault): World => {
  const queue: Array<Event> = []
  const entries: Array<Entry> = []
  let time = began
  let order = 0
  return {
    seed,
    chance: (concern) => Chance.fromSeed(mixed(seed, concern)),
    now: () => time,
    after: (millis, what) => {
      const event: Event = { at: time + Math.max(0, millis), order: order++, what }
      push(queue, event)
      return () => {
        event.what = null
      }
    },
    tell: (who, what, fault) => {
      if (entries.length === entriesMax) entries.shift()
      entries.push({ at: time - began, who, what, ...(fault === undefined ? {} : { fault }) })
    },
    story: () => entries,
    run: (isDone, millis) => {
      const until = time + millis
      while (!isDone()) {
        const next = queue[0]
        if (next === undefined) return "quiet"
        if (next.at > until) return "too long"
        pop(queue)
        if (next.what === null) continue
        time = next.at
        next.what()
      }
      return "done"
    }
  }
}

/** FNV-1a over the concern's characters, begun at the seed. */
const mixed = (seed: number, concern: string): number => {
  let hash = (0x811c9dc5 ^ seed ^ Math.trunc(seed / 2 ** 32)) | 0
  for (let i = 0; i < concern.length; i++) hash = Math.imul(hash ^ concern.charCodeAt(i), 0x01000193)
  return hash >>> 0
}

// A binary heap: the earliest is the first

const isBefore = (left: Event, right: Event): boolean =>
  left.at < right.at || (left.at === right.at && left.order < right.order)

const push = (heap: Array<Event>, event: Event): void => {
  let at = heap.push(event) - 1
  while (at > 0) {
    const above = (at - 1) >> 1
    if (!isBefore(event, heap[above]!)) break
    heap[at] = heap[above]!
    at = above
  }
  heap[at] = event
}

const pop = (heap: Array<Event>): void => {
  const last = heap.pop()!
  if (heap.length === 0) return
  let at = 0
  for (;;) {
    let below = 2 * at + 1
    if (below >= heap.length) break
    if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
    if (!isBefore(heap[below]!, last)) break
    heap[at] = heap[below]!
    at = below
  }
  heap[at] = last
}
