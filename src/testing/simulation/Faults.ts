/**
 * What goes wrong in a simulated world, and how often. Each seed tries some of the kinds only, so that a fault that
 * hides another does not hide it for ever (Groce and others, Swarm Testing, ISSTA 2012).
 */
import type { World } from "./World.ts"

/** Each kind, and what happens. */
export const kinds = {
  kill: "the process dies between two steps and another is started",
  pause: "the process stands still; another takes over; it wakes up",
  "clock step": "the clock of a process is set forwards or backwards",
  "request lost": "a connection breaks before a server has the request",
  "reply lost": "a server does what it was asked, and nobody hears of it",
  "slow network": "a request or its reply takes up to seconds",
  deadlock: "the database takes a transaction back",
  "server restart": "a server is away for a while, and every connection to it is broken",
  "stalled topic": "the broker answers that there is nothing, though there is",
  "power loss": "the machine stops, and its disk loses some of what was not synced",
  "torn write": "of what was being written when the machine stopped, a part is there",
  "full disk": "for a while the disk has no room",
  "disk error": "the disk does not do what it was asked, and says so",
  "slow disk": "the disk takes up to seconds"
} as const

export type Kind = keyof typeof kinds

/** Kinds of faults. */
export type Faults = ReadonlyArray<Kind>

export const all: Faults = Object.keys(kinds) as ReadonlyArray<Kind>
export const none: Faults = []
/** All but some. */
export const except = (...left: ReadonlyArray<Kind>): Faults => all.filter((kind) => !left.includes(kind))

/** Decides whether a fault strikes, and counts those that did. */
export interface Striker {
  /** Draws: `odds` is the share of the occasions on which it strikes. */
  readonly strikes: (kind: Kind, odds: number) => boolean
  /** From now on nothing strikes. */
  readonly rest: () => void
  readonly counts: () => Readonly<Record<Kind, number>>
}

export const striker = (world: World, faults: Faults): Striker => {
  const chance = world.chance("faults")
  const tried = new Set(faults.filter(() => faults.length <= 2 || chance.next() < 0.6))
  const counts = Object.fromEntries(all.map((kind) => [kind, 0])) as Record<Kind, number>
  let resting = false
  return {
    strikes: (kind, odds) => {
      if (resting || !tried.has(kind) || chance.next() >= odds) return false
      counts[kind]++
      return true
    },
    rest: () => {
      resting = true
    },
    counts: () => ({ ...counts })
  }
}
