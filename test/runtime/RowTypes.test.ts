import { Either, Schema } from "effect"
import { describe, expect, it } from "vitest"
import orders from "../../actors/orders.ts"
import { Console } from "../../src/connectors/console/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import type { Job as JobType } from "../../src/flow/Job.ts"
import { Aggregate, Decimal, Flow, Instant, Int64, Job, Trigger, Window } from "../../src/index.ts"
import * as Shape from "../../src/runtime/RowShape.ts"
import * as RowTypes from "../../src/runtime/RowTypes.ts"

const typesOf = (job: JobType): Readonly<Record<string, string>> => {
  const { topology } = Either.getOrThrow(job.configure({}))
  return Object.fromEntries(
    RowTypes.of(topology, job.name).map(({ node, type, why }) => [
      node,
      type === null ? `not known: ${why}` : Shape.format(type)
    ])
  )
}

const Thing = Schema.Struct({
  id: Int64,
  price: Decimal(18, 2),
  at: Instant,
  count: Schema.Int,
  name: Schema.NullOr(Schema.String),
  tags: Schema.optionalWith(Schema.Array(Schema.Struct({ tag: Schema.String })), { exact: true }),
  kind: Schema.Literal("a", "b")
})

const jobOf = (map: (thing: typeof Thing.Type) => unknown) =>
  Job.make("things", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => [Flow.from(Topic.source("things")).pipe(Flow.decode(Thing), Flow.map(map), Flow.to(Console.sink()))]
  })

describe("Row types", () => {
  it("are told after each step of the job of orders", () => {
    const types = typesOf(orders)
    for (const step of ["decode", "eventTime", "keyBy", "window"]) expect(types[step]).toBe(types.decode)
    expect(types.decode).toContain("price: decimal(")
    expect(types.income).toMatch(
      /^\{region: .+, shopid: int, itemid: int, windowStart: instant, windowEnd: instant, grossIncome: bigint, totalItems: bigint, totalOrders: bigint\}$/
    )
    expect(types.emit).toBe(types.income)
  })

  it("are those of the Schema, and of what functions make of its values", () => {
    const types = typesOf(
      jobOf(({ id, price, name, tags }) => ({ id, cents: price, name, label: `${name}`, tags: tags ?? [] }))
    )
    expect(types.decode).toBe(
      '{id: int64, price: decimal(18, 2), at: instant, count: int, name: text | null, tags?: array of {tag: text}, kind: "a" | "b"}'
    )
    expect(types.map).toBe("{id: int64, cents: bigint, name: text | null, label: text, tags: array of {tag: text}}")
  })

  it("are not known after a function that refuses sampled values, nor behind it", () => {
    const refusing = Job.make("things", {
      parameters: {},
      trigger: Trigger.every("1 second"),
      outputs: () => [
        Flow.from(Topic.source("things")).pipe(
          Flow.decode(Thing),
          Flow.map((thing) => {
            if (thing.count >= -1e300) throw new Error("no thing pleases me")
            return thing
          }),
          Flow.map(({ id }) => ({ id })),
          Flow.to(Console.sink())
        )
      ]
    })
    const types = typesOf(refusing)
    expect(types.map).toMatch(/^not known: Step 'map' failed .*no thing pleases me$/)
    expect(types["map-2"]).toBe(types.map)
  })

  it("say which rows replace earlier ones", () => {
    const job = Job.make("things", {
      parameters: {},
      trigger: Trigger.every("1 second"),
      outputs: () => [
        Flow.from(Topic.source("things")).pipe(
          Flow.decode(Thing),
          Flow.eventTime(({ at }) => at, { maxOutOfOrderness: "1 second" }),
          Flow.keyBy("kind"),
          Flow.window(Window.tumbling("1 minute")),
          Flow.aggregate("sums", {
            sum: Aggregate.sum((thing) => thing.price),
            last: Aggregate.max((thing) => thing.at)
          }),
          Flow.emit("onUpdate"),
          Flow.updates,
          Flow.to(Console.sink())
        )
      ]
    })
    const { topology } = Either.getOrThrow(job.configure({}))
    const rows = RowTypes.of(topology, "things")
    expect(rows.map(({ node, replaces }) => [node, replaces])).toEqual([
      ["decode", false],
      ["eventTime", false],
      ["keyBy", false],
      ["window", false],
      ["sums", true],
      ["emit", true],
      ["updates", false]
    ])
    expect(Shape.format(rows.find(({ node }) => node === "sums")!.type!)).toMatch(
      /^\{kind: "a" \| "b", windowStart: instant, windowEnd: instant, sum: bigint, last: number\}$/
    )
  })

  it("are the same each time", () => {
    expect(typesOf(orders)).toEqual(typesOf(orders))
  })
})
