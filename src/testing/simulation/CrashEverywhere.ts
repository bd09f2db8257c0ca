/**
 * Kills a job at every boundary between it and the world, one world for each, and at boundaries of its recovery from
 * that. Chance finds the crash that matters sooner or later; whoever tries all of them need not wait for chance.
 */
import { Effect } from "effect"
import type { Job } from "../../flow/Job.ts"
import * as Chance from "./Chance.ts"
import * as CrashWorld from "./CrashWorld.ts"
import * as Database from "./Database.ts"
import * as Input from "./Input.ts"
import type * as Invariants from "./Invariants.ts"
import type * as Oracle from "./Oracle.ts"
import { stepBoundary } from "./Process.ts"
import * as RealTime from "./RealTime.ts"
import { SimulationFailed } from "./SimulationFailed.ts"
import * as Stage from "./Stage.ts"

export interface CrashOptions<I extends Input.Input = Input.Input> {
  /** What is there when the job starts: a little, of which `set: { maxPerEpoch }` makes several epochs, shows the most. */
  readonly input: I
  /** Partitions of each topic; values take them in turn. Default: 3. */
  readonly partitions?: number
  /** What is on the disk when the world begins, by path. */
  readonly files?: Stage.Files
  /** Parameters of the job, as text. */
  readonly set?: Readonly<Record<string, string>>
  /**
   * From one boundary at which it is killed to the next; those behind which something is changed outside are none of
   * them left out. Default: 1, every boundary.
   */
  readonly stride?: number
  /** Steps of fibers, between the boundaries, at which it is killed as well. Default: 20. */
  readonly steps?: number
  /** Pairs of turning points that are tried. Default: 200. */
  readonly pairs?: number
  /** Decides which steps and pairs, and what comes first of what happens at the same time. Default: 1. */
  readonly seed?: number
  /** Where the job keeps what it keeps. Default: checkpoints in tables, topics at a broker. */
  readonly layout?: Stage.Layout
  /** What the tables must keep at every moment at which somebody could read them. Default: nothing of the job's own. */
  readonly invariants?: ReadonlyArray<Invariants.Invariant>
  /** What must be found in the end. Absent: what the job itself writes where nothing happens. */
  readonly oracle?: Oracle.Oracle<I>
  /** Tries this alone, as the message of a failure names it. */
  readonly only?: CrashWorld.Appointment
}

/** Places where something was tried, and all of them. */
export interface Tried {
  readonly tried: number
  readonly of: number
}

/** What was tried. */
export interface CrashSummary {
  /** Boundaries of a process that nothing befalls, by name. */
  readonly boundaries: Readonly<Record<string, Tried>>
  /** Those behind which something is changed outside: to the world each other death is one at the next of them. */
  readonly turningPoints: Tried
  readonly steps: Tried
  /** Pairs of them, of a process and of its successor; each is one for each manner. */
  readonly pairs: Tried
  readonly worlds: number
  /** How often a process died, of a kill or with the power, stood still, or woke up beside its successor. */
  readonly struck: Readonly<Record<CrashWorld.Manner, number>>
  /** Processes that ended because another had overtaken them. */
  readonly overtaken: number
  readonly epochs: number
  /** Epochs that were computed again from their intents. */
  readonly replays: number
  readonly virtualMillis: number
  readonly realMillis: number
}

const stepsDefault = 20
const pairsDefault = 200

/**
 * Tries a process that dies at each of its boundaries; and by samples of all pairs a successor that dies as well, or a
 * zombie: a process that stands still at the first boundary and wakes up when its successor is at the second, with what
 * it was about to send. Where something is on a disk, the power fails at the turning points too. Fails at the first
 * world in which the job does not come to what it would have written had nothing happened.
 *
 * A successor starts while what the dead one has sent may be on its way; a request that comes later still is what a
 * zombie sends when it wakes up.
 */
export const crashEverywhere = <E, const I extends Input.Input>(
  job: Job<E, Stage.Reachable, {}>,
  options: CrashOptions<I>
): Effect.Effect<CrashSummary, SimulationFailed> =>
  Effect.gen(function* () {
    const { files, input, layout, seed = 1 } = options
    const makeDatabase = yield* Effect.promise(Database.load)
    const began = RealTime.now()
    const world: CrashWorld.CrashWorldOptions = {
      jobs: [{ job: job as Job<unknown, Stage.Reachable>, set: options.set ?? {} }],
      ...Input.inWorld(input, options),
      seed,
      makeDatabase,
      invariants: options.invariants ?? [],
      ...(layout === undefined ? {} : { layout }),
      ...(files === undefined ? {} : { files })
    }
    let sofar = nothing
    const attempt = (appointment: CrashWorld.Appointment) =>
      Effect.gen(function* () {
        const outcome = CrashWorld.run(world, appointment)
        if (outcome.failures.length > 0)
          return yield* Effect.fail(new SimulationFailed({ ...outcome, again: again(seed, appointment) }))
        sofar = added(sofar, outcome, appointment)
        yield* RealTime.turn
        return outcome
      })
    if (options.only !== undefined) {
      yield* attempt(options.only)
      return { ...sofar, realMillis: RealTime.now() - began }
    }

    const chance = Chance.fromSeed(seed)
    const [calm = []] = (yield* attempt({ at: [] })).lives
    const places = placesOf(calm, options, chance)
    const { alone, beside } = mannersOf(layout)
    const firsts: Array<First> = []
    for (const at of [...places.boundaries, ...places.steps]) {
      const { changes } = calm[at - 1]!
      for (const by of changes ? alone : ["kill" as const]) {
        const [, recovery = []] = (yield* attempt({ at: [at], by })).lives
        if (changes) firsts.push({ at, by, recovery: turningPoints(recovery) })
      }
    }
    const all = pairsOf(firsts, beside)
    const pairs = sample(all, options.pairs ?? pairsDefault, chance)
    for (const pair of pairs) yield* attempt(pair)
    return {
      ...sofar,
      boundaries: byName(calm, new Set(places.boundaries)),
      turningPoints: { tried: new Set(firsts.map(({ at }) => at)).size, of: turningPoints(calm).length },
      steps: { tried: places.steps.length, of: calm.filter(isStep).length },
      pairs: { tried: pairs.length, of: all.length },
      realMillis: RealTime.now() - began
    }
  })

type Life = ReadonlyArray<CrashWorld.Boundary>

const isStep = ({ what }: CrashWorld.Boundary): boolean => what === stepBoundary

/** Where a process is killed, counted from 1. */
const placesOf = (
  life: Life,
  { steps = stepsDefault, stride = 1 }: Pick<CrashOptions, "steps" | "stride">,
  chance: Chance.Chance
) => {
  const all = life.map((boundary, i) => ({ ...boundary, at: i + 1 }))
  const at = (some: typeof all): ReadonlyArray<number> => some.map((place) => place.at)
  return {
    boundaries: at(all.filter((place) => !isStep(place)).filter(({ changes }, i) => changes || i % stride === 0)),
    steps: sample(at(all.filter(isStep)), steps, chance)
  }
}

/** The places behind which something is changed outside, counted from 1. */
const turningPoints = (life: Life): ReadonlyArray<number> => life.flatMap(({ changes }, i) => (changes ? [i + 1] : []))

/** What befalls a process alone, and what besides with a successor. */
const mannersOf = ({ checkpoints, topics }: Stage.Layout = Stage.layoutDefault) => ({
  alone: checkpoints === "files" || topics === "log" ? (["kill", "power loss"] as const) : (["kill"] as const),
  // Who owns a log owns it as long as it stands still.
  beside: topics === "broker" ? (["pause"] as const) : []
})

/** A turning point at which a process died, and those of its successor. */
interface First {
  readonly at: number
  readonly by: CrashWorld.Manner
  readonly recovery: ReadonlyArray<number>
}

const pairsOf = (
  firsts: ReadonlyArray<First>,
  beside: ReadonlyArray<CrashWorld.Manner>
): ReadonlyArray<CrashWorld.Appointment> =>
  firsts.flatMap(({ at, by, recovery }) =>
    recovery.flatMap((second) =>
      (by === "kill" ? [by, ...beside] : [by]).map((manner) => ({ at: [at, second], by: manner }))
    )
  )

const byName = (life: Life, tried: ReadonlySet<number>): CrashSummary["boundaries"] => {
  const counts: Record<string, Tried> = {}
  for (const [i, boundary] of life.entries()) {
    if (isStep(boundary)) continue
    const known = counts[boundary.what] ?? { tried: 0, of: 0 }
    counts[boundary.what] = { tried: known.tried + (tried.has(i + 1) ? 1 : 0), of: known.of + 1 }
  }
  return counts
}

/** So many of them at most, in any order: what fails is as likely to come early as late. */
const sample = <A>(all: ReadonlyArray<A>, count: number, chance: Chance.Chance): ReadonlyArray<A> => {
  const drawn = [...all]
  const size = Math.min(count, drawn.length)
  for (let i = 0; i < size; i++) {
    const other = i + chance.below(drawn.length - i)
    const one = drawn[other]!
    drawn[other] = drawn[i]!
    drawn[i] = one
  }
  return drawn.slice(0, size)
}

const again = (seed: number, { at, by = "kill" }: CrashWorld.Appointment): string =>
  `{ seed: ${seed}, only: { at: [${at.join(", ")}]${by === "kill" ? "" : `, by: "${by}"`} } }`

const nothing: CrashSummary = {
  boundaries: {},
  turningPoints: { tried: 0, of: 0 },
  steps: { tried: 0, of: 0 },
  pairs: { tried: 0, of: 0 },
  worlds: 0,
  struck: { kill: 0, "power loss": 0, pause: 0 },
  overtaken: 0,
  epochs: 0,
  replays: 0,
  virtualMillis: 0,
  realMillis: 0
}

const added = (
  sofar: CrashSummary,
  outcome: CrashWorld.Outcome,
  { by = "kill" }: CrashWorld.Appointment
): CrashSummary => ({
  ...sofar,
  worlds: sofar.worlds + 1,
  struck: { ...sofar.struck, [by]: sofar.struck[by] + outcome.struck },
  overtaken: sofar.overtaken + outcome.overtaken,
  epochs: sofar.epochs + outcome.epochs,
  replays: sofar.replays + outcome.replays,
  virtualMillis: sofar.virtualMillis + outcome.virtualMillis
})
