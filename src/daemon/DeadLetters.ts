/** What a job has set aside, as its topics keep it: to be looked at, and to be put through the job again. */
import { Effect } from "effect"
import type { Manifest, ReplayCounts } from "../checkpoint/Checkpoint.ts"
import type { LetterKind } from "../flow/Letters.ts"
import type { StoredRecord, TopicDescription, TopicsError, TopicsService } from "../flow/Topics.ts"
import type { Topology } from "../flow/Topology.ts"
import * as LetterReplay from "./LetterReplay.ts"

/** One that was set aside, as `weir dead-letters` shows it. */
export interface DeadLetter {
  readonly topic: string
  readonly record: StoredRecord
  /** Values of the `weir.*` headers by name without the prefix: job, step, reason, cause, source, partition, offset, … */
  readonly about: Readonly<Record<string, string>>
  /** `null` for late events: they are not replayed. */
  readonly replay: LetterReplay.LetterReplay | null
}

/** Which of them. */
export interface Wanted {
  readonly last: number
  /** Late events instead of records that could not be used. */
  readonly late?: boolean | undefined
  readonly step?: string | undefined
  readonly reason?: string | undefined
}

/** What became of dead letters that were put through the job again. */
export interface ReplayAnswer {
  readonly replayed: number
  /** Used: neither late nor dead letters again. */
  readonly succeeded: number
  readonly late: number
  readonly deadLetters: number
  /** Rows that a sink refused, and records of a step that the job no longer has: they are kept, and not put through. */
  readonly skipped: number
}

/** The names of the topics to which a job sets aside what is of one kind. */
export const topicsOf = (topology: Topology, kind: LetterKind): ReadonlyArray<string> => [
  ...new Set(
    topology.nodes.flatMap(({ spec }) =>
      spec.kind === "sink" && spec.sink.letters?.kind === kind ? [spec.sink.name] : []
    )
  )
]

/**
 * The newest that a job set aside, oldest first; without those of epochs that it gave up when it went back to a
 * savepoint: their records are read again.
 */
export const newest = (
  job: { readonly name: string; readonly topology: Topology; readonly manifest: Manifest | null },
  topics: TopicsService,
  wanted: Wanted
): Effect.Effect<ReadonlyArray<DeadLetter>, TopicsError> =>
  Effect.gen(function* () {
    const names = topicsOf(job.topology, wanted.late === true ? "late" : "dead letters")
    const known = (yield* topics.list).filter(({ topic }) => names.includes(topic))
    const isOwn = (letter: LetterReplay.Placed): boolean =>
      letter.about.job === job.name && !LetterReplay.isAbandoned(letter, job.manifest)
    const isWanted = ({ about }: DeadLetter): boolean =>
      (wanted.step === undefined || about.step === wanted.step) &&
      (wanted.reason === undefined || about.reason === wanted.reason)
    const choose = () => {
      const replayOf = wanted.late === true ? () => null : LetterReplay.make(job.topology, job.manifest)
      return (letter: Omit<DeadLetter, "replay">): ReadonlyArray<DeadLetter> => {
        if (!isOwn(letter)) return []
        const shown: DeadLetter = { ...letter, replay: replayOf(letter) }
        return isWanted(shown) ? [shown] : []
      }
    }
    const found = yield* Effect.forEach(known, (topic) => newestOf(topics, topic, choose, wanted.last))
    return found
      .flat()
      .sort((a, b) => a.record.timestamp - b.record.timestamp)
      .slice(-wanted.last)
  })

export const answerOf = ({ deadLetters, late, records, skipped }: ReplayCounts): ReplayAnswer => ({
  replayed: records,
  succeeded: Math.max(0, records - late - deadLetters),
  late,
  deadLetters,
  skipped
})

// Private

/** Records that are looked at in one step, from the end backwards. */
const stepRecords = 500

const newestOf = (
  topics: TopicsService,
  { partitions, topic }: TopicDescription,
  choose: () => (letter: Omit<DeadLetter, "replay">) => ReadonlyArray<DeadLetter>,
  last: number
): Effect.Effect<ReadonlyArray<DeadLetter>, TopicsError> =>
  Effect.map(
    Effect.forEach(partitions, ({ latest, oldest, partition }) =>
      Effect.gen(function* () {
        const chosen = choose()
        let found: ReadonlyArray<DeadLetter> = []
        for (let end = latest; end > oldest && found.length < last; end = Math.max(oldest, end - stepRecords)) {
          const from = Math.max(oldest, end - stepRecords)
          const records = yield* topics.fetch(topic, partition, from, end - from)
          const letters = records
            .filter((record) => record.offset < end)
            .reverse()
            .flatMap((record) => chosen({ topic, record, about: aboutOf(record.headers) }))
          found = [...letters.reverse(), ...found]
        }
        return found.slice(-last)
      })
    ),
    (all) => all.flat()
  )

const text = new TextDecoder()

const aboutOf = (headers: StoredRecord["headers"]): Readonly<Record<string, string>> =>
  Object.fromEntries(
    headers.flatMap(({ name, value }) =>
      name.startsWith("weir.") ? [[name.slice("weir.".length), text.decode(value)]] : []
    )
  )
