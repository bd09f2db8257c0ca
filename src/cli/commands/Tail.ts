/** `weir tail`: the records of a topic, one a line. */
import { Effect, Encoding } from "effect"
import type { StoredRecord } from "../../flow/Topics.ts"
import { WrongUsage } from "../../model/Errors.ts"
import * as Output from "../Output.ts"
import { Process, type ProcessService } from "../Process.ts"
import * as Session from "../Session.ts"
import * as Usage from "../Usage.ts"
import type { WeirService } from "../Weir.ts"

/** Records that are fetched of one partition at once. */
const fetchRecords = 500
/** Milliseconds after which a reader looks again even if nobody told it of a record. */
const lookMillis = 1_000

export const tail = Usage.command(
  "tail",
  "prints records of a topic: partition, offset, timestamp, key, value",
  {
    topic: Usage.argument("topic", "which topic"),
    partition: Usage.whole("partition", "P", "only this partition"),
    offset: Usage.whole("offset", "N", "from this offset on; a negative one counts from the end of each partition"),
    count: Usage.whole("count", "C", "ends after so many records"),
    follow: Usage.flag("follow", "goes on with records as they come"),
    where: Usage.texts("where", "FIELD=VALUE", "only records of JSON whose field has this value"),
    format: Usage.choice("format", ["table", "json", "csv"], "how records are written (default: a line with tabs)"),
    data: Session.data
  },
  ({ topic, partition, offset, count, follow, where, format, data }) =>
    Effect.gen(function* () {
      const process = yield* Process
      const matches = yield* Effect.forEach(where, conditionOf)
      if (count !== undefined && count < 0)
        return yield* new WrongUsage({
          message: `--count ${count} is negative`,
          hint: "Write how many records to print."
        })
      const writer = writerOf(process, format)
      yield* Session.use({ data }, (weir) =>
        Effect.gen(function* () {
          const reading = yield* positions(weir, topic, partition, offset)
          let left = count ?? Number.POSITIVE_INFINITY
          yield* writer.begin
          while (left > 0) {
            const records = yield* nextRecords(weir, topic, reading, follow)
            if (records === null) break
            const wanted = records.filter((record) => matches.every((match) => match(record))).slice(0, left)
            left -= wanted.length
            if (wanted.length > 0) yield* writer.write(wanted)
          }
          yield* writer.end
        })
      )
      return 0
    })
)

/** How far a partition is read, what is fetched of it, and where it ends for a reader that does not follow. */
interface Reading {
  readonly partition: number
  next: number
  readonly end: number
  waiting: ReadonlyArray<StoredRecord>
}

const positions = (weir: WeirService, topic: string, partition: number | undefined, offset: number | undefined) =>
  Effect.gen(function* () {
    const { partitions } = yield* weir.describe(topic)
    const wanted = partitions.filter((range) => partition === undefined || range.partition === partition)
    if (wanted.length === 0)
      return yield* new WrongUsage({
        message: `Topic ${topic} has no partition ${partition}`,
        hint: `Its partitions are 0 to ${partitions.length - 1}.`
      })
    return wanted.map((range): Reading => {
      const from = offset === undefined ? range.oldest : offset < 0 ? range.latest + offset : offset
      return { partition: range.partition, next: Math.max(range.oldest, from), end: range.latest, waiting: [] }
    })
  })

/**
 * The next records over all partitions, oldest first by append time; `null` when all are read to their end. A
 * partition gives way when its fetched records are used up, so that no older record of it is overtaken.
 */
const nextRecords = (
  weir: WeirService,
  topic: string,
  readings: ReadonlyArray<Reading>,
  follow: boolean
): Effect.Effect<ReadonlyArray<StoredRecord> | null, Usage.Failure> =>
  Effect.gen(function* () {
    for (const reading of readings) {
      if (reading.waiting.length > 0 || (!follow && reading.next >= reading.end)) continue
      const records = yield* weir.fetch(topic, reading.partition, reading.next, fetchRecords)
      reading.waiting = follow ? records : records.filter((record) => record.offset < reading.end)
      const last = records.at(-1)
      reading.next = last === undefined ? (follow ? reading.next : reading.end) : last.offset + 1
    }
    const busy = readings.filter((reading) => reading.waiting.length > 0)
    if (busy.length === 0) {
      if (!follow) return null
      yield* Effect.race(weir.changed(topic), Effect.sleep(lookMillis))
      return []
    }
    const until = Math.min(...busy.map((reading) => reading.waiting.at(-1)!.timestamp))
    const records: Array<StoredRecord> = []
    for (const reading of busy) {
      const later = reading.waiting.findIndex((record) => record.timestamp > until)
      const ready = later === -1 ? reading.waiting : reading.waiting.slice(0, later)
      reading.waiting = later === -1 ? [] : reading.waiting.slice(later)
      records.push(...ready)
    }
    return records.sort((a, b) => a.timestamp - b.timestamp || a.partition - b.partition || a.offset - b.offset)
  })

const conditionOf = (text: string): Effect.Effect<(record: StoredRecord) => boolean, WrongUsage> => {
  const at = text.indexOf("=")
  if (at < 1)
    return new WrongUsage({
      message: `--where '${text}' is no condition`,
      hint: "Write a field and its value, such as --where region=AMER."
    })
  const path = text.slice(0, at).split(".")
  const wanted = text.slice(at + 1)
  return Effect.succeed((record) => isValue(fieldOf(decoder.decode(record.value), path), wanted))
}

const fieldOf = (json: string, path: ReadonlyArray<string>): unknown => {
  try {
    let value: unknown = JSON.parse(json)
    for (const name of path) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined
      value = (value as Readonly<Record<string, unknown>>)[name]
    }
    return value
  } catch {
    return undefined
  }
}

/** Numbers are compared by value, all else as text. */
const isValue = (value: unknown, wanted: string): boolean =>
  typeof value === "number" && wanted.trim() !== ""
    ? value === Number(wanted)
    : value !== undefined &&
      (typeof value === "object" && value !== null ? JSON.stringify(value) : String(value)) === wanted

interface Writer {
  readonly begin: Effect.Effect<void>
  readonly write: (records: ReadonlyArray<StoredRecord>) => Effect.Effect<void>
  readonly end: Effect.Effect<void>
}

const writerOf = (process: ProcessService, format: Output.Format | undefined): Writer => {
  let first = true
  switch (format) {
    case "json":
      return {
        begin: process.print("["),
        write: (records) => {
          const text = records.map((record) => JSON.stringify(shown(record))).join(",\n  ")
          const separator = first ? "\n  " : ",\n  "
          first = false
          return process.print(separator + text)
        },
        end: Effect.suspend(() => process.print(first ? "]\n" : "\n]\n"))
      }
    case "csv":
      return {
        begin: process.print("partition,offset,timestamp,key,value\n"),
        write: (records) =>
          process.print(
            Output.written("csv", {
              columns: [],
              rows: records.map(({ partition, offset, timestamp, key, value }) => [
                partition,
                offset,
                timestamp,
                key === null ? null : textOf(key),
                textOf(value)
              ])
            }).slice(1)
          ),
        end: Effect.void
      }
    default:
      return {
        begin: Effect.void,
        write: (records) => process.print(records.map(lineOf).join("")),
        end: Effect.void
      }
  }
}

const lineOf = ({ partition, offset, timestamp, key, value }: StoredRecord): string =>
  `${partition}\t${offset}\t${timestamp}\t${key === null ? "null" : oneLine(textOf(key))}\t${oneLine(textOf(value))}\n`

const oneLine = (text: string): string => text.replaceAll("\n", "\\n").replaceAll("\r", "\\r").replaceAll("\t", "\\t")

const decoder = new TextDecoder()
const strict = new TextDecoder("utf-8", { fatal: true })

const shown = ({ partition, offset, timestamp, key, value }: StoredRecord) => ({
  partition,
  offset,
  timestamp,
  key: key === null ? null : bytesShown(key),
  value: bytesShown(value)
})

const bytesShown = (bytes: Uint8Array): string | { readonly base64: string } => {
  try {
    return strict.decode(bytes)
  } catch {
    return { base64: Encoding.encodeBase64(bytes) }
  }
}

const textOf = (bytes: Uint8Array): string => {
  const text = bytesShown(bytes)
  return typeof text === "string" ? text : `base64:${text.base64}`
}
