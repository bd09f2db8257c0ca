import { expect, it } from "@effect/vitest"
import { Effect, Console as EffectConsole, Schema } from "effect"
import { Console } from "../../src/connectors/console/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import * as Flow from "../../src/flow/Flow.ts"
import type { OwnWriter } from "../../src/flow/Sink.ts"
import * as Topology from "../../src/flow/Topology.ts"
import * as Window from "../../src/flow/Window.ts"
import type { Barrier, Batch } from "../../src/model/Message.ts"

const barrier: Barrier = {
  _tag: "Barrier",
  epoch: 12,
  openedAt: 0,
  closedAt: 1_500,
  final: false,
  partitions: [],
  watermark: 0,
  idle: false
}

const batch = (values: ReadonlyArray<unknown>, partition = 0): Batch => ({
  _tag: "Batch",
  origin: "in",
  partition,
  openedAt: 0,
  values,
  offsets: Float64Array.from(values, (_, i) => i),
  rows: null,
  eventTimes: null,
  ownWatermarks: null,
  records: null,
  recordIndexes: null
})

/** What the sink prints for the batches of one epoch, committed `times` times by as many lives. */
const printed = (batches: ReadonlyArray<Batch>, options: Console.ConsoleOptions = {}, times = 1) =>
  Effect.gen(function* () {
    const lines: Array<string> = []
    const real = yield* EffectConsole.consoleWith(Effect.succeed)
    const console: EffectConsole.Console = { ...real, log: (text) => Effect.sync(() => lines.push(String(text))) }
    for (let life = 1; life <= times; life++) {
      const opening = { job: "job", sink: "console", lineage: 1, generation: life, manifestEpoch: 11 }
      const open = Console.sink(options).open({ ...opening, intentEpochs: [12], position: null })
      const writer = (yield* Effect.scoped(open)) as OwnWriter
      const prepared = yield* writer.prepare({ barrier, batches })
      yield* Effect.withConsole(writer.commit(prepared), console)
    }
    return lines
  })

it.effect("prints all rows there are as a plain table in complete mode, and says when none is left", () =>
  Effect.gen(function* () {
    const complete = (values: ReadonlyArray<unknown>): Batch => ({ ...batch(values), isComplete: true })
    const [bread, apple] = [{ name: "bread" }, { name: "apple" }]
    const rows = complete([
      { key: ["old"], before: { name: "old" } },
      { key: ["apple"], after: apple },
      { key: ["bread"], before: { name: "toast" }, after: bread }
    ])
    const head = "console: epoch 12, 1970-01-01T00:00:01.500Z"
    expect(yield* printed([rows])).toEqual([`${head}, 2 rows\nname\n-----\napple\nbread`])
    expect(yield* printed([complete([{ key: ["bread"], before: bread }])])).toEqual([`${head}, 0 rows`])
  })
)

it.effect("prints the rows of an epoch as a table, headed by the epoch", () =>
  Effect.gen(function* () {
    const lines = yield* printed([batch([{ name: "bread", count: 7 }], 1), batch([{ name: "an apple", count: 12n }])])
    expect(lines).toEqual([
      [
        "console: epoch 12, 1970-01-01T00:00:01.500Z, 2 rows",
        "name      count",
        "--------  -----",
        "an apple     12",
        "bread         7"
      ].join("\n")
    ])
  })
)

it.effect("prints what a change did to a key", () =>
  Effect.gen(function* () {
    const key = { shop: 1 }
    const [lines] = yield* printed([
      batch([
        { key, after: { shop: 1, total: 5 } },
        { key, before: { shop: 1, total: 5 }, after: { shop: 1, total: 9 } },
        { key, before: { shop: 1, total: 9 } }
      ])
    ])
    expect(lines!.split("\n").slice(3)).toEqual([
      "new         1      5",
      "changed     1      9",
      "removed     1      9"
    ])
  })
)

it.effect("prints nothing for an epoch without rows, and says how many it left out of one with too many", () =>
  Effect.gen(function* () {
    expect(yield* printed([])).toEqual([])
    const [lines] = yield* printed([batch([1, 2, 3, 4, 5])], { rowsMax: 2 })
    expect(lines!.split("\n").slice(3)).toEqual(["    1", "    2", "… 3 more"])
  })
)

it.effect("prints an epoch again that is committed again", () =>
  Effect.gen(function* () {
    expect(yield* printed([batch(["a"])], {}, 2)).toHaveLength(2)
  })
)

it.effect("lets no value move the cursor of a terminal", () =>
  Effect.gen(function* () {
    const [lines] = yield* printed([batch([{ name: "\u001b[2J\nx" }])])
    expect(lines).toContain("\\u001b[2J\\u000ax")
  })
)

it("ends a flow of windows without a key of its own", () => {
  const Row = Schema.Struct({ shop: Schema.String, at: Schema.Number })
  const flow = Flow.from(Topic.source("in")).pipe(
    Flow.decode(Row),
    Flow.eventTime((row) => row.at, { maxOutOfOrderness: "1 second" }),
    Flow.keyBy("shop"),
    Flow.window(Window.tumbling("1 minute")),
    Flow.aggregate("counts", {})
  )
  const topology = Topology.make("job", [flow.pipe(Flow.to(Console.sink()))])
  expect(topology.nodes.map(({ id }) => id)).toContain("console")
})
