import { Effect, FastCheck, Schema } from "effect"
import { describe, expect, test } from "vitest"
import * as Lookup from "../../src/flow/Lookup.ts"
import type { Change } from "../../src/model/Event.ts"
import type { Barrier } from "../../src/model/Message.ts"
import * as Enrich from "../../src/operator/Enrich.ts"
import { LookupTable } from "../../src/operator/LookupTable.ts"
import { batchOf, collect, recordsOf } from "./Messages.ts"

const Shop = Schema.Struct({ region: Schema.String, shopid: Schema.NullOr(Schema.Number), name: Schema.String })
type Shop = typeof Shop.Type
interface Order {
  readonly region: string
  readonly shopid: number | null
  readonly n: number
}

const shops = Lookup.make(
  { from: "shops", label: "shops", schema: Shop, load: Effect.succeed({ rows: [], placeOf: null }) },
  { key: ["region", "shopid"] }
)

const tableOf = (version: string, rows: ReadonlyArray<Shop>): LookupTable => {
  const table = new LookupTable(version, ["region", "shopid"])
  rows.forEach((row, i) => {
    table.add(row, i)
  })
  return table
}

const make = (
  tables: Readonly<Record<string, LookupTable>>,
  first: string,
  options: {
    readonly type?: "inner" | "left"
    readonly changes?: boolean
    readonly key?: (order: Order) => unknown
  } = {}
) =>
  Enrich.make(
    {
      id: "shop",
      spec: {
        kind: "enrich",
        id: "shop",
        lookup: shops,
        type: options.type ?? "left",
        key: options.key ?? ((order: Order) => ({ region: order.region, shopid: order.shopid })),
        into: (order: Order, shop: Shop | null) => ({ n: order.n, name: shop?.name ?? null })
      }
    },
    {
      changes: options.changes ?? false,
      tables: { first: () => tables[first]!, of: (_, version) => tables[version]! }
    }
  )

const barrier = (epoch: number, version: string | null): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: epoch,
  closedAt: epoch,
  final: false,
  partitions: [],
  watermark: Number.NEGATIVE_INFINITY,
  idle: false,
  ...(version === null ? {} : { lookups: { shops: version, others: "x" } })
})
const nowhere = { emit: () => {} }

const region = FastCheck.constantFrom("north", "south")
const shopid = FastCheck.constantFrom(null, 0, -0, 1, 2, Number.NaN)
const rows = FastCheck.uniqueArray(FastCheck.record({ region, shopid, name: FastCheck.string({ maxLength: 3 }) }), {
  comparator: (a, b) => a.region === b.region && isOne(a.shopid, b.shopid)
})
/** One key by the rule: null is null, NaN is NaN, and both zeros are one. */
const isOne = (a: number | null, b: number | null): boolean => a === b || (Number.isNaN(a) && Number.isNaN(b))

describe("enrich", () => {
  test.each(["left", "inner"] as const)(
    "gives each event the row of its key in the version of its epoch, however it is batched and restarted (%s)",
    (type) => {
      const epoch = FastCheck.record({
        version: rows,
        batches: FastCheck.array(FastCheck.array(FastCheck.record({ region, shopid }), { maxLength: 5 }), {
          maxLength: 4
        }),
        restarts: FastCheck.boolean()
      })
      let [found, missing, restarts] = [0, 0, 0]
      FastCheck.assert(
        FastCheck.property(FastCheck.array(epoch, { minLength: 1, maxLength: 5 }), (epochs) => {
          const tables = Object.fromEntries(epochs.map(({ version }, i) => [`v${i}`, tableOf(`v${i}`, version)]))
          let operator = make(tables, "v0", { type })
          const given: Array<unknown> = []
          const expected: Array<unknown> = []
          let n = 0
          epochs.forEach(({ batches, restarts: isRestarted, version }, e) => {
            for (const places of batches) {
              const orders = places.map((place) => ({ ...place, n: n++ }))
              const batch = batchOf(
                orders,
                orders.map((order) => order.n)
              )
              for (const out of collect(operator, batch))
                out.values.forEach((value, i) => {
                  given.push([value, out.offsets[i], out.eventTimes![i]])
                })
              for (const order of orders) {
                const shop = version.find((row) => row.region === order.region && isOne(row.shopid, order.shopid))
                shop === undefined ? missing++ : found++
                if (shop !== undefined || type === "left")
                  expected.push([{ n: order.n, name: shop?.name ?? null }, order.n, order.n * 100])
              }
            }
            const next = `v${Math.min(e + 1, epochs.length - 1)}`
            if (isRestarted) {
              restarts++
              operator = make(tables, next, { type })
            } else operator.onBarrier(barrier(e, next), nowhere)
          })
          expect(given).toEqual(expected)
        })
      )
      expect(Math.min(found, missing, restarts)).toBeGreaterThan(20)
    }
  )

  test("goes on with its version at a barrier that names none", () => {
    const operator = make({ v0: tableOf("v0", [{ region: "north", shopid: 1, name: "one" }]) }, "v0")
    operator.onBarrier(barrier(1, null), nowhere)
    const [out] = collect(operator, batchOf([{ region: "north", shopid: 1, n: 1 }], [1]))
    expect(out?.values).toEqual([{ n: 1, name: "one" }])
    expect(operator.counts?.()).toEqual({ found: 1, notFound: 0, lookupRows: 1 })
  })

  test("takes back the row of a change that found one, and brings the row of one that finds one now", () => {
    const order = (shopid: number, n: number): Order => ({ region: "north", shopid, n })
    const changes: ReadonlyArray<Change> = [
      { key: "a", before: order(1, 1), after: order(2, 2) },
      { key: "b", before: order(9, 1), after: order(1, 2) },
      { key: "c", before: order(1, 1), after: order(9, 2) },
      { key: "d", before: order(9, 1), after: order(9, 2) },
      { key: "e", after: order(1, 1) },
      { key: "f", before: order(1, 1) }
    ]
    const tables = {
      v0: tableOf("v0", [
        { region: "north", shopid: 1, name: "one" },
        { region: "north", shopid: 2, name: "two" }
      ])
    }
    const batch = batchOf(changes, [1, 2, 3, 4, 5, 6])
    const [inner] = collect(make(tables, "v0", { type: "inner", changes: true }), batch)
    expect(inner!.values).toStrictEqual([
      { key: "a", before: { n: 1, name: "one" }, after: { n: 2, name: "two" } },
      { key: "b", after: { n: 2, name: "one" } },
      { key: "c", before: { n: 1, name: "one" } },
      { key: "e", after: { n: 1, name: "one" } },
      { key: "f", before: { n: 1, name: "one" } }
    ])
    const [left] = collect(make(tables, "v0", { changes: true }), batch)
    expect(left!.values[3]).toStrictEqual({
      key: "d",
      before: { n: 1, name: null },
      after: { n: 2, name: null }
    })
  })

  test("takes raw records, and names step and offset where a function of the job throws or gives no key", () => {
    const table = { v0: tableOf("v0", []) }
    expect(
      collect(make(table, "v0", { key: () => ({ region: "", shopid: null }) }), recordsOf(["a", "b"]))[0]?.values.length
    ).toBe(2)
    const batch = batchOf([{ region: "north", shopid: 1, n: 1 }], [7])
    expect(() => collect(make(table, "v0", { key: () => ({ region: {} }) }), batch)).toThrow(
      "Step 'shop' failed at orders, partition 3, offset 7: a key column must be text"
    )
  })
})
