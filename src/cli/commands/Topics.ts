/** `weir topics`, `weir topics create`. */
import { Duration, Effect } from "effect"
import * as Parameter from "../../flow/Parameter.ts"
import { WrongUsage } from "../../model/Errors.ts"
import * as Output from "../Output.ts"
import { Process } from "../Process.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"

/** Partitions of a topic for which none are said. */
const partitionsDefault = 4

export const topics = Usage.command(
  "topics",
  "lists the topics and what they hold; `weir topics create` makes one",
  { format: Output.format, data: Session.data },
  ({ format, data }) =>
    Session.use({ data }, (weir) =>
      Effect.gen(function* () {
        const all = yield* weir.topics
        yield* Output.print(format, {
          columns: ["topic", "partitions", "records", "oldest", "latest", "retention"],
          rows: all.map(({ topic, partitions, retentionMillis }) => [
            topic,
            partitions.length,
            partitions.reduce((sum, { oldest, latest }) => sum + latest - oldest, 0),
            partitions.map(({ oldest }) => oldest).join(" "),
            partitions.map(({ latest }) => latest).join(" "),
            retentionMillis === null ? null : Duration.format(retentionMillis)
          ]),
          values: all
        })
        return 0
      })
    )
)

export const createTopic = Usage.command(
  "topics create",
  "makes a topic",
  {
    topic: Usage.argument("topic", "its name"),
    partitions: Usage.whole("partitions", "N", `how many partitions it has, for good (default: ${partitionsDefault})`),
    retention: Usage.text("retention", "DURATION", "how long records are kept, such as '7 days' (default: for ever)"),
    data: Session.data
  },
  ({ topic, partitions, retention, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const kept = retention === undefined ? null : Parameter.parseDuration(retention)
      if (retention !== undefined && (kept === null || Duration.toMillis(kept) < 1))
        return yield* new WrongUsage({
          message: `--retention '${retention}' is no duration`,
          hint: "Write a number and a unit, such as '7 days' or '12 hours'."
        })
      const count = partitions ?? partitionsDefault
      if (count < 1)
        return yield* new WrongUsage({
          message: `--partitions ${count}: a topic has at least one partition`,
          hint: `Leave it out for ${partitionsDefault}.`
        })
      yield* Session.use({ data }, (weir) =>
        weir.create(topic, { partitions: count, retentionMillis: kept === null ? null : Duration.toMillis(kept) })
      )
      yield* process.print(`topic ${topic} created with ${count} partitions\n`)
      return 0
    })
)
