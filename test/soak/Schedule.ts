/**
 * What happens to a job's processes and to the servers, drawn from a seed: the same seed, the same faults in the same
 * order. When they strike is a matter of what the processes say, so no run is like another to the millisecond.
 */
import * as Chance from "../../src/testing/simulation/Chance.ts"
import type { Fault as Cut } from "../services/Proxy.ts"

/** What happens to a process. */
export type Fault =
  /** It is killed when it has written so many intents, and a little later. */
  | { readonly kind: "kill"; readonly epochs: number; readonly delayMillis: number }
  /** It is killed before it has replayed what it found; a process is killed within an epoch first, if need be. */
  | { readonly kind: "kill in recovery"; readonly delayMillis: number }
  /** It is killed so long after its start, whatever it does by then. */
  | { readonly kind: "kill at start"; readonly delayMillis: number }
  /** It is stopped as it is then, and wakes up when another one has written so many intents. */
  | {
      readonly kind: "zombie"
      readonly epochs: number
      readonly delayMillis: number
      readonly successorEpochs: number
    }
  /** Its connection ends around a commit. */
  | { readonly kind: "cut"; readonly how: Cut }
  /** The clock of its machine is set. */
  | { readonly kind: "clock step"; readonly offMillis: number }

export type Kind = Fault["kind"]

/** How often each kind comes in a round; the first round has each once, so that a short run has seen all. */
const round: Readonly<Record<Kind, number>> = {
  kill: 9,
  "kill in recovery": 3,
  "kill at start": 2,
  zombie: 1,
  cut: 2,
  "clock step": 2
}
export const kinds = Object.keys(round) as ReadonlyArray<Kind>

/** The faults of a path, one after the other, without end. */
export function* faults(seed: number, path: string, of: ReadonlyArray<Kind>): Generator<Fault, never> {
  const chance = Chance.fromSeed(mixed(seed, path))
  for (let isFirst = true; ; isFirst = false) {
    const drawn = of.flatMap((kind) => Array.from({ length: isFirst ? 1 : round[kind] }, () => kind))
    for (const kind of shuffled(drawn, chance)) yield faultOf(kind, chance)
  }
}

/** A server dies, and comes back after so long; before it all is well for a while. */
export interface Restart<Server extends string> {
  readonly server: Server
  readonly pauseMillis: number
  readonly awayMillis: number
}

/** The restarts of servers, one after the other, without end: each once in a round. */
export function* restarts<Server extends string>(
  seed: number,
  servers: ReadonlyArray<Server>
): Generator<Restart<Server>, never> {
  const chance = Chance.fromSeed(mixed(seed, "servers"))
  for (;;)
    for (const server of shuffled(servers, chance))
      yield { server, pauseMillis: 12_000 + chance.below(18_000), awayMillis: chance.below(4_000) }
}

/** A fault in words. */
export const said = ({ kind, ...numbers }: Fault): string =>
  [kind, ...Object.entries(numbers).map(([name, value]) => `${name} ${value}`)].join(", ")

// Private

const cuts: ReadonlyArray<Cut> = ["cut before", "cut at the answer", "cut within"]

/**
 * Kafka refuses records of more than an hour ahead of its own clock, so none of these is: seconds as a time server sets
 * a clock, minutes, and most of an hour.
 */
const stepMillis: ReadonlyArray<number> = [-3_300_000, -600_000, -61_000, -1_500, 0, 1_500, 61_000, 600_000, 3_300_000]

const faultOf = (kind: Kind, chance: Chance.Chance): Fault => {
  switch (kind) {
    case "kill":
      return { kind, epochs: 1 + chance.below(10), delayMillis: chance.below(20) }
    case "kill in recovery":
      return { kind, delayMillis: chance.below(30) }
    case "kill at start":
      return { kind, delayMillis: 100 + chance.below(1_500) }
    case "zombie":
      return { kind, epochs: 1 + chance.below(4), delayMillis: chance.below(20), successorEpochs: 1 + chance.below(6) }
    case "cut":
      return { kind, how: cuts[chance.below(cuts.length)]! }
    case "clock step":
      return { kind, offMillis: stepMillis[chance.below(stepMillis.length)]! }
  }
}

const shuffled = <A>(some: ReadonlyArray<A>, chance: Chance.Chance): ReadonlyArray<A> => {
  const all = [...some]
  for (let i = all.length - 1; i > 0; i--) {
    const j = chance.below(i + 1)
    const moved = all[i]!
    all[i] = all[j]!
    all[j] = moved
  }
  return all
}

/** A seed for each name, by FNV-1a. */
const mixed = (seed: number, name: string): number => {
  let hash = 0x811c9dc5 ^ seed
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193)
  return hash >>> 0
}
