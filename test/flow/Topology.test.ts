import { Duration, Effect, Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Lookup from "../../src/flow/Lookup.ts"
import * as Topology from "../../src/flow/Topology.ts"
import * as Window from "../../src/flow/Window.ts"
import { Instant } from "../../src/model/Columns.ts"
import { InvalidJob } from "../../src/model/Errors.ts"
import { append, deadLetter, topic, upsert } from "./Connectors.ts"

class Order extends Schema.Class<Order>("Order")({ region: Schema.String, at: Instant }) {}

type Outputs = Parameters<typeof Topology.make>[1]

const orders = Flow.from(topic("orders"))
const decoded = orders.pipe(Flow.decode(Order))
const keyed = decoded.pipe(
  Flow.eventTime((order) => order.at, { maxOutOfOrderness: "5 seconds" }),
  Flow.keyBy("region")
)
const windowed = (id: string) =>
  keyed.pipe(
    Flow.window(Window.tumbling("1 minute"), { allowedLateness: "30 seconds" }),
    Flow.aggregate(id, { orders: Aggregate.count })
  )
const income = windowed("income")
const out = income.pipe(Flow.to(upsert("income_table", ["region", "windowStart"])))

const made = (...outputs: Outputs) => Topology.make("job", outputs)
const ids = (topology: Topology.Topology) => topology.nodes.map((node) => node.id)
const drawn = (topology: Topology.Topology) =>
  topology.edges.map(({ from, port, to }) => (port === "out" ? `${from} → ${to}` : `${from} (${port}) → ${to}`))
const refusal = (...outputs: Outputs): InvalidJob => {
  try {
    made(...outputs)
  } catch (error) {
    if (error instanceof InvalidJob) return error
    throw error
  }
  throw new Error("the topology was made")
}

describe("nodes", () => {
  it("have the names of their sources, sinks and stateful steps; the others count up", () => {
    const twice = decoded.pipe(
      Flow.filter((order) => order.region !== ""),
      Flow.map((order) => order),
      Flow.filter((order) => order.region !== "x"),
      Flow.to(append("kept"))
    )
    expect(ids(made(twice))).toEqual(["orders", "decode", "filter", "map", "filter-2", "kept"])
    expect(ids(made(out))).toEqual(["orders", "decode", "eventTime", "keyBy", "window", "income", "income_table"])
  })

  it("are one where two outputs share them, and sinks come last of what is ready", () => {
    const both = made(
      decoded.pipe(Flow.to(append("a"))),
      decoded.pipe(
        Flow.filter(() => true),
        Flow.to(append("b"))
      )
    )
    expect(ids(both)).toEqual(["orders", "decode", "filter", "a", "b"])
    expect(drawn(both)).toEqual(["orders → decode", "decode → a", "decode → filter", "filter → b"])
  })

  it("come after all that feed them, whatever the order of outputs", () => {
    const topology = made(income.late.pipe(Flow.to(append("late"))), out)
    for (const { from, to } of topology.edges) {
      expect(ids(topology).indexOf(from)).toBeLessThan(ids(topology).indexOf(to))
    }
    expect(drawn(topology)).toContain("income (late) → late")
  })

  it("are drawn with what was said of them", () => {
    const labels = Object.fromEntries(made(out).nodes.map(({ id, label }) => [id, label]))
    expect(labels).toEqual({
      orders: "topic orders",
      decode: "Order; no invalid: the first record that cannot be used fails the job",
      eventTime: "maxOutOfOrderness 5s, idleAfter 30s, maxFutureSkew 1h",
      keyBy: "region",
      window: "tumbling 1m, allowedLateness 30s",
      income: "orders",
      income_table: "upsert into income_table by region, windowStart"
    })
    const aside = orders.pipe(Flow.decode(Order, { invalid: deadLetter("bad") }), Flow.to(append("t")))
    expect(made(aside).nodes[1]).toMatchObject({ id: "decode", label: "Order" })
    const all = decoded.pipe(Flow.keyBy(), Flow.filter(Boolean), Flow.to(append("t")))
    expect(made(all).nodes[2]).toMatchObject({ id: "keyBy", label: "all under one key" })
  })

  it("share a sink for what several of them set aside", () => {
    const invalid = deadLetter("orders.invalid")
    const from = (name: string, sink: string, aside: typeof invalid) =>
      Flow.from(topic(name)).pipe(Flow.decode(Order, { invalid: aside }), Flow.to(append(sink)))
    for (const second of [invalid, deadLetter("orders.invalid")]) {
      const topology = made(from("a", "to_a", invalid), from("b", "to_b", second))
      expect(ids(topology).filter((id) => id === "orders.invalid")).toHaveLength(1)
      expect(drawn(topology)).toEqual(
        expect.arrayContaining(["decode (invalid) → orders.invalid", "decode-2 (invalid) → orders.invalid"])
      )
    }
  })
})

describe("values that a person set", () => {
  it("are put over what every step says, and nothing else changes", () => {
    const topology = Topology.make("job", [out], { maxOutOfOrdernessMillis: 7_000, allowedLatenessMillis: 0 })
    const specs = Object.fromEntries(topology.nodes.map(({ id, spec }) => [id, spec]))
    expect(specs.eventTime).toMatchObject({ maxOutOfOrdernessMillis: 7_000, idleAfterMillis: 30_000 })
    expect(specs.window).toMatchObject({ window: { sizeMillis: 60_000 }, allowedLatenessMillis: 0 })
    expect(ids(topology)).toEqual(ids(made(out)))
  })
})

describe("a job is refused", () => {
  const other = Flow.from(topic("orders")).pipe(Flow.to(append("other")))
  it.each<readonly [string, Outputs, string]>([
    ["two sources", [decoded.pipe(Flow.to(append("a"))), other], "'orders' (source topic orders, source topic orders)"],
    [
      "two stateful steps",
      [windowed("same").pipe(Flow.to(append("a"))), windowed("same").pipe(Flow.to(append("b")))],
      "'same' (aggregate same, aggregate same)"
    ],
    [
      "two sinks",
      [decoded.pipe(Flow.to(append("a"))), decoded.pipe(Flow.to(append("a")))],
      "'a' (sink append to a, sink append to a)"
    ],
    ["a source and a sink", [decoded.pipe(Flow.to(append("orders")))], "'orders' (source topic orders, sink append to"],
    ["a step and a counted node", [windowed("decode").pipe(Flow.to(append("a")))], "'decode' (decode, aggregate"]
  ])("where %s have one name", (_, outputs, told) => {
    const { hint, job, message } = refusal(...outputs)
    expect(job).toBe("job")
    expect(message).toContain(`Job job: two nodes are called ${told}`)
    expect(hint).toBe(
      told.startsWith("'a' (sink")
        ? "A sink is named by the table or topic that it writes, and each is written by one: bring the flows together with Flow.merge before one sink of 'a', or give each a table or topic of its own."
        : told.startsWith("'orders' (source topic orders, sink")
          ? "A source is named by its topic, a sink by its table or topic, and a stateful step by its id: call one of those that are called 'orders' otherwise."
          : "Give each stateful step an id of its own, use each sink once, and name a flow to use its source twice."
    )
  })

  it.each<readonly [ReadonlyArray<string>, string]>([
    [["region"], "windowStart"],
    [["windowStart"], "region"],
    [[], "region, windowStart"]
  ])("where a sink's key (%s) would mix rows of windows, and told what is missing", (key, missing) => {
    const { hint, message } = refusal(income.pipe(Flow.to(upsert("t", key))))
    expect(message).toBe(
      `Job job: sink 't' has key (${key.join(", ")}), but its rows are told apart by (region, windowStart)`
    )
    expect(hint).toContain(`Add ${missing} to the sink's key`)
  })

  it.each<readonly [string, Outputs[number], string, string]>([
    [
      "with a window",
      keyed.pipe(
        Flow.window(Window.tumbling("1 minute")),
        Flow.aggregate("totals", { orders: Aggregate.count }, { timeToLive: "1 day" }),
        Flow.to(upsert("t", ["region", "windowStart"]))
      ),
      "Job job: 'totals' has a window and a timeToLive, but a window is forgotten when it closes",
      "allowedLateness"
    ],
    [
      "of nothing",
      keyed.pipe(
        Flow.aggregate("totals", { orders: Aggregate.count }, { timeToLive: "0 seconds" }),
        Flow.to(upsert("t", ["region"]))
      ),
      "Job job: 'totals' has a timeToLive of 0, so it would keep nothing",
      "longer than 0"
    ]
  ])("where a time to live stands %s", (_, output, told, way) => {
    const { hint, message } = refusal(output)
    expect(message).toBe(told)
    expect(hint).toContain(way)
  })

  it("where a sink's key would mix the rows of several keys without windows", () => {
    const totals = keyed.pipe(Flow.aggregate("totals", { orders: Aggregate.count }, { timeToLive: "1 day" }))
    expect(refusal(totals.pipe(Flow.to(upsert("t", [])))).message).toContain("its rows are told apart by (region)")
    expect(() => made(totals.pipe(Flow.to(upsert("t", ["region"]))))).not.toThrow()
  })

  it("but not for a sink that appends, for late events, for rows without windows, or behind a map", () => {
    const fine: ReadonlyArray<Outputs> = [
      [income.pipe(Flow.emit("onClose"), Flow.to(append("t")))],
      [out, income.late.pipe(Flow.to(upsert("late", ["region"])))],
      [keyed.pipe(Flow.to(upsert("t", ["at"])))],
      [
        income.pipe(
          Flow.map(({ region }) => ({ name: region })),
          Flow.to(upsert("t", ["name"]))
        )
      ],
      [income.pipe(Flow.to(upsert("t", ["more", "windowStart", "region"])))]
    ]
    for (const outputs of fine) expect(() => made(...outputs)).not.toThrow()
  })
})

describe("joins", () => {
  const within = { before: "5 minutes", after: "1 hour" } as const
  const pairs = keyed.pipe(Flow.join("pairs", keyed, { within, type: "outer", allowedLateness: "10 seconds" }))
  const versions = keyed.pipe(Flow.temporalJoin("versions", keyed))
  const topology = (overrides?: Topology.Overrides) =>
    Topology.make(
      "job",
      [
        pairs.pipe(Flow.to(append("a"))),
        pairs.late.pipe(Flow.to(append("b"))),
        pairs.lateOther.pipe(Flow.to(append("c"))),
        versions.pipe(Flow.to(append("d"))),
        keyed.pipe(Flow.join("near", keyed, { within: "1 second" }), Flow.to(append("e")))
      ],
      overrides
    )
  const labels = (made: Topology.Topology) =>
    made.nodes.flatMap(({ id, label }) => (["pairs", "versions", "near"].includes(id) ? [label] : []))

  it("are drawn with their ids, what they wait for, and both kinds of late events", () => {
    expect(labels(topology())).toEqual([
      "outer, 5m before to 1h after, allowedLateness 10s",
      "inner, the version at event time, allowedLateness 0",
      "inner, within 1s, allowedLateness 0"
    ])
    const { edges } = topology()
    expect(edges.filter(({ to }) => to === "pairs").map(({ from, input }) => [from, input])).toEqual([
      ["keyBy", 0],
      ["keyBy", 1]
    ])
    expect(edges.filter(({ from }) => from === "pairs").map(({ port, to }) => [port, to])).toEqual([
      ["out", "a"],
      ["late", "b"],
      ["side late right", "c"]
    ])
  })

  it("take the lateness that a person sets", () => {
    expect(labels(topology({ allowedLatenessMillis: 60_000 })).join("; ")).toBe(
      "outer, 5m before to 1h after, allowedLateness 1m; inner, the version at event time, allowedLateness 1m; inner, within 1s, allowedLateness 1m"
    )
  })

  it("refuse a time that no event can be waited for", () => {
    const endless = () =>
      keyed.pipe(Flow.join("x", keyed, { within: { before: "0 seconds", after: Duration.infinity } }))
    expect(endless).toThrow("A join: after must be a whole number of milliseconds and at most 36525 days, not Infinity")
    expect(() => keyed.pipe(Flow.temporalJoin("x", keyed, { allowedLateness: "1 nano" }))).toThrow(RangeError)
  })
})

describe("lookups", () => {
  const regions = (refresh: "fixed" | "1 minute") => {
    const load = Effect.succeed({ rows: [], placeOf: null })
    const schema = Schema.Struct({ region: Schema.String })
    return Lookup.make({ from: "regions", label: "table regions", schema, load }, { key: ["region"], refresh })
  }
  const enriched = (id: string, lookup: ReturnType<typeof regions>) =>
    decoded.pipe(
      Flow.enrich(id, lookup, { key: ({ region }) => ({ region }), into: (order) => order }),
      Flow.to(append(`table of ${id}`))
    )

  it("are drawn with what they are loaded from and how often", () => {
    const { nodes } = made(enriched("one", regions("1 minute")))
    expect(nodes.find(({ id }) => id === "one")?.label).toBe("left, table regions by region, refreshed every 1m")
  })

  it("are one where two steps share one, and refused where two have one name", () => {
    const shared = regions("fixed")
    expect(Topology.lookupsOf("job", made(enriched("one", shared), enriched("two", shared)))).toEqual([shared])
    expect(refusal(enriched("one", shared), enriched("two", regions("1 minute"))).message).toBe(
      "Job job: two lookups are called 'regions' (table regions by region, fixed; table regions by region, refreshed every 1m)"
    )
  })
})
