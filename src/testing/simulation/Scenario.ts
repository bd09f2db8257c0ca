/**
 * One seed: a job in a world where things go wrong while its input comes. Then the faults rest, a last start reads what
 * is left, and what was written is compared with what would have been, had nothing happened.
 */
import { Cause, Effect, Exit } from "effect"
import type { Intent } from "../../checkpoint/Checkpoint.ts"
import type { Job } from "../../flow/Job.ts"
import type { Tables } from "../../flow/Tables.ts"
import { Topics } from "../../flow/Topics.ts"
import * as Contents from "./Contents.ts"
import type { Database } from "./Database.ts"
import type * as Faults from "./Faults.ts"
import * as Keeper from "./Keeper.ts"
import * as Recording from "./Recording.ts"
import * as Reference from "./Reference.ts"
import * as Stage from "./Stage.ts"
import type * as World from "./World.ts"

export interface ScenarioOptions {
  readonly job: Job<unknown, Tables | Topics>
  /** Parameters by name, as text. */
  readonly set: Readonly<Record<string, string>>
  /** Partitions by topic: those of the input. */
  readonly topics: Readonly<Record<string, number>>
  /** In the order in which they come. */
  readonly records: ReadonlyArray<Stage.Coming>
  readonly faults: Faults.Faults
  readonly seed: number
  readonly makeDatabase: () => Database
}

export interface Outcome {
  readonly seed: number
  /** What went wrong, line by line; empty: all was as it should be. */
  readonly failures: ReadonlyArray<string>
  /** How often each kind of fault struck. */
  readonly struck: Readonly<Record<Faults.Kind, number>>
  readonly epochs: number
  /** Epochs that were computed again from their intents. */
  readonly replays: number
  /** Processes that were started. */
  readonly lives: number
  readonly records: number
  readonly virtualMillis: number
  readonly story: ReadonlyArray<World.Entry>
}

/** Milliseconds of the world's time: the faults' part, and how long a last start may take. */
const stormMillis = 60_000
const calmMillis = 10_000
const patienceMillis = 1_800_000
/** Records that come at once, at most. */
const burstMax = 20
/** Records of one epoch, at most. */
const epochRecordsMax = 60

export const run = (options: ScenarioOptions): Outcome => {
  const { records, seed } = options
  const stage = Stage.make(options)
  const { striker, world } = stage
  const chance = world.chance("scenario")
  const began = world.now()
  const set = { maxPerEpoch: String(1 + chance.below(epochRecordsMax)), ...options.set }
  const { job } = options
  const recording = Recording.make()
  const keeper = Keeper.make({ stage, jobs: [{ job, set }], name: "process", recording })

  const left = [...records]
  const come = (): void => {
    Stage.produce(stage, left.splice(0, 1 + chance.below(burstMax)))
    if (left.length > 0) world.after((chance.next() * 2 * stormMillis) / (records.length / (burstMax / 2)), come)
  }
  come()
  keeper.begin()
  world.run(
    () => (world.now() - began >= stormMillis && left.length === 0) || keeper.failure() !== null,
    patienceMillis
  )

  striker.rest()
  keeper.end()
  world.tell("world", "the faults rest")
  world.run(() => false, calmMillis)
  let exit: Exit.Exit<void, unknown> | null = null
  if (keeper.failure() === null)
    keeper.finish((done) => {
      exit = done
    })
  const how = keeper.failure() === null ? world.run(() => exit !== null, patienceMillis) : "done"

  const outcome = {
    seed,
    struck: striker.counts(),
    epochs: recording.intents(job.name).length,
    replays: keeper.reports.filter(({ replayed }) => replayed).length,
    lives: keeper.lives(),
    records: records.length,
    virtualMillis: world.now() - began,
    story: world.story()
  }
  const failures = (): ReadonlyArray<string> => {
    if (keeper.failure() !== null) return [`the job failed for good: ${keeper.failure()}`]
    if (how !== "done")
      return [how === "quiet" ? "the job stands still: nothing is left to happen" : "the job does not come to its end"]
    if (Exit.isFailure(exit!))
      return [`the last start failed: ${Cause.pretty((exit as Exit.Failure<void, unknown>).cause)}`]
    return mistakes(stage, { ...options, set }, recording)
  }
  const found = failures()
  stage.close()
  return { ...outcome, failures: found }
}

/** What is wrong with what a job has read and written, now that it is done; empty: nothing is. */
export const mistakes = (
  stage: Stage.Stage,
  options: Omit<ScenarioOptions, "faults" | "records">,
  recording: Recording.Recording
): ReadonlyArray<string> => {
  const found = Contents.of(stage, Object.keys(options.topics))
  const intents = recording.intents(options.job.name)
  const lookups = recording.lookups(options.job.name)
  return [
    ...unread(intents.at(-1), stage),
    ...Contents.differences(found, Reference.run({ ...options, intents, lookups, inputOf: stage }))
  ]
}

/** The last epoch must have ended where the input ends: what is behind that was never read. */
const unread = (last: Intent | undefined, stage: Stage.Stage): ReadonlyArray<string> => {
  if (last === undefined) return ["no epoch was begun"]
  const ends = stage.onTopics(Effect.flatMap(Topics, (topics) => topics.list))
  return last.partitions.flatMap(({ offset, partition, source }) => {
    const end = ends.find(({ topic }) => topic === source)?.partitions[partition]?.latest
    return end === undefined || end === offset
      ? []
      : [`source ${source}, partition ${partition}: read up to ${offset}, and it ends at ${end}`]
  })
}
