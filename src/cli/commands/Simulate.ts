/** `weir simulate`: a job in simulated worlds where things go wrong. */
import { FileSystem } from "@effect/platform"
import { Effect, Ref } from "effect"
import type { Job } from "../../flow/Job.ts"
import type { Tables } from "../../flow/Tables.ts"
import type { Topics } from "../../flow/Topics.ts"
import { InvalidJob, StorageFailed, WrongUsage } from "../../model/Errors.ts"
import * as Suggestion from "../../model/Suggestion.ts"
import type { Expected } from "../../testing/JobTest.ts"
import type * as Faults from "../../testing/simulation/Faults.ts"
import type { Input } from "../../testing/simulation/Input.ts"
import type * as Simulate from "../../testing/simulation/Simulate.ts"
import * as Generation from "../Generation.ts"
import * as Output from "../Output.ts"
import { Process } from "../Process.ts"
import * as ProgressLine from "../ProgressLine.ts"
import * as Project from "../Project.ts"
import * as Usage from "../Usage.ts"
import { settingsOf } from "../Values.ts"

const seedsDefault = 100
const countDefault = 150

export const simulate = Usage.command(
  "simulate",
  "runs a job in simulated worlds where things go wrong, one for each seed; nothing outside is touched",
  {
    job: Usage.argument("job", "the name of a job"),
    seeds: Usage.whole("seeds", "N", `how many worlds (default: ${seedsDefault})`),
    seed: Usage.whole("seed", "S", "the seed of the first; the others follow it (default: 1)"),
    faults: Usage.text("faults", "KIND,KIND", "what may go wrong, such as kill,pause (default: all kinds)"),
    count: Usage.whole("count", "N", `records of each topic that are made for a world (default: ${countDefault})`),
    input: Usage.texts("input", "TOPIC=FILE", "the records of a topic, one a line, instead of made ones"),
    set: Usage.texts("set", "NAME=VALUE", "a parameter, as `weir run` takes it"),
    format: Output.format
  },
  (given) =>
    Effect.gen(function* () {
      const { seeds = seedsDefault, seed = 1, count = countDefault } = given
      if (seeds < 1 || count < 1 || seed < 0)
        return yield* new WrongUsage({
          message: "--seeds and --count begin at 1, and --seed at 0",
          hint: `Write \`weir simulate ${given.job} --seeds ${seedsDefault}\`.`
        })
      const faults = yield* faultsOf(given.faults)
      const job = yield* Project.job(given.job)
      const set = yield* settingsOf(given.set)
      const input = yield* inputOf(job, { set, count, files: given.input })
      yield* refuseForeign(job, set, input(seed))
      const { job: run } = yield* Effect.promise(() => import("../../testing/simulation/Simulate.ts"))
      const sofar = yield* Ref.make<Simulate.Summary | null>(null)
      const print = (failure: Failure | null) =>
        Effect.flatMap(Ref.get(sofar), (summary) => Output.print(given.format, listing(job.name, summary, failure)))
      const again = (seed: number) => commandOf(given, seed)
      const failure = yield* Effect.scoped(
        Effect.zipRight(
          ProgressLine.shown(
            Effect.map(Ref.get(sofar), (summary) => ({
              what: job.name,
              done: summary?.seeds ?? 0,
              unit: "worlds",
              total: seeds
            }))
          ),
          run(job as Simulated, {
            input,
            seeds,
            seed,
            faults,
            set,
            mustStrike: false,
            shrink: true,
            again,
            onWorld: (summary) => Effect.runSync(Ref.set(sofar, summary))
          })
        )
      ).pipe(
        Effect.as(null),
        Effect.catchTag("SimulationFailed", ({ message, seed }) => Effect.succeed({ seed, message })),
        Effect.onInterrupt(() => print(null))
      )
      yield* print(failure)
      if (failure === null) return 0
      yield* Effect.flatMap(Process, (process) => process.report(`\n${failure.message}\n`))
      return 1
    })
)

type Simulated = Job<unknown, Tables | Topics, {}>

interface Failure {
  readonly seed: number
  /** The story. */
  readonly message: string
}

interface Given {
  readonly job: string
  readonly faults: string | undefined
  readonly count: number | undefined
  readonly input: ReadonlyArray<string>
  readonly set: ReadonlyArray<string>
}

/** The command that shows the world of a seed again. */
const commandOf = ({ count, faults, input, job, set }: Given, seed: number): string =>
  [
    `weir simulate ${job} --seed ${seed} --seeds 1`,
    ...(faults === undefined ? [] : [`--faults ${quoted(faults)}`]),
    ...(count === undefined ? [] : [`--count ${count}`]),
    ...input.map((word) => `--input ${quoted(word)}`),
    ...set.map((word) => `--set ${quoted(word)}`)
  ].join(" ")

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)

/** Kinds by their names, where a dash may stand for a blank. */
const faultsOf = (text: string | undefined): Effect.Effect<Faults.Faults, WrongUsage> =>
  Effect.gen(function* () {
    const { all } = yield* Effect.promise(() => import("../../testing/simulation/Faults.ts"))
    if (text === undefined) return all
    const words = text === "none" ? [] : text.split(",").map((word) => word.trim().replaceAll("-", " "))
    const unknown = words.find((word) => !all.some((kind) => kind === word))
    if (unknown !== undefined)
      return yield* new WrongUsage({
        message: `--faults: there is no kind '${unknown}'`,
        hint: `${Suggestion.sentence(unknown, all)} Several are parted by commas; 'none' is none of them.`
      })
    return all.filter((kind) => words.includes(kind))
  })

// What comes

interface Wanted {
  readonly set: Readonly<Record<string, string>>
  readonly count: number
  /** `topic=file`. */
  readonly files: ReadonlyArray<string>
}

/**
 * What comes to the job in the world of a seed: the lines of a file; else what a generator of the topic gives; else
 * what the Schema that decodes it takes, and what it does not.
 */
const inputOf = (job: Job, { count, files, set }: Wanted) =>
  Effect.gen(function* () {
    const { topology } = yield* job.configure(set)
    const topics = topology.nodes.flatMap(({ id, spec }) => (spec.kind === "source" ? [id] : []))
    const lines = yield* linesOf(job.name, topics, files)
    const generators = yield* Generation.generators
    const Arbitraries = yield* Effect.promise(() => import("../../testing/Arbitraries.ts"))
    const { record } = yield* Effect.promise(() => import("../../testing/simulation/Input.ts"))
    const ofTopic = (topic: string, seed: number): ReadonlyArray<unknown> => {
      const given = lines.get(topic)
      if (given !== undefined) return given
      const generator = generators.find((one) => one.topic === topic)
      if (generator === undefined) return Arbitraries.ofSource(topology, topic, { count, seed })
      return Generation.sample(generator, { count, seed }).map(({ headers, key, value }) =>
        record(value, {
          ...(key === null ? {} : { key }),
          headers: Object.fromEntries(headers.map((header) => [header.name, header.value]))
        })
      )
    }
    const input = (seed: number): Input => Object.fromEntries(topics.map((topic) => [topic, ofTopic(topic, seed)]))
    // What cannot be made is told before any world is.
    yield* Effect.try({ try: () => input(1), catch: (error) => cannot(job.name, String((error as Error).message)) })
    return input
  })

const linesOf = (job: string, topics: ReadonlyArray<string>, words: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const lines = new Map<string, ReadonlyArray<string>>()
    for (const word of words) {
      const at = word.indexOf("=")
      const topic = word.slice(0, Math.max(0, at))
      if (!topics.includes(topic))
        return yield* new WrongUsage({
          message: at < 1 ? `--input '${word}' names no topic` : `Job ${job} does not read topic '${topic}'`,
          hint: `${Suggestion.sentence(topic, topics)} Write --input <topic>=<file>.`
        })
      const path = word.slice(at + 1)
      const text = yield* Effect.mapError(
        files.readFileString(path),
        (error) =>
          new StorageFailed({
            path,
            message: `The file ${path} cannot be read: ${error.message}`,
            hint: "Name a file of JSON lines that this user may read."
          })
      )
      lines.set(
        topic,
        text.split("\n").filter((line) => line.trim() !== "")
      )
    }
    return lines
  })

// What cannot be simulated

/** Runs the job where nothing goes wrong: what it needs is there and it takes its records, or it is refused. */
const refuseForeign = (job: Job, set: Readonly<Record<string, string>>, input: Input) =>
  Effect.gen(function* () {
    const { topology } = yield* job.configure(set)
    const JobTest = yield* Effect.promise(() => import("../../testing/JobTest.ts"))
    const sinks = topology.nodes.filter(({ spec }) => spec.kind === "sink")
    const expect = Object.fromEntries(sinks.map(({ id }): [string, Expected] => [id, JobTest.anything]))
    yield* Effect.mapError(JobTest.run(job as Simulated, { input, expect, set }), ({ message }) =>
      cannot(job.name, message)
    )
  })

const cannot = (job: string, why: string): InvalidJob =>
  new InvalidJob({
    job,
    message: `Job ${job} cannot be simulated: ${why}`,
    hint: "A job can that reads topics and writes tables and topics. `--input <topic>=<file>` gives the records of a topic that cannot be made."
  })

// What happened

const listing = (job: string, summary: Simulate.Summary | null, failure: Failure | null): Output.Listing => {
  const { epochs = 0, lives = 0, realMillis = 0, replays = 0, seeds = 0, virtualMillis = 0 } = summary ?? {}
  const struck = Object.entries(summary?.struck ?? {}).filter(([kind]) =>
    summary?.faults.some((wanted) => wanted === kind)
  )
  const seconds = (millis: number): number => Math.round(millis / 100) / 10
  const seedsPerSecond = realMillis === 0 ? 0 : Math.round((seeds * 10_000) / realMillis) / 10
  const figures: ReadonlyArray<readonly [string, number]> = [
    ["worlds that were right", seeds],
    ...(failure === null ? [] : [["seed of the world that was not", failure.seed] as const]),
    ["epochs", epochs],
    ["epochs computed again", replays],
    ["processes", lives],
    ...struck.map(([kind, count]) => [`fault: ${kind}`, count] as const),
    ["virtual seconds", seconds(virtualMillis)],
    ["real seconds", seconds(realMillis)],
    ["worlds per second", seedsPerSecond]
  ]
  return {
    columns: ["what", "count"],
    rows: figures,
    values: [
      {
        job,
        seeds,
        epochs,
        replays,
        lives,
        struck: Object.fromEntries(struck),
        virtualMillis,
        realMillis,
        failure
      }
    ]
  }
}
