/** A closed description with a name. Its type is its bill of materials: what can fail, what it needs. */
import { Duration, Either } from "effect"
import { InvalidJob, InvalidParameter } from "../model/Errors.ts"
import type { Migrations } from "./Migration.ts"
import * as Parameter from "./Parameter.ts"
import * as Recomputing from "./Recomputing.ts"
import type { Output } from "./steps/Step.ts"
import * as Topology from "./Topology.ts"
import * as Trigger from "./Trigger.ts"

export interface Job<out E = unknown, out R = unknown, out Values = unknown> {
  readonly isJob: true
  readonly name: string
  /** Its own parameters, in the order of the text. */
  readonly parameters: Parameter.Parameters
  readonly trigger: Trigger.Trigger
  /** Of a first start only. */
  readonly startAt: "earliest" | "latest"
  /** Does `weir start` without names start it? */
  readonly starts: boolean
  readonly deadLetters: DeadLetterLimits
  readonly late: LateLimits
  /** How state that older versions of it kept is restored: by step, the oldest first. */
  readonly migrations: Migrations
  /** Does every run compute the whole result anew? */
  readonly recomputes: boolean
  /** The nodes and options under given parameters: those not given have their defaults. */
  readonly configure: (
    texts: Readonly<Record<string, string>>
  ) => Either.Either<Configured, InvalidParameter | InvalidJob>
  /** Types only. */
  readonly error?: E
  readonly requirements?: R
  readonly values?: Values
}

/** How many late events an epoch may have: above it the job stops, after the epoch is committed. */
export interface LateLimits {
  /** Of an epoch's records. Default: 1, no limit. */
  readonly shareMax: number
  /** An epoch with fewer of them never stops the job: one of one is no share. Default: 10. */
  readonly atLeast: number
}

/** The same for records that cannot be used; those that a replay puts through again do not count. */
export interface DeadLetterLimits extends LateLimits {
  /** In the epochs of one minute, whatever their share. Default: no limit. */
  readonly perMinuteMax?: number
}

const noLimits: LateLimits = { shareMax: 1, atLeast: 10 }

/** A job as it will run. */
export interface Configured {
  readonly topology: Topology.Topology
  readonly trigger: Trigger.Trigger
  readonly startAt: "earliest" | "latest"
  /** Records of one epoch, over all partitions; `null`: no limit of the job's own. */
  readonly maxPerEpoch: number | null
  /** Every parameter in force: the job's own and those of every job. */
  readonly settings: ReadonlyArray<Setting>
}

export interface Setting {
  readonly name: string
  readonly type: string
  readonly value: string
  readonly fallback: string
  readonly meaning: string
}

type Outputs = Output<unknown, unknown> | ReadonlyArray<Output<unknown, unknown>>
type Each<O> = O extends ReadonlyArray<infer One> ? One : O
type ErrorOf<O> = O extends Output<infer E, unknown> ? E : never
type RequirementsOf<O> = O extends Output<unknown, infer R> ? R : never

export const make = <const P extends Parameter.Parameters, O extends Outputs>(
  name: string,
  options: {
    readonly parameters: P
    readonly trigger: Trigger.Trigger
    /** Of a first start only. Default: `earliest`. */
    readonly startAt?: "earliest" | "latest"
    /** Does `weir start` without names start it? Default: yes. */
    readonly starts?: boolean
    /** Above it the job stops. Default: no limit. */
    readonly deadLetters?: Partial<DeadLetterLimits>
    /** Of late events. Above it the job stops. Default: no limit. */
    readonly late?: Partial<LateLimits>
    /** How state that older versions of it kept becomes what its steps keep now: by step, the oldest first. Default: none. */
    readonly migrations?: Migrations
    /**
     * Does every run compute the whole result anew, of all that its sources hold when it starts? It is bounded
     * (`Trigger.availableNow`), goes back to no checkpoint, and has one epoch: what `Sql.replace` writes is the old
     * result or the new one. Open windows are emitted as if closed, and no event is late, unless a person sets
     * `maxOutOfOrderness`. The price: at most `Limits.recomputedRecordsMax` records and `Limits.recomputedBytesMax`
     * bytes a run, and all rows of a run in memory. Default: no.
     */
    readonly recomputes?: boolean
    readonly outputs: (parameters: Parameter.Values<P>) => O
  }
): Job<ErrorOf<Each<O>>, RequirementsOf<Each<O>>, Parameter.Values<P>> => ({
  isJob: true,
  name,
  parameters: options.parameters,
  trigger: options.trigger,
  startAt: options.startAt ?? "earliest",
  starts: options.starts ?? true,
  deadLetters: { ...noLimits, ...options.deadLetters },
  late: { ...noLimits, ...options.late },
  migrations: options.migrations ?? {},
  recomputes: options.recomputes ?? false,
  configure: (texts) => configure(name, options, texts)
})

/** The parameters that every job has, beside its own. */
const common = {
  trigger: Parameter.text("", { meaning: "when an epoch ends: a duration, or 'availableNow'" }),
  maxOutOfOrderness: Parameter.duration("0 millis", {
    meaning: "how much out of order events of one partition may come; in force for all steps if set"
  }),
  allowedLateness: Parameter.duration("0 millis", {
    meaning: "how long an ended window, or a join, still takes events; in force for all of them if set"
  }),
  startAt: Parameter.text("earliest", { meaning: "where a first start begins: 'earliest' or 'latest'" }),
  maxPerEpoch: Parameter.integer(0, { meaning: "records of one epoch over all partitions; 0: no limit" })
}

const configure = (
  job: string,
  options: {
    readonly parameters: Parameter.Parameters
    readonly trigger: Trigger.Trigger
    readonly startAt?: "earliest" | "latest"
    readonly recomputes?: boolean
    readonly outputs: (parameters: never) => Outputs
  },
  texts: Readonly<Record<string, string>>
): Either.Either<Configured, InvalidParameter | InvalidJob> =>
  Either.gen(function* () {
    const known: Parameter.Parameters = { ...common, ...options.parameters }
    for (const name of Object.keys(texts))
      if (!Object.hasOwn(known, name)) yield* Either.left(unknown(job, name, Object.keys(known)))
    const values: Record<string, unknown> = {}
    for (const [name, parameter] of Object.entries(known)) {
      const text = texts[name]
      values[name] =
        text === undefined
          ? parameter.fallback
          : yield* Either.mapLeft(parameter.parse(text), (why) => invalid(job, name, why))
    }
    const trigger = texts.trigger === undefined ? options.trigger : yield* triggerOf(job, texts.trigger)
    const startAt = (texts.startAt ?? options.startAt ?? "earliest") as "earliest" | "latest"
    if (startAt !== "earliest" && startAt !== "latest")
      yield* Either.left(invalid(job, "startAt", `'${startAt}' is neither 'earliest' nor 'latest'`))
    const maxPerEpoch = values.maxPerEpoch as number
    if (maxPerEpoch < 0) yield* Either.left(invalid(job, "maxPerEpoch", "it must not be negative"))
    const recomputes = options.recomputes ?? false
    if (recomputes) yield* Recomputing.checkSettings(job, { trigger, startAt, maxPerEpoch })
    const own = Object.fromEntries(Object.keys(options.parameters).map((name) => [name, values[name]]))
    const outputs = yield* outputsOf(job, own, texts, () => options.outputs(own as never))
    const topology = yield* topologyOf(job, outputs, {
      ...(texts.maxOutOfOrderness === undefined
        ? Recomputing.overrides(recomputes)
        : { maxOutOfOrdernessMillis: Duration.toMillis(values.maxOutOfOrderness as Duration.Duration) }),
      ...(texts.allowedLateness === undefined
        ? {}
        : { allowedLatenessMillis: Duration.toMillis(values.allowedLateness as Duration.Duration) })
    })
    const fallbacks: Record<string, string> = {
      ...writtenIn(yield* topologyOf(job, outputs, Recomputing.overrides(recomputes))),
      trigger: Trigger.toText(options.trigger),
      startAt: options.startAt ?? "earliest"
    }
    yield* Recomputing.checkSinks(job, topology, recomputes)
    const inForce: Record<string, string> = { ...writtenIn(topology), trigger: Trigger.toText(trigger), startAt }
    return {
      topology,
      trigger,
      startAt,
      maxPerEpoch: maxPerEpoch === 0 ? null : maxPerEpoch,
      settings: Object.entries(known).map(([name, parameter]) => ({
        name,
        type: name === "trigger" ? "duration" : parameter.type,
        value: inForce[name] ?? parameter.format(values[name] as never),
        fallback: fallbacks[name] ?? parameter.format(parameter.fallback as never),
        meaning: parameter.meaning
      }))
    }
  })

/** What is wrong with a job is that job's fault alone: whoever hosts others too goes on. */
const topologyOf = (
  job: string,
  outputs: Outputs,
  overrides: Topology.Overrides = {}
): Either.Either<Topology.Topology, InvalidJob> =>
  Either.try({ try: () => Topology.make(job, listOf(outputs), overrides), catch: (error) => unmade(job, error) })

const unmade = (job: string, error: unknown): InvalidJob =>
  error instanceof InvalidJob
    ? error
    : new InvalidJob({
        job,
        message: `Job ${job} cannot be made: ${error instanceof Error ? error.message : String(error)}`,
        hint: "Mend what its outputs are made of, in the module of the job."
      })

/** A job's text that refuses a value that a person has set, such as a window of 0, blames the value. */
const outputsOf = (
  job: string,
  own: Readonly<Record<string, unknown>>,
  texts: Readonly<Record<string, string>>,
  outputs: () => Outputs
): Either.Either<Outputs, InvalidParameter | InvalidJob> => {
  const set = Object.entries(texts).filter(([name]) => Object.hasOwn(own, name))
  try {
    return Either.right(outputs())
  } catch (error) {
    if (!(error instanceof RangeError) || set.length === 0) return Either.left(unmade(job, error))
    const said = set.map(([name, text]) => `${name}=${text}`).join(", ")
    return Either.left(
      new InvalidParameter({
        parameter: set.map(([name]) => name).join(", "),
        message: `Job ${job} cannot be made with ${said}: ${error.message}`,
        hint: `\`weir explain ${job}\` lists all parameters with their types and defaults.`
      })
    )
  }
}

const listOf = (outputs: Outputs): ReadonlyArray<Output<unknown, unknown>> =>
  "hasSink" in outputs ? [outputs] : outputs

/** What the job's own text says of the parameters that every job has. */
const writtenIn = (topology: Topology.Topology): Record<string, string> => {
  const said = (values: ReadonlyArray<number>) =>
    [...new Set(values)].map((millis) => Duration.format(millis)).join(", ") || "-"
  return {
    maxOutOfOrderness: said(
      topology.nodes.flatMap(({ spec }) => (spec.kind === "eventTime" ? [spec.maxOutOfOrdernessMillis] : []))
    ),
    allowedLateness: said(
      topology.nodes.flatMap(({ spec }) => (Topology.takesLateness(spec) ? [spec.allowedLatenessMillis] : []))
    )
  }
}

const triggerOf = (job: string, text: string): Either.Either<Trigger.Trigger, InvalidParameter> => {
  if (text === "availableNow") return Either.right(Trigger.availableNow)
  const interval = Parameter.parseDuration(text)
  return interval === null || Duration.toMillis(interval) < 1
    ? Either.left(
        invalid(
          job,
          "trigger",
          `'${text}' is neither a duration of at least 1 millisecond, such as '1 second', nor 'availableNow'`
        )
      )
    : Either.right(Trigger.every(interval))
}

const invalid = (job: string, parameter: string, why: string) =>
  new InvalidParameter({
    parameter,
    message: `Job ${job}: parameter '${parameter}': ${why}`,
    hint: `\`weir explain ${job}\` lists all parameters with their types and defaults.`
  })

const unknown = (job: string, parameter: string, known: ReadonlyArray<string>) =>
  new InvalidParameter({
    parameter,
    message: `Job ${job} has no parameter '${parameter}'`,
    hint: `It has: ${known.join(", ")}.`
  })
