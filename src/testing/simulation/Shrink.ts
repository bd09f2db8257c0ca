/**
 * Makes a world in which something is wrong smaller: fewer kinds of faults, fewer records, as long as the same is wrong
 * (Zeller and Hildebrandt, Simplifying and Isolating Failure-Inducing Input, TSE 2002).
 */
import { Effect } from "effect"
import type * as Faults from "./Faults.ts"
import * as RealTime from "./RealTime.ts"
import * as Scenario from "./Scenario.ts"
import type { Coming } from "./Stage.ts"

/** What is still wrong with less. */
export interface Smaller {
  readonly faults: Faults.Faults
  readonly records: ReadonlyArray<Coming>
  readonly outcome: Scenario.Outcome
  /** Worlds that were tried. */
  readonly tries: number
}

/** Tries smaller worlds until none of them shows it, or until so many real milliseconds have passed. */
export const smallest = (
  scenario: Scenario.ScenarioOptions,
  outcome: Scenario.Outcome,
  millis: number
): Effect.Effect<Smaller> =>
  Effect.gen(function* () {
    const until = RealTime.now() + millis
    let best: Smaller = { faults: scenario.faults, records: scenario.records, outcome, tries: 0 }
    const shows = (less: Partial<Smaller>) =>
      Effect.map(RealTime.turn, () => {
        const { faults, records } = { ...best, ...less }
        const found = Scenario.run({ ...scenario, faults, records })
        const isSame = sameFailure(found, outcome)
        best = isSame ? { faults, records, outcome: found, tries: best.tries + 1 } : { ...best, tries: best.tries + 1 }
        return isSame
      })
    const isOver = (): boolean => RealTime.now() >= until
    yield* minimize(scenario.faults, isOver, 0, (faults) => shows({ faults }))
    yield* minimize(scenario.records, isOver, 1, (records) => shows({ records }))
    return best
  })

/** What is smaller, in words; the records themselves where they are few. */
export const told = (scenario: Scenario.ScenarioOptions, { faults, records }: Smaller): ReadonlyArray<string> => [
  `It fails also with ${records.length} of ${scenario.records.length} records and ${
    faults.length === 0 ? "without faults" : `with only: ${faults.join(", ")}`
  }`,
  ...(records.length > recordsShown ? [] : records.map(line))
]

// Private

/** Records that are shown. */
const recordsShown = 20

const line = ({ partition, topic, value }: Coming): string =>
  `  ${topic}, partition ${partition}: ${JSON.stringify(new TextDecoder().decode(value))}`

/** What is wrong, without the rows that show it: another mistake of a smaller world is not the one that is looked for. */
const sameFailure = (found: Scenario.Outcome, wanted: Scenario.Outcome): boolean => {
  const kindOf = ({ failures, isBroken }: Scenario.Outcome): string | undefined =>
    isBroken ? "an invariant is broken" : failures[0]?.split(":")[0]
  return kindOf(found) !== undefined && kindOf(found) === kindOf(wanted)
}

/**
 * Leaves out parts of a list as long as `shows` says that it still shows what is looked for: halves first, then smaller
 * and smaller parts, down to single elements; never to fewer than `least`.
 */
export const minimize = <A, E, R>(
  list: ReadonlyArray<A>,
  isOver: () => boolean,
  least: number,
  shows: (shorter: ReadonlyArray<A>) => Effect.Effect<boolean, E, R>
): Effect.Effect<ReadonlyArray<A>, E, R> =>
  Effect.gen(function* () {
    let left = list
    let size = Math.ceil(left.length / 2)
    while (size >= 1 && left.length > least) {
      let start = 0
      let isShorter = false
      while (start < left.length && !isOver()) {
        const shorter = [...left.slice(0, start), ...left.slice(start + size)]
        if (shorter.length >= least && (yield* shows(shorter))) {
          left = shorter
          isShorter = true
        } else start += size
      }
      if (isOver()) break
      if (!isShorter || size > left.length) size = size === 1 ? 0 : Math.ceil(Math.min(size, left.length) / 2)
    }
    return left
  })
