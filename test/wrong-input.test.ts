/** Every record that is wrong is set aside as it came, and says why; nothing that is right is lost beside it. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { NodeContext } from "@effect/platform-node"
import { Effect, Layer, Logger, LogLevel } from "effect"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import orders from "../actors/orders.ts"
import * as SqlCheckpointStore from "../src/checkpoint/SqlCheckpointStore.ts"
import * as Log from "../src/connectors/log/index.ts"
import { layerMemory } from "../src/connectors/sql/index.ts"
import { Tables } from "../src/flow/Tables.ts"
import { type StoredRecord, Topics } from "../src/flow/Topics.ts"
import * as Runner from "../src/runtime/Runner.ts"
import { cases, goodOrder, laterOrder, type RecordCase, together } from "./wrong-input/Records.ts"

interface Placed {
  readonly partition: number
  readonly offset: number
}

const folder = mkdtempSync(join(tmpdir(), "weir-wrong-"))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Every wrong record stands between two good ones, and the partitions take turns. */
const input = (): {
  readonly partitions: ReadonlyArray<ReadonlyArray<Uint8Array>>
  readonly places: Map<RecordCase, Placed>
  readonly good: number
  readonly late: Placed
} => {
  const partitions: Array<Array<Uint8Array>> = [[], [], []]
  const places = new Map<RecordCase, Placed>()
  let good = 0
  for (const [i, one] of cases.entries()) {
    const partition = i % 3
    const values = partitions[partition]!
    places.set(one, { partition, offset: values.length + 1 })
    values.push(goodOrder, one.value, goodOrder)
    good += 2
  }
  for (const { values } of together) partitions[0]!.push(...values)
  partitions[2]!.push(laterOrder, goodOrder)
  return { partitions, places, good, late: { partition: 2, offset: partitions[2]!.length - 1 } }
}

interface Found {
  readonly rows: ReadonlyArray<Readonly<Record<string, unknown>>>
  readonly invalid: ReadonlyArray<StoredRecord>
  readonly late: ReadonlyArray<StoredRecord>
  readonly status: { readonly rowsIn: number; readonly late: number; readonly deadLetters: number }
}

const made = input()
let found: Found

const everything = (topic: string) =>
  Effect.gen(function* () {
    const topics = yield* Topics
    const { partitions } = yield* topics.describe(topic)
    const all: Array<StoredRecord> = []
    for (const { latest, partition } of partitions) {
      for (let at = 0; at < latest; ) {
        const more = yield* topics.fetch(topic, partition, at, latest - at)
        all.push(...more)
        at += more.length
      }
    }
    return all
  })

beforeAll(async () => {
  found = await Effect.gen(function* () {
    const topics = yield* Topics
    const tables = yield* Tables
    yield* topics.create("orders", { partitions: made.partitions.length })
    yield* Effect.forEach(made.partitions, (values, partition) =>
      topics.produce(
        "orders",
        partition,
        values.map((value, i) => ({ key: new Uint8Array([i & 255]), value, headers: [] }))
      )
    )
    const job = yield* Runner.start(
      orders,
      { availableNow: true, final: true, set: { maxPerEpoch: "40" } },
      () => Effect.void
    )
    yield* job.ended
    return {
      rows: yield* tables.query({ sql: "select * from shop_item_income", parameters: [] }),
      invalid: yield* everything("orders.invalid"),
      late: yield* everything("orders.late"),
      status: yield* job.status
    }
  }).pipe(
    Effect.scoped,
    Effect.provide(SqlCheckpointStore.layer),
    Effect.provide(Layer.merge(Log.layer({ folder: join(folder, "log") }), layerMemory)),
    Effect.scoped,
    Effect.provide(NodeContext.layer),
    Logger.withMinimumLogLevel(LogLevel.Error),
    Effect.runPromise
  )
}, 60_000)

const text = new TextDecoder()
const header = (record: StoredRecord, name: string): string =>
  text.decode(record.headers.find((one) => one.name === name)?.value)

/** The dead letters that say they were read here. */
const lettersOf = ({ offset, partition }: Placed): ReadonlyArray<StoredRecord> =>
  found.invalid.filter(
    (record) =>
      header(record, "weir.source") === "orders" &&
      header(record, "weir.partition") === String(partition) &&
      header(record, "weir.offset") === String(offset)
  )

const rowOf = (row: Readonly<Record<string, unknown>>, seen = found.rows) =>
  seen.filter((one) => String(one.itemid) === String(row.itemid))

describe("A record is set aside, byte for byte, with its place and its cause:", () => {
  const refused = cases.flatMap((one) =>
    one.fate.is === "dead letter" ? [{ name: one.name, one, fate: one.fate }] : []
  )
  it.each(refused)("$name", ({ fate, one }) => {
    const letters = lettersOf(made.places.get(one)!)
    expect(letters.length).toBe(1)
    const [letter] = letters
    expect(Buffer.compare(letter!.value, one.value)).toBe(0)
    expect(header(letter!, "weir.cause")).toMatch(fate.cause)
    expect(header(letter!, "weir.reason")).toBe(fate.reason)
    expect(header(letter!, "weir.job")).toBe("orders")
  })
})

describe("A record that only looks wrong is a row:", () => {
  const taken = cases.flatMap((one) => (one.fate.is === "row" ? [{ name: one.name, one, row: one.fate.row }] : []))
  it.each(taken)("$name", ({ one, row }) => {
    expect(lettersOf(made.places.get(one)!)).toEqual([])
    const itemid = JSON.parse(text.decode(one.value)).itemid
    const rows = rowOf({ itemid })
    expect(rows.length).toBe(1)
    expect(rows[0]).toMatchObject(row)
  })
})

describe("A row that the table cannot hold is set aside as JSON, with its cause:", () => {
  const rows = cases.flatMap(({ fate, name }) => (fate.is === "refused row" ? [{ name, ...fate }] : []))
  it.each(rows)("$name", ({ cause, row }) => {
    const letters = found.invalid.filter(
      (record) => header(record, "weir.reason") === "refused row" && header(record, "weir.cause").match(cause) !== null
    )
    expect(letters.map(({ value }) => JSON.parse(text.decode(value)))).toMatchObject([row])
    expect(found.rows.filter(({ itemid }) => itemid === row.itemid)).toEqual([])
  })
})

describe("Several records meet in one row:", () => {
  it.each(together)("$name", ({ row }) => {
    const rows = rowOf(row)
    expect(rows.length).toBe(1)
    expect(rows[0]).toMatchObject(row)
  })
})

describe("Among all these", () => {
  it("every good order is counted", () => {
    const rows = rowOf({ itemid: 1 })
    expect(rows.map(({ total_orders, gross_income }) => [total_orders, gross_income])).toEqual([
      [String(made.good), (made.good * 1.25).toFixed(2)],
      ["1", "1.25"]
    ])
  })

  it("the late order is in the late topic", () => {
    expect(found.late.map(({ value }) => JSON.parse(text.decode(value)))).toEqual([JSON.parse(text.decode(goodOrder))])
  })

  it("what came in is in a row, late or set aside, and nothing is in two of them", () => {
    const counted = found.rows.reduce((sum, { total_orders }) => sum + Number(total_orders), 0)
    const records = made.partitions.reduce((sum, values) => sum + values.length, 0)
    expect(counted + found.late.length + found.invalid.length).toBe(records)
    expect(found.status).toMatchObject({ rowsIn: records, late: 1, deadLetters: found.invalid.length })
  })
})
