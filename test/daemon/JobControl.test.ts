/** What a person does to jobs that does not go well, or leaves something behind: what is refused, and what is said. */

import { NodeContext } from "@effect/platform-node"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { type Context, Effect, Exit, Layer, Logger, LogLevel, Schedule, Schema, Scope } from "effect"
import { CheckpointStore } from "../../src/checkpoint/CheckpointStore.ts"
import * as MemoryCheckpointStore from "../../src/checkpoint/MemoryCheckpointStore.ts"
import { layerMemory, Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Daemon, type DaemonService } from "../../src/daemon/Daemon.ts"
import * as DaemonLive from "../../src/daemon/DaemonLive.ts"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Job from "../../src/flow/Job.ts"
import { layerNone } from "../../src/flow/SchemaRegistry.ts"
import { Tables } from "../../src/flow/Tables.ts"
import { Topics } from "../../src/flow/Topics.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import * as Window from "../../src/flow/Window.ts"
import { InstantFromMillis } from "../../src/model/Columns.ts"
import type { JobEvent } from "../../src/observe/Progress.ts"
import * as TopicsMemory from "../../src/testing/TopicsMemory.ts"

const Sale = Schema.Struct({ shop: Schema.String, price: Schema.Int })
const Minute = Schema.Struct({ shop: Schema.String, windowStart: InstantFromMillis, sales: Schema.BigIntFromSelf })
const Total = Schema.Struct({ shop: Schema.String, sales: Schema.BigIntFromSelf })

interface Parts {
  readonly name?: string
  readonly step?: string
  readonly appends?: boolean
  readonly second?: "of the totals" | "of windows" | "of a step of its own"
}

const sales = ({ appends = false, name = "sales", second, step = "totals" }: Parts = {}): Job.Job =>
  Job.make(name, {
    parameters: {},
    trigger: Trigger.every("10 millis"),
    outputs: () => {
      const read = Flow.from(Topic.source("sales")).pipe(
        Flow.decode(Sale, { invalid: Topic.deadLetter("sales.invalid") })
      )
      const totals = read.pipe(Flow.keyBy("shop"), Flow.aggregate(step, { sales: Aggregate.count }))
      const windows = read.pipe(
        Flow.eventTime(() => 0, { maxOutOfOrderness: "0 seconds" }),
        Flow.keyBy("shop"),
        Flow.window(Window.tumbling("1 minute")),
        Flow.aggregate("by minute", { sales: Aggregate.count })
      )
      const seconds = {
        "of the totals": () =>
          totals.pipe(
            Flow.filter((row) => row.shop !== ""),
            Flow.to(Sql.upsert("second_totals", Total, { key: ["shop"] }))
          ),
        "of windows": () =>
          windows.pipe(Flow.to(Sql.upsert("second_windows", Minute, { key: ["shop", "windowStart"] }))),
        "of a step of its own": () =>
          read.pipe(
            Flow.keyBy("shop"),
            Flow.aggregate("own", { sales: Aggregate.count }),
            Flow.to(Sql.upsert("second_own", Total, { key: ["shop"] }))
          )
      }
      return [
        totals.pipe(Flow.to(Sql.upsert("shop_totals", Total, { key: ["shop"] }))),
        ...(appends ? [read.pipe(Flow.to(Sql.append("all_sales", Sale)))] : []),
        ...(second === "of windows"
          ? []
          : [windows.pipe(Flow.to(Sql.upsert("minutes", Minute, { key: ["shop", "windowStart"] })))]),
        ...(second === undefined ? [] : [seconds[second]()])
      ]
    }
  }) as never

let scope: Scope.CloseableScope
let context: Context.Context<Tables>
beforeAll(async () => {
  scope = await Effect.runPromise(Scope.make())
  context = await Effect.runPromise(Layer.buildWithScope(layerMemory, scope))
}, 30_000)
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

/** Empty tables, topics and checkpoints that outlive the daemons over them. */
const makeWorld = Effect.gen(function* () {
  const tables = yield* Tables
  yield* tables.transaction([
    { sql: "drop schema public cascade", parameters: [] },
    { sql: "create schema public", parameters: [] }
  ])
  const store = yield* MemoryCheckpointStore.make
  const topics = TopicsMemory.layer(TopicsMemory.makeStore())
  const produce = (shops: ReadonlyArray<string>) =>
    Effect.flatMap(Topics, (all) =>
      all.produce(
        "sales",
        0,
        shops.map((shop) => ({
          key: null,
          value: new TextEncoder().encode(shop === "not json" ? shop : JSON.stringify({ shop, price: 1 })),
          headers: []
        }))
      )
    ).pipe(Effect.provide(topics))
  yield* Effect.flatMap(Topics, (all) => all.create("sales", { partitions: 1 })).pipe(Effect.provide(topics))
  /** A daemon of this code; it ends with what is done. */
  const hosted = <A, E>(
    job: Job.Job,
    use: (daemon: DaemonService) => Effect.Effect<A, E>,
    options: DaemonLive.Options = {}
  ) =>
    Effect.flatMap(Daemon, use).pipe(
      Effect.provide(Layer.provide(DaemonLive.layer([job], options), layerNone)),
      Effect.provide(Layer.mergeAll(Layer.succeed(CheckpointStore, store), topics, NodeContext.layer)),
      Logger.withMinimumLogLevel(LogLevel.Warning)
    )
  /** The warnings of all that is done. */
  const warningsOf = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        if (logLevel._tag === "Warning") logged.push(String(message))
      })
      yield* Effect.provide(effect, Logger.replace(Logger.defaultLogger, logger))
      return logged
    })
  const rows = (sql: string) => tables.query({ sql, parameters: [] })
  return { store, produce, hosted, warningsOf, rows }
})

const run = <A, E>(effect: Effect.Effect<A, E, Tables>): Promise<A> =>
  Effect.runPromise(Effect.provide(effect, context))

const statusOf = (daemon: DaemonService) => Effect.map(daemon.detail("sales"), ({ status }) => status)

/** Reads what is there, and ends. */
const onceOf = (job: string) => (daemon: DaemonService) =>
  Effect.zipRight(daemon.start(job, { availableNow: true }), daemon.ended(job))
const once = onceOf("sales")

describe("A way back to a savepoint", () => {
  it("is refused where rows that were appended since are in the way, and nothing is changed", () =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        const job = sales({ appends: true })
        yield* world.produce(["a", "b"])
        yield* world.hosted(job, (daemon) => Effect.zipRight(once(daemon), daemon.savepoint("sales", "early")))
        yield* world.produce(["a"])
        yield* world.hosted(job, once)
        const before = yield* world.store.lookUp("sales")
        const refused = yield* world.hosted(job, (daemon) =>
          Effect.flip(daemon.rewind("sales", { savepoint: "early", tables: false }))
        )
        expect([refused._tag, refused.message, refused.hint]).toEqual([
          "WrongUsage",
          expect.stringContaining("all_sales"),
          expect.stringContaining("weir run sales --from-savepoint early --tables")
        ])
        expect(yield* world.store.lookUp("sales")).toEqual(before)
        expect(yield* world.rows("select shop from all_sales")).toHaveLength(3)
        const remains = yield* world.hosted(job, (daemon) =>
          daemon.rewind("sales", { savepoint: "early", tables: true }).pipe(Effect.zipLeft(once(daemon)))
        )
        expect(remains.join("\n")).toMatch(/all_sales: its rows after epoch \d+ were removed/)
        expect(yield* world.rows("select shop from all_sales order by 1")).toEqual([
          { shop: "a" },
          { shop: "a" },
          { shop: "b" }
        ])
      })
    ))

  it("says that rows of keys that do not come again stay, and what makes the table anew", () =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        yield* world.produce(["a"])
        yield* world.hosted(sales(), (daemon) => Effect.zipRight(once(daemon), daemon.savepoint("sales", "early")))
        const remains = yield* world.hosted(sales(), (daemon) =>
          daemon.rewind("sales", { savepoint: "early", tables: false })
        )
        const said = remains.find((sentence) => sentence.startsWith("shop_totals"))
        expect(said).toContain("shop_totals: its rows stay; those of the same keys will be written over.")
        expect(said).toContain("keys that do not come again stay as they are")
        expect(said).toContain("`weir reset sales --tables`")
      })
    ))
})

describe("Two jobs at one table", () => {
  const other = sales({ name: "others", appends: true })

  it("append what they read, also of one topic, and each removes its own rows only", () =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        const job = sales({ appends: true })
        const rows = world.rows("select weir_job, shop from all_sales order by 1, 2")
        yield* world.produce(["a"])
        yield* world.hosted(job, (daemon) => Effect.zipRight(once(daemon), daemon.savepoint("sales", "early")))
        yield* world.hosted(other, onceOf("others"))
        yield* world.produce(["b"])
        yield* world.hosted(job, once)
        yield* world.hosted(other, onceOf("others"))
        const others = ["a", "b"].map((shop) => ({ weir_job: "others", shop }))
        expect(yield* rows).toEqual([...others, ...["a", "b"].map((shop) => ({ weir_job: "sales", shop }))])
        yield* world.hosted(job, (daemon) => daemon.rewind("sales", { savepoint: "early", tables: true }))
        expect(yield* rows).toEqual([...others, { weir_job: "sales", shop: "a" }])
      })
    ))

  it("are told of each other where they replace rows, and neither removes the rows of both", () =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        yield* world.produce(["a"])
        expect(yield* world.warningsOf(world.hosted(sales(), once))).toEqual([])
        const warnings = yield* world.warningsOf(world.hosted(other, onceOf("others")))
        expect(warnings).toContainEqual(expect.stringContaining("Job others: shop_totals is also written to by sales"))
        const before = yield* world.store.lookUp("sales")
        const refused = yield* world.hosted(sales(), (daemon) => Effect.flip(daemon.reset("sales", { tables: true })))
        expect(refused.message).toBe("Job sales is not the only one that writes to shop_totals: so does others")
        expect(yield* world.rows("select shop from shop_totals")).toEqual([{ shop: "a" }])
        expect(yield* world.store.lookUp("sales")).toEqual(before)
        yield* world.hosted(sales(), (daemon) => daemon.reset("sales", { tables: false }))
      })
    ))
})

describe("Dead letters of epochs that a way back gave up", () => {
  it("are not listed; those of the epochs that read their records again are, and each is replayed once", () =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        const offsets = (daemon: DaemonService) =>
          Effect.map(daemon.deadLetters("sales", { last: 10 }), (all) =>
            all.map(({ about, replay }) => `${about.offset} ${replay}`)
          )
        yield* world.produce(["a", "not json"])
        yield* world.hosted(sales(), (daemon) => Effect.zipRight(once(daemon), daemon.savepoint("sales", "early")))
        yield* world.produce(["not json", "b"])
        yield* world.hosted(sales(), (daemon) =>
          Effect.gen(function* () {
            yield* once(daemon)
            expect(yield* offsets(daemon)).toEqual(["1 next", "2 next"])
            yield* daemon.rewind("sales", { savepoint: "early", tables: false })
            expect(yield* offsets(daemon)).toEqual(["1 next"])
            yield* once(daemon)
            expect(yield* offsets(daemon)).toEqual(["1 next", "2 next"])
            expect(yield* daemon.replayDeadLetters("sales", {})).toMatchObject({ replayed: 2, deadLetters: 2 })
            expect(yield* offsets(daemon)).toEqual(["1 failed again", "2 failed again", "1 next", "2 next"])
            // A reset leaves all of them behind.
            yield* daemon.reset("sales", { tables: true })
            expect((yield* offsets(daemon)).slice(-2)).toEqual(["1 done", "2 done"])
            expect(yield* daemon.replayDeadLetters("sales", {})).toMatchObject({ replayed: 0 })
          })
        )
      })
    ))
})

describe("State that may be dropped", () => {
  it("is of a step, source or lookup that the checkpoint or the code has; else the start is refused", () =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        yield* world.produce(["a"])
        yield* world.hosted(sales(), (daemon) => Effect.zipRight(once(daemon), daemon.savepoint("sales", "early")))
        const before = yield* world.store.lookUp("sales")
        yield* world.hosted(sales({ step: "counts" }), (daemon) =>
          Effect.gen(function* () {
            for (const dropState of [["totls"], ["totals", "totls"]]) {
              const options = { availableNow: true, dropState }
              const refusals = [
                yield* Effect.flip(daemon.start("sales", options)),
                yield* Effect.flip(daemon.rewind("sales", { savepoint: "early", tables: false, dropState }))
              ]
              for (const { _tag, hint, message } of refusals)
                expect([_tag, message, hint]).toEqual([
                  "WrongUsage",
                  expect.stringContaining("'totls'"),
                  expect.stringContaining("Did you mean 'totals'?")
                ])
            }
            // A sink keeps no state.
            const { hint } = yield* Effect.flip(daemon.start("sales", { dropState: ["ttals", "totals"] }))
            expect(hint).toContain("'totals'")
            expect(yield* world.store.lookUp("sales")).toEqual(before)
            yield* world.produce(["a"])
            yield* daemon.start("sales", { dropState: ["totals"] })
            yield* Effect.repeat(statusOf(daemon), {
              until: ({ rowsIn }) => rowsIn === 2,
              schedule: Schedule.spaced("3 millis")
            })
            expect((yield* Effect.flip(daemon.rewind("sales", { savepoint: "early", tables: false })))._tag).toBe(
              "InvalidJob"
            )
            // What was dropped is gone from the checkpoint too: to restart is no new wish to drop it.
            yield* daemon.restart("sales")
            yield* daemon.stop("sales")
            expect((yield* Effect.flip(daemon.start("sales", { dropState: ["totals"] })))._tag).toBe("WrongUsage")
          })
        )
      })
    ))
})

describe("A job", () => {
  it("stands where its checkpoint stands from its start on", () =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        yield* world.produce(["a", "b"])
        yield* world.hosted(sales(), once)
        const { manifest } = (yield* world.store.lookUp("sales"))!
        expect(manifest!.epoch).toBe(2)
        const statuses = yield* world.hosted(sales(), (daemon) =>
          Effect.gen(function* () {
            const started = yield* daemon.start("sales", {})
            const restarted = yield* daemon.restart("sales")
            yield* daemon.pause("sales")
            return [started, restarted, yield* daemon.resume("sales")]
          })
        )
        for (const { epoch, jobId, rowsIn, state } of statuses)
          expect([state, epoch, rowsIn, jobId]).toEqual(["starting", 2, 2, manifest!.jobId])
      })
    ))

  it("whose start is refused stands as failed with the reason, until it starts", () =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        yield* world.produce(["a"])
        yield* world.hosted(sales(), once)
        const told: Array<JobEvent> = []
        yield* world.hosted(
          sales({ step: "counts" }),
          (daemon) =>
            Effect.gen(function* () {
              const refused = yield* Effect.flip(daemon.start("sales", {}))
              const { hint, message } = refused
              const [status] = yield* daemon.statuses
              expect(status).toMatchObject({ state: "failed", runId: null, epoch: 2, rowsIn: 1 })
              expect(status?.reason).toEqual({ tag: "StateMismatch", message, hint })
              expect(told.at(-1)).toEqual({ _tag: "State", status })
              yield* daemon.start("sales", { availableNow: true, dropState: ["totals"] })
              yield* daemon.ended("sales")
              expect(yield* statusOf(daemon)).toMatchObject({ state: "finished", reason: null })
            }),
          { hear: (event) => told.push(event) }
        )
        yield* world.produce(["a"])
        yield* world.hosted(sales({ step: "counts" }), (daemon) =>
          Effect.gen(function* () {
            yield* Effect.flip(daemon.start("sales", {}))
            yield* daemon.reset("sales", { tables: false })
            expect(yield* statusOf(daemon)).toMatchObject({ state: "stopped", reason: null })
          })
        )
      })
    ))

  it("that does not run is started by the command that works where it was asked", () =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        const hints = (options: DaemonLive.Options) =>
          world.hosted(
            sales(),
            (daemon) =>
              Effect.forEach([daemon.stop("sales"), daemon.pause("sales"), daemon.savepoint("sales", null)], (asked) =>
                Effect.map(Effect.flip(asked as Effect.Effect<unknown, Error & { hint: string }>), ({ hint }) => hint)
              ),
            options
          )
        expect(new Set(yield* hints({}))).toEqual(new Set(["Start it: `weir start sales`."]))
        expect(new Set(yield* hints({ isDaemon: true }))).toEqual(new Set(["Start it: `weir restart sales`."]))
      })
    ))
})

describe("A sink that is new", () => {
  it.each([
    { second: "of the totals", warned: true },
    { second: "of windows", warned: false },
    { second: "of a step of its own", warned: false }
  ] as const)("$second: the check and the start warn of keys that it will lack: $warned", ({ second, warned }) =>
    run(
      Effect.gen(function* () {
        const world = yield* makeWorld
        yield* world.produce(["a", "b"])
        yield* world.hosted(sales(), once)
        const { refusal, warnings } = yield* world.hosted(sales({ second }), (daemon) => daemon.check("sales", null))
        expect(refusal).toBeNull()
        yield* world.produce(["a"])
        const logged = yield* world.warningsOf(world.hosted(sales({ second }), once))
        expect(logged).toEqual(warnings)
        if (!warned) return expect(warnings).toEqual([])
        expect(warnings).toEqual([
          expect.stringContaining("sink 'second_totals' is new and gets the rows after epoch 2")
        ])
        for (const words of ["'totals'", "`weir reset sales --tables`"]) expect(warnings[0]).toContain(words)
        // That is so: the shop that did not change is not there.
        expect(yield* world.rows("select shop, sales from second_totals")).toEqual([{ shop: "a", sales: "2" }])
        expect(yield* world.warningsOf(world.hosted(sales({ second }), once))).toEqual([])
        // The way out that was named fills it.
        yield* world.hosted(sales({ second }), (daemon) =>
          Effect.zipRight(daemon.reset("sales", { tables: true }), once(daemon))
        )
        expect(yield* world.rows("select shop, sales from second_totals order by 1")).toEqual([
          { shop: "a", sales: "2" },
          { shop: "b", sales: "1" }
        ])
      })
    )
  )
})
