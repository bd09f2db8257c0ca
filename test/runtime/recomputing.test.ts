/** A job that computes its whole result anew at each run: what its tables hold, and what a death leaves in them. */
import { FileSystem } from "@effect/platform"
import { NodeContext } from "@effect/platform-node"
import { describe, expect, layer } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"

import type { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as FileCheckpointStore from "../../src/checkpoint/FileCheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Aggregate, Flow, Frame, InstantFromMillis, Int64, Job, Parameter, Trigger } from "../../src/index.ts"
import type { EpochProgress } from "../../src/observe/Progress.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"
import { isThorough } from "../Thorough.ts"
import * as Life from "./Life.ts"

const Sale = Schema.Struct({ shop: Schema.String, at: InstantFromMillis, amount: Int64 })
const Row = Schema.Struct({ shop: Schema.String, at: InstantFromMillis, amount: Int64, lastThree: Int64 })
const Total = Schema.Struct({ total: Int64 })

/** The last three sales of each shop from a day on, and the sum of all. */
const sales = Job.make("sales", {
  parameters: { from: Parameter.integer(0, { meaning: "days before it do not count" }) },
  trigger: Trigger.availableNow,
  recomputes: true,
  outputs: ({ from }) => {
    const counted = Flow.from(Topic.source("sales")).pipe(
      Flow.decode(Sale),
      Flow.filter(({ at }) => at >= from * day),
      Flow.eventTime(({ at }) => at, { maxOutOfOrderness: "0 seconds" }),
      Flow.keyBy("shop")
    )
    return [
      counted.pipe(
        Flow.frames("last three", {
          lastThree: Frame.rows(
            2,
            Aggregate.sum(({ amount }) => amount)
          )
        }),
        Flow.to(Sql.replace("last_three", Row, { key: ["shop", "at"] }))
      ),
      counted.pipe(
        Flow.keyBy(),
        Flow.aggregate("all", { total: Aggregate.sum(({ amount }) => amount) }),
        Flow.to(Sql.replace("total", Total, { key: [] }))
      )
    ]
  }
})

const day = 86_400_000

interface Sold {
  readonly shop: string
  readonly at: number
  readonly amount: number
}

/** Each shop's days in order, and one shop after the other, so that nearly all are older than those before them. */
const first: ReadonlyArray<Sold> = ["a", "b", "c"].flatMap((shop, s) =>
  Array.from({ length: 12 }, (_, i) => ({ shop, at: (i + 1) * day, amount: 7 * s + i * i }))
)
const next: ReadonlyArray<Sold> = ["a", "d"].map((shop, i) => ({ shop, at: 40 * day, amount: 1_000 + i }))

const expectedOf = (sold: ReadonlyArray<Sold>, from: number) => {
  const counted = sold.filter(({ at }) => at >= from * day)
  const rows = counted.map(({ amount, at, shop }) => {
    const before = counted.filter((other) => other.shop === shop && other.at <= at).sort((a, b) => b.at - a.at)
    const lastThree = before.slice(0, 3).reduce((sum, other) => sum + other.amount, 0)
    return { shop, at, amount: String(amount), last_three: String(lastThree) }
  })
  const total = counted.reduce((sum, { amount }) => sum + amount, 0)
  return {
    rows: rows.sort((a, b) => (a.shop === b.shop ? a.at - b.at : a.shop < b.shop ? -1 : 1)),
    total: counted.length === 0 ? [] : [{ total: String(total) }]
  }
}

const produce = (sold: ReadonlyArray<Sold>) =>
  Effect.flatMap(Topics, (topics) =>
    topics.produce(
      "sales",
      0,
      sold.map((sale) => ({ key: null, value: new TextEncoder().encode(JSON.stringify(sale)), headers: [] }))
    )
  )

const held = Effect.gen(function* () {
  const tables = yield* Tables
  const all = (sql: string) => tables.query({ sql, parameters: [] })
  return {
    rows: yield* all("select shop, at, amount, last_three from last_three order by shop, at"),
    total: yield* all("select total from total")
  }
})

type Store = Layer.Layer<CheckpointStore, unknown, FileSystem.FileSystem | Tables>

/** One run, to its end or to its `crashAt`-th durable step. */
const lived = (crashAt: number, from: number, store: Store = SqlCheckpointStore.layer) => {
  const reports: Array<EpochProgress> = []
  return Effect.map(
    Life.live(crashAt, (points) =>
      Effect.provide(
        Life.job(sales, { set: { from: String(from) } }, reports),
        Layer.provideMerge(store, Life.services(points))
      )
    ),
    (life) => ({ ...life, reports })
  )
}

/** From empty tables and the first sales on. */
const anew = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const tables = yield* Tables
    yield* tables.transaction(
      ["drop schema public cascade", "create schema public"].map((sql) => ({ sql, parameters: [] }))
    )
    const topics = yield* Topics
    yield* topics.create("sales", { partitions: 1 })
    yield* produce(first)
    return yield* test
  }).pipe(Effect.provide(Layer.mergeAll(TopicsMemory.layer(), layerNone, NodeContext.layer)), Effect.scoped)

describe("a job that recomputes", () => {
  layer(layerMemory, { timeout: "5 minutes", excludeTestServices: true })((it) => {
    it.effect("holds after each run the result of that run alone", () =>
      anew(
        Effect.gen(function* () {
          const { reports } = yield* lived(0, 0)
          expect(yield* held).toEqual(expectedOf(first, 0))
          expect(reports.map(({ inputRows }) => inputRows)).toEqual([first.length])
          expect(reports[0]!.late).toBe(0)

          yield* lived(0, 0)
          expect(yield* held).toEqual(expectedOf(first, 0))

          yield* lived(0, 9)
          const later = expectedOf(first, 9)
          expect(later.rows.length).toBeLessThan(first.length)
          expect(yield* held).toEqual(later)

          yield* produce(next)
          yield* lived(0, 9)
          expect(yield* held).toEqual(expectedOf([...first, ...next], 9))

          yield* lived(0, 100)
          expect(yield* held).toEqual({ rows: [], total: [] })
        })
      )
    )

    for (const place of ["the tables", "files"])
      it.effect(
        `with checkpoints in ${place} dies at any durable step with the old result or the new one in each table, and the next run makes them equal`,
        () =>
          anew(
            Effect.gen(function* () {
              const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
              const store: Store = place === "files" ? FileCheckpointStore.layer(folder) : SqlCheckpointStore.layer
              const [old, fresh] = [expectedOf(first, 0), expectedOf(first, 9)]
              const seen = { old: 0, fresh: 0 }
              // In files a life has some five times as many durable steps.
              const stride = place === "files" && !isThorough ? 7 : 1
              for (let crashAt = 1; ; crashAt += stride) {
                yield* lived(0, 0, store)
                expect(yield* held).toEqual(old)
                const { crashedAt } = yield* lived(crashAt, 9, store)
                if (crashedAt === null) break
                const { rows, total } = yield* held
                expect([old.rows, fresh.rows]).toContainEqual(rows)
                expect([old.total, fresh.total]).toContainEqual(total)
                // What the checkpoint is beside is one transaction with all tables.
                if (place === "the tables")
                  expect(rows.length === old.rows.length).toBe(total[0]!.total === old.total[0]!.total)
                seen[rows.length === old.rows.length ? "old" : "fresh"]++
                yield* lived(0, 9, store)
                expect(yield* held).toEqual(fresh)
              }
              expect(seen.old).toBeGreaterThan(5)
              expect(seen.fresh).toBeGreaterThan(0)
            })
          ),
        120_000
      )

    it.effect("that is stopped before its end has changed nothing", () =>
      anew(
        Effect.gen(function* () {
          yield* lived(0, 0)
          const running = yield* Runner.start(sales, { set: { from: "9" } }, () => Effect.void).pipe(
            Effect.provide(SqlCheckpointStore.layer)
          )
          yield* running.stop
          yield* running.ended
          expect(yield* held).toEqual(expectedOf(first, 0))
        })
      )
    )

    it.effect("puts no dead letters through again beside its runs", () =>
      anew(
        Effect.gen(function* () {
          const refused = yield* Runner.start(sales, { replayOnly: true }, () => Effect.void).pipe(
            Effect.provide(SqlCheckpointStore.layer),
            Effect.flip
          )
          expect(refused).toMatchObject({ _tag: "InvalidJob", message: expect.stringContaining("anew at each run") })
        })
      )
    )
  })
})
