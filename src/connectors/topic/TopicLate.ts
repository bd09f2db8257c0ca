/** Events that came after their window had closed, as records of a topic. */
import type { Sink, SinkError, SinkOpening } from "../../flow/Sink.ts"
import type { Topics } from "../../flow/Topics.ts"
import { type RawEvent, rawEventAt } from "../../model/Event.ts"
import type { Batch } from "../../model/Message.ts"
import { formatInstant } from "../../model/Time.ts"
import { letters, recordOf } from "./TopicLetters.ts"
import type { AppendOnly } from "./TopicSink.ts"
import * as TopicWriter from "./TopicWriter.ts"

/**
 * Keeps the raw bytes and the key of the records of late events as they came; headers `weir.…` say which job and step
 * set them aside, and where they were read. An event whose record is gone, as that of a row of a window, is kept as JSON.
 * A topic that is not there yet is created with four partitions.
 *
 * `weir dead-letters <job> --late` shows them. They are not put through the job again: their windows are forgotten, and
 * with a longer `allowedLateness` new ones would begin in their place, whose rows lack what the old ones had counted.
 */
export const late = (topic: string): Sink<unknown, SinkError, Topics, AppendOnly> => ({
  name: topic,
  label: `topic ${topic}`,
  guarantee: "exactly once",
  replaces: false,
  key: [],
  clear: null,
  letters: letters(topic, "late"),
  open: (opening) =>
    TopicWriter.open(topic, opening, (batch, i, { barrier }) => {
      const isRow = batch.records === null || batch.recordIndexes === null
      return recordOf(isRow ? rowOf(batch, i) : rawEventAt(batch.records, batch.recordIndexes[i]!), {
        job: opening.job,
        step: stepOf(opening),
        reason: "late",
        cause: causeOf(batch, i),
        source: batch.origin,
        row: batch.rows?.[i] ?? null,
        isRow,
        barrier
      })
    })
})

// Private

const utf8 = new TextEncoder()

const stepOf = ({ lateOf, sink }: SinkOpening): string => lateOf ?? sink

const causeOf = (batch: Batch, i: number): string =>
  batch.eventTimes === null ? "it is late" : `its window was closed: it is of ${formatInstant(batch.eventTimes[i]!)}`

const rowOf = (batch: Batch, i: number): RawEvent => ({
  key: null,
  value: utf8.encode(
    JSON.stringify(batch.values[i], (_, field) => (typeof field === "bigint" ? String(field) : field)) ?? "null"
  ),
  partition: batch.partition,
  offset: batch.offsets[i]!,
  timestamp: batch.openedAt
})
