/** Steps that keep events in order, as parts of a job: their outputs, their chains, and a restart in the middle. */
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import type { StepState } from "../../src/checkpoint/CheckpointStore.ts"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Frame from "../../src/flow/Frame.ts"
import * as Topology from "../../src/flow/Topology.ts"
import * as Chain from "../../src/runtime/Chain.ts"
import * as Plan from "../../src/runtime/Plan.ts"
import { append, deadLetter, topic, upsert } from "../flow/Connectors.ts"
import { barrierOf } from "../operator/Epochs.ts"
import { recordsOf } from "../operator/Messages.ts"

class Quote extends Schema.Class<Quote>("Quote")({
  symbol: Schema.String,
  at: Schema.Number,
  close: Schema.Number
}) {
  get isLarge() {
    return this.close > 10
  }
}

type Outputs = Parameters<typeof Topology.make>[1]
const planOf = (...outputs: Outputs): Plan.Plan =>
  Plan.make(Topology.make("job", outputs), { job: "job", triggerMillis: 1_000 })

const decoded = Flow.from(topic("quotes")).pipe(Flow.decode(Quote, { invalid: deadLetter("quotes.invalid") }))
const keyed = decoded.pipe(
  Flow.eventTime((quote) => quote.at, { maxOutOfOrderness: "10 millis", idleAfter: "1 hour" }),
  Flow.keyBy("symbol")
)
const watched = keyed.pipe(
  Flow.process("watch", {
    state: Schema.Struct({ total: Schema.Number }),
    outputs: { large: Flow.output<string>() },
    onEvent: (quote, { emit, keep, state }) => {
      const total = (state?.total ?? 0) + quote.close
      keep({ total })
      if (quote.isLarge) emit("large", `${quote.symbol} ${quote.close}`)
      return [{ symbol: quote.symbol, total }]
    }
  })
)

/** What comes out of a plan of one chain, by the actor it goes to; restarted after each epoch. */
const runs = (plan: Plan.Plan, epochs: ReadonlyArray<ReadonlyArray<string>>): Record<string, Array<unknown>> => {
  const given: Record<string, Array<unknown>> = {}
  const kept = new Map<string, StepState["parts"]>()
  epochs.forEach((values, i) => {
    const chain = Chain.make(plan.chains[0]!)
    chain.restore([...kept].map(([step, parts]) => ({ step, parts })))
    const records = recordsOf(values)
    const shifted = { ...records.records, offsets: records.records.offsets.map((offset) => offset + 1_000 * i) }
    const active = [{ source: "orders", partition: 3, offset: 1_000 * i + 100, state: "active" as const }]
    const outgoing = [
      ...chain.onBatch({ ...records, records: shifted }),
      ...(() => {
        const ended = chain.onBarrier({ ...barrierOf(i + 1), partitions: active })
        for (const { parts, step } of ended.acknowledgement.state) kept.set(step, [...(kept.get(step) ?? []), ...parts])
        return ended.outgoing
      })()
    ]
    for (const { actor, batch } of outgoing) {
      given[actor] ??= []
      given[actor].push(...batch.values)
    }
  })
  return given
}
const quote = (symbol: string, at: number, close: number) => JSON.stringify({ symbol, at, close })

describe("steps that keep events in order", () => {
  it("lead each of their outputs where it is read", () => {
    const plan = planOf(
      watched.pipe(Flow.to(append("totals"))),
      watched.large.pipe(Flow.to(append("large"))),
      watched.late.pipe(Flow.to(append("late")))
    )
    const watch = plan.chains.flatMap(({ operators }) => operators).find(({ id }) => id === "watch")!
    expect(watch.targets.out).toEqual([{ actor: "totals", input: 0 }])
    expect(watch.targets["side large"]).toEqual([{ actor: "large", input: 0 }])
    expect(watch.targets.late).toEqual([{ actor: "late", input: 0 }])
    expect(plan.sinks.find(({ id }) => id === "late")!.counts).toBe(false)
  })

  it("give their rows in the order of time, of instances of the job's classes, over restarts", () => {
    const plan = planOf(watched.pipe(Flow.to(append("totals"))), watched.large.pipe(Flow.to(append("large"))))
    const given = runs(plan, [
      [quote("a", 120, 11), quote("a", 115, 1)],
      [quote("a", 118, 20)],
      [quote("a", 200, 5)],
      [quote("a", 100, 9), quote("a", 300, 1)]
    ])
    expect(given).toEqual({
      totals: [1, 21, 32, 37].map((total) => ({ symbol: "a", total })),
      large: ["a 20", "a 11"]
    })
  })

  it("frame the rows of a key, and keep the first of each", () => {
    const frames = keyed.pipe(
      Flow.frames("sums", {
        sum: Frame.rows(
          1,
          Aggregate.sum((row) => row.close)
        )
      })
    )
    const epochs = [
      [quote("a", 120, 2), quote("a", 110, 1)],
      [quote("a", 130, 3), quote("a", 150, 9)]
    ]
    expect(runs(planOf(frames.pipe(Flow.to(append("table")))), epochs).table).toEqual([
      { symbol: "a", at: 110, close: 1, sum: 1 },
      { symbol: "a", at: 120, close: 2, sum: 3 },
      { symbol: "a", at: 130, close: 3, sum: 5 }
    ])
    const first = keyed.pipe(Flow.distinct("symbols", { timeToLive: "1 day" }), Flow.to(append("table")))
    expect(runs(planOf(first), epochs).table).toEqual([new Quote({ symbol: "a", at: 120, close: 2 })])
  })

  it("are drawn with their ids and what was said of them", () => {
    const totals = decoded.pipe(
      Flow.keyBy("symbol"),
      Flow.aggregate("totals", { total: Aggregate.count }),
      Flow.emit("complete"),
      Flow.to(upsert("totals_table", ["symbol"]))
    )
    const frames = keyed.pipe(Flow.frames("averages", { ma20: Frame.rows(20, Aggregate.count, { minRows: 21 }) }))
    const topology = Topology.make("job", [
      totals,
      watched.pipe(Flow.to(append("a"))),
      frames.pipe(Flow.to(append("b"))),
      keyed.pipe(Flow.distinct("first", { timeToLive: "1 day" }), Flow.to(append("c")))
    ])
    const labels = Object.fromEntries(topology.nodes.map(({ id, label }) => [id, label]))
    expect(labels).toMatchObject({
      "totals.complete": "all rows at each trigger",
      watch: "an operator of its own; large",
      averages: "ma20 -20..0, at least 21 rows",
      first: "the first of each key; timeToLive 1d"
    })
    const plan = Plan.make(topology, { job: "job", triggerMillis: 1_000 })
    expect(plan.chains.find(({ id }) => id === "chain:totals.complete")!.actors).toContain("totals_table")
  })
})
