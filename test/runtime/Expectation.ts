/** Compares what the orders job wrote with what the oracle computed from the records alone. */
import { Effect } from "effect"
import { expect } from "vitest"
import type { Expected } from "../../fixtures/orders-oracle.ts"
import type { TablesService } from "../../src/flow/Tables.ts"
import type { StoredRecord, TopicsError, TopicsService } from "../../src/flow/Topics.ts"

const text = new TextDecoder()
const sql =
  "select region, shopid, itemid, window_start, window_end, gross_income, total_items, total_orders from shop_item_income"

/** Every row of the table, to the cent, and no other. */
export const checkTable = (expected: Expected, tables: TablesService) =>
  Effect.gen(function* () {
    const rows = yield* tables.query({ sql, parameters: [] })
    const found = new Map(rows.map((row) => [`${row.region}|${row.shopid}|${row.itemid}|${row.window_start}`, row]))
    expect(found.size).toBe(rows.length)
    expect(found.size).toBe(expected.rows.size)
    const wrong: Array<unknown> = []
    for (const [key, row] of expected.rows) {
      const { gross_income, total_items, total_orders, window_end } = found.get(key) ?? {}
      const right =
        gross_income === row.grossIncome &&
        total_items === String(row.totalItems) &&
        total_orders === String(row.totalOrders) &&
        window_end === row.windowEnd
      if (!right) wrong.push({ key, expected: row, found: found.get(key) })
    }
    expect(wrong).toEqual([])
    const counted = rows.reduce((sum, row) => sum + Number(row.total_orders), 0)
    expect(counted).toBe(expected.counted)
  })

/** Every row to the cent, every record in exactly one place, nothing twice, nothing missing. */
export const check = (expected: Expected, tables: TablesService, topics: TopicsService, topic = "orders") =>
  Effect.gen(function* () {
    yield* checkTable(expected, tables)
    const invalid = (yield* all(topics, `${topic}.invalid`)).map(({ headers }) =>
      Object.fromEntries(headers.map(({ name, value }) => [name, text.decode(value)]))
    )
    const place = (partition: unknown, offset: unknown) => `${partition}/${offset}`
    expect(invalid.map((about) => place(about["weir.partition"], about["weir.offset"])).sort()).toEqual(
      expected.deadLetters.map(({ offset, partition }) => place(partition, offset)).sort()
    )
    const late = yield* all(topics, `${topic}.late`)
    expect(late.length).toBe(expected.late.length)
  })

const all = (topics: TopicsService, topic: string): Effect.Effect<ReadonlyArray<StoredRecord>, TopicsError> =>
  Effect.gen(function* () {
    const { partitions } = yield* topics.describe(topic)
    const found = yield* Effect.forEach(partitions, ({ latest, oldest, partition }) =>
      drain(topics, topic, partition, oldest, latest)
    )
    return found.flat()
  })

/** A fetch is bounded: it is asked again until the end. */
const drain = (
  topics: TopicsService,
  topic: string,
  partition: number,
  from: number,
  latest: number
): Effect.Effect<ReadonlyArray<StoredRecord>, TopicsError> =>
  Effect.gen(function* () {
    const records: Array<StoredRecord> = []
    for (let next = from; next < latest; next = records.at(-1)!.offset + 1) {
      const more = yield* topics.fetch(topic, partition, next, latest - next)
      if (more.length === 0) break
      records.push(...more)
    }
    return records
  })
