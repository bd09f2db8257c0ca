/** Events that a job could not use, as records of a topic. */
import type { Sink, SinkError } from "../../flow/Sink.ts"
import type { ProducedRecord, Topics } from "../../flow/Topics.ts"
import type { Header, Invalid } from "../../model/Event.ts"
import type { AppendOnly } from "./TopicSink.ts"
import * as TopicWriter from "./TopicWriter.ts"

/** Characters of a cause that are kept. */
const causeMax = 2_000

/**
 * Keeps the raw bytes and the key of an event as they came; headers `weir.…` say which job and step refused it, why,
 * when, and where it was read. A topic that is not there yet is created with four partitions.
 */
export const deadLetter = (topic: string): Sink<Invalid, SinkError, Topics, AppendOnly> => ({
  name: topic,
  label: `topic ${topic}`,
  guarantee: "exactly once",
  replaces: false,
  key: [],
  clear: null,
  open: (opening) =>
    TopicWriter.open(topic, opening, (batch, i, { barrier }): ProducedRecord => {
      const { event, step, reason, cause } = batch.values[i] as Invalid
      return {
        key: event.key,
        value: event.value,
        headers: [
          header("weir.job", opening.job),
          header("weir.step", step),
          header("weir.reason", reason),
          header("weir.cause", cause.length > causeMax ? `${cause.slice(0, causeMax)}…` : cause),
          header("weir.source", batch.origin),
          header("weir.partition", String(event.partition)),
          header("weir.offset", String(event.offset)),
          header("weir.timestamp", String(event.timestamp)),
          header("weir.epoch", String(barrier.epoch)),
          header("weir.closedAt", String(barrier.closedAt))
        ]
      }
    })
})

// Private

const utf8 = new TextEncoder()
const header = (name: string, value: string): Header => ({ name, value: utf8.encode(value) })
