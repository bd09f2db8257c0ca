/**
 * What was set aside, as records of a topic: key and value are the record's own, headers `weir.…` say which job and
 * step set it aside, why, when, and where it was read.
 */
import { Effect } from "effect"
import type { Letter, LetterKind, LetterReader, Letters } from "../../flow/Letters.ts"
import type { SourceError } from "../../flow/Source.ts"
import { type ProducedRecord, type StoredRecord, Topics } from "../../flow/Topics.ts"
import type { Header, RawEvent } from "../../model/Event.ts"
import type { Barrier } from "../../model/Message.ts"

/** Records of one read: few, since a record may be large. */
const readRecords = 64
/** Characters of a cause that are kept. */
const causeMax = 2_000

/** What the headers of a letter say. */
export interface About {
  readonly job: string
  readonly step: string
  readonly reason: string
  readonly cause: string
  /** The source of the record; of a row that no record is known of, the step that made it. */
  readonly source: string
  readonly row: number | null
  /** Is the value a row as JSON, and the record gone? */
  readonly isRow: boolean
  readonly barrier: Barrier
}

export const recordOf = (event: RawEvent, about: About): ProducedRecord => ({
  key: event.key,
  value: event.value,
  headers: [
    header("weir.job", about.job),
    header("weir.step", about.step),
    header("weir.reason", about.reason),
    header("weir.cause", about.cause.length > causeMax ? `${about.cause.slice(0, causeMax)}…` : about.cause),
    header("weir.source", about.source),
    header("weir.partition", String(event.partition)),
    header("weir.offset", String(event.offset)),
    ...(about.row === null ? [] : [header("weir.row", String(about.row))]),
    ...(about.isRow ? [header("weir.holds", "row")] : []),
    header("weir.timestamp", String(event.timestamp)),
    header("weir.epoch", String(about.barrier.epoch)),
    header("weir.closedAt", String(about.barrier.closedAt))
  ]
})

/** The letters of a topic. */
export const letters = (topic: string, kind: LetterKind): Letters<SourceError, Topics> => ({
  kind,
  open: Effect.map(
    Topics,
    (topics): LetterReader => ({
      partitions: topics.describe(topic).pipe(
        Effect.map(({ partitions }) => partitions),
        Effect.catchTag("UnknownTopic", () => Effect.succeed([])),
        Effect.catchTag("RecordTooLarge", (error) => Effect.die(error))
      ),
      read: (partition, offset) =>
        topics.fetch(topic, partition, offset, readRecords).pipe(
          Effect.map((records) => ({
            letters: records.map(letterOf),
            nextOffset: (records.at(-1)?.offset ?? offset - 1) + 1
          })),
          Effect.catchTag("RecordTooLarge", (error) => Effect.die(error))
        )
    })
  )
})

// Private

const utf8 = new TextEncoder()
const text = new TextDecoder()
const header = (name: string, value: string): Header => ({ name, value: utf8.encode(value) })

/** A record that somebody else wrote to the topic is a letter of no job. */
const letterOf = (record: StoredRecord): Letter => {
  const about = new Map(record.headers.map(({ name, value }) => [name, text.decode(value)]))
  const place = ["weir.partition", "weir.offset", "weir.timestamp"].map((name) => Number(about.get(name) ?? Number.NaN))
  const [partition, offset, timestamp] = place as [number, number, number]
  const row = about.get("weir.row")
  const reason = about.get("weir.reason") ?? ""
  const isRecord = reason !== "refused row" && !about.has("weir.holds") && place.every(Number.isSafeInteger)
  return {
    offset: record.offset,
    job: about.get("weir.job") ?? "",
    source: about.get("weir.source") ?? "",
    step: about.get("weir.step") ?? "",
    reason,
    epoch: Number(about.get("weir.epoch") ?? 0),
    row: row === undefined ? null : Number(row),
    event: isRecord ? { key: record.key, value: record.value, partition, offset, timestamp } : null
  }
}
