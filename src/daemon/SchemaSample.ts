/** What a topic or a table holds, from a sample of its newest records or from what the database says. */
import { Effect } from "effect"
import * as Inferred from "../flow/InferredSchema.ts"
import * as SchemaText from "../flow/SchemaText.ts"
import type { FoundColumn, FoundTable, TablesService } from "../flow/Tables.ts"
import type { StoredRecord, TopicDescription, TopicsService } from "../flow/Topics.ts"
import { type Explained, UnknownTopic } from "../model/Errors.ts"
import * as Limits from "../model/Limits.ts"

export interface SampledSchema {
  readonly name: string
  readonly kind: "topic" | "table" | "files"
  /** Records that were looked at; for a table, rows: only those of numerics without a scale. */
  readonly sampled: number
  readonly unusable: number
  readonly fields: ReadonlyArray<SchemaText.FieldLine>
  /** A module with a Schema of the records. */
  readonly code: string
}

type Failure = Explained & Error

/** The schema of the topic of this name, or else of the table. Fails with `UnknownTopic` if there is neither. */
export const describe = (
  topics: Effect.Effect<TopicsService, Failure>,
  tables: Effect.Effect<TablesService, Failure>,
  name: string,
  sample: number
): Effect.Effect<SampledSchema, Failure> =>
  Effect.gen(function* () {
    const log = yield* topics
    const topic = (yield* log.list).find((description) => description.topic === name)
    if (topic !== undefined) return ofRecords(name, "topic", yield* newest(log, topic, sample))
    const database = yield* tables
    const table = yield* database.describe(name)
    if (table === null) return yield* unknown(name)
    return yield* ofTable(database, name, table, sample)
  })

/** The schema of records, given as text. */
export const ofRecords = (name: string, kind: SampledSchema["kind"], records: Iterable<string>): SampledSchema => {
  const { root, sampled, unusable } = Inferred.infer(records)
  return { name, kind, sampled, unusable, fields: SchemaText.lines(root), code: SchemaText.code(name, root) }
}

const unknown = (name: string): UnknownTopic =>
  new UnknownTopic({
    topic: name,
    message: `There is no topic and no table '${name}'`,
    hint: "`weir topics` lists topics, `weir query` with \\dt lists tables; a file or a folder is written with a slash, such as ./orders.jsonl."
  })

/** Records of one step of a read: bounds what is held beyond `Limits.fetchBytesMax`. */
const stepRecordsMax = 256

/** The newest records, as many from each partition. */
const newest = (topics: TopicsService, { partitions, topic }: TopicDescription, sample: number) =>
  Effect.gen(function* () {
    const found: Array<string> = []
    const share = Math.max(1, Math.ceil(sample / partitions.length))
    let room = Limits.fetchBytesMax
    for (const { partition, oldest, latest } of partitions) {
      for (let next = Math.max(oldest, latest - share); next < latest && room > 0; ) {
        const records = yield* topics.fetch(topic, partition, next, Math.min(stepRecordsMax, latest - next))
        if (records.length === 0) break
        for (const record of records) {
          found.push(textOf(record))
          room -= record.value.length
        }
        next = records.at(-1)!.offset + 1
      }
    }
    return found.slice(0, sample)
  })

const decoder = new TextDecoder("utf-8", { fatal: true })

/** What is no UTF-8 is no JSON either: it becomes text that cannot be read. */
const textOf = ({ value }: StoredRecord): string => {
  try {
    return decoder.decode(value)
  } catch {
    return ""
  }
}

const ofTable = (database: TablesService, name: string, table: FoundTable, sample: number) =>
  Effect.gen(function* () {
    const { dialect } = database
    const unscaled = table.columns.filter(({ type }) => /^(numeric|decimal)$/.test(type))
    const sql = `select ${unscaled.map((column) => dialect.quote(column.name)).join(", ")} from ${dialect.quote(name)} limit ${sample}`
    const bounds = { rowsMax: sample, millisMax: Limits.queryMillisMax }
    const { rows } = unscaled.length === 0 ? { rows: [] } : yield* database.ask(sql, bounds)
    const decimals = new Map(
      unscaled.map((column, i) => [column.name, decimalOf(rows.flatMap((row) => (isNumber(row[i]) ? [row[i]] : [])))])
    )
    const root: Inferred.Place = {
      nullable: false,
      type: {
        kind: "struct",
        fields: table.columns.map((column) => ({
          name: column.name,
          nullable: column.nullable,
          optional: false,
          type: decimals.get(column.name) ?? columnType(column)
        }))
      }
    }
    return {
      name,
      kind: "table" as const,
      sampled: rows.length,
      unusable: 0,
      fields: SchemaText.lines(root),
      code: SchemaText.code(name, root)
    }
  })

/** Of a numeric without a scale nothing is known where it has no value. */
const decimalOf = (texts: ReadonlyArray<string>): Inferred.InferredType =>
  texts.length === 0 ? { kind: "unknown" } : Inferred.decimalOf(texts)

/** Not the `NaN` that a numeric may be. */
const isNumber = (text: string | null | undefined): text is string => text != null && /^-?\d+(\.\d+)?$/.test(text)

/** What the database's own name of a type means. */
const columnType = ({ type }: FoundColumn): Inferred.InferredType => {
  const [, precision, scale] = /^(?:numeric|decimal)\((\d+),\s*(\d+)\)/.exec(type) ?? []
  if (precision !== undefined) return { kind: "decimal", precision: Number(precision), scale: Number(scale) }
  if (/^bigint/.test(type)) return { kind: "int64" }
  if (/^(integer|int|smallint|tinyint(?!\(1\))|mediumint)/.test(type)) return { kind: "int" }
  if (/^(double|real|float)/.test(type)) return { kind: "number" }
  if (/^(bool|tinyint\(1\))/.test(type)) return { kind: "boolean" }
  if (/^(timestamp|datetime)/.test(type)) return { kind: "instant" }
  return /^(text|character|varchar|char|longtext|mediumtext|uuid)/.test(type) ? { kind: "text" } : { kind: "unknown" }
}
