/** The records of a topic, as they came. */
import { Effect } from "effect"
import type { Source, SourceError } from "../../flow/Source.ts"
import { Topics } from "../../flow/Topics.ts"
import type { RawEvent } from "../../model/Event.ts"

/** Reads all partitions of a topic. One that is not there yet is created with four, empty. */
export const source = (topic: string): Source<RawEvent, SourceError, Topics> => ({
  name: topic,
  label: `topic ${topic}`,
  open: Effect.flatMap(Topics, (topics) => topics.reader(topic)).pipe(
    // A reader writes nothing, so it meets no record that is too large.
    Effect.catchTag("RecordTooLarge", (error) => Effect.die(error))
  )
})
