import { FastCheck } from "effect"
import { describe, expect, test, vi } from "vitest"
import { StateLimitExceeded, StepFailed } from "../../src/model/Errors.ts"
import * as Distinct from "../../src/operator/Distinct.ts"
import type { Operator } from "../../src/operator/Operator.ts"
import { type Arrival, barrierOf, batchOf, byPlace, Run, type Story, storyOf, tell } from "./Epochs.ts"

// Many runs on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 60_000 })

interface Sale {
  readonly item: number
  readonly price: number
}

const make = (timeToLiveMillis: number | null = null, stateKeysMax = 1000, stateEntriesMax = 1000): Operator =>
  Distinct.make({
    id: "items",
    keyBy: { kind: "keyBy", columns: [{ name: "item", of: (sale: Sale) => sale.item }] },
    timeToLiveMillis,
    stateKeysMax,
    stateEntriesMax
  })

const story = storyOf(FastCheck.record({ item: FastCheck.nat(7), price: FastCheck.nat(99) }))

/** The first event of each key by the rule: all events of an epoch at once. */
const oracle = (told: Story<Sale>, timeToLive: number) => {
  const seen = new Map<number, number>()
  const first: Array<Arrival<Sale> & { readonly epoch: number }> = []
  let forgotten = 0
  told.epochs.forEach((events, i) => {
    const closedAt = told.closedAts[i]!
    const places = [...events].sort((a, b) => a.partition - b.partition || a.offset - b.offset || a.row - b.row)
    for (const event of places) {
      if (seen.has(event.value.item)) continue
      seen.set(event.value.item, closedAt)
      first.push({ ...event, epoch: i + 1 })
    }
    for (const [item, at] of seen) {
      if (at + timeToLive > closedAt) continue
      seen.delete(item)
      forgotten++
    }
  })
  return { first, keys: seen.size, forgotten }
}

const sale = (item: number, place: Partial<Arrival<Sale>> = {}): Arrival<Sale> => ({
  value: { item, price: 1 },
  origin: "orders",
  partition: 0,
  offset: 0,
  row: 0,
  at: 10,
  own: 3,
  input: 0,
  ...place
})

describe("distinct", () => {
  test.each([
    [Number.POSITIVE_INFINITY, 1_000],
    [Number.POSITIVE_INFINITY, 2],
    [40, 1_000],
    [40, 2],
    [40, 0]
  ])(
    "gives the first event of each key as it came, however it is cut, interleaved and restarted (kept for %s ms, %s entries not packed)",
    (timeToLive, entriesMax) => {
      let dropped = 0
      let forgotten = 0
      FastCheck.assert(
        FastCheck.property(story, (told) => {
          const run = tell(told, () => make(Number.isFinite(timeToLive) ? timeToLive : null, 1000, entriesMax), true)
          const expected = oracle(told, timeToLive)
          expect(byPlace(run.given)).toEqual(
            byPlace(
              expected.first.map(({ at, epoch, input: _, offset, origin, own, partition, row, value }) => ({
                epoch,
                port: "out" as const,
                value,
                origin,
                partition,
                offset,
                row,
                at,
                own
              }))
            )
          )
          expect(run.operator.counts!().keys).toBe(expected.keys)
          dropped += told.epochs.flat().length - expected.first.length
          forgotten += expected.forgotten
        }),
        { numRuns: 150 }
      )
      expect(dropped).toBeGreaterThan(500)
      expect(forgotten > 100).toBe(Number.isFinite(timeToLive))
    }
  )

  test("takes of one epoch the event of the lowest place, whichever came first", () => {
    const run = new Run(() => make())
    run.give([sale(1, { partition: 2 }), sale(1, { partition: 1, offset: 7 }), sale(1, { origin: "older", offset: 9 })])
    run.give([sale(1, { origin: "older", offset: 8, row: 4 }), sale(1, { origin: "older", offset: 8, row: 2 })])
    run.barrier()
    expect(run.given.map(({ offset, origin, row }) => [origin, offset, row])).toEqual([["older", 8, 2]])
  })

  test("lets through again what a step below set aside, and takes what one above set aside as new", () => {
    const operator = make()
    const given: Array<number> = []
    const out = {
      emit: (_: unknown, batch: { readonly values: ReadonlyArray<unknown> }) => given.push(batch.values.length)
    }
    operator.onBatch(batchOf([sale(1)]), out, 0)
    operator.onBarrier(barrierOf(1), out)
    operator.onBatch({ ...batchOf([sale(1)]), again: { step: "windows", row: null } }, out, 0)
    expect(given).toEqual([1, 1])
    operator.onBatch({ ...batchOf([sale(1), sale(2)]), again: { step: null, row: null } }, out, 0)
    operator.onBarrier(barrierOf(2), out)
    expect(given).toEqual([1, 1, 1])
  })

  test("counts the time to live from the barrier of the epoch in which a key came, and forgets at barriers only", () => {
    const run = new Run(() => make(100))
    const epoch = (closedAt: number) => {
      run.give([sale(1, { offset: closedAt })])
      run.barrier({ closedAt })
    }
    for (const closedAt of [1000, 1099, 1100, 1101, 1150, 1201, 1202]) epoch(closedAt)
    expect(run.given.map(({ offset }) => offset)).toEqual([1000, 1101, 1202])
  })

  test("forgets without looking at the keys that stay", () => {
    const run = new Run(() => make(100))
    run.give(Array.from({ length: 500 }, (_, item) => sale(item, { offset: item })))
    run.barrier({ closedAt: 50 })
    run.give([sale(900, { offset: 900 })])
    run.barrier({ closedAt: 100 })
    expect(run.operator.counts!().keys).toBe(501)
    run.barrier({ closedAt: 150 })
    expect(run.operator.counts!().keys).toBe(1)
  })

  test("fails at its bound, and where the key's function throws, with the record's place", () => {
    const full = new Run(() => make(null, 2, 0))
    full.give([sale(1), sale(2)])
    full.barrier()
    full.give([sale(1, { offset: 1 }), sale(2, { offset: 2 })])
    expect(() => full.give([sale(3)])).toThrow(StateLimitExceeded)
    const broken = new Run(() =>
      Distinct.make({
        id: "items",
        keyBy: { kind: "keyBy", columns: [{ name: "item", of: () => ({}) as never }] },
        timeToLiveMillis: null
      })
    )
    expect(() => broken.give([sale(1, { partition: 4, offset: 17 })])).toThrow(StepFailed)
    expect(() => broken.give([sale(1, { partition: 4, offset: 17 })])).toThrow("orders, partition 4, offset 17")
  })
})
