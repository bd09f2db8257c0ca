/** What must hold whenever somebody looks, and what was seen that should not be. */

export interface Watch {
  readonly neverFalls: (what: string, number: number) => void
  /** The same text of one thing comes once. */
  readonly once: (what: string, text: string) => void
  readonly holds: (what: string, isIt: boolean) => void
  /** Somebody has looked. */
  readonly read: (who: string) => void
  /** How often who has looked. */
  readonly reads: () => ReadonlyMap<string, number>
  readonly violations: () => ReadonlyArray<string>
}

/** `onViolation` hears of each at once. */
export const make = (onViolation: (what: string) => void): Watch => {
  const highest = new Map<string, number>()
  const met = new Map<string, Set<string>>()
  const reads = new Map<string, number>()
  const violations: Array<string> = []
  const violated = (what: string): void => {
    violations.push(what)
    onViolation(what)
  }
  return {
    neverFalls: (what, number) => {
      const before = highest.get(what)
      if (before !== undefined && number < before) violated(`${what} fell from ${before} to ${number}`)
      else highest.set(what, number)
    },
    once: (what, text) => {
      const own = met.get(what) ?? new Set()
      met.set(what, own)
      if (own.has(text)) violated(`${what} has ${text} again`)
      own.add(text)
    },
    holds: (what, isIt) => {
      if (!isIt) violated(what)
    },
    read: (who) => void reads.set(who, (reads.get(who) ?? 0) + 1),
    reads: () => reads,
    violations: () => violations
  }
}
