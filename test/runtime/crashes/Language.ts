/** What the jobs of the cases begin with. */
import { Schema } from "effect"
import { Topic } from "../../../src/connectors/topic/index.ts"
import type { Tables } from "../../../src/flow/Tables.ts"
import type { Topics } from "../../../src/flow/Topics.ts"
import { Flow, InstantFromMillis, Job, Trigger } from "../../../src/index.ts"
import type { Case } from "./Case.ts"
import { outOfOrderMillis } from "./Records.ts"

export const Event = Schema.Struct({
  id: Schema.Int,
  key: Schema.String,
  at: InstantFromMillis,
  value: Schema.Int
})
export type Event = typeof Event.Type

/** Its epochs are cut by the number of records alone. */
export const job =
  (outputs: (now: () => number) => ReadonlyArray<Flow.Output<unknown, Tables | Topics>>): Case["job"] =>
  (now) =>
    Job.make("case", { parameters: {}, trigger: Trigger.every("1 day"), outputs: () => outputs(now) }) as never

/** The events of a topic, without a time. */
export const plain = (topic = "events") => Flow.from(Topic.source(topic)).pipe(Flow.decode(Event))

export const events = (topic = "events") =>
  plain(topic).pipe(Flow.eventTime((event) => event.at, { maxOutOfOrderness: `${outOfOrderMillis} millis` }))
