/**
 * Transfers between accounts and their confirmations, in topics; a job that keeps balances of them; and a reader who
 * looks at its tables all the while.
 *
 *     transfers ──┐
 *                 ├─ join ── flatMap ── balance of each account ──┬─► balances
 *     confirmed ──┘          (−a, +a)                             ├─ total of all ─► total
 *                                                                 └─ by sign, others than 0 ─► sides
 */
import { FileSystem } from "@effect/platform"
import { Effect, Fiber, Layer, Schema } from "effect"
import type { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as FileCheckpointStore from "../../src/checkpoint/FileCheckpointStore.ts"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Tables, type TablesService } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Aggregate, Decimal, Flow, InstantFromMillis, Int64, Job, Trigger } from "../../src/index.ts"
import type { EpochProgress } from "../../src/observe/Progress.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"
import type * as CrashPoints from "./CrashPoints.ts"
import * as Life from "./Life.ts"
import type { Checkpoints } from "./World.ts"

// The job

const Money = Decimal(18, 2)
type Money = typeof Money.Type

class Transfer extends Schema.Class<Transfer>("Transfer")({
  id: Schema.Int,
  from: Schema.String,
  to: Schema.String,
  amount: Money,
  at: InstantFromMillis
}) {
  get rows() {
    return [
      { account: this.from, amount: -this.amount as Money },
      { account: this.to, amount: this.amount }
    ]
  }
}
const Confirmed = Schema.Struct({ id: Schema.Int, at: InstantFromMillis })

export const Balance = Schema.Struct({ account: Schema.String, balance: Money, moves: Int64 })
export const Total = Schema.Struct({ total: Money, accounts: Int64, moves: Int64 })
export const Side = Schema.Struct({ side: Schema.String, total: Money, accounts: Int64, most: Money })

/** `forgetful`: one that adds up rows as they come, and does not take back what they were before. */
export const jobOf = (kind: "right" | "forgetful") =>
  Job.make("transfers", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => {
      const confirmations = Flow.from(Topic.source("confirmed")).pipe(
        Flow.decode(Confirmed),
        Flow.eventTime((one) => one.at, { maxOutOfOrderness: "4 seconds" }),
        Flow.keyBy("id")
      )
      const balances = Flow.from(Topic.source("transfers")).pipe(
        Flow.decode(Transfer),
        Flow.eventTime((one) => one.at, { maxOutOfOrderness: "4 seconds" }),
        Flow.keyBy("id"),
        Flow.join("pairs", confirmations, { within: "8 seconds" }),
        Flow.flatMap(({ left }) => left.rows),
        Flow.keyBy("account"),
        Flow.aggregate("balance", { balance: Aggregate.sum((row) => row.amount), moves: Aggregate.count })
      )
      const all = {
        total: Aggregate.sum((row: typeof Balance.Type) => row.balance),
        accounts: Aggregate.count,
        moves: Aggregate.sum((row: typeof Balance.Type) => row.moves)
      }
      const total =
        kind === "right"
          ? balances.pipe(Flow.keyBy(), Flow.aggregate("sum", all))
          : balances.pipe(
              Flow.updates,
              Flow.flatMap(({ after }) => (after === undefined ? [] : [after])),
              Flow.keyBy(),
              Flow.aggregate("sum", all)
            )
      return [
        balances.pipe(Flow.to(Sql.upsert("balances", Balance, { key: ["account"] }))),
        total.pipe(Flow.to(Sql.upsert("total", Total, { key: [] }))),
        balances.pipe(
          Flow.filter((row) => row.balance !== 0n),
          Flow.keyBy({ side: (row) => (row.balance < 0n ? "owes" : "owns") }),
          Flow.aggregate("side", {
            total: Aggregate.sum((row) => row.balance),
            accounts: Aggregate.count,
            most: Aggregate.max((row) => row.balance)
          }),
          Flow.to(Sql.upsert("sides", Side, { key: ["side"] }))
        )
      ]
    }
  })

// The records, and what they come to

const start = Date.UTC(2024, 0, 1)
const spread = (i: number, range: number): number => (i * 7_919) % range
const accounts = 9
const account = (i: number): string => `account ${i % accounts}`
export const partitions = 3
const outOfOrderMillis = 4_000
const withinMillis = 8_000

interface Came {
  readonly id: number
  readonly at: number
  readonly partition: number
}
export const transfers = Array.from({ length: 360 }, (_, id) => {
  const from = spread(id, 83)
  const at = start + id * 400 + (id % 29 === 28 ? -30_000 : spread(id, 3_500))
  const cents = BigInt(25 * (1 + spread(id, 4)))
  return {
    id,
    from: account(from),
    to: account(from + 1 + spread(id, accounts - 1)),
    cents,
    at,
    partition: id % partitions
  }
})
/** One of seven transfers is never confirmed, one of five twice; some are confirmed too late. */
export const confirmations: ReadonlyArray<Came> = transfers
  .flatMap(({ at, id }) =>
    Array.from({ length: id % 7 === 6 ? 0 : id % 5 === 4 ? 2 : 1 }, (_, n) => ({
      id,
      at: at + spread(id + n, 11_000) - 1_000,
      partition: (id + n) % partitions
    }))
  )
  .map((one) => ({ one, comes: one.at + (one.id % 31 === 30 ? 30_000 : spread(one.id, 3_500)) }))
  .sort((left, right) => left.comes - right.comes)
  .map(({ one }) => one)

/** Those that do not come too late, of one topic. */
const inTime = <A extends Came>(records: ReadonlyArray<A>): ReadonlyArray<A> => {
  const highest = new Map<number, number>()
  return records.filter(({ at, partition }) => {
    const before = highest.get(partition) ?? Number.NEGATIVE_INFINITY
    highest.set(partition, Math.max(before, at))
    return at >= before - outOfOrderMillis
  })
}

/** Balance and number of moves of each account, by nested loops. */
export const expected = (): ReadonlyMap<string, readonly [cents: bigint, moves: bigint]> => {
  const found = new Map<string, readonly [bigint, bigint]>()
  const known = inTime(confirmations)
  const move = (name: string, cents: bigint) => {
    const [balance, moves] = found.get(name) ?? [0n, 0n]
    found.set(name, [balance + cents, moves + 1n])
  }
  for (const transfer of inTime(transfers)) {
    for (const one of known) {
      if (one.id !== transfer.id || Math.abs(one.at - transfer.at) > withinMillis) continue
      move(transfer.from, -transfer.cents)
      move(transfer.to, transfer.cents)
    }
  }
  return found
}

/** How many come too late. */
export const lateRecords = (): number =>
  transfers.length + confirmations.length - inTime(transfers).length - inTime(confirmations).length

// The world

export interface TransfersWorld {
  readonly folder: string
  readonly topics: TopicsMemory.Store
  readonly checkpoints: Checkpoints
}

const encoder = new TextEncoder()
const produce = (topic: string, records: ReadonlyArray<Came>) =>
  Effect.gen(function* () {
    const topics = yield* Topics
    yield* topics.create(topic, { partitions })
    for (let number = 0; number < partitions; number++)
      yield* topics.produce(
        topic,
        number,
        records
          .filter(({ partition }) => partition === number)
          .map((record) => ({ key: null, value: jsonOf(record), headers: [] }))
      )
  })
/** The value of a record. */
export const jsonOf = ({ partition: _, ...record }: Came & { readonly cents?: bigint }): Uint8Array => {
  const { cents, ...rest } = record
  return encoder.encode(JSON.stringify(cents === undefined ? rest : { ...rest, amount: Number(cents) / 100 }))
}

/** Topics with all records, empty tables. */
export const make = (checkpoints: Checkpoints) =>
  Effect.gen(function* () {
    const folder = yield* (yield* FileSystem.FileSystem).makeTempDirectoryScoped()
    const topics = TopicsMemory.makeStore()
    yield* Effect.all([produce("transfers", transfers), produce("confirmed", confirmations)]).pipe(
      Effect.provide(TopicsMemory.layer(topics))
    )
    yield* (yield* Tables).transaction([
      { sql: "drop schema public cascade", parameters: [] },
      { sql: "create schema public", parameters: [] }
    ])
    return { folder, topics, checkpoints } satisfies TransfersWorld
  })

export interface LifeOptions {
  /** Ends it at that durable step, counted from 1. */
  readonly crashAt?: number
  readonly kind?: "right" | "forgetful"
  /** What becomes of the tables on the way to the job. */
  readonly tables?: (real: TablesService) => TablesService
}

/** One start of the job, to its end or to its `crashAt`-th durable step. */
export const live = (
  world: TransfersWorld,
  { crashAt = 0, kind = "right", tables = (real) => real }: LifeOptions = {}
) =>
  Effect.gen(function* () {
    const reports: Array<EpochProgress> = []
    const options = { availableNow: true, final: true, set: { maxPerEpoch: "36" } }
    const { crashedAt, reached } = yield* Life.live(crashAt, (points) =>
      Life.job(jobOf(kind), options, reports).pipe(Effect.provide(layersOf(world, tables, points)))
    )
    return { crashedAt, reached: reached.length, reports }
  })

const layersOf = (
  world: TransfersWorld,
  tables: (real: TablesService) => TablesService,
  points: CrashPoints.CrashPoints
) => {
  const store: Layer.Layer<CheckpointStore, unknown, FileSystem.FileSystem | Tables> =
    world.checkpoints === "in files"
      ? FileCheckpointStore.layer(`${world.folder}/checkpoints`)
      : SqlCheckpointStore.layer
  const changed = Layer.effect(
    Tables,
    Effect.map(Tables, (real) => slow(tables(real)))
  )
  const outer = Layer.provide(Life.services(points), changed)
  return Layer.provideMerge(Layer.merge(store, TopicsMemory.layer(world.topics)), outer)
}

/**
 * A database in this thread answers before anybody else has had a turn. As if it were elsewhere, it takes a while, and
 * one transaction waits for the other.
 */
const slow = (real: TablesService): TablesService => {
  const turn = Effect.unsafeMakeSemaphore(1).withPermits(1)
  return {
    ...real,
    transaction: (statements) => turn(Effect.zipLeft(real.transaction(statements), Effect.sleep("5 millis")))
  }
}

// The reader

/** What one statement finds: the tables as they are at one moment. Amounts are in cents. */
export interface Look {
  readonly balances: {
    readonly sum: number
    readonly owned: number
    readonly accounts: number
    readonly uneven: number
    readonly moves: number
  }
  readonly total: { readonly sum: number; readonly accounts: number; readonly moves: number }
  readonly sides: { readonly sum: number; readonly owned: number; readonly accounts: number }
  /** The epoch of each sink, by its table. */
  readonly epochs: Readonly<Record<"balances" | "total" | "sides", number>>
}

const sql = `select json_build_object(
  'balances', (select json_build_object(
    'sum', coalesce(sum(balance), 0) * 100, 'owned', coalesce(sum(greatest(balance, 0)), 0) * 100, 'accounts', count(*),
    'uneven', count(*) filter (where balance <> 0), 'moves', coalesce(sum(moves), 0)) from balances),
  'total', (select json_build_object(
    'sum', coalesce(sum(total), 0) * 100, 'accounts', coalesce(sum(accounts), 0), 'moves', coalesce(sum(moves), 0)) from total),
  'sides', (select json_build_object(
    'sum', coalesce(sum(total), 0) * 100, 'owned', coalesce(sum(total) filter (where side = 'owns'), 0) * 100,
    'accounts', coalesce(sum(accounts), 0)) from sides),
  'epochs', (select json_object_agg(sink, epoch) from weir_fence)) as look`

/** Looks once; `null` while there are not yet all tables. */
const look = Effect.gen(function* () {
  const tables = yield* Tables
  const names = yield* tables.list
  if (!["balances", "total", "sides"].every((name) => names.includes(name))) return null
  const [row] = yield* tables.query({ sql, parameters: [] })
  return row!.look as Look
})

/** Looks again and again while something else happens; answers everything that it saw, in order. */
export const watching = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const looks: Array<Look> = []
    const again = Effect.delay(look, "2 millis").pipe(
      Effect.tap((one) => Effect.sync(() => one !== null && looks.push(one)))
    )
    const reader = yield* Effect.fork(Effect.forever(again))
    const done = yield* Effect.raceFirst(effect, Fiber.join(reader))
    yield* Fiber.interrupt(reader)
    return [done, looks] as const
  })
