/**
 * Runs a job in simulated worlds where things go wrong, one world for each seed. What it wrote must be what it would
 * have written had nothing happened; the seed of a world in which it is not shows it again.
 */
import { Clock, Effect } from "effect"
import type { Job } from "../../flow/Job.ts"
import type { Tables } from "../../flow/Tables.ts"
import type { Topics } from "../../flow/Topics.ts"
import * as Database from "./Database.ts"
import * as Faults from "./Faults.ts"
import * as Input from "./Input.ts"
import * as Scenario from "./Scenario.ts"
import { SimulationFailed } from "./SimulationFailed.ts"

export { SimulationFailed }

export interface Options {
  /** What comes; or what comes in the world of a seed. */
  readonly input: Input.Input | ((seed: number) => Input.Input)
  /** Partitions of each topic; values take them in turn. Default: 3. */
  readonly partitions?: number
  /** Worlds to try, at least 1. Default: 100. */
  readonly seeds?: number
  /** The seed of the first; the others follow it. Default: 1. */
  readonly seed?: number
  /** What may go wrong. Default: `Faults.all`. */
  readonly faults?: Faults.Faults
  /** Parameters of the job, as text. */
  readonly set?: Readonly<Record<string, string>>
  /** Called after each world in which all was as it should be, with what happened in all so far. */
  readonly onWorld?: (sofar: Summary) => void
}

/** What happened in all worlds together. */
export interface Summary {
  readonly seeds: number
  readonly struck: Readonly<Record<Faults.Kind, number>>
  readonly epochs: number
  readonly replays: number
  readonly lives: number
  readonly virtualMillis: number
  readonly realMillis: number
}

const partitionsDefault = 3
const seedsDefault = 100

/** Tries the worlds one after the other, and fails at the first in which something is wrong. */
export const job = <E>(one: Job<E, Tables | Topics, {}>, options: Options): Effect.Effect<Summary, SimulationFailed> =>
  Effect.gen(function* () {
    const makeDatabase = yield* Effect.promise(Database.load)
    const began = yield* now
    const { partitions = partitionsDefault, seed: first = 1, seeds = seedsDefault } = options
    let sofar = nothing
    for (let seed = first; seed < first + seeds; seed++) {
      const input = typeof options.input === "function" ? options.input(seed) : options.input
      const outcome = Scenario.run({
        job: one as Job<unknown, Tables | Topics>,
        set: options.set ?? {},
        topics: Object.fromEntries(Object.keys(input).map((topic) => [topic, partitions])),
        records: Input.comingOf(input, partitions),
        faults: options.faults ?? Faults.all,
        seed,
        makeDatabase
      })
      if (outcome.failures.length > 0)
        return yield* Effect.fail(new SimulationFailed({ ...outcome, again: `{ seed: ${seed}, seeds: 1 }` }))
      sofar = { ...added(sofar, outcome), realMillis: (yield* now) - began }
      options.onWorld?.(sofar)
      // A world takes no time but the processor's: others get their turn.
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 0)))
    }
    return sofar
  })

/** The real clock: a test may have put another in its place. */
const now = Effect.sync(() => Clock.make().unsafeCurrentTimeMillis())

const nothing: Summary = {
  seeds: 0,
  struck: Object.fromEntries(Faults.all.map((kind) => [kind, 0])) as Summary["struck"],
  epochs: 0,
  replays: 0,
  lives: 0,
  virtualMillis: 0,
  realMillis: 0
}

const added = (sofar: Summary, { epochs, lives, replays, struck, virtualMillis }: Scenario.Outcome): Summary => ({
  seeds: sofar.seeds + 1,
  struck: Object.fromEntries(Faults.all.map((kind) => [kind, sofar.struck[kind] + struck[kind]])) as Summary["struck"],
  epochs: sofar.epochs + epochs,
  replays: sofar.replays + replays,
  lives: sofar.lives + lives,
  virtualMillis: sofar.virtualMillis + virtualMillis,
  realMillis: sofar.realMillis
})
