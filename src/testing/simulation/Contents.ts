/** What a job has written, as text that can be compared, and how two of them differ. */
import { Effect, Either } from "effect"
import { Topics } from "../../flow/Topics.ts"
import { dialect } from "./Sqlite.ts"
import type { Stage } from "./Stage.ts"

/** Rows by table, and records by topic, in an order that depends on nothing but themselves. */
export interface Contents {
  readonly [name: string]: ReadonlyArray<string>
}

/** What is in the tables and in the topics that are none of the input. */
export const of = (stage: Stage, input: ReadonlyArray<string>): Contents => ({
  ...tables(stage),
  ...topics(stage, input)
})

const rowsMax = 1_000_000

const tables = ({ database }: Stage): Contents =>
  Object.fromEntries(
    database.list().map((table) => {
      const { columns, rows } = Either.getOrThrow(database.ask(`select * from ${dialect.quote(table)}`, rowsMax))
      return [
        `table ${table}`,
        rows.map((row) => columns.map((column, i) => `${column} ${row[i] ?? "null"}`).join(", ")).sort()
      ]
    })
  )

const topics = (stage: Stage, input: ReadonlyArray<string>): Contents =>
  stage.onTopics(
    Effect.gen(function* () {
      const service = yield* Topics
      const found: Record<string, ReadonlyArray<string>> = {}
      for (const { partitions, topic } of yield* service.list) {
        if (input.includes(topic)) continue
        const records = yield* Effect.forEach(partitions, ({ latest, oldest, partition }) =>
          service.fetch(topic, partition, oldest, latest - oldest)
        )
        found[`topic ${topic}`] = records
          .flat()
          .map(({ headers, key, offset, partition, value }) =>
            [
              `partition ${partition}, offset ${offset}`,
              `key ${key === null ? "null" : textOf(key)}`,
              ...headers.map((header) => `${header.name} ${textOf(header.value)}`),
              textOf(value)
            ].join(", ")
          )
      }
      return found
    })
  )

const decoder = new TextDecoder()
const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)

/** Lines that say what is missing and what is too many; none: they are equal. */
export const differences = (found: Contents, expected: Contents): ReadonlyArray<string> =>
  [...new Set([...Object.keys(expected), ...Object.keys(found)])].sort().flatMap((name) => {
    const missing = without(expected[name] ?? [], found[name] ?? [])
    const tooMany = without(found[name] ?? [], expected[name] ?? [])
    return [...missing.map((row) => `${name}: missing: ${row}`), ...tooMany.map((row) => `${name}: too many: ${row}`)]
  })

/** Those of `rows` that `others` has not; equal ones count each. */
const without = (rows: ReadonlyArray<string>, others: ReadonlyArray<string>): ReadonlyArray<string> => {
  const counts = new Map<string, number>()
  for (const row of others) counts.set(row, (counts.get(row) ?? 0) + 1)
  return rows.filter((row) => {
    const left = counts.get(row) ?? 0
    counts.set(row, left - 1)
    return left <= 0
  })
}
