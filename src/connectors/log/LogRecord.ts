/** Whether records can be written at all. */
import { Effect } from "effect"
import type { ProducedRecord } from "../../flow/Topics.ts"
import { RecordTooLarge } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import { headersLength } from "./Frame.ts"

/** The bytes of all, or `RecordTooLarge` for the first that is. */
export const checkSizes = (
  topic: string,
  records: ReadonlyArray<ProducedRecord>
): Effect.Effect<number, RecordTooLarge> => {
  let sum = 0
  for (let i = 0; i < records.length; i++) {
    const { key, value, headers } = records[i]!
    const bytes = (key?.length ?? 0) + value.length
    const beside = headers.length === 0 ? 0 : headersLength(headers)
    if (bytes > Limits.recordBytesMax)
      return Effect.fail(tooLarge(topic, "key and value", bytes, Limits.recordBytesMax))
    if (beside > Limits.headersBytesMax) return Effect.fail(tooLarge(topic, "headers", beside, Limits.headersBytesMax))
    sum += bytes + beside
  }
  return Effect.succeed(sum)
}

const tooLarge = (topic: string, what: string, bytes: number, bytesMax: number) =>
  new RecordTooLarge({
    bytes,
    bytesMax,
    message: `Topic ${topic}: a record has ${bytes} bytes of ${what}, at most ${bytesMax} can be`,
    hint: "Put what is large into a file, and its name into the record."
  })
