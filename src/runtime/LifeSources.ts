/** Opens the sources of a life where its checkpoint stands, each with what is put through it again. */
import { Effect, type Scope } from "effect"
import type { Claim } from "../checkpoint/CheckpointStore.ts"
import type { Configured } from "../flow/Job.ts"
import type { Letter, LetterReader } from "../flow/Letters.ts"
import { patiently } from "../flow/Patience.ts"
import type { SourceError, SourceReader } from "../flow/Source.ts"
import * as Limits from "../model/Limits.ts"
import * as Acknowledgements from "./Acknowledgements.ts"
import type * as Exchange from "./Exchange.ts"
import type { LifeError, LifeOptions } from "./JobLife.ts"
import type * as Plan from "./Plan.ts"
import * as ReplayDesk from "./ReplayDesk.ts"
import * as Replays from "./Replays.ts"
import * as SourceActor from "./SourceActor.ts"

/** The sources of a plan, in its order, of a job that stands where `claim` says. */
export const open = (options: LifeOptions, plan: Plan.Plan, claim: Claim, exchange: Exchange.Exchange) =>
  Effect.flatMap(openLetters(plan), (boxes) =>
    Effect.forEach(plan.sources, (planned) => openSource(options, plan, planned, claim, exchange, boxes))
  )

/** The one epoch of a run that computes its whole result anew. */
const wholeRun = { records: Limits.recomputedRecordsMax, bytes: Limits.recomputedBytesMax }

const openSource = (
  options: LifeOptions,
  plan: Plan.Plan,
  planned: Plan.PlannedSource,
  claim: Claim,
  exchange: Exchange.Exchange,
  boxes: ReadonlyArray<Replays.LetterBox>
) =>
  Effect.gen(function* () {
    const reader = yield* patiently(planned.source.open as Effect.Effect<SourceReader, LifeError, Scope.Scope>)
    const restored = (claim.manifest ?? claim.intents[0])?.partitions.filter((cut) => cut.source === planned.id) ?? []
    if (options.bounded && !options.ends.has(planned.id)) {
      const ends = options.replaysOnly ? restored : yield* reader.partitions
      options.ends.set(
        planned.id,
        new Map(ends.map((end) => [end.partition, "latest" in end ? end.latest : end.offset]))
      )
    }
    const { maxPerEpoch } = options.configured
    const recordsPerEpochMax = maxPerEpoch === null ? null : Math.max(1, Math.ceil(maxPerEpoch / plan.sources.length))
    const acknowledgements = yield* Acknowledgements.make({ job: options.job.name, source: planned.id, reader })
    const source = yield* SourceActor.make({
      id: planned.id,
      reader,
      startAt: options.configured.startAt,
      restored,
      mark: claim.manifest?.sources.find((mark) => mark.source === planned.id) ?? null,
      ends: options.ends.get(planned.id) ?? null,
      recordsPerEpochMax,
      ...(options.job.recomputes ? { epochMax: wholeRun } : {}),
      idleAfterMillis: planned.idleAfterMillis,
      emptyIsIdle: options.bounded && !options.replaysOnly,
      attention: options.attention,
      replays: yield* replaysOf(options, plan, planned, claim, exchange, { boxes, recordsPerEpochMax }),
      send: (message) =>
        Effect.forEach(planned.actors, (actor) => exchange.send(planned.id, actor, message), { discard: true })
    })
    return { ...source, acknowledge: acknowledgements.offer, settled: acknowledgements.settled }
  })

/** What reads the dead letters of the job. Late events are not put through again: their windows are forgotten. */
const openLetters = (plan: Plan.Plan) =>
  Effect.forEach(
    plan.sinks.flatMap(({ id, sink: { letters } }) => (letters?.kind === "dead letters" ? [{ id, letters }] : [])),
    ({ id, letters }) =>
      Effect.map(
        patiently(letters.open as Effect.Effect<LetterReader, LifeError, Scope.Scope>),
        (reader): Replays.LetterBox => ({ sink: id, reader })
      )
  )

const replaysOf = (
  options: LifeOptions,
  plan: Plan.Plan,
  { actors, id }: Plan.PlannedSource,
  claim: Claim,
  exchange: Exchange.Exchange,
  of: Pick<Replays.Options, "boxes" | "recordsPerEpochMax">
): Effect.Effect<Replays.Replays, SourceError> => {
  const known = claim.manifest ?? claim.intents[0]
  const abandoned = claim.manifest?.abandoned ?? []
  const isOwn = (source: string): boolean => plan.sources.some((other) => other.id === source)
  return Replays.make({
    job: options.job.name,
    source: id,
    ...of,
    restored: known === undefined ? null : (known.replays ?? []),
    ends: (cut) => options.desk.ends.get(ReplayDesk.keyOf(cut)) ?? 0,
    // What is of no source of this job cannot be replayed: the first one counts it.
    owns: ({ epoch, source }) =>
      (source === id || (plan.sources[0]?.id === id && !isOwn(source))) &&
      !abandoned.some(({ after, through }) => epoch > after && epoch <= through),
    stepOf: (letter) => (letter.source === id ? stepOf(options.configured, plan, letter) : null),
    send: (records, step) =>
      Effect.forEach(
        actors.filter((actor) => plan.leads(actor, step)),
        (actor) => exchange.send(id, actor, records),
        { discard: true }
      )
  })
}

/** The step that a letter is for: the one that set it aside, or the only one of its kind if that is gone. */
const stepOf = ({ topology }: Configured, plan: Plan.Plan, { reason, source, step }: Letter): string | null => {
  if (step !== source && plan.leads(source, step)) return step
  const decodes = topology.nodes.filter(({ id, spec }) => spec.kind === "decode" && plan.leads(source, id))
  return reason === "undecodable" && decodes.length === 1 ? decodes[0]!.id : null
}
