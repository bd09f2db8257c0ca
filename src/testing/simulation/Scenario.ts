/**
 * One seed: jobs in a world where things go wrong while their input comes. Then the faults rest, a last start of each
 * reads what is left, and what was written is compared with what would have been, had nothing happened.
 */
import { Either, Exit } from "effect"
import type { Intent } from "../../checkpoint/Checkpoint.ts"
import { topicPartitionsDefault } from "../../flow/Topics.ts"
import type { Chance } from "./Chance.ts"
import * as Contents from "./Contents.ts"
import type { Database } from "./Database.ts"
import type * as Faults from "./Faults.ts"
import * as Invariants from "./Invariants.ts"
import * as Jobs from "./Jobs.ts"
import * as Keeper from "./Keeper.ts"
import * as Oracle from "./Oracle.ts"
import * as Recording from "./Recording.ts"
import * as Reference from "./Reference.ts"
import * as RowInvariants from "./RowInvariants.ts"
import * as Stage from "./Stage.ts"
import type * as World from "./World.ts"

export interface ScenarioOptions {
  /** At least one. */
  readonly jobs: ReadonlyArray<Jobs.SimulatedJob>
  /** Partitions by topic: those of the input. */
  readonly topics: Readonly<Record<string, number>>
  /** In the order in which they come. */
  readonly records: ReadonlyArray<Stage.Coming>
  readonly faults: Faults.Faults
  readonly seed: number
  readonly makeDatabase: () => Database
  /** What is on the disk when the world begins, by path. Absent: nothing. */
  readonly files?: Stage.Files
  /** Where jobs keep what they keep. Absent: as the seed says. */
  readonly layout?: Stage.Layout
  /** What the tables must keep, beside what they always must. Absent: nothing. */
  readonly invariants?: ReadonlyArray<Invariants.Invariant>
  /** What must be found in the end, and what its input is made of. Absent: what the job itself computes when nothing happens. */
  readonly oracle?: Pick<Oracle.OracleOptions, "oracle" | "valueOf">
}

export interface Outcome {
  readonly seed: number
  /** What went wrong, line by line; empty: all was as it should be. */
  readonly failures: ReadonlyArray<string>
  /** Did an invariant break? Then the world ended there. */
  readonly isBroken: boolean
  /** How often each kind of fault struck. */
  readonly struck: Readonly<Record<Faults.Kind, number>>
  readonly epochs: number
  /** Epochs with records that became durable, in each half of the storm. */
  readonly progress: readonly [first: number, second: number]
  /** Epochs that were computed again from their intents. */
  readonly replays: number
  /** Processes that were started. */
  readonly lives: number
  readonly records: number
  readonly virtualMillis: number
  readonly story: ReadonlyArray<World.Entry>
}

/** Milliseconds of the world's time: the faults' part, and how long a last start may take. */
const stormMillis = 30_000
const calmMillis = 10_000
const patienceMillis = 1_800_000
/** Records that come at once, at most. */
const burstMax = 20
/** Records of one epoch, at most. */
const epochRecordsMax = 60

/** A world that was lived through, as it stands at the end. */
interface Played {
  readonly outcome: Outcome
  readonly stage: Stage.Stage
  readonly recording: Recording.Recording
}

export const run = (options: ScenarioOptions): Outcome => {
  const { outcome, stage } = play(options, [])
  stage.close()
  return outcome
}

/**
 * The outcome with the moment at which the first wrong row could be seen, and the story up to there: the same world
 * again, where each epoch is compared with what it must write. The outcome as it was, if no such moment is found.
 */
export const explained = (options: ScenarioOptions, outcome: Outcome): Outcome => {
  if (outcome.isBroken) return outcome
  const { recording, stage } = play(options, [])
  const references = referencesOf(stage, options, recording)
  stage.close()
  if (references === null) return outcome
  const again = play(options, [(stage) => RowInvariants.make(stage, references)])
  again.stage.close()
  const { failures, story } = again.outcome
  return again.outcome.isBroken ? { ...outcome, story, failures: [...failures, ...outcome.failures] } : outcome
}

const play = (options: ScenarioOptions, looks: Invariants.WatchOptions["looks"]): Played => {
  const { invariants = [], jobs, layout = Stage.layoutOf(options.seed), records, seed } = options
  const stage = Stage.make({ ...options, layout })
  stage.world.tell("world", Stage.told(layout))
  const recording = Recording.make()
  const watch = Invariants.watch(stage, { invariants, jobs, looks, recording })
  const lived = live(stage, options, { recording, broken: watch.broken })
  const { keepers, progress, virtualMillis } = lived
  const broken = watch.broken()
  const failures =
    broken === null ? (lived.failures ?? [...watch.unseen(), ...mistakes(stage, options, recording)]) : [broken]
  const outcome: Outcome = {
    seed,
    failures,
    isBroken: broken !== null,
    struck: stage.striker.counts(),
    epochs: jobs.reduce((sum, { job }) => sum + recording.intents(job.name).length, 0),
    progress,
    replays: keepers.flatMap(({ reports }) => reports).filter(({ replayed }) => replayed).length,
    lives: keepers.reduce((sum, { lives }) => sum + lives(), 0),
    records: records.length,
    virtualMillis,
    story: stage.world.story()
  }
  return { outcome, stage, recording }
}

interface Lived {
  readonly keepers: ReadonlyArray<Keeper.Keeper>
  /** Why jobs did not come to their end; `null`: they did, or an invariant was broken. */
  readonly failures: ReadonlyArray<string> | null
  readonly progress: Outcome["progress"]
  readonly virtualMillis: number
}

/** Lets the world run to its end, or to the first broken invariant. */
const live = (
  stage: Stage.Stage,
  { jobs, records }: ScenarioOptions,
  { broken, recording }: { readonly recording: Recording.Recording; readonly broken: () => string | null }
): Lived => {
  const { striker, world } = stage
  const chance = world.chance("scenario")
  const began = world.now()
  const ordered = Jobs.inOrder(jobs).map(({ job, set }) => ({
    job,
    set: { maxPerEpoch: String(1 + chance.below(epochRecordsMax)), ...set }
  }))
  const keepers = keepersOf(stage, ordered, { chance, recording })
  const failure = (): string | null => keepers.map((keeper) => keeper.failure()).find((why) => why !== null) ?? null

  const left = [...records]
  const come = (): void => {
    Stage.produce(stage, left.splice(0, 1 + chance.below(burstMax)))
    if (left.length > 0) world.after((chance.next() * 2 * stormMillis) / (records.length / (burstMax / 2)), come)
  }
  come()
  for (const keeper of keepers) keeper.begin()
  const epochs = (): number => keepers.flatMap(({ reports }) => reports).filter(({ inputRows }) => inputRows > 0).length
  let first = 0
  world.after(stormMillis / 2, () => {
    first = epochs()
  })
  world.run(
    () => (world.now() - began >= stormMillis && left.length === 0) || failure() !== null || broken() !== null,
    patienceMillis
  )
  const progress = [first, epochs() - first] as const
  const lived = (failures: Lived["failures"]): Lived => ({
    keepers,
    failures,
    progress,
    virtualMillis: world.now() - began
  })
  if (broken() !== null) return lived(null)
  if (failure() !== null) return lived([`the job failed for good: ${failure()}`])

  striker.rest()
  for (const keeper of keepers) keeper.end()
  world.tell("world", "the faults rest")
  world.run(() => broken() !== null, calmMillis)
  let exit: Exit.Exit<void, unknown> | null = null
  const finish = ([next, ...others]: ReadonlyArray<Keeper.Keeper>): void => {
    if (next === undefined) exit = Exit.void
    else
      next.finish((done) => {
        if (Exit.isSuccess(done)) finish(others)
        else exit = done
      })
  }
  const isOver = (): boolean => exit !== null || broken() !== null
  if (!isOver()) finish(keepers)
  const how = world.run(isOver, patienceMillis)
  if (broken() !== null) return lived(null)
  if (how === "quiet") return lived(["the job stands still: nothing is left to happen"])
  if (how === "too long") return lived(["the job does not come to its end"])
  return lived(
    Exit.match(exit!, { onSuccess: () => null, onFailure: (cause) => [`the last start failed: ${Keeper.said(cause)}`] })
  )
}

/** Several jobs are in one process, as in a daemon, or each in processes of its own. A log has one owner. */
const keepersOf = (
  stage: Stage.Stage,
  jobs: ReadonlyArray<Jobs.SimulatedJob>,
  { chance, recording }: { readonly chance: Chance; readonly recording: Recording.Recording }
): ReadonlyArray<Keeper.Keeper> => {
  const areApart = jobs.length > 1 && stage.broker !== null && chance.below(2) === 0
  if (jobs.length > 1)
    stage.world.tell("world", areApart ? "each job has processes of its own" : "all jobs are in one process")
  return areApart
    ? jobs.map((one) => Keeper.make({ stage, jobs: [one], name: `${one.job.name} process`, recording }))
    : [Keeper.make({ stage, jobs, name: "process", recording })]
}

// What must be found

type Judged = Omit<ScenarioOptions, "faults" | "records">

/** What is wrong with what jobs have read and written, now that they are done; empty: nothing is. */
export const mistakes = (
  stage: Stage.Stage,
  options: Judged,
  recording: Recording.Recording
): ReadonlyArray<string> => {
  const { jobs, oracle } = options
  const topics = Object.keys(options.topics)
  const expected = jobs.map((one) => Reference.run(referenceOf(stage, options, { one, recording })))
  const uncomputed = expected.flatMap((one) => (Either.isLeft(one) ? [one.left] : []))
  if (uncomputed.length > 0) return uncomputed
  const shared = Jobs.shared(jobs)
  const contents = Contents.merged(expected.map((one) => Either.getOrThrow(one)))
  return [
    ...Stage.unkept(stage),
    ...jobs.flatMap(({ job }) => unread(job.name, recording.intents(job.name).at(-1), stage)),
    ...Contents.differences(Contents.unplaced(Contents.of(stage, topics), shared), Contents.unplaced(contents, shared)),
    ...(oracle === undefined ? [] : Oracle.differences(stage, { ...oracle, jobs, recording, topics }))
  ]
}

/** Each job is computed anew from what it has read, also where another has written that. */
const referenceOf = (
  inputOf: Stage.Stage,
  { files = {}, makeDatabase, seed, topics }: Judged,
  { one, recording }: { readonly one: Jobs.SimulatedJob; readonly recording: Recording.Recording }
): Reference.ReferenceOptions => ({
  ...one,
  files,
  inputOf,
  makeDatabase,
  seed,
  topics: Object.fromEntries(
    Jobs.endsOf(one)
      .sources.filter((source) => source in topics || inputOf.recordsOf(source) !== null)
      .map((topic) => [topic, inputOf.recordsOf(topic)?.length ?? topics[topic] ?? topicPartitionsDefault])
  ),
  intents: recording.intents(one.job.name),
  lookups: recording.lookups(one.job.name)
})

/** What each job has written up to each of its epochs; `null`: that cannot be computed. */
const referencesOf = (
  stage: Stage.Stage,
  options: Judged,
  recording: Recording.Recording
): RowInvariants.References | null => {
  const references = new Map<string, Map<number, Contents.Contents>>()
  for (const one of options.jobs) {
    const epochs = new Map<number, Contents.Contents>()
    references.set(one.job.name, epochs)
    const computed = Reference.run({
      ...referenceOf(stage, options, { one, recording }),
      onEpoch: (epoch, contents) => void epochs.set(epoch, contents)
    })
    if (Either.isLeft(computed)) return null
  }
  return references
}

/** The last epoch must have ended where the input ends: what is behind that was never read. */
const unread = (job: string, last: Intent | undefined, stage: Stage.Stage): ReadonlyArray<string> => {
  if (last === undefined) return [`no epoch of ${job} was begun`]
  return last.partitions.flatMap(({ offset, partition, source }) => {
    const end = stage.recordsOf(source)?.[partition]?.length
    return end === undefined || end === offset
      ? []
      : [`${job} has read ${source}/${partition} up to ${offset}, and it ends at ${end}`]
  })
}
