/**
 * The work of the job `orders`, by hand: reads the embedded log, parses with `JSON.parse`, sums in a Map for each window, and
 * upserts the final rows in batches. No checkpoint, no lateness, no dead letters, one pass.
 *
 * Tried, and not faster: one Map over all windows, `TextDecoder`, a string for each batch and slices of it, array
 * literals in place of the driver's arrays, JSON in place of arrays, one transaction around all.
 */
import { Effect } from "effect"
import { Topics } from "../src/flow/Topics.ts"
import * as Limits from "../src/model/Limits.ts"

/** The sums of one item in one window. Prices are added as whole cents: exact below 2^53. */
export interface Income {
  readonly region: string
  readonly shopid: number
  readonly itemid: number
  cents: number
  items: number
  orders: number
}

/** By start of the window, by key. */
export type Windows = ReadonlyMap<number, ReadonlyMap<string, Income>>

export const keysOf = (windows: Windows): number => [...windows.values()].reduce((sum, { size }) => sum + size, 0)

const windowMillis = 60_000

/** Reads a topic once from its beginning to its end. */
export const sumOrders = (topic: string): Effect.Effect<Windows, unknown, Topics> =>
  Effect.scoped(
    Effect.gen(function* () {
      const reader = yield* (yield* Topics).reader(topic)
      const open = (yield* reader.partitions).map(({ latest, oldest, partition }) => ({
        partition,
        latest,
        offset: oldest
      }))
      const windows = new Map<number, Map<string, Income>>()
      // Partitions in turn, so that the windows that are touched stay few.
      while (open.some(({ latest, offset }) => offset < latest)) {
        for (const at of open) {
          if (at.offset >= at.latest) continue
          const batch = yield* reader.read(at.partition, at.offset, Limits.batchRecordsMax)
          if (batch === null) continue
          const text = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.length)
          for (let i = 0; i < batch.count; i++)
            add(windows, JSON.parse(text.toString("utf8", batch.valueStarts[i], batch.valueEnds[i])))
          at.offset = batch.nextOffset
        }
      }
      return windows
    })
  )

export interface Order {
  readonly region: string
  readonly shopid: number
  readonly itemid: number
  readonly price: number
  readonly count: number
  readonly timestamp: number
}

export const add = (windows: Map<number, Map<string, Income>>, order: Order): void => {
  const { count, itemid, price, region, shopid, timestamp } = order
  const start = timestamp * 1000 - ((timestamp * 1000) % windowMillis)
  let incomes = windows.get(start)
  if (incomes === undefined) {
    incomes = new Map()
    windows.set(start, incomes)
  }
  const key = `${region}|${shopid}|${itemid}`
  const income = incomes.get(key)
  if (income === undefined) {
    incomes.set(key, { region, shopid, itemid, cents: Math.round(price * 100), items: count, orders: 1 })
    return
  }
  income.cents += Math.round(price * 100)
  income.items += count
  income.orders += 1
}

const createTable = `
  create table if not exists shop_item_income (
    region text not null, shopid integer not null, itemid integer not null,
    window_start timestamptz not null, window_end timestamptz not null,
    gross_income numeric(18, 2) not null, total_items bigint not null, total_orders bigint not null,
    primary key (region, shopid, itemid, window_start))`

// Instants go as text: of an array of instants postgres.js makes Dates of texts, and texts of the Dates.
const upsert = `
  insert into shop_item_income
  select unnest($1::text[]), unnest($2::integer[]), unnest($3::integer[]), unnest($4::text[])::timestamptz,
    unnest($5::text[])::timestamptz, unnest($6::numeric[]), unnest($7::bigint[]), unnest($8::bigint[])
  on conflict (region, shopid, itemid, window_start) do update set
    window_end = excluded.window_end, gross_income = excluded.gross_income,
    total_items = excluded.total_items, total_orders = excluded.total_orders`

const batchRows = 10_000

/** A database, embedded or not. */
export interface Session {
  readonly exec: (sql: string) => Promise<unknown>
  readonly query: (sql: string, columns: Columns) => Promise<unknown>
}

/** Upserts every row; answers how many. */
export const writeRows = async (session: Session, windows: Windows): Promise<number> => {
  await session.exec(createTable)
  let rows = 0
  let columns = emptyColumns()
  for (const [start, incomes] of windows) {
    const startText = new Date(start).toISOString()
    const endText = new Date(start + windowMillis).toISOString()
    for (const income of incomes.values()) {
      columns[0].push(income.region)
      columns[1].push(income.shopid)
      columns[2].push(income.itemid)
      columns[3].push(startText)
      columns[4].push(endText)
      columns[5].push((income.cents / 100).toFixed(2))
      columns[6].push(income.items)
      columns[7].push(income.orders)
      if (++rows % batchRows > 0) continue
      await write(session, columns)
      columns = emptyColumns()
    }
  }
  if (columns[0].length > 0) await write(session, columns)
  return rows
}

export type Columns = [
  Array<string>,
  Array<number>,
  Array<number>,
  Array<string>,
  Array<string>,
  Array<string>,
  Array<number>,
  Array<number>
]
const emptyColumns = (): Columns => [[], [], [], [], [], [], [], []]

const write = (session: Session, columns: Columns) => session.query(upsert, columns)
