import { Either, Schema } from "effect"
import { describe, expect, it } from "vitest"
import orders from "../../actors/orders.ts"
import { Console } from "../../src/connectors/console/index.ts"
import { Files } from "../../src/connectors/files/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import type { NoOpenWindow } from "../../src/flow/Brands.ts"
import type { Flow as FlowOf } from "../../src/flow/Flow.ts"
import type { Job as JobType } from "../../src/flow/Job.ts"
import { Aggregate, Decimal, Flow, Frame, Instant, Int64, Job, Trigger, Window } from "../../src/index.ts"
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
      /^\{region: .+, shopid: int, itemid: int, windowStart: instant, windowEnd: instant, grossIncome: decimal\(\*, 2\), totalItems: int64, totalOrders: int64\}$/
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
    expect(types.map).toBe(
      "{id: int64, cents: decimal(18, 2), name: text | null, label: text, tags: array of {tag: text}}"
    )
  })

  it("are not those of a column that happens to hold the same value", () => {
    let one: bigint | null = null
    const types = typesOf(
      jobOf(({ price }) => {
        one ??= price
        return { one, price: one }
      })
    )
    expect(types.map).toBe("{one: bigint, price: decimal(18, 2)}")
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
    expect(Shape.format(rows.find(({ node }) => node === "sums")!.type!)).toBe(
      '{kind: "a" | "b", windowStart: instant, windowEnd: instant, sum: decimal(*, 2), last: instant}'
    )
  })

  it("are the same each time", () => {
    expect(typesOf(orders)).toEqual(typesOf(orders))
  })

  const Left = Schema.Struct({ id: Int64, at: Instant })
  const Right = Schema.Struct({ id: Int64, price: Decimal(9, 3), at: Instant })
  const timed = <A extends { readonly at: typeof Instant.Type; readonly id: bigint }, I>(
    topic: string,
    schema: Schema.Schema<A, I>
  ) =>
    Flow.from(Topic.source(topic)).pipe(
      Flow.decode(schema),
      Flow.eventTime((event) => event.at, { maxOutOfOrderness: "1 second" }),
      Flow.keyBy({ id: (event) => event.id })
    )
  const lefts = () => timed("lefts", Left)
  const rights = () => timed("rights", Right)
  const typesOfFlow = <A, E, R, B extends NoOpenWindow>(flow: FlowOf<A, E, R, B>) =>
    typesOf(
      Job.make("typed", {
        parameters: {},
        trigger: Trigger.every("1 second"),
        outputs: () => [flow.pipe(Flow.to(Console.sink()))]
      }) as JobType
    )
  const left = "{id: int64, at: instant}"
  const right = "{id: int64, price: decimal(9, 3), at: instant}"

  it.each([
    ["inner", left, right, "decimal(9, 3)"],
    ["left", left, `${right} | null`, "decimal(9, 3) | null"],
    ["outer", `${left} | null`, `${right} | null`, "decimal(9, 3) | null"]
  ] as const)("have null for the sides that a join of type %s may lack", (type, ofLeft, ofRight, price) => {
    const rows = lefts().pipe(Flow.join("pairs", rights(), { within: "1 second", type }))
    const types = typesOfFlow(rows.pipe(Flow.map(({ right }) => ({ cost: right?.price ?? null }))))
    expect(types.pairs).toBe(`{left: ${ofLeft}, right: ${ofRight}}`)
    expect(types.map).toBe(`{cost: ${price}}`)
  })

  it.each([
    ["inner", right, "decimal(9, 3)"],
    ["left", `${right} | null`, "decimal(9, 3) | null"]
  ] as const)("have null for the version that a temporal join of type %s may lack", (type, ofRight, price) => {
    const rows = lefts().pipe(Flow.temporalJoin("versions", rights(), { type }))
    const types = typesOfFlow(rows.pipe(Flow.map(({ right }) => ({ cost: right?.price ?? null }))))
    expect(types.versions).toBe(`{left: ${left}, right: ${ofRight}}`)
    expect(types.map).toBe(`{cost: ${price}}`)
  })

  it("are told of the late events of both sides of a join", () => {
    const rows = lefts().pipe(Flow.join("pairs", rights(), { within: "1 second" }))
    expect(typesOfFlow(rows.late.pipe(Flow.map((event) => event)))).toMatchObject({ map: left })
    expect(typesOfFlow(rows.lateOther.pipe(Flow.map((event) => event)))).toMatchObject({ map: right })
  })

  it.each([
    ["inner", "{at: instant, title: text, price: decimal(9, 2)}"],
    ["left", "{at: instant, title: text | null, price: decimal(9, 2) | null}"]
  ] as const)("have null for what a lookup of type %s may not find", (type, expected) => {
    const Item = Schema.Struct({ id: Int64, title: Schema.String, price: Decimal(9, 2) })
    const items = Files.lookup("items.csv", Item, { key: ["id"] })
    const types = typesOfFlow(
      lefts().pipe(
        Flow.enrich("item", items, {
          type,
          key: ({ id }) => ({ id }),
          into: ({ at }, item) => ({ at, title: item?.title ?? null, price: item?.price ?? null })
        })
      )
    )
    expect(types.item).toBe(expected)
  })

  it("of aggregates are those of what they take", () => {
    const things = Flow.from(Topic.source("things")).pipe(Flow.decode(Thing))
    const types = typesOfFlow(
      things.pipe(
        Flow.keyBy("kind", { hour: (thing) => thing.count % 24 }),
        Flow.aggregate("all", {
          many: Aggregate.count,
          ids: Aggregate.distinctCount((thing) => thing.id),
          counts: Aggregate.sum((thing) => thing.count),
          total: Aggregate.sum((thing) => thing.price),
          totalIds: Aggregate.sum((thing) => thing.id),
          mean: Aggregate.avg((thing) => thing.price, { scale: 2 }),
          meanCount: Aggregate.avg((thing) => thing.count),
          dearest: Aggregate.max((thing) => thing.price),
          latest: Aggregate.last((thing) => thing.name),
          best: Aggregate.topN(2, (thing: { readonly price: bigint }) => thing.price),
          own: Aggregate.make({ empty: () => 0, add: (n: number) => n + 1, merge: (a, b) => a + b, result: String })
        }),
        Flow.map(({ dearest, total }) => ({ most: dearest, sum: total }))
      )
    )
    expect(types.all).toBe(
      `{kind: "a" | "b", hour: number, many: int64, ids: int64, counts: number, total: decimal(*, 2), ` +
        `totalIds: int64, mean: decimal(*, 6), meanCount: number, dearest: decimal(18, 2), latest: text | null, ` +
        `best: array of ${types.decode}, own: text}`
    )
    expect(types.map).toBe("{most: decimal(18, 2), sum: decimal(*, 2)}")
  })

  it("of frames are those of the event and of what the frames take; null where they ask for more rows", () => {
    const types = typesOfFlow(
      rights().pipe(
        Flow.frames("moving", {
          price: Frame.rows(
            2,
            Aggregate.sum((event) => event.price)
          ),
          least: Frame.rows(
            2,
            Aggregate.min((event) => event.price),
            { minRows: 3 }
          )
        })
      )
    )
    expect(types.moving).toBe("{id: int64, at: instant, price: decimal(*, 3), least: decimal(9, 3) | null}")
  })

  it("of merged flows are either of theirs; of changes as rows, both sides may be absent", () => {
    const merged = lefts().pipe(
      Flow.merge(rights()),
      Flow.keyBy("id"),
      Flow.aggregate("latest", { at: Aggregate.max((event) => event.at) }),
      Flow.updates,
      Flow.map(({ after, before }) => ({ was: before?.at ?? null, is: after?.at ?? null }))
    )
    const types = typesOfFlow(merged)
    expect(types.merge).toBe(`${left} | ${right}`)
    expect(types.updates).toBe("{before?: {id: int64, at: instant}, after?: {id: int64, at: instant}}")
    expect(types.map).toBe("{was: instant | null, is: instant | null}")
  })

  it("behind a filter are those of what passes it", () => {
    const rows = Flow.from(Topic.source("things")).pipe(
      Flow.decode(Thing),
      Flow.filter((thing) => thing.name !== null),
      Flow.map((thing) => ({ length: (thing.name as string).length, name: thing.name }))
    )
    expect(typesOfFlow(rows).map).toBe("{length: number, name: text}")
  })

  it("of an operator of one's own are those of what it gives, by output", () => {
    const trips = lefts().pipe(
      Flow.process("own", {
        state: Schema.Struct({ from: Schema.Number }),
        outputs: { side: Flow.output<{ readonly when: number }>() },
        onEvent: (event: typeof Left.Type, { emit }) => {
          emit("side", { when: event.at })
          return [{ of: event.id }]
        }
      })
    )
    expect(typesOfFlow(trips)).toMatchObject({ own: "{of: int64}" })
    expect(typesOfFlow(trips.side.pipe(Flow.map(({ when }) => ({ at: when }))))).toMatchObject({ map: "{at: instant}" })
  })
})
