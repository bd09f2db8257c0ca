/**
 * Runs a job in simulated worlds where things go wrong, one world for each seed. What it wrote must be what it would
 * have written had nothing happened; the seed of a world in which it is not shows it again.
 */
import { Effect } from "effect"
import type { Job } from "../../flow/Job.ts"
import * as Database from "./Database.ts"
import * as Faults from "./Faults.ts"
import * as Input from "./Input.ts"
import type * as Invariants from "./Invariants.ts"
import type * as Oracle from "./Oracle.ts"
import * as RealTime from "./RealTime.ts"
import * as Scenario from "./Scenario.ts"
import * as Shrink from "./Shrink.ts"
import { SimulationFailed } from "./SimulationFailed.ts"
import * as Stage from "./Stage.ts"

export { type CrashOptions, type CrashSummary, crashEverywhere } from "./CrashEverywhere.ts"
export { invariant } from "./Invariants.ts"
export { SimulationFailed }

export interface Options<I extends Input.Input = Input.Input> extends WorldOptions<I> {
  /** Parameters of the job, as text. */
  readonly set?: Readonly<Record<string, string>>
}

/** A job among others. */
export interface OneJob {
  readonly job: Job<unknown, Stage.Reachable, {}>
  /** Parameters of the job, as text. */
  readonly set?: Readonly<Record<string, string>>
}

export interface WorldOptions<I extends Input.Input = Input.Input> {
  /** What comes; or what comes in the world of a seed. */
  readonly input: I | ((seed: number) => I)
  /** Partitions of each topic; values take them in turn. Default: 3. */
  readonly partitions?: number
  /** What is on the disk when the world begins, by path; relative ones are in the folder that processes run in. */
  readonly files?: Stage.Files
  /** Worlds to try, at least 1. Default: 100. */
  readonly seeds?: number
  /** The seed of the first; the others follow it. Default: 1. */
  readonly seed?: number
  /** What may go wrong. Default: `Faults.all`. */
  readonly faults?: Faults.Faults
  /**
   * Where jobs keep what they keep. With checkpoints in files each table has the rows of an epoch by itself: somebody who
   * reads several sees them an epoch apart. Default: what is not given, as the seed says.
   */
  readonly layout?: Partial<Stage.Layout>
  /** What the tables must keep at every moment at which somebody could read them. Default: nothing of the job's own. */
  readonly invariants?: ReadonlyArray<Invariants.Invariant>
  /**
   * What must be found in the end, computed from the input in another way than the job computes it. Absent: what the
   * job itself writes where nothing happens.
   */
  readonly oracle?: Oracle.Oracle<I>
  /** Is it a failure that a kind of fault never struck, or that nothing was done meanwhile? Default: with 50 seeds or more. */
  readonly mustStrike?: boolean
  /**
   * Is a world in which something is wrong made smaller, so that the failure says with how few records and faults it
   * still is? Takes up to 20 real seconds. Default: no.
   */
  readonly shrink?: boolean
  /** How a person runs the world of a seed again, for the failure. Default: by the options `seed` and `seeds`. */
  readonly again?: (seed: number) => string
  /** Called after each world in which all was as it should be, with what happened in all so far. */
  readonly onWorld?: (sofar: Summary) => void
}

/** What happened in all worlds together. */
export interface Summary {
  readonly seeds: number
  /** The kinds of faults that were to strike. */
  readonly faults: Faults.Faults
  /** How often each did. */
  readonly struck: Readonly<Record<Faults.Kind, number>>
  readonly epochs: number
  /** Epochs with records that became durable while faults struck, in the first and in the second half of that time. */
  readonly progress: readonly [first: number, second: number]
  readonly replays: number
  readonly lives: number
  readonly virtualMillis: number
  readonly realMillis: number
}

const seedsDefault = 100
/** Real milliseconds, at most, in which a world is made smaller. */
const shrinkMillis = 20_000

/** Worlds among which each kind of fault strikes, and some epochs are done in both halves. */
const seedsStriking = 50

/** Tries the worlds one after the other, and fails at the first in which something is wrong. */
export const job = <E, const I extends Input.Input>(
  one: Job<E, Stage.Reachable, {}>,
  { set = {}, ...options }: Options<I>
): Effect.Effect<Summary, SimulationFailed> => jobs([{ job: one, set }], options)

/**
 * The same of several jobs in one world: on the same topics and tables, in one process or, as the seed says, each in
 * processes of its own. A job may read what another writes; jobs may write to one table, each its own keys.
 */
export const jobs = <const I extends Input.Input>(
  all: ReadonlyArray<OneJob>,
  options: WorldOptions<I>
): Effect.Effect<Summary, SimulationFailed> =>
  Effect.gen(function* () {
    const makeDatabase = yield* Effect.promise(Database.load)
    const began = RealTime.now()
    const { faults = Faults.all, invariants = [], seed: first = 1, seeds = seedsDefault } = options
    const { mustStrike = seeds >= seedsStriking } = options
    let sofar: Summary = { ...nothing, faults }
    for (let seed = first; seed < first + seeds; seed++) {
      const scenario: Scenario.ScenarioOptions = {
        ...Input.inWorld(typeof options.input === "function" ? options.input(seed) : options.input, options),
        jobs: all.map(({ job, set = {} }) => ({ job, set })),
        faults,
        invariants,
        layout: { ...Stage.layoutOf(seed), ...options.layout },
        seed,
        makeDatabase,
        ...(options.files === undefined ? {} : { files: options.files })
      }
      const outcome = Scenario.run(scenario)
      if (outcome.failures.length > 0) {
        const told = Scenario.explained(scenario, outcome)
        const less = options.shrink === true ? yield* Shrink.smallest(scenario, outcome, shrinkMillis) : null
        const smaller = less === null ? {} : { smaller: Shrink.told(scenario, less) }
        const again = options.again?.(seed) ?? `{ seed: ${seed}, seeds: 1 }`
        return yield* Effect.fail(new SimulationFailed({ ...told, ...smaller, again }))
      }
      sofar = {
        ...together(sofar, { ...outcome, faults, seeds: 1, realMillis: 0 }),
        realMillis: RealTime.now() - began
      }
      options.onWorld?.(sofar)
      yield* RealTime.turn
    }
    const missing = mustStrike ? vacuity(sofar) : []
    return missing.length === 0 ? sofar : yield* Effect.fail(new SimulationFailed({ seed: first, missing }))
  })

/** What happened in the worlds of both, whose kinds of faults are the same. */
export const together = (one: Summary, other: Summary): Summary => ({
  seeds: one.seeds + other.seeds,
  faults: one.faults,
  struck: Object.fromEntries(
    Faults.all.map((kind) => [kind, one.struck[kind] + other.struck[kind]])
  ) as Summary["struck"],
  epochs: one.epochs + other.epochs,
  progress: [one.progress[0] + other.progress[0], one.progress[1] + other.progress[1]],
  replays: one.replays + other.replays,
  lives: one.lives + other.lives,
  virtualMillis: one.virtualMillis + other.virtualMillis,
  realMillis: one.realMillis + other.realMillis
})

/** What did not happen, line by line, and without which a simulation shows nothing; none: all of it did. */
export const vacuity = ({ faults, progress, replays, struck }: Summary): ReadonlyArray<string> => [
  ...faults.filter((kind) => struck[kind] === 0).map((kind) => `no ${kind}: it never struck`),
  ...["first", "second"].flatMap((half, i) =>
    progress[i] === 0 ? [`no progress: no epoch with records became durable in the ${half} half of any storm`] : []
  ),
  ...(faults.includes("kill") && replays === 0 ? ["no replay: no epoch was computed again from its intent"] : [])
]

const nothing: Summary = {
  seeds: 0,
  faults: [],
  struck: Object.fromEntries(Faults.all.map((kind) => [kind, 0])) as Summary["struck"],
  epochs: 0,
  progress: [0, 0],
  replays: 0,
  lives: 0,
  virtualMillis: 0,
  realMillis: 0
}
