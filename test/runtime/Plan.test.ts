import { Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Lookup from "../../src/flow/Lookup.ts"
import * as Topology from "../../src/flow/Topology.ts"
import * as Window from "../../src/flow/Window.ts"
import { Instant } from "../../src/model/Columns.ts"
import { InvalidJob } from "../../src/model/Errors.ts"
import * as Plan from "../../src/runtime/Plan.ts"
import { append, deadLetter, topic, upsert } from "../flow/Connectors.ts"

class Order extends Schema.Class<Order>("Order")({ region: Schema.String, at: Instant }) {}

type Outputs = Parameters<typeof Topology.make>[1]
type Timed = typeof timed

const planOf = (...outputs: Outputs): Plan.Plan =>
  Plan.make(Topology.make("job", outputs), { job: "job", triggerMillis: 1_000 })

const invalid = deadLetter("orders.invalid")
const decoded = Flow.from(topic("orders")).pipe(Flow.decode(Order, { invalid }))
const timed = decoded.pipe(Flow.eventTime((order) => order.at, { maxOutOfOrderness: "0 seconds" }))
const counted = (id: string, from: Timed = timed) =>
  from.pipe(
    Flow.keyBy("region"),
    Flow.window(Window.tumbling("1 minute")),
    Flow.aggregate(id, { orders: Aggregate.count })
  )
const key = ["region", "windowStart"]

/** Each chain as `id: its operators`. */
const chains = (plan: Plan.Plan) =>
  plan.chains.map(({ id, operators }) => `${id}: ${operators.map((operator) => operator.id).join(", ")}`)
/** Where an operator's port leads: operators of the same chain by name, other actors in brackets. */
const leads = (plan: Plan.Plan, id: string, port: Topology.Port) => {
  const chain = plan.chains.find(({ operators }) => operators.some((operator) => operator.id === id))!
  const operator = chain.operators.find((operator) => operator.id === id)!
  return operator.targets[port]!.map((to) => ("actor" in to ? `[${to.actor}]` : chain.operators[to.operator]!.id))
}
const sink = (plan: Plan.Plan, id: string) => {
  const { counts, inputs, invalid, takesInvalid } = plan.sinks.find((one) => one.id === id)!
  return { inputs, invalid, takesInvalid, counts }
}

describe("a chain", () => {
  it("holds everything from a source to the first stateful step, with key, window and emission in it", () => {
    const plan = planOf(counted("income").pipe(Flow.emit("onUpdate"), Flow.to(upsert("t", key))))
    expect(plan.sources.map(({ actors, id }) => [id, actors])).toEqual([["orders", ["chain:decode"]]])
    expect(chains(plan)).toEqual(["chain:decode: decode, eventTime, income"])
    expect(leads(plan, "decode", "out")).toEqual(["eventTime"])
    expect(leads(plan, "eventTime", "out")).toEqual(["income"])
    expect(leads(plan, "income", "out")).toEqual(["[t]"])
    expect(plan.chains[0]!.operators.map((operator) => operator.assignsTime)).toEqual([false, true, false])
    expect(plan.chains[0]!.actors).toEqual(["orders.invalid", "t"])
  })

  it("begins anew after a stateful step", () => {
    const plan = planOf(
      counted("income").pipe(
        Flow.filter((row) => row.orders > 1n),
        Flow.map((row) => row),
        Flow.to(upsert("t", key))
      )
    )
    expect(chains(plan)).toEqual(["chain:decode: decode, eventTime, income", "chain:filter: filter, map"])
    expect(leads(plan, "income", "out")).toEqual(["[chain:filter]"])
  })

  it("begins anew where several read one node, be it a step or a sink", () => {
    const two = planOf(counted("a").pipe(Flow.to(upsert("ta", key))), counted("b").pipe(Flow.to(upsert("tb", key))))
    expect(chains(two)).toEqual(["chain:decode: decode, eventTime", "chain:a: a", "chain:b: b"])
    expect(leads(two, "eventTime", "out")).toEqual(["[chain:a]", "[chain:b]"])
    const beside = planOf(
      decoded.pipe(Flow.to(append("raw"))),
      decoded.pipe(
        Flow.filter(() => true),
        Flow.to(append("kept"))
      )
    )
    expect(chains(beside)).toEqual(["chain:decode: decode", "chain:filter: filter"])
    expect(leads(beside, "decode", "out")).toEqual(["[raw]", "[chain:filter]"])
  })

  it("begins anew at each reader of a source", () => {
    const orders = Flow.from(topic("orders"))
    const plan = planOf(
      orders.pipe(Flow.decode(Order), Flow.to(append("a"))),
      orders.pipe(
        Flow.filter(({ value }) => value.length > 0),
        Flow.to(append("b"))
      ),
      orders.pipe(Flow.to(append("c")))
    )
    expect(plan.sources[0]!.actors).toEqual(["chain:decode", "chain:filter", "chain:c"])
    expect(chains(plan)).toEqual(["chain:decode: decode", "chain:filter: filter:raw, filter", "chain:c: c:raw"])
    expect(leads(plan, "filter:raw", "out")).toEqual(["filter"])
    expect(leads(plan, "c:raw", "out")).toEqual(["[c]"])
    expect(sink(plan, "c").inputs).toEqual(["chain:c"])
  })

  it("exists for every actor that another one sends to", () => {
    const wide = [
      Flow.from(topic("clicks")).pipe(Flow.keyBy("offset"), Flow.to(append("clicks_kept"))),
      counted("a").pipe(Flow.to(upsert("ta", key))),
      counted("b").late.pipe(
        Flow.map((order) => order),
        Flow.to(append("late"))
      )
    ]
    const plan = planOf(...wide)
    const known = [...plan.chains.map(({ id }) => id), ...plan.sinks.map(({ id }) => id)]
    const named = [...plan.sources.flatMap(({ actors }) => actors), ...plan.chains.flatMap(({ actors }) => actors)]
    expect(named.filter((id) => !known.includes(id))).toEqual([])
    for (const { id } of plan.chains) expect(named).toContain(id)
  })
})

describe("what is set aside", () => {
  it("goes to the invalid sink of the decode above, from every step below it and from every sink", () => {
    const plan = planOf(counted("income").pipe(Flow.to(upsert("t", key))))
    for (const id of ["decode", "eventTime", "income"]) expect(leads(plan, id, "invalid")).toEqual(["[orders.invalid]"])
    expect(sink(plan, "t")).toEqual({
      inputs: ["chain:decode"],
      invalid: "orders.invalid",
      takesInvalid: false,
      counts: true
    })
    expect(sink(plan, "orders.invalid")).toEqual({
      inputs: ["chain:decode"],
      invalid: null,
      takesInvalid: true,
      counts: false
    })
  })

  it("has nowhere to go where the decode names no sink", () => {
    const bare = Flow.from(topic("orders")).pipe(Flow.decode(Order), Flow.to(append("t")))
    const plan = planOf(bare)
    expect(leads(plan, "decode", "invalid")).toEqual([])
    expect(sink(plan, "t").invalid).toBeNull()
  })

  it("as late goes its own way, in a chain of its own, and counts as no row written", () => {
    const income = counted("income")
    const plan = planOf(
      income.pipe(Flow.to(upsert("t", key))),
      income.late.pipe(Flow.to(append("late"))),
      income.late.pipe(
        Flow.filter((order) => order.region !== ""),
        Flow.to(append("late_filtered"))
      )
    )
    expect(leads(plan, "income", "out")).toEqual(["[t]"])
    expect(leads(plan, "income", "late")).toEqual(["[late]", "[chain:filter]"])
    expect(["t", "late", "late_filtered"].map((id) => sink(plan, id).counts)).toEqual([true, false, false])
    expect(leads(planOf(counted("income").pipe(Flow.to(upsert("t", key)))), "income", "late")).toEqual([])
  })
})

describe("a plan", () => {
  it("chains windows over windows behind each other", () => {
    const hours = counted("minutes").pipe(
      Flow.emit("onClose"),
      Flow.keyBy("region"),
      Flow.window(Window.tumbling("1 hour")),
      Flow.aggregate("hours", { orders: Aggregate.sum((row) => row.orders) })
    )
    const plan = planOf(hours.pipe(Flow.to(upsert("t", key))))
    expect(chains(plan)).toEqual(["chain:decode: decode, eventTime, minutes", "chain:hours: hours"])
    expect(leads(plan, "minutes", "out")).toEqual(["[chain:hours]"])
  })

  it("begins a chain at a join, that of a flow with itself too, and again behind it", () => {
    const keyed = timed.pipe(Flow.keyBy("region"))
    const pairs = keyed.pipe(Flow.join("pairs", keyed, { within: "1 minute" }))
    const plan = planOf(
      pairs.pipe(
        Flow.map(({ left }) => left),
        Flow.to(append("t"))
      ),
      pairs.late.pipe(Flow.to(append("late"))),
      pairs.lateOther.pipe(Flow.to(append("late_other")))
    )
    expect(chains(plan)).toEqual(["chain:decode: decode, eventTime", "chain:pairs: pairs", "chain:map: map"])
    const eventTime = plan.chains[0]!.operators[1]!
    expect(eventTime.targets.out).toEqual([
      { actor: "chain:pairs", input: 0 },
      { actor: "chain:pairs", input: 1 }
    ])
    expect(plan.chains[1]!.inputs).toEqual(["chain:decode"])
    expect(leads(plan, "pairs", "late")).toEqual(["[late]"])
    expect(leads(plan, "pairs", "side late right")).toEqual(["[late_other]"])
    expect(["t", "late", "late_other"].map((id) => sink(plan, id).counts)).toEqual([true, false, false])
  })

  it("refuses a refreshed lookup over rows that replace each other, and takes a fixed one", () => {
    const enriched = (refresh: "fixed" | "1 minute") => {
      const load = Effect.succeed({ rows: [], placeOf: null })
      const schema = Schema.Struct({ region: Schema.String })
      const regions = Lookup.make({ from: "regions", label: "regions", schema, load }, { key: ["region"], refresh })
      const income = Flow.from(topic("orders")).pipe(
        Flow.map(() => ({ region: "north" })),
        Flow.keyBy("region"),
        Flow.aggregate("income", { orders: Aggregate.count })
      )
      // As code without types would have it.
      const step = Flow.enrich("region", regions as Lookup.Lookup<{ region: string }, unknown, never, never, "fixed">, {
        key: ({ region }: { readonly region: string }) => ({ region }),
        into: (row) => row
      })
      const plan = planOf(step(income).pipe(Flow.to(upsert("t", ["region"]))))
      return () => plan.chains.flatMap(({ operators }) => operators.map((operator) => operator.make().id))
    }
    expect(enriched("fixed")).not.toThrow()
    expect(enriched("1 minute")).toThrow(/'region' looks up rows that replace earlier rows in regions by region/)
  })

  it("calls a partition idle after the shortest time that a step below its source says; without such a step never", () => {
    const idle = (idleAfter: `${number} seconds`) =>
      decoded.pipe(Flow.eventTime((order) => order.at, { maxOutOfOrderness: "0 seconds", idleAfter }))
    const plan = planOf(idle("9 seconds").pipe(Flow.to(append("a"))), idle("7 seconds").pipe(Flow.to(append("b"))))
    expect(plan.sources[0]!.idleAfterMillis).toBe(7_000)
    expect(planOf(decoded.pipe(Flow.to(append("a")))).sources[0]!.idleAfterMillis).toBe(Number.POSITIVE_INFINITY)
  })

  it("makes each operator anew for every life, by the name of its node", () => {
    const [chain] = planOf(counted("income").pipe(Flow.to(upsert("t", key)))).chains
    const lives = [1, 2].map(() => chain!.operators.map((operator) => operator.make()))
    expect(lives[0]!.map(({ id }) => id)).toEqual(["decode", "eventTime", "income"])
    expect(lives[0]!.every((operator, i) => operator !== lives[1]![i])).toBe(true)
  })

  it("refuses a step whose rows are to come both while windows are open and once they are closed", () => {
    const income = counted("income")
    const plan = planOf(
      income.pipe(Flow.emit("onUpdate"), Flow.to(upsert("a", key))),
      income.pipe(Flow.emit("onClose"), Flow.to(append("b")))
    )
    const making = () => plan.chains.flatMap(({ operators }) => operators.map((operator) => operator.make()))
    expect(making).toThrow(InvalidJob)
    expect(making).toThrow("Job job: 'income' is emitted both onUpdate and onClose")
  })
})
