/** Events that a job could not use, as records of a topic. */
import type { Sink, SinkError } from "../../flow/Sink.ts"
import type { Topics } from "../../flow/Topics.ts"
import type { Invalid } from "../../model/Event.ts"
import { letters, recordOf } from "./TopicLetters.ts"
import type { AppendOnly } from "./TopicSink.ts"
import * as TopicWriter from "./TopicWriter.ts"

/**
 * Keeps the raw bytes and the key of an event as they came; headers `weir.…` say which job and step refused it, why,
 * when, and where it was read. A topic that is not there yet is created with four partitions.
 *
 * `weir dead-letters <job>` shows them, `--replay` puts them through the job again. A row that a sink refused is kept
 * as JSON, with the place of its record where the row has one: it can be looked at, not replayed.
 */
export const deadLetter = (topic: string): Sink<Invalid, SinkError, Topics, AppendOnly> => ({
  name: topic,
  label: `topic ${topic}`,
  guarantee: "exactly once",
  replaces: false,
  key: [],
  clear: null,
  letters: letters(topic, "dead letters"),
  open: (opening) =>
    TopicWriter.open(topic, opening, (batch, i, { barrier }) => {
      const { cause, event, origin, reason, row, step } = batch.values[i] as Invalid
      const isRefused = reason === "refused row"
      return recordOf(event, {
        job: opening.job,
        step,
        reason,
        cause,
        source: origin ?? batch.origin,
        row: isRefused ? (row ?? null) : (batch.rows?.[i] ?? null),
        isRow: isRefused,
        barrier
      })
    })
})
