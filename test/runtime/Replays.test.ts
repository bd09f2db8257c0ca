/** Letters of several jobs and steps: which come again, in which order, how far, and what a replayed intent finds. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Letter } from "../../src/flow/Letters.ts"
import type { Records, ReplayCut } from "../../src/model/Message.ts"
import * as Replays from "../../src/runtime/Replays.ts"

const letterOf = (offset: number, of: Partial<Letter> & { readonly at?: readonly [number, number] } = {}): Letter => {
  const { at = [0, offset], ...rest } = of
  const event = { key: null, value: new Uint8Array([offset]), partition: at[0], offset: at[1], timestamp: 7 }
  return {
    offset,
    job: "orders",
    source: "orders",
    step: "decode",
    reason: "undecodable",
    epoch: 1,
    row: null,
    event,
    ...rest
  }
}

const start = (letters: Array<Letter>, options: Partial<Replays.Options> = {}, oldest = 0) =>
  Effect.gen(function* () {
    const sent: Array<string> = []
    const reader = {
      partitions: Effect.sync(() => [{ partition: 0, oldest, latest: letters.length }]),
      read: (_: number, offset: number) =>
        Effect.sync(() => {
          const some = letters.slice(offset, offset + 3)
          return { letters: some, nextOffset: offset + some.length }
        })
    }
    const replays = yield* Replays.make({
      job: "orders",
      source: "orders",
      boxes: [{ sink: "orders.invalid", reader }],
      restored: [],
      ends: () => 0,
      owns: ({ source }) => source === "orders",
      stepOf: ({ step }) => (step === "gone" ? null : step),
      recordsPerEpochMax: null,
      send: ({ again, records }: Records, step) =>
        Effect.sync(() => {
          expect(again?.step).toBe(step)
          sent.push(`${step}${again?.row ?? ""} ${records.partition}/${[...records.offsets].join(",")}`)
        }),
      ...options
    })
    return { replays, sent }
  })

const cut = (offset: number, until: number, from = 0): ReplayCut => ({
  source: "orders",
  sink: "orders.invalid",
  partition: 0,
  from,
  offset,
  until
})

describe("a replay", () => {
  it.effect("sends nothing that was not asked for, and all that was, each once", () =>
    Effect.gen(function* () {
      const letters = Array.from({ length: 5 }, (_, i) => letterOf(i))
      const { replays, sent } = yield* start(letters)
      expect(replays.isPending()).toBe(false)
      expect(yield* replays.forward(1, null)).toEqual({ records: 0, skipped: 0 })
      yield* replays.ask
      expect(replays.isPending()).toBe(true)
      // What is set aside again meanwhile stands behind the end.
      letters.push(letterOf(5))
      expect(yield* replays.forward(1, null)).toEqual({ records: 5, skipped: 0 })
      expect(sent).toEqual(["decode 0/0,1,2", "decode 0/3,4"])
      expect(replays.cuts()).toEqual([cut(5, 5)])
      expect(yield* replays.forward(2, null)).toEqual({ records: 0, skipped: 0 })
      yield* replays.ask
      expect(yield* replays.forward(3, null)).toEqual({ records: 1, skipped: 0 })
    })
  )

  it.effect("sends together what is of one partition, step and row, in the order of its records", () =>
    Effect.gen(function* () {
      const letters = [
        letterOf(0, { at: [0, 7] }),
        letterOf(1, { at: [0, 9] }),
        letterOf(2, { at: [1, 3] }),
        letterOf(3, { at: [1, 2] }),
        letterOf(4, { at: [1, 4], step: "eventTime", row: 2 }),
        letterOf(5, { at: [1, 5], step: "eventTime", row: 3 })
      ]
      const { replays, sent } = yield* start(letters)
      yield* replays.ask
      yield* replays.forward(1, null)
      expect(sent).toEqual(["decode 0/7,9", "decode 1/3", "decode 1/2", "eventTime2 1/4", "eventTime3 1/5"])
    })
  )

  it.effect("passes over letters of others, and counts what it cannot put through", () =>
    Effect.gen(function* () {
      const letters = [
        letterOf(0, { job: "stocks" }),
        letterOf(1, { source: "invoices" }),
        letterOf(2, { event: null, reason: "refused row" }),
        letterOf(3, { step: "gone" }),
        letterOf(4)
      ]
      const { replays, sent } = yield* start(letters)
      yield* replays.ask
      expect(yield* replays.forward(1, null)).toEqual({ records: 1, skipped: 2 })
      expect(sent).toEqual(["decode 0/4"])
    })
  )

  it.effect("takes several epochs for many letters, and begins at none that a lineage before it had", () =>
    Effect.gen(function* () {
      const letters = Array.from({ length: 5 }, (_, i) => letterOf(i))
      const { replays } = yield* start(letters, { recordsPerEpochMax: 2 })
      yield* replays.ask
      for (const offset of [2, 4, 5]) {
        yield* replays.forward(1, null)
        expect(replays.cuts()[0]!.offset).toBe(offset)
        expect(replays.isPending()).toBe(offset < 5)
      }
      const begun = yield* start(letters, { restored: null })
      yield* begun.replays.ask
      expect(yield* begun.replays.forward(1, null)).toEqual({ records: 0, skipped: 0 })
    })
  )

  it.effect("goes on where its manifest ends, and replays an intent to its cut and not a letter further", () =>
    Effect.gen(function* () {
      const letters = Array.from({ length: 9 }, (_, i) => letterOf(i))
      const { replays, sent } = yield* start(letters, { restored: [cut(2, 7)] })
      expect(replays.isPending()).toBe(true)
      expect(yield* replays.forward(1, [cut(4, 7, 2)])).toEqual({ records: 2, skipped: 0 })
      expect(sent).toEqual(["decode 0/2,3"])
      expect(replays.cuts()).toEqual([cut(4, 7, 2)])
      expect(yield* replays.forward(1, [])).toEqual({ records: 0, skipped: 0 })
      expect(yield* replays.forward(2, null)).toEqual({ records: 3, skipped: 0 })
      expect(replays.cuts()).toEqual([cut(7, 7, 4)])
    })
  )

  it.effect("begins with the oldest letter that is kept, and says so in its cut", () =>
    Effect.gen(function* () {
      const letters = Array.from({ length: 9 }, (_, i) => letterOf(i))
      const { replays, sent } = yield* start(letters, { restored: [cut(2, 2)] }, 7)
      yield* replays.ask
      yield* replays.forward(1, null)
      expect(sent).toEqual(["decode 0/7,8"])
      expect(replays.cuts()).toEqual([cut(9, 9, 7)])
    })
  )

  it.effect("refuses an intent that replays what no sink keeps any more", () =>
    Effect.gen(function* () {
      const { replays } = yield* start([])
      const error = yield* Effect.flip(replays.forward(1, [{ ...cut(4, 7), sink: "orders.other" }]))
      expect(error).toMatchObject({ _tag: "SourceReplaced" })
    })
  )
})
