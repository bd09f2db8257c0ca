/**
 * Orders that a first code of the job cannot read and a second one can: what the first set aside, the second replays.
 */
import { FileSystem, type Path } from "@effect/platform"
import { Effect, Layer, Logger, LogLevel, Schema } from "effect"
import { Order, ShopItemIncome } from "../../actors/orders.ts"
import { orders as generate, type OrdersValues } from "../../fixtures/orders.ts"
import { type Expected, expectedOf } from "../../fixtures/orders-oracle.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import * as Log from "../../src/connectors/log/index.ts"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import type { DeadLetterLimits } from "../../src/flow/Job.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { type StoredRecord, Topics } from "../../src/flow/Topics.ts"
import { Aggregate, Flow, Job, Trigger, Window } from "../../src/index.ts"
import type * as Runner from "../../src/runtime/Runner.ts"
import * as Life from "./Life.ts"

/** The first code takes two orders of three. */
const Narrow = Order.pipe(Schema.filter((order) => order.orderid % 3n !== 0n || "an order that nobody knows"))

const jobOf = (
  schema: typeof Order | typeof Narrow,
  options: { readonly lateness: "1 second" | "36500 days"; readonly deadLetters?: Partial<DeadLetterLimits> }
) =>
  Job.make("orders", {
    parameters: {},
    trigger: Trigger.every("20 millis"),
    ...(options.deadLetters === undefined ? {} : { deadLetters: options.deadLetters }),
    outputs: () => {
      const income = Flow.from(Topic.source("orders")).pipe(
        Flow.decode(schema as typeof Order, { invalid: Topic.deadLetter("orders.invalid") }),
        Flow.eventTime((order) => order.orderedAt, { maxOutOfOrderness: "5 seconds" }),
        Flow.keyBy("region", "shopid", "itemid"),
        Flow.window(Window.tumbling("60 seconds"), { allowedLateness: options.lateness }),
        Flow.aggregate("income", {
          grossIncome: Aggregate.sum((order) => order.price),
          totalItems: Aggregate.sum((order) => order.count),
          totalOrders: Aggregate.count
        })
      )
      const key = ["region", "shopid", "itemid", "windowStart"] as const
      return [
        income.pipe(Flow.to(Sql.upsert("shop_item_income", ShopItemIncome, { key }))),
        income.late.pipe(Flow.to(Topic.late("orders.late")))
      ]
    }
  })

/** Cannot read all items. */
export const before = jobOf(Narrow, { lateness: "36500 days" })
/** Reads all items, and takes every event, however late. */
export const mended = jobOf(Order, { lateness: "36500 days" })
/** Reads all items; its windows close soon. */
export const hasty = jobOf(Order, { lateness: "1 second" })
/** Cannot read all items, and stops at too many of those. */
export const strict = (deadLetters: Partial<DeadLetterLimits>) => jobOf(Narrow, { lateness: "36500 days", deadLetters })

export interface ReplayWorld {
  readonly folder: string
  readonly expected: Expected
  readonly layer: Layer.Layer<Topics, unknown, FileSystem.FileSystem | Path.Path>
  /** Appends the orders that were held back. */
  readonly more: Effect.Effect<void, unknown, FileSystem.FileSystem | Path.Path>
}

/** `held`: how many orders of each partition are held back. */
export const make = (values: Partial<OrdersValues>, held = 0) =>
  Effect.gen(function* () {
    const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
    const layer = Log.layer({ folder: `${folder}/log` })
    const partitions: Array<Array<Uint8Array>> = Array.from({ length: values.partitions ?? 2 }, () => [])
    for (const { records } of generate({ partitions: partitions.length, ...values }))
      for (const { partition, value } of records) partitions[partition]!.push(value.slice())
    const append = (part: (all: ReadonlyArray<Uint8Array>) => ReadonlyArray<Uint8Array>) =>
      Effect.flatMap(Topics, (topics) =>
        Effect.forEach(
          partitions,
          (all, partition) =>
            topics.produce(
              "orders",
              partition,
              part(all).map((value) => ({ key: null, value, headers: [] }))
            ),
          { discard: true }
        )
      )
    yield* Effect.flatMap(Topics, (topics) => topics.create("orders", { partitions: partitions.length })).pipe(
      Effect.zipRight(append((all) => all.slice(0, all.length - held))),
      Effect.provide(layer)
    )
    const tables = yield* Tables
    yield* tables.transaction([
      { sql: "drop schema public cascade", parameters: [] },
      { sql: "create schema public", parameters: [] }
    ])
    const expected = expectedOf(partitions, { windowMillis: 60_000, allowedLatenessMillis: 1e14 })
    const more = Effect.provide(
      append((all) => all.slice(all.length - held)),
      layer
    )
    return { folder, expected, layer, more } satisfies ReplayWorld
  })

type AnyJob = typeof mended

/** One start of a job, to its end or to its `crashAt`-th durable step; answers where it crashed, or `null`. */
export const live = (world: ReplayWorld, job: AnyJob, options: Runner.RunOptions, crashAt = 0) =>
  Effect.map(
    Life.live(crashAt, (points) =>
      Life.job(job, { ...options, set: { maxPerEpoch: "40", ...options.set } }, []).pipe(
        Effect.provide(Layer.provideMerge(Layer.merge(SqlCheckpointStore.layer, world.layer), Life.services(points))),
        Logger.withMinimumLogLevel(LogLevel.None)
      )
    ),
    ({ crashedAt }) => crashedAt
  )

/** A row of the table as text, by its key. */
export const rows = Effect.flatMap(Tables, (tables) =>
  Effect.map(
    tables.query({
      sql: "select region, shopid, itemid, window_start, gross_income, total_items, total_orders from shop_item_income",
      parameters: []
    }),
    (all) =>
      new Map(
        all.map((row) => [
          `${row.region}|${row.shopid}|${row.itemid}|${row.window_start}`,
          `${row.gross_income} ${row.total_items} ${row.total_orders}`
        ])
      )
  )
)

export const wanted = ({ expected }: ReplayWorld): ReadonlyMap<string, string> =>
  new Map([...expected.rows].map(([key, row]) => [key, `${row.grossIncome} ${row.totalItems} ${row.totalOrders}`]))

const text = new TextDecoder()

/** The places of what was set aside to a topic, each as often as it is there. */
export const places = (world: ReplayWorld, topic: string) =>
  Effect.gen(function* () {
    const topics = yield* Topics
    const { partitions } = yield* topics.describe(topic)
    const all = yield* Effect.forEach(partitions, ({ latest, partition }) => topics.fetch(topic, partition, 0, latest))
    return all.flat().map(placeOf)
  }).pipe(Effect.provide(world.layer))

const placeOf = ({ headers }: StoredRecord): string => {
  const about = Object.fromEntries(headers.map(({ name, value }) => [name, text.decode(value)]))
  return `${about["weir.partition"]}/${about["weir.offset"]}`
}
