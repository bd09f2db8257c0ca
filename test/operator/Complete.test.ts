import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import { StateLimitExceeded, StepFailed } from "../../src/model/Errors.ts"
import type { Change } from "../../src/model/Event.ts"
import * as Complete from "../../src/operator/Complete.ts"
import type { Operator } from "../../src/operator/Operator.ts"
import { type Arrival, batchOf, Run } from "./Epochs.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

interface Total {
  readonly shop: string
  readonly total: number
}
const make = (rowsMax = 1000): Operator => Complete.make({ id: "totals.complete", rowsMax })

const arrival = (value: Change, partition = 0, origin = "totals"): Arrival<Change> => ({
  value,
  origin,
  partition,
  offset: 1,
  row: 0,
  at: 0,
  own: 0,
  input: 0
})
const row = (shop: string, total: number): Total => ({ shop, total })
const brings = (shop: string, total: number): Change => ({ key: [shop], after: row(shop, total) })
const values = (run: Run, epoch: number) => run.given.filter((given) => given.epoch === epoch).map(({ value }) => value)

/** What each shop's total is set to in each epoch; null: it is gone; more than one: one after the other. */
const story = FastCheck.array(
  FastCheck.record({
    totals: FastCheck.dictionary(
      FastCheck.constantFrom("a", "b", "c", "d"),
      FastCheck.array(FastCheck.option(FastCheck.nat(3)), { minLength: 1, maxLength: 3 })
    ),
    order: FastCheck.array(FastCheck.nat(99), { minLength: 12, maxLength: 12 }),
    batchMax: FastCheck.integer({ min: 1, max: 4 }),
    restart: FastCheck.boolean()
  }),
  { minLength: 1, maxLength: 12 }
)

describe("complete", () => {
  test("gives all rows in each epoch in which one of them changed, in whatever order its changes come", () => {
    let unchanged = 0
    let gone = 0
    FastCheck.assert(
      FastCheck.property(story, (epochs) => {
        const run = new Run(() => make())
        const rows = new Map<string, Total>()
        epochs.forEach(({ batchMax, order, restart, totals }, i) => {
          const before = new Map(rows)
          const changes: Array<Change> = []
          for (const [shop, steps] of Object.entries(totals)) {
            for (const step of steps) {
              const [from, to] = [rows.get(shop), step === null ? undefined : row(shop, step)]
              if (from === undefined && to === undefined) continue
              changes.push({ key: [shop], ...(from && { before: from }), ...(to && { after: to }) })
              if (to === undefined) rows.delete(shop)
              else rows.set(shop, to)
            }
          }
          const shuffled = changes
            .map((change, at) => ({ change, at: order[at % order.length]! }))
            .sort((left, right) => left.at - right.at)
          run.give(
            shuffled.map(({ change }) => arrival(change)),
            batchMax
          )
          run.barrier()
          if (restart) run.restart()
          const shops = [...new Set([...before.keys(), ...rows.keys()])].sort()
          const differs = shops.filter((shop) => before.get(shop)?.total !== rows.get(shop)?.total)
          const removed = shops.filter((shop) => !rows.has(shop))
          expect(values(run, i + 1)).toEqual(
            differs.length === 0
              ? []
              : [
                  ...removed.map((shop) => ({ key: [shop], before: before.get(shop) })),
                  ...shops
                    .filter((shop) => rows.has(shop))
                    .map((shop) => ({
                      key: [shop],
                      ...(differs.includes(shop) && before.has(shop) && { before: before.get(shop) }),
                      after: rows.get(shop)
                    }))
                ]
          )
          if (differs.length === 0) unchanged++
          gone += removed.length
        })
      }),
      { numRuns: 200 }
    )
    expect(unchanged).toBeGreaterThan(50)
    expect(gone).toBeGreaterThan(50)
  })

  test("keeps rows of several steps apart, and events that a merge took for rows", () => {
    const run = new Run(() => make())
    const event = (total: number) => ({ key: null, after: row("x", total) })
    run.give([arrival(brings("a", 1)), arrival(brings("a", 2), 0, "other"), arrival(event(7), 1, "orders")])
    run.give([arrival(event(8), 2, "orders")])
    run.barrier()
    expect(values(run, 1).map((change) => (change as Change<unknown, Total>).after?.total)).toEqual([7, 8, 2, 1])
  })

  test("says of its batches that they are all rows, and gives them in batches of bounded size", () => {
    const operator = make(10_000)
    const changes = Array.from({ length: 8_193 }, (_, i) => arrival(brings(String(i).padStart(5, "0"), i)))
    operator.onBatch(batchOf(changes), { emit: () => {} }, 0)
    const sizes: Array<number> = []
    const barrier = { epoch: 4, openedAt: 0, closedAt: 0, final: false, partitions: [], watermark: 0, idle: false }
    operator.onBarrier(
      { _tag: "Barrier", ...barrier },
      {
        emit: (_, batch) => {
          expect(batch.isComplete).toBe(true)
          expect(batch.rows![0]).toBe(sizes.length * 8_192)
          sizes.push(batch.values.length)
        }
      }
    )
    expect(sizes).toEqual([8_192, 1])
  })

  test("fails above its bound, and where a row cannot be kept", () => {
    const full = new Run(() => make(1))
    full.give([arrival(brings("a", 1)), arrival(brings("b", 1))])
    expect(() => full.barrier()).toThrow(StateLimitExceeded)
    const strange = new Run(() => make())
    strange.give([arrival({ key: ["a"], after: { at: new Date(0) } })])
    expect(() => strange.barrier()).toThrow(StepFailed)
  })
})
