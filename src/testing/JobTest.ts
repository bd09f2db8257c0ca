/**
 * Runs a job to its end on a given input, in a world in memory where nothing goes wrong, and compares what it wrote
 * with what a test says: both as tables of text.
 *
 *     JobTest.run(visits, {
 *       input: {
 *         visits: `
 *           page  | visitedAt
 *           /     | 2026-01-01T12:00:01Z
 *           /docs | 2026-01-01T12:00:05Z
 *         `
 *       },
 *       expect: {
 *         page_visits: `
 *           page  | window_start         | visits
 *           /     | 2026-01-01T12:00:00Z |      1
 *           /docs | 2026-01-01T12:00:00Z |      1
 *         `
 *       }
 *     })
 */
import { Cause, Duration, Effect, Exit } from "effect"
import type { Job } from "../flow/Job.ts"
import type { Topology } from "../flow/Topology.ts"
import { parseInstant } from "../model/Columns.ts"
import * as Suggestion from "../model/Suggestion.ts"
import * as Runner from "../runtime/Runner.ts"
import * as Comparison from "./JobTestComparison.ts"
import * as Given from "./JobTestGiven.ts"
import * as Output from "./JobTestOutput.ts"
import * as SourceRecords from "./SourceRecords.ts"
import * as Database from "./simulation/Database.ts"
import * as Input from "./simulation/Input.ts"
import * as Process from "./simulation/Process.ts"
import * as Stage from "./simulation/Stage.ts"

export { record } from "./simulation/Input.ts"

/**
 * What comes, by topic: a table of text, whose columns are the fields of the records; lines of JSON; or values, where
 * text and bytes are taken as they are, `JobTest.record` as it says, and all else is written as JSON.
 */
export type Records = Given.Records

/** What is to be there, by table or topic: a table of text, whose columns alone are compared; rows; or `JobTest.anything`. */
export type Expected = Comparison.Expected

/** Whatever is there is as expected: of dead letters, for example, that a test is not about. */
export const anything: typeof Comparison.anything = Comparison.anything

/** Records that come later. */
export class Later {
  readonly duration: Duration.DurationInput
  readonly records: Records
  constructor(duration: Duration.DurationInput, records: Records) {
    this.duration = duration
    this.records = records
  }
}

/** So long after all that came before has been written; the job goes on from its checkpoint. */
export const after = (duration: Duration.DurationInput, records: Records): Later => new Later(duration, records)

export interface Options {
  /** All at once; or some, and others once those have been written. */
  readonly input: Records | ReadonlyArray<Records | Later>
  /** Tables and topics that are not named are not compared, but for what is set aside: where it is not named, there must be none. */
  readonly expect: Readonly<Record<string, Expected>>
  /** Are windows that are still open written in the end, as if they had closed? Default: yes. */
  readonly final?: boolean
  /** Partitions of each topic of the input; the values of a topic take them in turn. Default: 1. */
  readonly partitions?: number
  /** What is on the disk when the job starts, by path; relative ones are in the folder that it runs in. Default: nothing. */
  readonly files?: Stage.Files
  /** Parameters of the job, as text. */
  readonly set?: Readonly<Record<string, string>>
  /** What the clock says when the first records come, as ISO 8601 with an offset or `Z`. Default: the year 2100 begins. */
  readonly now?: string
}

/** All that was written: rows by table and topic, cells as text. */
export type Written = Readonly<Record<string, ReadonlyArray<Output.Row>>>

/** The job wrote something else, failed, or cannot be tested so. Its message shows both, and what to paste. */
export class JobTestFailed extends Error {
  readonly _tag = "JobTestFailed"
}

/** Fails with `JobTestFailed` where something is not as expected. */
export const run = <E>(job: Job<E, Stage.Reachable, {}>, options: Options): Effect.Effect<Written, JobTestFailed> =>
  Effect.flatMap(Effect.promise(Database.load), (makeDatabase) =>
    Effect.try({
      try: () => compared(job as Job<unknown, Stage.Reachable>, options, makeDatabase),
      catch: (error) => {
        if (error instanceof JobTestFailed) return error
        throw error
      }
    })
  )

// Private

/** Milliseconds of the world's time that a run may take: an hour. */
const patienceMillis = 3_600_000

const compared = (
  job: Job<unknown, Stage.Reachable>,
  options: Options,
  makeDatabase: () => Database.Database
): Written => {
  const { topology } = configured(job, options)
  const batches = (Array.isArray(options.input) ? options.input : [options.input]) as ReadonlyArray<Records | Later>
  const inputs = batches.map((batch) => inputOf(job, topology, batch))
  checkOutputs(job, topology, options)
  const { partitions = 1 } = options
  const topics = new Set(inputs.flatMap(({ records }) => Object.keys(records)))
  const stage = Stage.make({
    seed: 1,
    faults: [],
    topics: Object.fromEntries([...topics].map((topic) => [topic, partitions])),
    makeDatabase,
    files: options.files ?? {},
    began: beganOf(options)
  })
  try {
    for (const [i, { afterMillis, records }] of inputs.entries()) {
      pass(stage, afterMillis)
      Stage.produce(stage, Input.comingOf(records, partitions))
      read(stage, job, options, i === inputs.length - 1)
    }
    return written(stage, job, topology, options)
  } finally {
    stage.close()
  }
}

const configured = (job: Job, { set = {} }: Options): { readonly topology: Topology } => {
  const found = job.configure(set)
  if (found._tag === "Left") throw new JobTestFailed(`${found.left.message}. ${found.left.hint}`)
  return found.right
}

interface Batch {
  readonly afterMillis: number
  readonly records: Input.Input
}

const inputOf = (job: Job, topology: Topology, batch: Records | Later): Batch => {
  const given = batch instanceof Later ? batch.records : (batch as Records)
  const sources = SourceRecords.sourcesOf(topology)
  const records = Object.entries(given).map(([topic, values]) => {
    if (!sources.includes(topic))
      throw new JobTestFailed(
        `Job ${job.name} does not read topic '${topic}', which the input names. ${Suggestion.sentence(topic, sources)}`
      )
    return [topic, said(`the input of topic ${topic}`, () => Given.valuesOf(topology, topic, values))] as const
  })
  return {
    afterMillis: batch instanceof Later ? Duration.toMillis(batch.duration) : 0,
    records: Object.fromEntries(records)
  }
}

const checkOutputs = (job: Job, topology: Topology, { expect }: Options): void => {
  const sinks = sinksOf(topology).map(({ id }) => id)
  for (const name of Object.keys(expect))
    if (!sinks.includes(name))
      throw new JobTestFailed(
        `Job ${job.name} does not write '${name}', which the test expects. ${Suggestion.sentence(name, sinks)}`
      )
}

const sinksOf = ({ nodes }: Topology) =>
  nodes.flatMap(({ id, spec }) => (spec.kind === "sink" ? [{ id, sink: spec.sink }] : []))

/** What a text says wrongly, with where it stands. */
const said = <A>(where: string, f: () => A): A => {
  try {
    return f()
  } catch (error) {
    if (error instanceof TypeError) throw new JobTestFailed(`${where}: ${error.message}`)
    throw error
  }
}

const beganOf = ({ now }: Options): number | undefined => {
  if (now === undefined) return undefined
  const at = parseInstant(now)
  if (at === null) throw new JobTestFailed(`'now' is '${now}', and no instant such as 2026-01-31T12:00:00Z`)
  return at
}

/** Lets so much of the world's time pass. */
const pass = ({ world }: Stage.Stage, millis: number): void => {
  let isOver = false
  world.after(millis, () => {
    isOver = true
  })
  world.run(() => isOver, millis + 1)
}

/** Reads what is there, in a process of its own, and commits it. */
const read = (
  stage: Stage.Stage,
  job: Job<unknown, Stage.Reachable>,
  { final = true, set = {} }: Options,
  isLast: boolean
): void => {
  const process = Process.make(stage.world, "test", { steps: "long" })
  const main = Effect.gen(function* () {
    const running = yield* Runner.start(job, { availableNow: true, final: final && isLast, set }, () => Effect.void)
    yield* running.ended
  }).pipe(Effect.scoped, Effect.provide(stage.checkpoints), Effect.provide(stage.layers(process)))
  let exit: Exit.Exit<void, unknown> | null = null
  process.run(main as Effect.Effect<void, unknown>, (done) => {
    exit = done
  })
  const how = stage.world.run(() => exit !== null, patienceMillis)
  if (how !== "done") throw new JobTestFailed([`Job ${job.name} ${stuck[how]}`, ...warned(stage)].join(": "))
  const done = exit as unknown as Exit.Exit<void, unknown>
  if (Exit.isFailure(done)) throw new JobTestFailed(failed(done.cause))
}

const stuck = {
  quiet: "stands still: it waits for something that is not in a simulated world",
  "too long": "does not come to its end within an hour"
}

/** The last that the job warned of. */
const warned = ({ world }: Stage.Stage): ReadonlyArray<string> =>
  world
    .story()
    .flatMap(({ what }) => /^WARN: (.*)/s.exec(what)?.[1] ?? [])
    .slice(-1)

const failed = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause) as { readonly message?: string; readonly hint?: string }
  return `The job failed: ${[error.message ?? String(error), error.hint].filter((text) => text !== undefined).join(". ")}`
}

const written = (stage: Stage.Stage, job: Job, topology: Topology, { expect }: Options): Written => {
  const found: Record<string, ReadonlyArray<Output.Row>> = {}
  const differences: Array<string> = []
  for (const { id, sink } of sinksOf(topology)) {
    const output = Output.read(stage, id, sink.letters)
    found[id] = output.rows
    const expected: Expected = expect[id] ?? (sink.letters === undefined ? anything : [])
    const difference = said(`what is expected of ${output.what}`, () => Comparison.difference(id, output, expected))
    if (difference !== null) differences.push(difference)
  }
  if (differences.length > 0)
    throw new JobTestFailed([`Job ${job.name} does not write what is expected.`, ...differences].join("\n\n"))
  return found
}
