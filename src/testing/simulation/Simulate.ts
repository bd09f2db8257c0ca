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
import * as Scenario from "./Scenario.ts"
import type { Coming } from "./Stage.ts"
import * as Story from "./Story.ts"

export interface Options {
  /** Values by topic, in the order in which they come: text and bytes as they are, all else as JSON. */
  readonly input: Readonly<Record<string, ReadonlyArray<unknown>>>
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

/** A world in which the job wrote something else, or did not come to its end. Its message is the story of it. */
export class SimulationFailed extends Error {
  readonly _tag = "SimulationFailed"
  readonly seed: number
  constructor(outcome: Scenario.Outcome) {
    super(Story.of(outcome))
    this.seed = outcome.seed
  }
}

const partitionsDefault = 3
const seedsDefault = 100

/** Tries the worlds one after the other, and fails at the first in which something is wrong. */
export const job = <E>(one: Job<E, Tables | Topics, {}>, options: Options): Effect.Effect<Summary, SimulationFailed> =>
  Effect.gen(function* () {
    const makeDatabase = yield* Effect.promise(Database.load)
    const began = yield* now
    const { partitions = partitionsDefault, seed = 1, seeds = seedsDefault } = options
    const outcomes: Array<Scenario.Outcome> = []
    for (let i = 0; i < seeds; i++) {
      const outcome = Scenario.run({
        job: one as Job<unknown, Tables | Topics>,
        set: options.set ?? {},
        topics: Object.fromEntries(Object.keys(options.input).map((topic) => [topic, partitions])),
        records: comingOf(options.input, partitions),
        faults: options.faults ?? Faults.all,
        seed: seed + i,
        makeDatabase
      })
      if (outcome.failures.length > 0) return yield* Effect.fail(new SimulationFailed(outcome))
      outcomes.push({ ...outcome, story: [] })
      // A world takes no time but the processor's: others get their turn.
      yield* Effect.promise(() => new Promise((resolve) => setTimeout(resolve, 0)))
    }
    return summaryOf(outcomes, (yield* now) - began)
  })

/** The real clock: a test may have put another in its place. */
const now = Effect.sync(() => Clock.make().unsafeCurrentTimeMillis())

const encoder = new TextEncoder()
const bytesOf = (value: unknown): Uint8Array =>
  value instanceof Uint8Array ? value : encoder.encode(typeof value === "string" ? value : JSON.stringify(value))

/** Records of all topics, each topic's spread evenly over the whole. */
const comingOf = (input: Options["input"], partitions: number): ReadonlyArray<Coming> =>
  Object.entries(input)
    .flatMap(([topic, values]) =>
      values.map((value, i) => ({
        place: (i + 1) / values.length,
        record: { topic, partition: i % partitions, key: null, value: bytesOf(value), headers: [] }
      }))
    )
    .sort((left, right) => left.place - right.place)
    .map(({ record }) => record)

const summaryOf = (outcomes: ReadonlyArray<Scenario.Outcome>, realMillis: number): Summary => {
  const sum = (of: (outcome: Scenario.Outcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0)
  return {
    seeds: outcomes.length,
    struck: Object.fromEntries(
      Faults.all.map((kind) => [kind, sum(({ struck }) => struck[kind])])
    ) as Summary["struck"],
    epochs: sum(({ epochs }) => epochs),
    replays: sum(({ replays }) => replays),
    lives: sum(({ lives }) => lives),
    virtualMillis: sum(({ virtualMillis }) => virtualMillis),
    realMillis
  }
}
