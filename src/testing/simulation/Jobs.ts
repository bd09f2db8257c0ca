/** The jobs of a world: what each reads and writes, and which of them reads what another writes. */
import { Either } from "effect"
import type { Job } from "../../flow/Job.ts"
import type { LetterKind } from "../../flow/Letters.ts"
import type { Reachable } from "./Stage.ts"

/** A job, as it is to run. */
export interface SimulatedJob {
  readonly job: Job<unknown, Reachable>
  /** Parameters by name, as text. */
  readonly set: Readonly<Record<string, string>>
}

/** What a job reads and writes, by name: topics and tables. */
export interface Ends {
  readonly sources: ReadonlyArray<string>
  readonly sinks: ReadonlyArray<string>
  /** Sinks of what its steps set aside. */
  readonly letters: Readonly<Record<string, LetterKind>>
}

export const endsOf = ({ job, set }: SimulatedJob): Ends => {
  const { nodes } = Either.getOrThrowWith(job.configure(set), (error) => error).topology
  const specs = nodes.map(({ spec }) => spec)
  const sinks = specs.flatMap((spec) => (spec.kind === "sink" ? [spec.sink] : []))
  return {
    sources: specs.flatMap((spec) => (spec.kind === "source" ? [spec.source.name] : [])),
    sinks: sinks.map(({ name }) => name),
    letters: Object.fromEntries(
      sinks.flatMap(({ letters, name }) => (letters === undefined ? [] : [[name, letters.kind]]))
    )
  }
}

/** Names of what several of them write to. */
export const shared = (jobs: ReadonlyArray<SimulatedJob>): ReadonlyArray<string> => {
  const sinks = jobs.flatMap((one) => endsOf(one).sinks)
  return [...new Set(sinks.filter((sink, i) => sinks.indexOf(sink) !== i))]
}

/** Those that read what another writes stand behind it; the others stay in their order. */
export const inOrder = <J extends SimulatedJob>(jobs: ReadonlyArray<J>): ReadonlyArray<J> => {
  const left = jobs.map((one) => ({ one, ...endsOf(one) }))
  const ordered: Array<J> = []
  while (left.length > 0) {
    const next = left.findIndex(
      ({ sources }) => !left.some(({ sinks }) => sinks.some((sink) => sources.includes(sink)))
    )
    if (next < 0) throw new TypeError(circle(left.map(({ one }) => one.job.name)))
    ordered.push(...left.splice(next, 1).map(({ one }) => one))
  }
  return ordered
}

const circle = (names: ReadonlyArray<string>): string =>
  `Simulate: what is to be found cannot be computed where jobs read what they write, in a circle: ${names.join(", ")}`
