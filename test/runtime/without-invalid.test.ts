/**
 * A job that keeps no dead letters fails at the first record, event or row that it cannot use: nothing of that epoch is
 * written, every start fails there, and with an `invalid` it goes on from there.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Either, Exit, Layer, Logger, LogLevel, Schema, Scope } from "effect"
import * as SqlCheckpointStore from "../../src/checkpoint/SqlCheckpointStore.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import { Decimal, Flow, InstantFromMillis, Job, Trigger } from "../../src/index.ts"
import { RecordUnusable } from "../../src/model/Errors.ts"
import * as Runner from "../../src/runtime/Runner.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const Bill = Schema.Struct({ id: Schema.Int, amount: Decimal(12, 2), at: InstantFromMillis })
/** Its column holds less than a bill may say. */
const Small = Schema.Struct({ id: Schema.Int, amount: Decimal(4, 2) })

const rest = [
  Flow.eventTime((bill: typeof Bill.Type) => bill.at, { maxOutOfOrderness: "0 seconds" }),
  Flow.map(({ amount, id }: typeof Bill.Type) => ({ id, amount })),
  Flow.to(Sql.append("kept", Small))
] as const
const parameters = { parameters: {}, trigger: Trigger.every("1 second") }
const without = Job.make("bills", {
  ...parameters,
  outputs: () => Flow.from(Topic.source("bills")).pipe(Flow.decode(Bill), ...rest)
})
const withInvalid = Job.make("bills", {
  ...parameters,
  outputs: () =>
    Flow.from(Topic.source("bills")).pipe(Flow.decode(Bill, { invalid: Topic.deadLetter("bills.bad") }), ...rest)
})

const at = Date.UTC(2024, 0, 1)
const good = (id: number) => ({ id, amount: 1.5, at })

const start = <E>(job: Job.Job<E, Tables | Topics, {}>) =>
  Effect.flatMap(
    Runner.start(job, { availableNow: true, set: { maxPerEpoch: "2" } }, () => Effect.void),
    (running) => running.ended
  ).pipe(Effect.scoped, Effect.provide(SqlCheckpointStore.layer), Logger.withMinimumLogLevel(LogLevel.None))

const found = Effect.flatMap(Tables, (tables) =>
  Effect.map(tables.query({ sql: "select id from kept order by id", parameters: [] }), (rows) =>
    rows.map(({ id }) => Number(id))
  )
)

let scope: Scope.CloseableScope
let tables: Context.Context<Tables>
beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  tables = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

describe("a job without invalid", () => {
  it.each([
    ["a record that cannot be decoded", { id: 3, amount: "much", at }, "undecodable"],
    ["an event from the far future", { ...good(3), at: Date.UTC(9000, 0, 1) }, "far future"],
    ["a row that its column cannot hold", { ...good(3), amount: 12_345 }, "refused row"]
  ])("fails at %s, and goes on there once it has one", (_, bad, reason) =>
    Effect.gen(function* () {
      const topics = yield* Topics
      yield* Effect.flatMap(Tables, (tables) =>
        tables.transaction([
          { sql: "drop schema public cascade", parameters: [] },
          { sql: "create schema public", parameters: [] }
        ])
      )
      yield* topics.create("bills", { partitions: 1 })
      const records = [good(0), good(1), good(2), bad, good(4), good(5)]
      yield* topics.produce(
        "bills",
        0,
        records.map((record) => ({ key: null, value: new TextEncoder().encode(JSON.stringify(record)), headers: [] }))
      )
      for (const _ of ["the first start", "the second"]) {
        const failure = yield* Effect.either(start(without))
        expect(Either.getOrThrow(Either.flip(failure))).toBeInstanceOf(RecordUnusable)
        // Whether the epoch before was committed in time is open.
        expect([[], [0, 1]]).toContainEqual(yield* found)
      }
      yield* start(withInvalid)
      expect(yield* found).toEqual([0, 1, 2, 4, 5])
      const letters = yield* topics.fetch("bills.bad", 0, 0, 10)
      const reasons = letters.flatMap(({ headers }) =>
        headers.flatMap(({ name, value }) => (name === "weir.reason" ? [new TextDecoder().decode(value)] : []))
      )
      expect(reasons).toEqual([reason])
    }).pipe(Effect.provide(TopicsMemory.layer()), Effect.provide(tables), Effect.runPromise)
  )
})
