import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Topology from "../../src/flow/Topology.ts"
import * as Window from "../../src/flow/Window.ts"
import { Int64 } from "../../src/model/Columns.ts"
import { RecordUnusable } from "../../src/model/Errors.ts"
import type { RawEvent } from "../../src/model/Event.ts"
import type { Barrier } from "../../src/model/Message.ts"
import * as Chain from "../../src/runtime/Chain.ts"
import * as Plan from "../../src/runtime/Plan.ts"
import { append, deadLetter, topic, upsert } from "../flow/Connectors.ts"
import { recordsOf } from "../operator/Messages.ts"

const Order = Schema.Struct({ region: Schema.String, at: Schema.Number, count: Int64 })

type Outputs = Parameters<typeof Topology.make>[1]

/** The chains of a job, by id. */
const chainsOf = (...outputs: Outputs): ReadonlyMap<string, Chain.Chain> => {
  const plan = Plan.make(Topology.make("job", outputs), { job: "job", triggerMillis: 1_000 })
  return new Map(plan.chains.map((planned) => [planned.id, Chain.make(planned)]))
}

const order = (at: number, count = 1, region = "a") => JSON.stringify({ region, at, count: String(count) })

const barrier = (epoch: number, options: { readonly final?: boolean } = {}): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: epoch * 1_000,
  closedAt: epoch * 1_000 + 999,
  final: options.final ?? false,
  partitions: [{ source: "orders", partition: 3, offset: 10, state: "active" }],
  watermark: Number.NEGATIVE_INFINITY,
  idle: false
})

const values = (outgoing: ReadonlyArray<Chain.Outgoing>) =>
  outgoing.map(({ actor, batch }) => [actor, batch.values] as const)

const timed = (invalid = true) =>
  Flow.from(topic("orders")).pipe(
    Flow.decode(Order, invalid ? { invalid: deadLetter("orders.invalid") } : undefined),
    Flow.eventTime((event) => event.at, { maxOutOfOrderness: "0 seconds" })
  )
const minutes = (from = timed()) =>
  from.pipe(
    Flow.keyBy("region"),
    Flow.window(Window.tumbling("1 minute")),
    Flow.aggregate("minutes", { items: Aggregate.sum((event) => event.count) })
  )
const key = ["region", "windowStart"]
const row = (windowStart: number, windowEnd: number, items: bigint) => ({ region: "a", windowStart, windowEnd, items })

describe("a chain", () => {
  it("hands a batch from operator to operator, and what leaves it to the actors of its ports", () => {
    const chain = chainsOf(timed().pipe(Flow.to(append("kept")))).get("chain:decode")!
    const out = chain.onBatch(recordsOf([order(5), "no JSON", order(7)]))
    expect(out.map(({ actor, batch }) => [actor, batch.values.length])).toEqual([
      ["kept", 2],
      ["orders.invalid", 1]
    ])
    expect(chain.figures).toMatchObject([
      { id: "decode", rowsIn: 3, rowsOut: 2 },
      { id: "eventTime", rowsIn: 2, rowsOut: 2 }
    ])
  })

  it("counts what was set aside since the last barrier", () => {
    const income = minutes()
    const chain = chainsOf(income.pipe(Flow.to(upsert("t", key))), income.late.pipe(Flow.to(append("late")))).get(
      "chain:decode"
    )!
    chain.onBatch(recordsOf([order(130_000), "no JSON", order(5)]))
    expect(chain.onBarrier(barrier(1)).acknowledgement).toMatchObject({ late: 1, deadLetters: 1 })
    expect(chain.onBarrier(barrier(2)).acknowledgement).toMatchObject({ late: 0, deadLetters: 0 })
  })

  it("fails at the first record that cannot be used where the job keeps none, and says where it is", () => {
    const chain = chainsOf(timed(false).pipe(Flow.to(append("kept")))).get("chain:decode")!
    const giving = () => chain.onBatch(recordsOf([order(5), order(8.64e15)]))
    expect(giving).toThrow(RecordUnusable)
    expect(giving).toThrow(/^Step eventTime: the record at orders, partition 3, offset 12 cannot be used: /)
  })

  it("makes events of raw records for a sink that reads a source straight", () => {
    const chain = chainsOf(Flow.from(topic("orders")).pipe(Flow.to(append("kept")))).get("chain:kept")!
    const [[actor, events] = []] = values(chain.onBatch(recordsOf(["x"])))
    expect(actor).toBe("kept")
    expect(events).toMatchObject([{ partition: 3, offset: 10 } satisfies Partial<RawEvent>])
    expect(chain.onBarrier(barrier(1)).acknowledgement).toMatchObject({ state: [], watermark: null })
  })
})

describe("a barrier", () => {
  it("ends the epoch operator by operator: the watermark that one sets closes the windows of the next", () => {
    const chain = chainsOf(minutes().pipe(Flow.emit("onClose"), Flow.to(append("t")))).get("chain:decode")!
    expect(chain.onBatch(recordsOf([order(5, 2), order(59_999, 3), order(60_000, 5)]))).toEqual([])
    const { acknowledgement, barrier: passedOn, outgoing } = chain.onBarrier(barrier(1))
    expect(values(outgoing)).toEqual([["t", [row(0, 60_000, 5n)]]])
    expect([passedOn.epoch, passedOn.watermark, acknowledgement.watermark]).toEqual([1, 60_000, 60_000])
    expect(acknowledgement.state.map(({ step }) => step)).toEqual(["eventTime", "minutes"])
    expect(chain.marks.map(({ kind, step }) => [step, kind])).toEqual([
      ["eventTime", "eventTime"],
      ["minutes", "aggregate"]
    ])
    expect(chain.figures.map(({ watermark }) => watermark)).toEqual([null, 60_000, 60_000])
  })

  it("gives what a chain that begins anew needs to go on", () => {
    const job = () => chainsOf(minutes().pipe(Flow.to(upsert("t", key)))).get("chain:decode")!
    const first = job()
    first.onBatch(recordsOf([order(5, 2)]))
    const { state } = first.onBarrier(barrier(1)).acknowledgement
    const second = job()
    second.restore(state)
    second.onBatch(recordsOf([order(6, 3)]))
    const [{ batch } = { batch: { values: [] as ReadonlyArray<unknown> } }] = second.onBarrier(barrier(2)).outgoing
    expect(batch.values).toEqual([{ key: ["a", 0], before: row(0, 60_000, 2n), after: row(0, 60_000, 5n) }])
  })

  it("lets two windows on one flow each give their rows", () => {
    const from = timed()
    const chains = chainsOf(
      minutes(from).pipe(Flow.to(upsert("by_minute", key))),
      from.pipe(
        Flow.keyBy("region"),
        Flow.window(Window.tumbling("1 hour")),
        Flow.aggregate("hours", { items: Aggregate.sum((event) => event.count) }),
        Flow.to(upsert("by_hour", key))
      )
    )
    const head = chains.get("chain:decode")!
    const sent = head.onBatch(recordsOf([order(5, 2), order(61_000, 3)]))
    expect(sent.map(({ actor }) => actor)).toEqual(["chain:minutes", "chain:hours"])
    for (const { actor, batch } of sent) chains.get(actor)!.onBatch(batch)
    const passedOn = head.onBarrier(barrier(1)).barrier
    const rows = (id: string) =>
      chains
        .get(id)!
        .onBarrier(passedOn)
        .outgoing.flatMap(({ batch }) => batch.values)
    expect(rows("chain:minutes")).toMatchObject([{ after: row(0, 60_000, 2n) }, { after: row(60_000, 120_000, 3n) }])
    expect(rows("chain:hours")).toMatchObject([{ after: row(0, 3_600_000, 5n) }])
  })

  it("takes the rows of closed windows into wider windows in the epoch that closed them", () => {
    const hours = minutes().pipe(
      Flow.emit("onClose"),
      Flow.keyBy("region"),
      Flow.window(Window.tumbling("1 hour")),
      Flow.aggregate("hours", { items: Aggregate.sum((one) => one.items) }),
      Flow.to(upsert("by_hour", key))
    )
    const chains = chainsOf(hours)
    const [head, tail] = [chains.get("chain:decode")!, chains.get("chain:hours")!]
    head.onBatch(recordsOf([order(5, 2), order(61_000, 3), order(125_000, 7)]))
    const { barrier: passedOn, outgoing } = head.onBarrier(barrier(1))
    expect(outgoing.map(({ actor }) => actor)).toEqual(["chain:hours"])
    for (const { batch } of outgoing) tail.onBatch(batch)
    const wider = tail.onBarrier(passedOn)
    expect(wider.outgoing.flatMap(({ batch }) => batch.values)).toMatchObject([{ after: row(0, 3_600_000, 5n) }])
    expect(wider.acknowledgement.late).toBe(0)
  })
})
