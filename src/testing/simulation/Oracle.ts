/**
 * What must be in the tables and topics in the end by the words of whoever wrote the job: computed from the input in
 * another way than the job computes it.
 */
import type { Intent } from "../../checkpoint/Checkpoint.ts"
import { snakeCase } from "../../connectors/sql/TableColumns.ts"
import type { PartitionCut } from "../../model/Message.ts"
import * as Contents from "./Contents.ts"
import type { SimulatedJob } from "./Jobs.ts"
import type * as Recording from "./Recording.ts"
import type { Stage } from "./Stage.ts"

/** The values of a topic as they stand there: by partition, in the order of offsets. */
export type Arrived<A> = ReadonlyArray<ReadonlyArray<A>>

/** An epoch as it was cut. */
export interface Cut extends Pick<Intent, "epoch" | "openedAt" | "closedAt" | "final"> {
  /** Where it ends in each partition, and whether that was idle then. */
  readonly partitions: ReadonlyArray<PartitionCut>
}

/** Rows by table or topic: fields by their names, or by those of their columns. */
export type Rows = Readonly<Record<string, ReadonlyArray<Readonly<Record<string, unknown>>>>>

/**
 * Computes what must be found in the end from what came.
 *
 * Only what it answers is compared: tables and topics that it does not name, and columns that no row of its names, may
 * hold anything. Values are compared as what they are: an instant may be a `Date`, milliseconds or ISO text, a decimal
 * a number or text.
 *
 * It may be used where rows depend on the input alone, and not on the moment at which records came. That is so without
 * event time. With it, an event is late by the watermark of its own partition, which the order of values there decides,
 * as long as no partition is idle: an oracle can judge the same from `input`. Where partitions fall idle, `cuts` tells
 * of each epoch which were, and the watermark is the lowest of the others at the end of the epoch before.
 */
export type Oracle<Input> = (
  input: { readonly [Topic in keyof Input]: Arrived<Input[Topic] extends ReadonlyArray<infer A> ? A : never> },
  /** By job, oldest first. */
  cuts: Readonly<Record<string, ReadonlyArray<Cut>>>
) => Rows

export interface OracleOptions {
  readonly oracle: Oracle<Record<string, ReadonlyArray<unknown>>>
  readonly jobs: ReadonlyArray<SimulatedJob>
  /** Names of the topics of the input. */
  readonly topics: ReadonlyArray<string>
  /** The value of which a record was made. */
  readonly valueOf: (topic: string, bytes: Uint8Array) => unknown
  readonly recording: Recording.Recording
}

/** Lines that say what differs from what the oracle says. */
export const differences = (
  stage: Stage,
  { jobs, oracle, recording, topics, valueOf }: OracleOptions
): ReadonlyArray<string> => {
  const input = Object.fromEntries(
    topics.map((topic) => [
      topic,
      (stage.recordsOf(topic) ?? []).map((records) => records.map(({ value }) => valueOf(topic, value)))
    ])
  )
  const cuts = Object.fromEntries(jobs.map(({ job }) => [job.name, recording.intents(job.name)]))
  return Object.entries(oracle(input, cuts)).flatMap(([name, rows]) =>
    stage.database.describe(name) === null ? recordsApart(stage, name, rows) : rowsApart(stage, name, rows)
  )
}

// Private

type Fields = Readonly<Record<string, unknown>>
type Form = (column: string, value: unknown) => string

const rowsApart = (stage: Stage, table: string, expected: ReadonlyArray<Fields>): ReadonlyArray<string> => {
  const { columns, primaryKey } = stage.database.describe(table)!
  const types = new Map(columns.map(({ name, type }) => [name, type]))
  const form: Form = (column, value) => textOf(types.get(column) ?? "", value)
  const wanted = expected.map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [types.has(name) ? name : snakeCase(name), value]))
  )
  const found = stage.database.query({ sql: `select * from "${table.replaceAll('"', '""')}"`, parameters: [] })
  return apart(`table ${table}`, found._tag === "Right" ? found.right : [], wanted, { key: primaryKey, form })
}

const recordsApart = (stage: Stage, topic: string, expected: ReadonlyArray<Fields>): ReadonlyArray<string> => {
  const found = (stage.recordsOf(topic) ?? []).flat().map(({ value }) => JSON.parse(decoder.decode(value)) as Fields)
  return apart(`topic ${topic}`, found, expected, { key: [], form: (_, value) => textOf("", value) })
}

/** Only the columns that the oracle names. */
const apart = (
  name: string,
  found: ReadonlyArray<Fields>,
  expected: ReadonlyArray<Fields>,
  { form, key }: { readonly key: ReadonlyArray<string>; readonly form: Form }
): ReadonlyArray<string> => {
  const columns = [...new Set(expected.flatMap((row) => Object.keys(row)))]
  const keyed = key.filter((column) => columns.includes(column))
  const isKey = keyed.length === key.length
  const rowOf = (fields: Fields): Contents.Row => {
    const cells = columns.map((column) => [column, form(column, fields[column])] as const)
    return {
      key: isKey
        ? cells
            .filter(([column]) => keyed.includes(column))
            .map((cell) => cell.join(" "))
            .join(", ")
        : "",
      cells: cells.filter(([column]) => !isKey || !keyed.includes(column))
    }
  }
  return Contents.differencesOf(name, found.map(rowOf), expected.map(rowOf)).map((line) => `by the oracle, ${line}`)
}

const decoder = new TextDecoder()

/** A value of a column of this type, or of JSON, as text that equal ones share. */
const textOf = (type: string, value: unknown): string => {
  if (value === null || value === undefined) return "null"
  if (value instanceof Date) return String(value.getTime())
  if (type.startsWith("instant") && typeof value === "string") return String(Date.parse(value))
  if (type.startsWith("decimal")) return plain(String(value))
  if (typeof value === "object" && !(value instanceof Uint8Array)) return JSON.stringify(value, sorted)
  return String(value)
}

/** A decimal without the zeros that say nothing. */
const plain = (text: string): string => (text.includes(".") ? text.replace(/\.?0+$/, "") : text)

const sorted = (_: string, value: unknown): unknown => {
  if (typeof value === "bigint") return String(value)
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)))
}
