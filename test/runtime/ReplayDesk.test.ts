import { describe, expect, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { Manifest, ReplayCounts } from "../../src/checkpoint/Checkpoint.ts"
import * as ReplayDesk from "../../src/runtime/ReplayDesk.ts"

const settle = Effect.repeatN(Effect.yieldNow(), 20)
const place = { source: "orders", sink: "orders.invalid", partition: 0 }

/** A life whose letters end at `latest.offset`. */
const lifeOf = (state: { offset: number; until: number; latest: number }): ReplayDesk.Replaying => ({
  ask: Effect.sync(() => {
    state.until = state.latest
  }),
  cuts: () => [{ ...place, from: 0, offset: state.offset, until: state.until }]
})
const manifest = (offset: number, replayed?: ReplayCounts): Manifest =>
  ({
    replays: [{ ...place, from: 0, offset, until: offset }],
    ...(replayed === undefined ? {} : { replayed })
  }) as never
const counts = (records: number): ReplayCounts => ({ records, late: 1, deadLetters: 2, skipped: 0 })

describe("a desk of replays", () => {
  it.effect("answers when the manifest has come to the end that was asked for, with what came since", () =>
    Effect.gen(function* () {
      const desk = yield* ReplayDesk.make(false)
      yield* desk.seen(manifest(3, counts(3)))
      yield* desk.opened(lifeOf({ offset: 3, until: 3, latest: 9 }))
      const asked = yield* Effect.fork(desk.replay)
      yield* settle
      yield* desk.seen(manifest(8, counts(8)))
      yield* settle
      expect(yield* Fiber.poll(asked)).toMatchObject({ _tag: "None" })
      yield* desk.seen(manifest(9, { records: 9, late: 4, deadLetters: 2, skipped: 1 }))
      expect(yield* Fiber.join(asked)).toEqual({ records: 6, late: 3, deadLetters: 0, skipped: 1 })
    })
  )

  it.effect("answers at once where there is nothing to replay", () =>
    Effect.gen(function* () {
      const desk = yield* ReplayDesk.make(false)
      yield* desk.opened(lifeOf({ offset: 3, until: 3, latest: 3 }))
      expect(yield* desk.replay).toEqual(ReplayDesk.nothing)
    })
  )

  it.effect("keeps a request for the next life, and its end over the lives after that", () =>
    Effect.gen(function* () {
      const desk = yield* ReplayDesk.make(false)
      const asked = yield* Effect.fork(desk.replay)
      yield* settle
      expect(desk.ends.size).toBe(0)
      yield* desk.opened(lifeOf({ offset: 0, until: 0, latest: 5 }))
      expect([...desk.ends.values()]).toEqual([5])
      // The first life has failed, and what it replayed was set aside again: the second one does not replay that.
      yield* desk.opened(lifeOf({ offset: 2, until: 2, latest: 7 }))
      expect([...desk.ends.values()]).toEqual([5])
      yield* desk.seen(manifest(5, counts(5)))
      expect((yield* Fiber.join(asked)).records).toBe(5)
    })
  )

  it.effect("begins with a request where the run is made for one, and takes others in turn", () =>
    Effect.gen(function* () {
      const desk = yield* ReplayDesk.make(true)
      const state = { offset: 0, until: 0, latest: 4 }
      yield* desk.opened(lifeOf(state))
      expect([...desk.ends.values()]).toEqual([4])
      const both = yield* Effect.fork(Effect.all([desk.replay, desk.replay], { concurrency: "unbounded" }))
      yield* settle
      Object.assign(state, { offset: 4, latest: 6 })
      yield* desk.seen(manifest(4, counts(4)))
      yield* settle
      yield* desk.seen(manifest(6, counts(6)))
      expect((yield* Fiber.join(both)).map(({ records }) => records)).toEqual([4, 2])
    })
  )
})
