/** Runs a generator of `fixtures/` into a topic, paced by its own clock or as fast as it goes; or into a folder. */
import { FileSystem } from "@effect/platform"
import { Clock, Effect, Either } from "effect"
import type { Parameters } from "../flow/Parameter.ts"
import type { ProducedRecord } from "../flow/Topics.ts"
import { InvalidParameter, Refused, StorageFailed } from "../model/Errors.ts"
import * as Suggestion from "../model/Suggestion.ts"
import { Process } from "./Process.ts"
import type { Failure } from "./Usage.ts"
import type { WeirService } from "./Weir.ts"

/** Records of a block that is not paced. */
const blockRecordsMax = 4_096
/** Blocks of one second at a given rate: what is sent at once stays a fraction of a second. */
const blocksPerSecond = 20

/** The part of a generator that is run here; `fixtures/Generator.ts` says it whole. */
export interface Generator {
  readonly name: string
  readonly meaning: string
  readonly topic: string
  readonly parameters: Parameters
  readonly simulated?: Readonly<Record<string, unknown>>
  readonly blocks: (
    values: Readonly<Record<string, unknown>>,
    recordsMax?: number
  ) => Iterable<{
    readonly records: ReadonlyArray<ProducedRecord & { readonly partition: number }>
    readonly clock: number
  }>
}

/** The same of a generator of files. */
export interface FileGenerator {
  readonly name: string
  readonly meaning: string
  readonly folder: string
  readonly parameters: Parameters
  readonly files: (
    values: Readonly<Record<string, unknown>>
  ) => Iterable<{ readonly path: string; readonly records: number; readonly text: string }>
}

/** Every generator, by name: those of the project, then those of Weir that none of them takes the name of. */
const all: Effect.Effect<ReadonlyArray<Generator | FileGenerator>, never, Process | FileSystem.FileSystem> = Effect.gen(
  function* () {
    const { modules } = yield* Process
    const own = yield* generatorsIn(modules.fixtures)
    if (modules.weirFixtures === modules.fixtures) return own
    const brought = yield* generatorsIn(modules.weirFixtures)
    return [...own, ...brought.filter(({ name }) => own.every((generator) => generator.name !== name))]
  }
)

export const writesFiles = (generator: Generator | FileGenerator): generator is FileGenerator => "files" in generator

/** Those of records. */
export const generators = Effect.map(all, (every) => every.filter((one): one is Generator => !writesFiles(one)))

const generatorsIn = (folder: string) =>
  Effect.gen(function* () {
    const process = yield* Process
    const files = yield* FileSystem.FileSystem
    const names = yield* Effect.orElseSucceed(files.readDirectory(folder), () => [])
    const modules = yield* Effect.forEach(
      names.filter((name) => /^[a-z][a-z-]*\.(ts|js|mjs)$/.test(name)),
      (name) => Effect.orElseSucceed(process.importModule(`${folder}/${name}`), () => ({}))
    )
    return modules.flatMap((module) => (isGenerator(module) ? [module.generator] : []))
  })

const isGenerator = (module: object): module is { readonly generator: Generator | FileGenerator } =>
  "generator" in module &&
  typeof module.generator === "object" &&
  module.generator !== null &&
  ("blocks" in module.generator || "files" in module.generator) &&
  "parameters" in module.generator

/** The generator of a name. */
export const find = (name: string) =>
  Effect.flatMap(all, (every) => {
    const found = every.find((generator) => generator.name === name)
    return found !== undefined
      ? Effect.succeed(found)
      : new InvalidParameter({
          parameter: "generator",
          message: `There is no generator '${name}'`,
          hint:
            every.length === 0
              ? "Neither this project nor Weir has one: a module of fixtures/ that exports `generator` is one."
              : Suggestion.sentence(
                  name,
                  every.map((generator) => generator.name)
                )
        })
  })

/** A speed: as the generator's own clock says, so many records a second, or as fast as it goes. */
export type Pace = "clock" | "max" | number

export interface Wanted {
  readonly topic: string
  readonly pace: Pace
  /** Parameters by name, as text. */
  readonly set: Readonly<Record<string, string>>
  /** Hears how many records were sent in all. */
  readonly sent: (count: number) => Effect.Effect<void>
}

/** Sends until the generator ends or the effect is interrupted; answers how many. */
export const run = (weir: WeirService, generator: Generator, wanted: Wanted): Effect.Effect<number, Failure> =>
  Effect.gen(function* () {
    const partitions = yield* partitionsOf(weir, wanted.topic)
    const values = yield* valuesOf(generator, { ...own(generator, partitions, wanted.pace), ...wanted.set })
    const blocks = yield* Effect.try({
      try: () => generator.blocks(values, blockSize(wanted.pace))[Symbol.iterator](),
      catch: (error) => contradiction(generator, error)
    })
    const began = yield* Clock.currentTimeMillis
    const start = typeof values.start === "number" ? values.start : null
    let first: number | null = start
    let count = 0
    while (true) {
      const next = yield* Effect.try({ try: () => blocks.next(), catch: (error) => contradiction(generator, error) })
      if (next.done === true) return count
      const { records, clock } = next.value
      first ??= clock
      if (wanted.pace !== "max") {
        const due = pacedBy(generator, wanted.pace) ? clock - first : (count * 1000) / (wanted.pace as number)
        const wait = began + due - (yield* Clock.currentTimeMillis)
        if (wait > 1) yield* Effect.sleep(wait)
      }
      yield* send(weir, wanted.topic, records, partitions)
      count += records.length
      yield* wanted.sent(count)
    }
  })

/** Writes the files of a generator into a folder, each under another name until it is whole; answers how many lines. */
export const write = (
  generator: FileGenerator,
  { folder, set }: { readonly folder: string; readonly set: Readonly<Record<string, string>> }
): Effect.Effect<number, Failure, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const system = yield* FileSystem.FileSystem
    const values = yield* valuesOf(generator, set)
    const files = yield* Effect.try({
      try: () => generator.files(values)[Symbol.iterator](),
      catch: (error) => contradiction(generator, error)
    })
    let records = 0
    while (true) {
      const next = yield* Effect.try({ try: () => files.next(), catch: (error) => contradiction(generator, error) })
      if (next.done === true) return records
      const path = `${folder}/${next.value.path}`
      yield* system.makeDirectory(path.slice(0, path.lastIndexOf("/")), { recursive: true }).pipe(
        Effect.zipRight(system.writeFileString(`${path}.part`, next.value.text)),
        Effect.zipRight(system.rename(`${path}.part`, path)),
        Effect.mapError((error) => unwritten(path, error))
      )
      records += next.value.records
    }
  })

const unwritten = (path: string, { message }: Error): StorageFailed =>
  new StorageFailed({
    path,
    message: `${path} cannot be written: ${message}`,
    hint: "See that the folder can be written and that its disk has room."
  })

/** So many records of a generator, for a simulated world. */
export const sample = (
  generator: Generator,
  { count, seed }: { readonly count: number; readonly seed: number }
): ReadonlyArray<ProducedRecord> => {
  const { blocks, parameters, simulated } = generator
  const fallbacks = Object.fromEntries(Object.entries(parameters).map(([name, { fallback }]) => [name, fallback]))
  const records: Array<ProducedRecord> = []
  for (const block of blocks({ ...fallbacks, ...simulated, count, seed }, count)) {
    // A view of a block's buffer would hold all of it.
    for (const record of block.records) records.push({ ...record, value: record.value.slice() })
    if (records.length >= count) break
  }
  return records.slice(0, count)
}

const pacedBy = (generator: Generator, pace: Pace): boolean => pace === "clock" || "rate" in generator.parameters

const blockSize = (pace: Pace): number =>
  pace === "max"
    ? blockRecordsMax
    : pace === "clock"
      ? 1
      : Math.max(1, Math.min(blockRecordsMax, Math.floor(pace / blocksPerSecond)))

const send = (
  weir: WeirService,
  topic: string,
  records: ReadonlyArray<ProducedRecord & { readonly partition: number }>,
  partitions: number
) => {
  const byPartition = new Map<number, Array<ProducedRecord>>()
  for (const record of records) {
    const partition = record.partition % partitions
    const sofar = byPartition.get(partition)
    if (sofar === undefined) byPartition.set(partition, [record])
    else sofar.push(record)
  }
  return Effect.forEach(byPartition, ([partition, all]) => weir.append(topic, partition, all), { discard: true })
}

/** Partitions of a topic that is made here. */
const partitionsDefault = 4

const partitionsOf = (weir: WeirService, topic: string) =>
  Effect.flatMap(weir.topics, (all) => {
    const found = all.find((description) => description.topic === topic)
    return found === undefined
      ? weir.create(topic, { partitions: partitionsDefault, retentionMillis: null }).pipe(
          // A job that reads the topic may make it at the same moment.
          Effect.catchIf(
            (error) => error._tag === "TopicExists" || (error instanceof Refused && error.tag === "TopicExists"),
            () => Effect.void
          ),
          Effect.zipRight(weir.describe(topic)),
          Effect.map(({ partitions }) => partitions.length)
        )
      : Effect.succeed(found.partitions.length)
  })

/** What the place and the pace say of a generator's parameters, where it has them. */
const own = (generator: Generator, partitions: number, pace: Pace): Readonly<Record<string, string>> => ({
  ...("partitions" in generator.parameters ? { partitions: String(partitions) } : {}),
  ...(typeof pace === "number" && "rate" in generator.parameters ? { rate: String(pace) } : {})
})

const valuesOf = (generator: Generator | FileGenerator, texts: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const values: Record<string, unknown> = {}
    for (const [name, parameter] of Object.entries(generator.parameters)) values[name] = parameter.fallback
    for (const [name, text] of Object.entries(texts)) {
      const parameter = generator.parameters[name]
      if (parameter === undefined)
        return yield* invalid(generator, name, Suggestion.sentence(name, Object.keys(generator.parameters)))
      values[name] = yield* Either.mapLeft(parameter.parse(text), (why) => invalid(generator, name, why))
    }
    return values
  })

const invalid = (generator: Generator | FileGenerator, parameter: string, why: string) =>
  new InvalidParameter({
    parameter,
    message: `Generator ${generator.name}: parameter '${parameter}' cannot be set so`,
    hint: why
  })

const contradiction = (generator: Generator | FileGenerator, error: unknown): Failure =>
  error instanceof RangeError
    ? invalid(generator, "values", error.message)
    : new StorageFailed({
        path: generator.name,
        message: `Generator ${generator.name} failed: ${error instanceof Error ? error.message : String(error)}`,
        hint: "`--log-level debug` shows where."
      })
