/**
 * What a replay did or will do with each dead letter of a job: told from how far the last checkpoint has come, and from
 * the newer letters of the same record.
 */
import type { Manifest } from "../checkpoint/Checkpoint.ts"
import type { Topology } from "../flow/Topology.ts"
import * as Limits from "../model/Limits.ts"

/**
 * `next`: the next replay puts it through; `done`: it was put through, or a reset has left it behind; `failed again`: it
 * was, and there is a newer letter of its record; `kept`: a row without its record, which cannot be put through.
 */
export type LetterReplay = "next" | "done" | "failed again" | "kept"

/** A letter by its place in its topic, and what its headers say. */
export interface Placed {
  readonly topic: string
  readonly record: { readonly partition: number; readonly offset: number }
  readonly about: Readonly<Record<string, string>>
}

/** Was it set aside by an epoch that the job gave up when it went back to a savepoint? Its record is read again. */
export const isAbandoned = ({ about }: Placed, manifest: Manifest | null): boolean =>
  (manifest?.abandoned ?? []).some(
    ({ after, through }) => Number(about.epoch) > after && Number(about.epoch) <= through
  )

/**
 * Answers for the letters of one partition, asked from the newest to the oldest: all of the job's, each once. Compares
 * with the newest `Limits.lettersComparedMax` of them.
 */
export const make = (topology: Topology, manifest: Manifest | null): ((letter: Placed) => LetterReplay) => {
  const newer = new Map<string, Array<Failure>>()
  const leads = leadsOf(topology)
  let compared = 0
  return (letter) => {
    const { about, record, topic } = letter
    const place = `${about.source} ${about.partition}/${about.offset}`
    const own: Failure = { epoch: Number(about.epoch), step: about.step ?? "", row: about.row ?? null }
    const others = newer.get(place) ?? []
    if (compared < Limits.lettersComparedMax) {
      compared += 1
      newer.set(place, [...others, own])
    }
    if (about.reason === "refused row" || about.holds === "row" || about.offset === undefined) return "kept"
    const isAgain = (other: Failure): boolean =>
      other.epoch > own.epoch && (own.row === null || own.row === other.row) && leads(own.step, other.step)
    if (others.some(isAgain)) return "failed again"
    if (manifest === null) return "done"
    const cuts = (manifest.replays ?? []).filter((cut) => cut.sink === topic && cut.partition === record.partition)
    const cut = cuts.find(({ source }) => source === about.source) ?? cuts[0]
    return cut !== undefined && record.offset < cut.offset ? "done" : "next"
  }
}

// Private

interface Failure {
  readonly epoch: number
  readonly step: string
  readonly row: string | null
}

/** Does what a step lets go come to another one, or is it that? One that the job no longer has led anywhere. */
const leadsOf = ({ edges, nodes }: Topology): ((from: string, to: string) => boolean) => {
  const below = new Map<string, ReadonlySet<string>>()
  return (from, to) => {
    if (nodes.every(({ id }) => id !== from)) return true
    let found = below.get(from)
    if (found === undefined) {
      const all = new Set([from])
      for (const id of all) for (const edge of edges) if (edge.from === id) all.add(edge.to)
      found = all
      below.set(from, found)
    }
    return found.has(to)
  }
}
