/**
 * Can this code take up what a checkpoint holds? Compares the marks of a manifest with those of a plan, without starting
 * anything: `weir check` shows the verdict, and every start is judged by it before anything is opened.
 *
 * What would be lost without a word refuses the start: the state of a step that is gone or keeps something else, the
 * offsets of a source that is gone, the rows of a fixed lookup that would be read as something else. Whoever wants to
 * lose it names it (`dropState`).
 */
import type { LookupMark, Manifest, StepMark } from "../checkpoint/Checkpoint.ts"
import type { Configured, Job } from "../flow/Job.ts"
import type { TopologyNode } from "../flow/Topology.ts"
import { StateMismatch, WrongUsage } from "../model/Errors.ts"
import type { LookupVersions } from "../model/Message.ts"
import * as Suggestion from "../model/Suggestion.ts"
import type { Migrating } from "../operator/Operator.ts"
import * as Chain from "./Chain.ts"
import * as Graph from "./Graph.ts"
import * as Plan from "./Plan.ts"
import * as RestorableLookups from "./RestorableLookups.ts"

/**
 * `kept`: goes on; `migrated`: goes on in another form; `new`: begins empty; `dropped`: this code has it no more;
 * `changed`: this code keeps something else, and no migration leads there.
 */
export type Fate = "kept" | "migrated" | "new" | "dropped" | "changed"

/** What happens to one part of a job. */
export interface Part {
  readonly part: "step" | "source" | "sink" | "lookup"
  readonly id: string
  readonly fate: Fate
  /** What that means, for a person. */
  readonly says: string
  /** Would something be lost that nobody has allowed to be lost, or something come out wrong? */
  readonly refuses: boolean
  /** Does it go on without what a person may expect of it? */
  readonly warns?: boolean
  /** The steps that would have to begin empty too; absent: it can be lost alone. */
  readonly with?: ReadonlyArray<string>
}

export interface Verdict {
  readonly job: string
  /** The epoch of the checkpoint; `null`: there is none, the job begins anew. */
  readonly epoch: number | null
  readonly parts: ReadonlyArray<Part>
  /** Why a start is refused; `null`: it is not. */
  readonly refusal: StateMismatch | null
  /** What a start tells that is not refused: a sentence each. */
  readonly warnings: ReadonlyArray<string>
  /** How the steps that are migrated take up their state, by id. */
  readonly migrating: ReadonlyMap<string, Migrating>
}

/** What a checkpoint says of itself. */
export interface Kept {
  readonly epoch: number
  readonly sources: ReadonlyArray<{ readonly source: string }>
  readonly sinks: ReadonlyArray<{ readonly sink: string }>
  readonly steps: ReadonlyArray<StepMark>
  /** Absent: the job had no lookups. */
  readonly lookups?: LookupVersions | undefined
  /** Absent: it is not said how their rows were written. */
  readonly lookupMarks?: ReadonlyArray<LookupMark> | undefined
}

/** What a code would run. */
export interface Code {
  readonly job: string
  readonly steps: ReadonlyArray<StepMark>
  readonly sources: ReadonlyArray<string>
  readonly sinks: ReadonlyArray<string>
  readonly lookups: ReadonlyArray<RestorableLookups.UsedLookup>
  readonly startAt: "earliest" | "latest"
  readonly migrate: (was: StepMark) => Migrating | null
  /** The steps whose rows a step takes back, by its id. */
  readonly over?: ReadonlyMap<string, ReadonlyArray<string>>
  /** By sink, the steps without windows that give it a row for each of their keys, and again only when that changes. */
  readonly standing?: ReadonlyMap<string, ReadonlyArray<string>>
}

/** What a job would run; throws `InvalidJob` for one that cannot. */
export const codeOf = (job: Job, configured: Configured): Code => {
  const plan = Plan.make(configured.topology, { job: job.name, triggerMillis: 0 })
  return codeFrom(job, configured, { plan, chains: plan.chains.map(Chain.make) })
}

/** The same of a job that is planned already. */
export const codeFrom = (
  job: Job,
  configured: Configured,
  { chains, plan }: { readonly plan: Plan.Plan; readonly chains: ReadonlyArray<Chain.Chain> }
): Code => ({
  job: job.name,
  steps: chains.flatMap(({ marks }) => marks),
  sources: plan.sources.map(({ id }) => id),
  sinks: plan.sinks.map(({ id }) => id),
  lookups: RestorableLookups.usedBy(job, configured),
  startAt: configured.startAt,
  over: new Map(plan.chains.flatMap(({ operators }) => operators.map(({ id, over = [] }) => [id, over] as const))),
  standing: standingOf(Graph.make(configured.topology, job.name)),
  migrate: (was) => {
    const migrations = Object.hasOwn(job.migrations, was.step) ? job.migrations[was.step]! : []
    for (const chain of chains) {
      const found = chain.migrate(was, migrations)
      if (found !== null) return found
    }
    return null
  }
})

/** `dropState`: ids of steps, sources and lookups that may begin without what was kept of them. */
export const judge = (kept: Kept | null, code: Code, dropState: ReadonlyArray<string> = []): Verdict => {
  const migrating = new Map<string, Migrating>()
  const all = [
    ...stepParts(kept, code, migrating),
    ...RestorableLookups.partsOf(kept, code.lookups),
    ...sourceParts(kept, code),
    ...sinkParts(kept, code)
  ]
  const parts = withUnfilledSinks(
    withoutUnseenRows(
      all.map((part) => (dropState.includes(part.id) ? lost(part) : part)),
      code
    ),
    kept,
    code
  )
  const refusing = parts.filter((part) => part.refuses)
  return {
    job: code.job,
    epoch: kept?.epoch ?? null,
    parts,
    refusal: refusing.length === 0 || kept === null ? null : refusalOf(kept, code, refusing),
    warnings: parts.flatMap(({ id, part, says, warns }) =>
      warns === true ? [`Job ${code.job}: ${part} '${id}' is new and ${says}.`] : []
    ),
    migrating
  }
}

/** The ids that may be given to `dropState`: what the checkpoint or the code has of steps, sources and lookups. */
export const droppable = ({ parts }: Verdict): ReadonlyArray<string> =>
  parts.flatMap(({ id, part }) => (part === "sink" ? [] : [id]))

/** Refuses an id that nobody has: whoever wrote it meant another. `null`: each is known. */
export const misnamed = (known: ReadonlyArray<string>, dropState: ReadonlyArray<string>): WrongUsage | null => {
  const id = dropState.find((one) => !known.includes(one))
  return id === undefined
    ? null
    : new WrongUsage({
        message: `There is no step, source or lookup '${id}' to drop the state of`,
        hint: `${Suggestion.sentence(id, [...new Set(known)])} \`weir check <job>\` lists them.`
      })
}

/** What a manifest says, without the state and the versions of lookups that this code does not take up. */
export const pruned = (manifest: Manifest, { parts }: Verdict): Manifest => {
  const lives = livesOf(parts)
  const lookups = RestorableLookups.versionsOf(manifest, parts)
  const state = manifest.state.filter(({ step }) => lives.has(step))
  return { ...manifest, state, ...(lookups === undefined ? {} : { lookups }) }
}

// Private

/** What is allowed to be lost: also what could have been kept. */
const lost = (part: Part): Part => {
  if (part.refuses) return { ...part, refuses: false, says: `${part.says}; it is allowed to be lost` }
  const isTaken = part.part === "step" && (part.fate === "kept" || part.fate === "migrated")
  return isTaken ? { ...part, fate: "dropped", says: "begins empty: what was kept of it is allowed to be lost" } : part
}

/**
 * A step and those whose rows it takes back go on together, or begin empty together: else it would take back rows that
 * it never saw, or keep rows that nobody takes back.
 */
const withoutUnseenRows = (parts: ReadonlyArray<Part>, { over, steps }: Code): ReadonlyArray<Part> => {
  const lives = livesOf(parts)
  return parts.map((part): Part => {
    const above = steps.some(({ step }) => step === part.id) ? (over?.get(part.id) ?? []) : []
    const going = above.filter((id) => lives.has(id) !== lives.has(part.id))
    if (part.part !== "step" || part.refuses || going.length === 0) return part
    return lives.has(part.id)
      ? { ...part, refuses: true, says: `it would keep rows of ${quoted(going)}, which begins empty`, with: [] }
      : {
          ...part,
          refuses: true,
          says: `it would begin empty, and be asked to take back rows of ${quoted(going)} that it never saw`,
          with: going
        }
  })
}

/**
 * What a step already keeps comes to a sink only as it changes: one that is new lacks the rest for ever. The manifest
 * that begins a lineage names no sink yet: there, none is known to be new.
 */
const withUnfilledSinks = (
  parts: ReadonlyArray<Part>,
  kept: Kept | null,
  { job, standing }: Code
): ReadonlyArray<Part> => {
  if (kept === null || kept.sinks.length === 0) return parts
  const lives = livesOf(parts)
  return parts.map((part): Part => {
    const going = (standing?.get(part.id) ?? []).filter((id) => lives.has(id))
    if (part.part !== "sink" || part.fate !== "new" || going.length === 0) return part
    const says = `${part.says}: of ${quoted(going)} it lacks every key that does not change from then on. Only a run from the beginning fills it: \`weir reset ${job} --tables\``
    return { ...part, says, warns: true }
  })
}

const standingOf = (graph: Graph.Graph): ReadonlyMap<string, ReadonlyArray<string>> => {
  const above = (node: TopologyNode): ReadonlyArray<string> =>
    graph.producers(node).flatMap(({ node: from, port }) => {
      if (from.spec.kind === "aggregate") return port === "out" && graph.grouping(from).window === null ? [from.id] : []
      return Graph.keepsRows(from.spec.kind) ? [] : above(from)
    })
  return new Map(graph.ofKind("sink").map((sink) => [sink.id, [...new Set(above(sink))]]))
}

const livesOf = (parts: ReadonlyArray<Part>): ReadonlySet<string> =>
  new Set(parts.flatMap(({ fate, id, part }) => (part === "step" && isLive(fate) ? [id] : [])))

const isLive = (fate: Fate): boolean => fate === "kept" || fate === "migrated"

const stepParts = (kept: Kept | null, code: Code, migrating: Map<string, Migrating>): ReadonlyArray<Part> => {
  const old = kept?.steps ?? []
  const known = old.map((was): Part => {
    const is = code.steps.find(({ step }) => step === was.step)
    const of = { part: "step", id: was.step } as const
    if (is === undefined)
      return { ...of, fate: "dropped", refuses: true, says: `${goneSays(was)}${renameSays(was, old, code)}` }
    const waits = waitsSays(was, is, code)
    if (waits !== null) return { ...of, fate: "changed", refuses: true, says: waits }
    if (isSame(was, is, code)) return { ...of, fate: "kept", refuses: false, says: "goes on with its state" }
    const way = was.fingerprint === is.fingerprint ? null : code.migrate(was)
    if (way === null) return { ...of, fate: "changed", refuses: true, says: changeSays(was, is) }
    migrating.set(was.step, way)
    return { ...of, fate: "migrated", refuses: false, says: way.says }
  })
  const added = code.steps.flatMap(
    (is): ReadonlyArray<Part> =>
      old.some(({ step }) => step === is.step)
        ? []
        : [{ part: "step", id: is.step, fate: "new", refuses: false, says: "begins empty" }]
  )
  return [...known, ...added]
}

/** The same form, and not of another source that is still read, where a step keeps something of each source. */
const isSame = (was: StepMark, is: StepMark, { sources }: Code): boolean => {
  if (was.fingerprint !== is.fingerprint || recounted(was, is).length > 0) return false
  const left = was.of?.filter((source) => sources.includes(source)) ?? []
  return left.length === 0 || is.of === undefined || left.some((source) => is.of!.includes(source))
}

/** Events that wait are handed in as they were decoded; `null`: none does, or in this form. */
const waitsSays = (was: StepMark, is: StepMark, { job }: Code): string | null =>
  was.waits === undefined || is.waits === undefined || was.waits === is.waits
    ? null
    : `events wait in it that were decoded as ${was.waits}, and this code decodes them as ${is.waits}. The code of before hands them in with \`weir run ${job} --available-now --final\``

/** The columns whose numbers are counted in something else. */
const recounted = (was: StepMark, is: StepMark): ReadonlyArray<string> =>
  Object.entries(was.numbers ?? {}).flatMap(([column, old]) => {
    const now = is.numbers?.[column] ?? old
    return now === old ? [] : [`${column} as ${old}, and this code reads ${column} as ${now}`]
  })

const goneSays = (was: StepMark): string => `this code has no such step (${was.kind})`

/** The step that is most likely the same under a new id. */
const renameSays = (was: StepMark, old: ReadonlyArray<StepMark>, code: Code): string => {
  const renamed = code.steps.find((is) => isSame(was, is, code) && old.every(({ step }) => step !== is.step))
  return renamed === undefined
    ? ""
    : `, but '${renamed.step}' is new and keeps the same: give it the id '${was.step}' again`
}

/** The parts of two fingerprints that differ. */
const changeSays = (was: StepMark, is: StepMark): string => {
  const [old, now] = [was, is].map((mark) => mark.fingerprint.split("; "))
  const differs = (parts: ReadonlyArray<string>, others: ReadonlyArray<string>): string =>
    parts.filter((part) => !others.includes(part)).join("; ")
  const numbers = was.fingerprint === is.fingerprint ? recounted(was, is) : []
  if (numbers.length > 0) return `it was kept of events that were read with ${numbers.join("; ")}`
  if (was.fingerprint === is.fingerprint)
    return `it was kept of ${was.of?.join(", ")}, and is of ${is.of?.join(", ")} here: steps without an id of their own have changed places`
  return `it was kept as ${differs(old!, now!) || was.fingerprint}, and this code keeps ${differs(now!, old!) || is.fingerprint}`
}

const sourceParts = (kept: Kept | null, code: Code): ReadonlyArray<Part> => {
  const old = (kept?.sources ?? []).map(({ source }) => source)
  const added = code.sources.filter((source) => !old.includes(source))
  const also = added.length === 0 ? "" : `; ${quoted(added)} would begin anew`
  return [
    ...old.map((id): Part => {
      const of = { part: "source", id } as const
      return code.sources.includes(id)
        ? { ...of, fate: "kept", refuses: false, says: "goes on where it stood" }
        : {
            ...of,
            fate: "dropped",
            refuses: true,
            says: `this code does not read it: its offsets would be forgotten${also}`
          }
    }),
    ...added.map((id): Part => {
      const from = code.startAt === "latest" ? "its end" : "its beginning"
      return { part: "source", id, fate: "new", refuses: false, says: `is read from ${from} on` }
    })
  ]
}

const sinkParts = (kept: Kept | null, code: Code): ReadonlyArray<Part> => {
  const old = (kept?.sinks ?? []).map(({ sink }) => sink)
  return [
    ...old.map((id): Part => {
      const of = { part: "sink", id, refuses: false } as const
      return code.sinks.includes(id)
        ? { ...of, fate: "kept", says: "goes on" }
        : { ...of, fate: "dropped", says: "this code does not write to it: what it holds stays, and gets no more rows" }
    }),
    ...code.sinks
      .filter((id) => !old.includes(id))
      .map((id): Part => {
        const says = old.length === 0 ? "begins" : `gets the rows after epoch ${kept?.epoch}, and none of before`
        return { part: "sink", id, fate: "new", refuses: false, says }
      })
  ]
}

const refusalOf = (kept: Kept, { job }: Code, refusing: ReadonlyArray<Part>): StateMismatch => {
  const [first, ...more] = refusing as [Part, ...ReadonlyArray<Part>]
  const others = more.length === 0 ? "" : ` (and ${more.length} more: ${quoted(more.map(({ id }) => id))})`
  const drops = refusing.flatMap((part) => [...(part.with ?? []), part.id])
  const way =
    first.with === undefined
      ? "Run the code that made the checkpoint; or say how the old state becomes the new one (`migrations` of the job); or lose it"
      : "Run the code that made the checkpoint; or let all of these steps begin empty, which loses what they keep"
  return new StateMismatch({
    job,
    step: first.id,
    message:
      first.with === undefined
        ? `Job ${job}: what epoch ${kept.epoch} keeps of ${first.part} '${first.id}' cannot be taken up: ${first.says}${others}`
        : `Job ${job}: step '${first.id}' cannot go on after epoch ${kept.epoch}: ${first.says}${others}`,
    hint: `\`weir check ${job}\` shows every step. ${way}: \`weir run ${job} ${[...new Set(drops)].map((id) => `--drop-state ${id}`).join(" ")}\`; or begin a new lineage with \`weir reset ${job}\`.`
  })
}

const quoted = (ids: ReadonlyArray<string>): string => ids.map((id) => `'${id}'`).join(", ")
