/** Changes of a job's lookups over a checkpoint: what the check says of each, and what the start does. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Logger, LogLevel, Schema } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Job from "../../src/flow/Job.ts"
import * as Lookup from "../../src/flow/Lookup.ts"
import type { Sink } from "../../src/flow/Sink.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import * as Restorability from "../../src/runtime/Restorability.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const Sale = Schema.Struct({ shop: Schema.String, price: Schema.Int })
const Shop = Schema.Struct({ shop: Schema.String, town: Schema.String })
const WithSize = Schema.Struct({ ...Shop.fields, size: Schema.Int })

interface Of {
  readonly name?: string
  readonly schema?: Schema.Schema<any, any>
  readonly refresh?: Lookup.Refresh
  readonly town?: string
}

/** What a sink was given. */
const kept = (rows: Array<unknown>): Sink<any, never, never> => ({
  name: "sales_of_towns",
  label: "sales_of_towns",
  guarantee: "exactly once",
  replaces: false,
  key: [],
  clear: null,
  open: () =>
    Effect.succeed({
      _tag: "OwnWriter",
      prepare: ({ barrier, batches }) =>
        Effect.sync(() => {
          const all = batches.flatMap(({ values }) => values)
          rows.push(...all)
          return { epoch: barrier.epoch, rows: all.length, bytes: 0, digest: "", invalid: [] }
        }),
      commit: () => Effect.succeed("written" as const),
      position: Effect.succeed(null)
    })
})

/** `null`: it looks nothing up. */
const jobOf = (rows: Array<unknown>, of: Of | null) =>
  Job.make("sales", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => {
      const read = Flow.from(Topic.source("sales")).pipe(Flow.decode(Sale))
      if (of === null) return read.pipe(Flow.to(kept(rows)))
      const { name = "shops", refresh = "fixed", schema = Shop, town = "Oslo" } = of
      const shops = Lookup.make(
        {
          from: name,
          label: name,
          schema: schema as typeof Shop,
          load: Effect.succeed({ rows: [{ shop: "a", town, size: 3 }], placeOf: null })
        },
        { key: ["shop"], refresh }
      )
      return read.pipe(
        Flow.enrich("towns", shops, {
          key: ({ shop }) => ({ shop }),
          into: ({ price }, found) => ({ price, ...found })
        }),
        Flow.to(kept(rows))
      )
    }
  })

const makeWorld = Effect.gen(function* () {
  const store = yield* MemoryCheckpointStore.make
  const layers = Layer.merge(Layer.succeed(CheckpointStore, store), TopicsMemory.layer(TopicsMemory.makeStore()))
  const rows: Array<unknown> = []
  /** Runs the job over one sale; why it failed, or the row that it made. */
  const sell = (of: Of | null, options: Runner.RunOptions = {}) =>
    Effect.gen(function* () {
      const value = new TextEncoder().encode('{"shop":"a","price":7}')
      yield* (yield* Topics).produce("sales", 0, [{ key: null, value, headers: [] }])
      const running = yield* Runner.start(
        jobOf(rows, of) as Job.Job<never, Topics>,
        { availableNow: true, ...options },
        () => Effect.void
      )
      const failure = yield* Effect.match(running.ended, { onFailure: (error) => error, onSuccess: () => null })
      return failure ?? rows.at(-1)
    }).pipe(Effect.scoped, Effect.provide(layers), Logger.withMinimumLogLevel(LogLevel.None))
  const check = (of: Of | null, dropState: ReadonlyArray<string> = []) =>
    Effect.map(store.lookUp("sales"), (record) => {
      const job = jobOf(rows, of)
      const code = Restorability.codeOf(job, Either.getOrThrow(job.configure({})))
      const verdict = Restorability.judge(record?.manifest ?? null, code, dropState)
      const parts = verdict.parts.filter(({ part }) => part === "lookup")
      return { verdict, parts, fates: parts.map(({ fate, id }) => `${id} ${fate}`) }
    })
  yield* Effect.flatMap(Topics, (topics) => topics.create("sales", { partitions: 1 })).pipe(Effect.provide(layers))
  return { store, sell, check }
})

describe("A start over a checkpoint with", () => {
  it.live("the same lookup goes on with its rows if it is fixed, and is loaded if it is refreshed", () =>
    Effect.gen(function* () {
      for (const [refresh, town, says] of [
        ["fixed", "Oslo", "of step 'towns': goes on with the rows that it was loaded with"],
        ["1 minute", "Rome", "of step 'towns': is loaded at the start; if that fails, its last rows stay in force"]
      ] as const) {
        const { check, sell } = yield* makeWorld
        expect((yield* check({ refresh })).parts).toMatchObject([
          { id: "shops", fate: "new", says: "of step 'towns': is loaded at the start" }
        ])
        expect(yield* sell({ refresh })).toEqual({ price: 7, shop: "a", town: "Oslo" })
        expect((yield* check({ refresh })).parts).toMatchObject([{ id: "shops", fate: "kept", says, refuses: false }])
        expect(yield* sell({ refresh, town: "Rome" })).toEqual({ price: 7, shop: "a", town })
      }
    })
  )

  it.live("a new lookup loads it, a removed one forgets its rows, and one that comes back is loaded anew", () =>
    Effect.gen(function* () {
      const { check, sell } = yield* makeWorld
      expect(yield* sell(null)).toEqual({ shop: "a", price: 7 })
      expect((yield* check({})).fates).toEqual(["shops new"])
      expect(yield* sell({})).toMatchObject({ town: "Oslo" })
      const { fates, parts, verdict } = yield* check(null)
      expect([fates, verdict.refusal]).toEqual([["shops dropped"], null])
      expect(parts[0]!.says).toContain("if it comes back it is loaded anew")
      expect((yield* check({ name: "stores" })).fates).toEqual(["stores new", "shops dropped"])
      expect(yield* sell(null)).toEqual({ shop: "a", price: 7 })
      expect((yield* check(null)).fates).toEqual([])
      expect(yield* sell({ town: "Rome" })).toMatchObject({ town: "Rome" })
    })
  )

  it.live("another Schema of a fixed lookup is refused, and says three ways out that lead on", () =>
    Effect.gen(function* () {
      const { check, sell, store } = yield* makeWorld
      yield* sell({})
      const { fates, verdict } = yield* check({ schema: WithSize })
      expect(fates).toEqual(["shops changed"])
      for (const words of ["lookup 'shops'", "{shop: string, town: string}", "size: number", "another `name`"])
        expect(verdict.refusal?.message).toContain(words)
      expect(verdict.refusal?.hint).toContain("--drop-state shops")
      const before = (yield* store.lookUp("sales"))?.manifest
      expect(yield* sell({ schema: WithSize })).toMatchObject({ _tag: "StateMismatch" })
      expect((yield* store.lookUp("sales"))?.manifest).toEqual(before)
      // The old Schema, another name, the rows lost.
      expect(yield* sell({ town: "Rome" })).toMatchObject({ town: "Oslo" })
      expect((yield* check({ schema: WithSize }, ["shops"])).verdict.refusal).toBeNull()
      expect(yield* sell({ schema: WithSize, town: "Rome" }, { dropState: ["shops"] })).toMatchObject({
        town: "Rome",
        size: 3
      })
      expect((yield* check({ schema: WithSize })).fates).toEqual(["shops kept"])
      expect(yield* sell({ name: "stores", town: "Bern" })).toMatchObject({ town: "Bern" })
    })
  )

  it.live("another Schema of a refreshed lookup loads it anew", () =>
    Effect.gen(function* () {
      const { check, sell } = yield* makeWorld
      yield* sell({ refresh: "1 minute" })
      const of: Of = { refresh: "1 minute", schema: WithSize, town: "Rome" }
      const { parts, verdict } = yield* check(of)
      expect(parts[0]).toMatchObject({ fate: "changed", says: expect.stringContaining("is loaded anew at the start") })
      expect(verdict.refusal).toBeNull()
      expect(yield* sell(of)).toMatchObject({ town: "Rome", size: 3 })
    })
  )

  it.live("a checkpoint that does not say how the rows of a lookup were written goes on", () =>
    Effect.gen(function* () {
      const { check, sell, store } = yield* makeWorld
      yield* sell({})
      const { lookupMarks, ...old } = (yield* store.lookUp("sales"))!.manifest!
      expect(lookupMarks).toHaveLength(1)
      const job = jobOf([], {})
      const code = Restorability.codeOf(job, Either.getOrThrow(job.configure({})))
      expect(Restorability.judge(old, code).parts).toEqual((yield* check({})).verdict.parts)
    })
  )
})
