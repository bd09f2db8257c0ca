/** What jobs have written, as rows that can be compared, and how two of them differ. */
import { Effect, Either } from "effect"
import * as FileNames from "../../connectors/files/FileNames.ts"
import { type StoredRecord, Topics } from "../../flow/Topics.ts"
import * as Digest from "../../model/Digest.ts"
import { dialect } from "./Sqlite.ts"
import type { Stage } from "./Stage.ts"

/** A row of a table, or a record of a topic. */
export interface Row {
  /** What tells it from the others: the columns of its key, or its place. Empty: nothing does. */
  readonly key: string
  /** Its other columns. */
  readonly cells: ReadonlyArray<readonly [name: string, value: string]>
}

/** By table or topic. */
export interface Contents {
  readonly [name: string]: ReadonlyArray<Row>
}

/**
 * What is in the tables, in the topics but for those of the input, and in the files that sinks have made. Of a file its bytes
 * count: which rows are in which file is a function of the input too.
 */
export const of = (stage: Stage, input: ReadonlyArray<string>): Contents => ({
  ...Object.fromEntries(stage.database.list().map((table) => [tableName(table), rowsOf(stage, table)])),
  ...topics(stage, input),
  ...files(stage)
})

/** What is in the table or topic of this name. */
export const only = (stage: Stage, name: string): Contents => {
  if (stage.database.describe(name) !== null) return { [tableName(name)]: rowsOf(stage, name) }
  const records = stage.recordsOf(name)
  return records === null ? {} : { [topicName(name)]: records.flat().map(recordOf) }
}

/** What these contents have of the table or topic of this name. */
export const select = (contents: Contents, name: string): Contents =>
  Object.fromEntries(Object.entries(contents).filter(([one]) => one === tableName(name) || one === topicName(name)))

/** The rows of all. */
export const merged = (all: ReadonlyArray<Contents>): Contents => {
  const names = [...new Set(all.flatMap((contents) => Object.keys(contents)))]
  return Object.fromEntries(names.map((name) => [name, all.flatMap((contents) => contents[name] ?? [])]))
}

/** The contents without the places of records in these topics: several write there, and who comes first is chance. */
export const unplaced = (contents: Contents, topics: ReadonlyArray<string>): Contents =>
  Object.fromEntries(
    Object.entries(contents).map(([name, rows]) => [
      name,
      topics.some((topic) => topicName(topic) === name) ? rows.map((row) => ({ ...row, key: "" })) : rows
    ])
  )

/** Lines that say what is missing, what is too many, and what should be another; none: they are equal. */
export const differences = (found: Contents, expected: Contents): ReadonlyArray<string> =>
  [...new Set([...Object.keys(expected), ...Object.keys(found)])]
    .sort()
    .flatMap((name) => differencesOf(name, found[name] ?? [], expected[name] ?? []))

/** The same of one table or topic. */
export const differencesOf = (
  name: string,
  found: ReadonlyArray<Row>,
  expected: ReadonlyArray<Row>
): ReadonlyArray<string> => {
  const tooMany = without(found, expected)
  const missing = without(expected, found)
  const others = new Map(missing.map((row) => [row.key, row]))
  const changed = tooMany.filter(({ key }) => key !== "" && others.has(key))
  const keys = new Set(changed.map(({ key }) => key))
  return [
    ...changed.map((row) => `${name}: ${row.key}: ${cellsApart(row, others.get(row.key)!)}`),
    ...missing.filter(({ key }) => !keys.has(key)).map((row) => `${name}: missing: ${textOf(row)}`),
    ...tooMany.filter(({ key }) => !keys.has(key)).map((row) => `${name}: too many: ${textOf(row)}`)
  ]
}

// Private

const tableName = (table: string): string => `table ${table}`
const topicName = (topic: string): string => `topic ${topic}`

const rowsMax = 1_000_000

const rowsOf = ({ database }: Stage, table: string): ReadonlyArray<Row> => {
  const key = database.describe(table)?.primaryKey ?? []
  const { columns, rows } = Either.getOrThrow(database.ask(`select * from ${dialect.quote(table)}`, rowsMax))
  return rows.map((row) => {
    const cells = columns.map((column, i) => [column, row[i] ?? "null"] as const)
    return {
      key: joined(cells.filter(([column]) => key.includes(column))),
      cells: cells.filter(([column]) => !key.includes(column))
    }
  })
}

const topics = (stage: Stage, input: ReadonlyArray<string>): Contents => {
  const names = stage.onTopics(Effect.flatMap(Topics, (service) => service.list)).map(({ topic }) => topic)
  return Object.fromEntries(
    names
      .filter((topic) => !input.includes(topic))
      .map((topic) => [topicName(topic), (stage.recordsOf(topic) ?? []).flat().map(recordOf)])
  )
}

/** Files that readers see. */
const files = ({ machine: { disk } }: Stage): Contents => {
  const found: Record<string, ReadonlyArray<Row>> = {}
  const waiting = [""]
  while (waiting.length > 0) {
    const folder = waiting.pop()!
    for (const name of disk.names(folder === "" ? "/" : folder)) {
      const path = `${folder}/${name}`
      const { kind, size } = disk.stat(path)
      if (kind === "folder" && !name.startsWith(".")) waiting.push(path)
      if (kind === "folder" || FileNames.parse(name) === null) continue
      const bytes = new Uint8Array(size)
      disk.open(path, "r").read(0, bytes)
      const digest = Digest.make()
      digest.bytes(bytes)
      found[`file ${path}`] = [{ key: "", cells: [["digest of its bytes", digest.result()]] }]
    }
  }
  return found
}

const recordOf = ({ headers, key, offset, partition, value }: StoredRecord): Row => ({
  key: `partition ${partition}, offset ${offset}`,
  cells: [
    ["key", key === null ? "null" : decoder.decode(key)],
    ...headers.map((header) => [header.name, decoder.decode(header.value)] as const),
    ["value", decoder.decode(value)]
  ]
})

const decoder = new TextDecoder()

const joined = (cells: Row["cells"]): string => cells.map(([name, value]) => `${name} ${value}`).join(", ")

const textOf = ({ cells, key }: Row): string => [key, joined(cells)].filter((part) => part !== "").join(", ")

/** `total is 7, and should be 8`. */
const cellsApart = (found: Row, expected: Row): string => {
  const wanted = new Map(expected.cells)
  const apart = found.cells.filter(([name, value]) => wanted.get(name) !== value)
  if (apart.length === 0) return `is ${joined(found.cells)}, and should be ${joined(expected.cells)}`
  return apart.map(([name, value]) => `${name} is ${value}, and should be ${wanted.get(name) ?? "absent"}`).join("; ")
}

/** Those of `rows` that `others` has not; equal ones count each. In an order that depends on nothing but themselves. */
const without = (rows: ReadonlyArray<Row>, others: ReadonlyArray<Row>): ReadonlyArray<Row> => {
  const counts = new Map<string, number>()
  for (const row of others) counts.set(textOf(row), (counts.get(textOf(row)) ?? 0) + 1)
  const left = rows.filter((row) => {
    const count = counts.get(textOf(row)) ?? 0
    counts.set(textOf(row), count - 1)
    return count <= 0
  })
  return left
    .map((row) => [textOf(row), row] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([, row]) => row)
}
