/** Records that were set aside and come again: they go to the step that set them aside, and from there on as all do. */
import { Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Flow from "../../src/flow/Flow.ts"
import * as Topology from "../../src/flow/Topology.ts"
import type { Again, Barrier, Records } from "../../src/model/Message.ts"
import * as Chain from "../../src/runtime/Chain.ts"
import * as Plan from "../../src/runtime/Plan.ts"
import { append, deadLetter, topic } from "../flow/Connectors.ts"
import { batchOf, recordsOf } from "../operator/Messages.ts"

const Order = Schema.Struct({ at: Schema.Number, count: Schema.Number })
const order = (at: number, count = 1) => JSON.stringify({ at, count })
const again = (values: ReadonlyArray<string>, step: string | null, row: number | null = null): Records => ({
  ...recordsOf(values),
  again: { step, row }
})

const decoded = () => Flow.from(topic("orders")).pipe(Flow.decode(Order, { invalid: deadLetter("orders.invalid") }))
const time = Flow.eventTime((event: typeof Order.Type) => event.at, { maxOutOfOrderness: "0 seconds" })
const farFuture = 9e14

const planOf = (...outputs: Parameters<typeof Topology.make>[1]) =>
  Plan.make(Topology.make("job", outputs), { job: "job", triggerMillis: 1_000 })
const chainsOf = (plan: Plan.Plan): ReadonlyMap<string, Chain.Chain> =>
  new Map(plan.chains.map((planned) => [planned.id, Chain.make(planned)]))

const barrier = (epoch: number): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: 0,
  closedAt: 0,
  final: false,
  partitions: [{ source: "orders", partition: 3, offset: 10, state: "active" }],
  watermark: Number.NEGATIVE_INFINITY,
  idle: false
})

describe("a record that comes again", () => {
  const rows = decoded()
  const plan = planOf(rows.pipe(Flow.to(append("all"))), rows.pipe(time, Flow.to(append("timed"))))

  it("takes no way but the one to the step that set it aside, and from there all", () => {
    const chains = chainsOf(plan)
    const sent = chains.get("chain:decode")!.onBatch(again([order(5)], "eventTime"))
    expect(sent.map(({ actor }) => actor)).toEqual(["chain:eventTime"])
    const [on] = chains.get("chain:eventTime")!.onBatch(sent[0]!.batch)
    expect([on!.actor, on!.batch.again]).toEqual(["timed", { step: null, row: null } satisfies Again])
    const both = chains.get("chain:decode")!.onBatch(again([order(5)], "decode"))
    expect(both.map(({ actor }) => actor).sort()).toEqual(["all", "chain:eventTime"])
  })

  it("says which nodes lead to a step", () => {
    const leading = ["orders", "chain:decode", "decode", "chain:eventTime", "eventTime", "all", "timed"].filter(
      (node) => plan.leads(node, "eventTime")
    )
    expect(leading).toEqual(["orders", "chain:decode", "decode", "chain:eventTime", "eventTime"])
    expect(plan.leads("orders", "no such step")).toBe(false)
  })

  it("is set aside again wherever it fails, and is counted apart", () => {
    const chains = chainsOf(plan)
    const decode = chains.get("chain:decode")!
    const sent = decode.onBatch(again(["no JSON"], "eventTime"))
    expect(sent.map(({ actor }) => actor)).toEqual(["orders.invalid"])
    decode.onBatch(recordsOf(["no JSON", "nor this"]))
    const { acknowledgement } = decode.onBarrier(barrier(1))
    expect(acknowledgement).toMatchObject({ deadLetters: 3, again: { late: 0, deadLetters: 1 } })
    expect(decode.onBarrier(barrier(2)).acknowledgement).toMatchObject({ again: { late: 0, deadLetters: 0 } })
  })

  it("of which one row was set aside brings that row only", () => {
    const several = decoded().pipe(
      Flow.flatMap((event) => [event, { ...event, count: 2 }, { ...event, count: 3 }]),
      time
    )
    const chain = chainsOf(planOf(several.pipe(Flow.to(append("timed"))))).get("chain:decode")!
    const [on] = chain.onBatch(again([order(5), order(6)], "eventTime", 1))
    expect(on!.batch.values).toEqual([
      { at: 5, count: 2 },
      { at: 6, count: 2 }
    ])
  })

  it("of which one copy was set aside behind a merge brings that copy only", () => {
    const read = decoded()
    const twice = read.pipe(Flow.merge(read.pipe(Flow.filter(() => true))), time)
    const merge = chainsOf(planOf(twice.pipe(Flow.to(append("timed"))))).get("chain:merge")!
    const copies = (again?: Again) =>
      [0, 1].flatMap((input) =>
        merge.onBatch({ ...batchOf([{ at: again === undefined ? farFuture : 5, count: input }], [10]), again }, input)
      )
    const aside = copies()
    expect(aside.map(({ actor, batch }) => [actor, [...batch.rows!]])).toEqual([
      ["orders.invalid", [0]],
      ["orders.invalid", [1]]
    ])
    const on = aside.flatMap(({ batch }) => copies({ step: "eventTime", row: batch.rows![0]! }))
    expect(on.flatMap(({ actor, batch }) => [actor, ...batch.values])).toEqual([
      "timed",
      { at: 5, count: 0 },
      "timed",
      { at: 5, count: 1 }
    ])
  })

  it("moves no watermark, and has the beginning for its own", () => {
    const chain = chainsOf(planOf(decoded().pipe(time, Flow.to(append("timed"))))).get("chain:decode")!
    chain.onBatch(recordsOf([order(5)]))
    const [on] = chain.onBatch(again([order(70), order(90)], "decode"))
    expect([...on!.batch.ownWatermarks!]).toEqual([Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY])
    expect(chain.onBarrier(barrier(1)).barrier.watermark).toBe(5)
    const [refused] = chain.onBatch(again([order(farFuture)], "eventTime"))
    expect(refused!.actor).toBe("orders.invalid")
  })
})
