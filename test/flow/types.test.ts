/** What a job's types say. Checked by `tsc`: each `@ts-expect-error` says in short what it prints. */
import { type Duration, type Effect, Schema } from "effect"
import { describe, expect, test } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Codec from "../../src/flow/Codec.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Frame from "../../src/flow/Frame.ts"
import * as Job from "../../src/flow/Job.ts"
import * as Lookup from "../../src/flow/Lookup.ts"
import * as Parameter from "../../src/flow/Parameter.ts"
import type { Sink } from "../../src/flow/Sink.ts"
import type { Source } from "../../src/flow/Source.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import * as Window from "../../src/flow/Window.ts"
import { Decimal, type Instant, InstantFromSeconds, Int64 } from "../../src/model/Columns.ts"
import type { DuplicateKey, RecordUnusable } from "../../src/model/Errors.ts"
import type { Invalid, RawEvent } from "../../src/model/Event.ts"

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <_ extends true>() => {}

// Stand-ins with the demands of real connectors.

interface Topics {
  readonly topics: true
}
interface Tables {
  readonly tables: true
}
interface SourceError {
  readonly sourceError: true
}
interface SinkError {
  readonly sinkError: true
}
interface AppendOnly
  extends Flow.Refuses<"changes", "this sink appends: put Flow.emit(onClose) before it or use Sql.upsert"> {}

const end = (name: string): never =>
  ({ name, label: name, replaces: false, key: [], guarantee: "exactly once" }) as never
const Topic = {
  source: (topic: string): Source<RawEvent, SourceError, Topics> => end(topic),
  sink: <A, I>(topic: string, _schema: Schema.Schema<A, I>): Sink<A, SinkError, Topics, AppendOnly> => end(topic),
  deadLetter: (topic: string): Sink<Invalid, SinkError, Topics, AppendOnly> => end(topic)
}
const Sql = {
  append: <A, I>(table: string, _schema: Schema.Schema<A, I>): Sink<A, SinkError, Tables, AppendOnly> => end(table),
  upsert: <A, I>(
    table: string,
    _schema: Schema.Schema<A, I>,
    _options: { readonly key: ReadonlyArray<keyof A & string> }
  ): Sink<A, SinkError, Tables> => end(table)
}
const Console = { sink: (): Sink<unknown, never, never> => end("console") }

class Order extends Schema.Class<Order>("Order")({
  orderid: Int64,
  region: Schema.String,
  shopid: Schema.Int,
  itemid: Schema.Int,
  price: Decimal(12, 2),
  count: Int64,
  orderedAt: Schema.propertySignature(InstantFromSeconds).pipe(Schema.fromKey("timestamp"))
}) {}

const raw = Flow.from(Topic.source("orders"))
const decoded = raw.pipe(Flow.decode(Order))
const timed = decoded.pipe(
  Flow.eventTime((order) => order.orderedAt, {
    maxOutOfOrderness: "5 seconds",
    idleAfter: "1 minute",
    maxFutureSkew: "1 hour"
  })
)
const keyed = timed.pipe(Flow.keyBy("region"))
const windowed = keyed.pipe(Flow.window(Window.sliding("60 seconds", "10 seconds")))
const income = windowed.pipe(
  Flow.aggregate("income", { income: Aggregate.sum((order) => order.price), orders: Aggregate.count })
)
const closed = income.pipe(Flow.emit("onClose"))
class Payment extends Schema.Class<Payment>("Payment")({
  region: Schema.String,
  paid: Decimal(12, 2),
  paidAt: InstantFromSeconds
}) {}
const payments = Flow.from(Topic.source("payments")).pipe(
  Flow.decode(Payment),
  Flow.eventTime((payment) => payment.paidAt, { maxOutOfOrderness: "5 seconds" }),
  Flow.keyBy("region")
)
const minute = Window.tumbling("60 seconds")
const trigger = Trigger.every("10 seconds")
const Income = Schema.Struct({
  region: Schema.String,
  windowStart: InstantFromSeconds,
  income: Decimal(18, 2),
  orders: Int64
})

const joinedText = {
  empty: () => "",
  add: (state: string, row: { readonly region: string }) => state + row.region,
  merge: (left: string, right: string) => left + right,
  result: (state: string) => state.length
}

const Shop = Schema.Struct({ shopid: Schema.Int, region: Schema.String, name: Schema.String })
const shopsIn = {
  from: "shops",
  label: "shops",
  schema: Shop,
  load: undefined as unknown as Effect.Effect<Lookup.Loaded<typeof Shop.Type>, SinkError, Tables>
}
const shops = Lookup.make(shopsIn, { key: ["shopid", "region"] })
const refreshedShops = Lookup.make(shopsIn, { key: ["shopid", "region"], refresh: "5 minutes" })

describe("types", () => {
  test("say of each flow what its rows are, what can fail and what it needs", () => {
    type IncomeRow = {
      readonly region: string
      readonly windowStart: Instant
      readonly windowEnd: Instant
      readonly income: Decimal<2>
      readonly orders: Int64
    }
    holds<Same<typeof income.row, IncomeRow>>()
    type Late = Flow.Flow<
      Order,
      SourceError | RecordUnusable,
      Topics,
      { readonly hasEventTime: true; readonly isKeyed: { readonly region: string } }
    >
    holds<Same<typeof income.late, Late>>()
    const harmless = raw.pipe(Flow.decode(Order, { invalid: Console.sink() }))
    holds<Same<typeof harmless, Flow.Flow<Order, SourceError, Topics, {}>>>()
    expect(income.late.port).toBe("late")
  })

  test("make a job its bill of materials", () => {
    const orders = Job.make("orders", {
      parameters: { window: Parameter.duration("60 seconds"), table: Parameter.text("income") },
      trigger,
      outputs: ({ table, window }) => {
        const rows = raw.pipe(
          Flow.decode(Order, { invalid: Topic.deadLetter("orders.invalid") }),
          Flow.eventTime((order) => order.orderedAt, { maxOutOfOrderness: "5 seconds" }),
          Flow.keyBy("region"),
          Flow.window(Window.tumbling(window), { allowedLateness: "30 seconds" }),
          Flow.aggregate("income", { income: Aggregate.sum((order) => order.price), orders: Aggregate.count })
        )
        return [
          rows.pipe(Flow.to(Sql.upsert(table, Income, { key: ["region", "windowStart"] }))),
          rows.late.pipe(Flow.to(Topic.sink("orders.late", Order)))
        ]
      }
    })
    type Values = { readonly window: Duration.Duration; readonly table: string }
    holds<Same<typeof orders, Job.Job<SourceError | SinkError, Topics | Tables, Values>>>()
    const bare = Job.make("bare", { parameters: {}, trigger, outputs: () => decoded.pipe(Flow.to(Console.sink())) })
    holds<Same<typeof bare, Job.Job<SourceError | RecordUnusable, Topics, {}>>>()
    expect(orders.name).toBe("orders")
  })

  test("keep what numbers are through aggregates", () => {
    const kinds = decoded.pipe(
      Flow.filter((order) => order.price > 10_00n),
      Flow.eventTime((order) => order.orderedAt, { maxOutOfOrderness: "5 seconds" }),
      Flow.keyBy("region", { hour: (order) => Math.floor(order.orderedAt / 3_600_000) }),
      Flow.window(minute),
      Flow.aggregate("kinds", {
        average: Aggregate.avg((order) => order.price, { scale: 2 }),
        shop: Aggregate.avg((order) => order.shopid),
        items: Aggregate.avg((order) => order.count),
        total: Aggregate.sum((order) => order.shopid),
        earliest: Aggregate.min((order) => order.orderedAt),
        latest: Aggregate.last((order) => order.orderid),
        text: Aggregate.make({
          empty: () => "",
          add: (state, order: Order) => state + order.region,
          merge: (left, right) => left + right,
          result: (state) => state.length
        })
      })
    )
    type Row = {
      readonly region: string
      readonly hour: number
      readonly windowStart: Instant
      readonly windowEnd: Instant
      readonly average: Decimal<6>
      readonly shop: number
      readonly items: Decimal<6>
      readonly total: number
      readonly earliest: Instant
      readonly latest: Int64
      readonly text: number
    }
    holds<Same<typeof kinds.row, Row>>()
    const reader = Codec.compile(Order)
    holds<Same<typeof reader, Codec.Reader<Order>>>()
    expect(kinds.node.spec.kind).toBe("aggregate")
  })

  test("let rows of closed windows go where rows are appended, and into further windows", () => {
    closed.pipe(Flow.to(Sql.append("t", Income)))
    const again = closed.pipe(
      Flow.keyBy("region"),
      Flow.window(Window.tumbling("1 hour")),
      Flow.aggregate("hours", { income: Aggregate.sum((row) => row.income) })
    )
    type Hour = {
      readonly region: string
      readonly windowStart: Instant
      readonly windowEnd: Instant
      readonly income: Decimal<2>
    }
    holds<Same<typeof again.row, Hour>>()
    expect(again.node.spec.kind).toBe("aggregate")
  })

  test("keep a key through a filter, and ask for one again after a map", () => {
    const kept = keyed.pipe(
      Flow.filter((order) => order.shopid > 0),
      Flow.window(minute)
    )
    holds<Same<Flow.Flow<Order, SourceError | RecordUnusable, Topics, (typeof windowed)["brands"]>, typeof kept>>()
    const again = keyed.pipe(
      Flow.map((order) => ({ shop: order.shopid })),
      Flow.keyBy("shop"),
      Flow.window(minute)
    )
    expect([kept.node.spec.kind, again.node.spec.kind]).toEqual(["window", "window"])
  })

  test("let rows of a key be kept without a window, over events and over rows that replace each other", () => {
    const shops = decoded.pipe(
      Flow.keyBy("region"),
      Flow.aggregate(
        "shops",
        {
          orders: Aggregate.count,
          shops: Aggregate.distinctCount((order) => order.shopid),
          best: Aggregate.topN(3, (order) => order.price),
          latest: Aggregate.last((order) => order.orderid)
        },
        { timeToLive: "1 day" }
      )
    )
    type Row = {
      readonly region: string
      readonly orders: Int64
      readonly shops: Int64
      readonly best: ReadonlyArray<Order>
      readonly latest: Int64
    }
    holds<Same<typeof shops.row, Row>>()
    holds<Same<typeof shops.brands, Flow.Changes>>()
    const large = income.pipe(
      Flow.filter((row) => row.income > 10_00n),
      Flow.keyBy("region"),
      Flow.aggregate("large", {
        windows: Aggregate.count,
        least: Aggregate.min((row) => row.income),
        most: Aggregate.max((row) => row.windowStart),
        orders: Aggregate.distinctCount((row) => row.orders),
        best: Aggregate.topN(1, (row) => row.income),
        text: Aggregate.make({
          ...joinedText,
          overChanges: Aggregate.make({ ...joinedText, remove: (state) => state })
        })
      })
    )
    type Large = {
      readonly region: string
      readonly windows: Int64
      readonly least: Decimal<2>
      readonly most: Instant
      readonly orders: Int64
      readonly best: ReadonlyArray<(typeof income)["row"]>
      readonly text: number
    }
    holds<Same<typeof large.row, Large>>()
    const all = large.pipe(Flow.keyBy(), Flow.aggregate("all", { regions: Aggregate.count }))
    holds<Same<typeof all.row, { readonly regions: Int64 }>>()
    large.pipe(
      Flow.to(Sql.upsert("large", Schema.Struct({ region: Schema.String, windows: Int64 }), { key: ["region"] }))
    )
    expect([large, all].map(({ node }) => node.spec)).toMatchObject([{ timeToLiveMillis: null }, { id: "all" }])
    expect(shops.node.spec).toMatchObject({ timeToLiveMillis: 86_400_000 })
  })

  test("let two flows of one key meet, and say which side may be without a partner", () => {
    const pairs = keyed.pipe(Flow.join("pairs", payments, { within: "10 minutes" }))
    holds<Same<typeof pairs.row, { readonly left: Order; readonly right: Payment }>>()
    holds<Same<typeof pairs.brands, Flow.HasEventTime>>()
    const within = { before: "0 seconds", after: "1 hour" } as const
    const left = keyed.pipe(Flow.join("left", payments, { within, type: "left", allowedLateness: "1 minute" }))
    holds<Same<typeof left.row, { readonly left: Order; readonly right: Payment | null }>>()
    const outer = keyed.pipe(Flow.join("outer", payments, { within, type: "outer" }))
    holds<Same<typeof outer.row, { readonly left: Order | null; readonly right: Payment | null }>>()
    holds<Same<typeof outer.late.row, Order>>()
    holds<Same<typeof outer.lateOther.row, Payment>>()
    outer.lateOther.pipe(Flow.window(minute))
    const versions = keyed.pipe(Flow.temporalJoin("versions", payments))
    holds<Same<typeof versions.row, { readonly left: Order; readonly right: Payment }>>()
    const perhaps = keyed.pipe(Flow.temporalJoin("perhaps", payments, { type: "left" }))
    holds<Same<typeof perhaps.row, { readonly left: Order; readonly right: Payment | null }>>()
    pairs.pipe(
      Flow.keyBy({ region: ({ right }) => right.region }),
      Flow.join("three", payments, { within }),
      Flow.map(({ left, right }) => [left.left.orderid, right.paid]),
      Flow.to(Console.sink())
    )
    const afterWindow = closed.pipe(Flow.keyBy("region"), Flow.join("windows", payments, { within }))
    expect([afterWindow.port, afterWindow.late.port, afterWindow.lateOther.port]).toEqual([
      "out",
      "late",
      "side late right"
    ])
  })

  test("infer of a user's own operator its key, its state, its rows and those of its outputs", () => {
    const alarms = keyed.pipe(
      Flow.process("alarms", {
        state: Schema.Struct({ orders: Schema.Number }),
        outputs: { large: Flow.output<Order>(), silent: Flow.output<string>() },
        onEvent: (order, { emit, keep, setTimer, state }) => {
          keep({ orders: (state?.orders ?? 0) + 1 })
          setTimer(order.orderedAt + 60_000)
          if (order.price > 10_00n) emit("large", order)
          return [order.itemid]
        },
        onTimer: (at, { emit, forget, key }) => {
          emit("silent", key.region)
          forget()
          return [at]
        }
      })
    )
    type Timed = { readonly hasEventTime: true }
    type Failure = SourceError | RecordUnusable
    holds<Same<typeof alarms.row, number | Instant>>()
    holds<Same<typeof alarms.large, Flow.Flow<Order, Failure, Topics, Timed>>>()
    holds<Same<typeof alarms.silent, Flow.Flow<string, Failure, Topics, Timed>>>()
    holds<Same<typeof alarms.late, Flow.Flow<Order, Failure, Topics, (typeof keyed)["brands"]>>>()
    const quiet = decoded.pipe(
      Flow.keyBy("shopid"),
      Flow.process("quiet", {
        state: Schema.Number,
        onEvent: (order, { keep, key }) => keep(key.shopid + order.itemid)
      })
    )
    holds<Same<typeof quiet.row, never>>()
    expect([alarms.large.port, alarms.silent.port, alarms.late.port]).toEqual(["side large", "side silent", "late"])
  })

  test("give frames the event's columns and a result for each, null where rows may be too few", () => {
    const days = closed.pipe(
      Flow.keyBy("region"),
      Flow.frames("averages", {
        ma20: Frame.rows(
          20,
          Aggregate.avg((row) => row.income, { scale: 2 })
        ),
        ma50: Frame.rows(
          50,
          Aggregate.avg((row) => row.orders),
          { minRows: 51 }
        ),
        orders: Frame.rows(1, Aggregate.count)
      })
    )
    type Row = {
      readonly region: string
      readonly windowStart: Instant
      readonly windowEnd: Instant
      readonly income: Decimal<2>
      readonly ma20: Decimal<6>
      readonly ma50: Decimal<6> | null
      readonly orders: Int64
    }
    holds<Same<typeof days.row, Row>>()
    holds<Same<typeof days.late.row, typeof closed.row>>()
    const again = days.pipe(Flow.keyBy("region"), Flow.window(minute))
    expect([days.late.port, again.node.spec.kind]).toEqual(["late", "window"])
  })

  test("give an enriched event the row of a lookup, or null where there may be none", () => {
    const key = ({ shopid }: Order) => ({ shopid, region: "north" })
    const left = keyed.pipe(
      Flow.enrich("shop", shops, { key, into: (order, shop) => ({ item: order.itemid, name: shop?.name ?? null }) })
    )
    holds<Same<(typeof left)["row"], { item: number; name: string | null }>>()
    holds<Same<keyof (typeof left)["brands"], "hasEventTime">>()
    holds<SinkError extends (typeof left)["error"] ? true : false>()
    holds<DuplicateKey extends (typeof left)["error"] ? true : false>()
    holds<Same<(typeof left)["requirements"], Topics | Tables>>()
    const inner = keyed.pipe(
      Flow.enrich("shop", refreshedShops, {
        type: "inner",
        key: ({ region, shopid }) => ({ shopid, region }),
        into: (order, { name }) => ({ ...order, name })
      })
    )
    holds<Same<(typeof inner)["row"]["name"], string>>()
    holds<Same<(typeof inner)["row"]["shopid"], number>>()
    const enriched = income.pipe(
      Flow.enrich("shop", shops, {
        key: ({ region }) => ({ shopid: 1, region }),
        into: ({ orders }, found) => ({ orders, found })
      })
    )
    holds<Same<keyof (typeof enriched)["brands"], "hasEventTime" | "changes" | "isWindowResult">>()
    expect(left.node.spec).toMatchObject({ kind: "enrich", type: "left" })
  })

  test("refuse the rest when the project is compiled", () => {
    expect(refused).toBeTypeOf("function")
  })
})

/** Never called: what must not compile. */
const refused = () => {
  // @ts-expect-error Property 'hasEventTime' is missing … but required in type 'HasEventTime'
  decoded.pipe(Flow.keyBy("region"), Flow.window(minute))
  // @ts-expect-error Property 'isKeyed' is missing … but required in type 'IsKeyed<unknown>'
  timed.pipe(Flow.window(minute))
  const mapped = keyed.pipe(Flow.map((order) => ({ region: order.region })))
  // @ts-expect-error Property 'isKeyed' is missing: the key's columns are of the event before the map
  mapped.pipe(Flow.window(minute))
  const doubled = keyed.pipe(Flow.flatMap((order) => [order, order]))
  // @ts-expect-error Property 'isKeyed' is missing
  doubled.pipe(Flow.window(minute))
  // @ts-expect-error Property 'isKeyed' is missing: the key's columns are of the event before the aggregate
  closed.pipe(Flow.window(minute))
  // @ts-expect-error 'isWindowResult': … "event time belongs before the aggregate"
  closed.pipe(Flow.eventTime((row) => row.windowStart, { maxOutOfOrderness: "5 seconds" }))
  // @ts-expect-error Property 'isKeyed' is missing
  decoded.pipe(Flow.aggregate("totals", { income: Aggregate.sum((order) => order.price) }))
  // @ts-expect-error Property 'orderdAt' does not exist on type 'Order'. Did you mean 'orderedAt'?
  decoded.pipe(Flow.eventTime((order) => order.orderdAt, { maxOutOfOrderness: "5 seconds" }))
  // @ts-expect-error Type 'number' is not assignable to type 'DurationInput'
  decoded.pipe(Flow.eventTime((order) => order.orderedAt, { maxOutOfOrderness: 5 }))
  // @ts-expect-error '"regoin"' is not assignable to parameter of type '"count" | … | "region" | "shopid"'
  timed.pipe(Flow.keyBy("regoin", "shopid"))
  // @ts-expect-error Property 'orderdAt' does not exist on type 'Order'. Did you mean 'orderedAt'?
  timed.pipe(Flow.keyBy({ hour: (order) => order.orderdAt }))
  // @ts-expect-error Property 'prise' does not exist on type 'Order'. Did you mean 'price'?
  windowed.pipe(Flow.aggregate("income", { income: Aggregate.sum((order) => order.prise) }))
  // @ts-expect-error Type 'string' is not assignable to type 'Numeric'
  windowed.pipe(Flow.aggregate("income", { income: Aggregate.sum((order) => order.region) }))
  // @ts-expect-error Type 'Decimal<2>' is not assignable to type 'number | Int64': its scale is missing
  windowed.pipe(Flow.aggregate("income", { average: Aggregate.avg((order) => order.price) }))
  // @ts-expect-error Type '3' is not assignable to type '2'
  windowed.pipe(Flow.aggregate("income", { average: Aggregate.avg((order) => order.price, { scale: 3 }) }))
  // @ts-expect-error Property 'scale' is missing in type 'Int64'
  windowed.pipe(Flow.aggregate("income", { average: Aggregate.avg((order) => order.count, { scale: 2 }) }))
  // @ts-expect-error 'changes': … "windows over changing rows: put Flow.emit(onClose) before it"
  income.pipe(Flow.keyBy("region"), Flow.window(minute))
  // @ts-expect-error 'changes': … "one row cannot become several while rows replace each other"
  income.pipe(Flow.flatMap((row) => [row, row]))
  // @ts-expect-error Property 'hasEventTime' is missing … but required in type 'HasEventTime'
  decoded.pipe(Flow.keyBy("region"), Flow.join("x", payments, { within: "1 minute" }))
  // @ts-expect-error Property 'hasEventTime' is missing, of the other flow
  keyed.pipe(Flow.join("x", decoded.pipe(Flow.keyBy("region")), { within: "1 minute" }))
  // @ts-expect-error Property 'isKeyed' is missing … but required in type 'IsKeyed<unknown>'
  timed.pipe(Flow.join("x", payments, { within: "1 minute" }))
  // @ts-expect-error Property 'isKeyed' is missing, of the other flow
  keyed.pipe(Flow.join("x", timed, { within: "1 minute" }))
  // @ts-expect-error "both flows need the same key": readonly [{ readonly shopid: number }, { readonly region: string }]
  timed.pipe(Flow.keyBy("shopid"), Flow.join("x", payments, { within: "1 minute" }))
  // @ts-expect-error the same: one column more
  timed.pipe(Flow.keyBy("region", "shopid"), Flow.join("x", payments, { within: "1 minute" }))
  // @ts-expect-error the same: one column less
  keyed.pipe(Flow.join("x", timed.pipe(Flow.keyBy("region", "shopid")), { within: "1 minute" }))
  // @ts-expect-error the same: a number is no text
  timed.pipe(Flow.keyBy({ region: (order) => order.shopid }), Flow.temporalJoin("x", payments))
  // @ts-expect-error 'changes': … "a join takes events, not changes: put Flow.emit(onClose) before it"
  income.pipe(Flow.keyBy("region"), Flow.join("x", payments, { within: "1 minute" }))
  // @ts-expect-error 'changes', of the other flow
  keyed.pipe(Flow.temporalJoin("x", income.pipe(Flow.keyBy("region"))))
  // @ts-expect-error "put Flow.aggregate between window and sink"
  windowed.pipe(Flow.join("x", payments, { within: "1 minute" }))
  // @ts-expect-error Type 'number' is not assignable to type 'Within'
  keyed.pipe(Flow.join("x", payments, { within: 60 }))
  // @ts-expect-error Property 'within' is missing
  keyed.pipe(Flow.join("x", payments, {}))
  // @ts-expect-error Type '"outer"' is not assignable to type '"inner" | "left"'
  keyed.pipe(Flow.temporalJoin("x", payments, { type: "outer" }))
  const joined = keyed.pipe(Flow.join("x", payments, { within: "1 minute" }))
  // @ts-expect-error Property 'isKeyed' is missing: a row of a join has no key
  joined.pipe(Flow.window(minute))
  // @ts-expect-error Property 'isRetractable' is missing: what came first cannot be taken back
  const _taken: Aggregate.Retractable<Order, Aggregate.State, Decimal<2>> = Aggregate.first(
    (order: Order) => order.price
  )
  const byRegion = income.pipe(Flow.keyBy("region"))
  // @ts-expect-error 'changes': … "rows cannot be taken back from 'earliest': it has no remove"
  byRegion.pipe(Flow.aggregate("x", { earliest: Aggregate.first((row) => row.income), orders: Aggregate.count }))
  // @ts-expect-error 'changes': … "rows cannot be taken back from 'text': it has no remove"
  byRegion.pipe(Flow.aggregate("x", { text: Aggregate.make({ ...joinedText, add: (state) => state }) }))
  // @ts-expect-error 'changes': … "a row of a forgotten key could not be taken back"
  byRegion.pipe(Flow.aggregate("x", { windows: Aggregate.count }, { timeToLive: "1 day" }))
  // @ts-expect-error Type 'number' is not assignable to type 'DurationInput'
  keyed.pipe(Flow.aggregate("x", { orders: Aggregate.count }, { timeToLive: 5 }))
  // @ts-expect-error Property 'changes' is missing: rows without a window are never final
  keyed.pipe(Flow.aggregate("x", { orders: Aggregate.count }), Flow.emit("onClose"))
  // @ts-expect-error Property 'hasEventTime' is missing: a row without a window has no event time
  keyed.pipe(Flow.aggregate("x", { orders: Aggregate.count }), Flow.keyBy("region"), Flow.window(minute))
  // @ts-expect-error Type '{ a: string; }' is not assignable to type 'Ordered'
  keyed.pipe(Flow.aggregate("x", { best: Aggregate.topN(3, (order) => ({ a: order.region })) }))
  // @ts-expect-error Type 'true' is not assignable to type '"put Flow.aggregate between window and sink"'
  windowed.pipe(Flow.to(Console.sink()))
  // @ts-expect-error Type '"windowstart"' is not assignable … Did you mean '"windowStart"'?
  Sql.upsert("income", Income, { key: ["region", "windowstart"] })
  // @ts-expect-error Types of property 'scale' are incompatible: '2' is not assignable to '4'
  closed.pipe(Flow.to(Sql.append("t", Schema.Struct({ region: Schema.String, income: Decimal(18, 4) }))))
  // @ts-expect-error Property 'shopid' is missing in the row
  closed.pipe(Flow.to(Sql.append("t", Schema.Struct({ region: Schema.String, shopid: Schema.Int }))))
  // @ts-expect-error 'changes': … "this sink appends: put Flow.emit(onClose) before it or use Sql.upsert"
  income.pipe(Flow.to(Sql.append("t", Income)))
  // @ts-expect-error the same: onUpdate keeps `changes`
  income.pipe(Flow.emit("onUpdate"), Flow.to(Topic.sink("t", Income)))
  // @ts-expect-error Property 'changes' is missing … but required in type 'Changes'
  timed.pipe(Flow.emit("onUpdate"))
  // @ts-expect-error Argument of type 'Order' is not assignable to 'RawEvent'
  decoded.pipe(Flow.decode(Order))
  const ma = { ma: Frame.rows(20, Aggregate.count) }
  // @ts-expect-error Property 'hasEventTime' is missing … but required in type 'HasEventTime'
  decoded.pipe(Flow.keyBy("region"), Flow.frames("f", ma))
  // @ts-expect-error Property 'isKeyed' is missing
  timed.pipe(Flow.frames("f", ma))
  // @ts-expect-error 'changes': … "frames take events, not changes: put Flow.emit(onClose) before it"
  income.pipe(Flow.keyBy("region"), Flow.frames("f", ma))
  keyed.pipe(
    Flow.frames("f", {
      ma: Frame.rows(
        20,
        // @ts-expect-error Property 'prise' does not exist on type 'Order'. Did you mean 'price'?
        Aggregate.sum((order) => order.prise)
      )
    })
  )
  // @ts-expect-error Property 'isKeyed' is missing: a row of a frame has no key
  keyed.pipe(Flow.frames("f", ma), Flow.window(minute))
  const silent = { state: Schema.Number, onEvent: () => undefined }
  // @ts-expect-error Property 'isKeyed' is missing
  timed.pipe(Flow.process("p", silent))
  // @ts-expect-error 'changes': … "process takes events: put Flow.updates or emit(onClose) before it"
  income.pipe(Flow.keyBy("region"), Flow.process("p", silent))
  // @ts-expect-error "put Flow.aggregate between window and sink"
  windowed.pipe(Flow.process("p", silent))
  // @ts-expect-error Property 'late' does not exist: events without time are never late
  decoded.pipe(Flow.keyBy("region"), Flow.process("p", silent)).late
  // @ts-expect-error 'late' is incompatible with index signature: the result has a `late` already
  keyed.pipe(Flow.process("p", { ...silent, outputs: { late: Flow.output<string>() } }))
  // @ts-expect-error Argument of type 'string' is not assignable to parameter of type 'number'
  keyed.pipe(Flow.process("p", { state: Schema.Number, onEvent: (order, { keep }) => keep(order.region) }))
  const outputs = { alarms: Flow.output<string>() }
  // @ts-expect-error Argument of type '"alarm"' is not assignable to parameter of type '"alarms"'
  keyed.pipe(Flow.process("p", { state: Schema.Number, outputs, onEvent: (_, { emit }) => emit("alarm", "") }))
  const processed = keyed.pipe(Flow.process("p", { state: Schema.Number, onEvent: (order) => [order] }))
  // @ts-expect-error Property 'isKeyed' is missing: a row of an operator of one's own has no key
  processed.pipe(Flow.window(minute))
  const whole = income.pipe(
    Flow.emit("complete"),
    Flow.filter((row) => row.orders > 1n)
  )
  // @ts-expect-error 'isComplete': … "all rows come at each epoch: put Flow.emit(complete) right before the sink"
  whole.pipe(Flow.keyBy("region"))
  // @ts-expect-error the same
  whole.pipe(Flow.merge(income))
  // @ts-expect-error the same
  whole.pipe(Flow.emit("onUpdate"))
  // @ts-expect-error 'changes': … "this sink appends: put Flow.emit(onClose) before it or use Sql.upsert"
  whole.pipe(Flow.to(Sql.append("t", Income)))
  whole.pipe(Flow.to(Console.sink()))
  whole.pipe(Flow.to(Sql.upsert("t", Income, { key: ["region", "windowStart"] })))
  // @ts-expect-error Property 'hasSink' is missing in type 'Flow<…>' but required in type 'Output<unknown, unknown>'
  Job.make("x", { parameters: {}, trigger, outputs: () => income })
  // @ts-expect-error Property 'hasSink' is missing in type 'Flow<…>'
  Job.make("x", { parameters: {}, trigger, outputs: () => [income.pipe(Flow.to(Console.sink())), income] })
  // @ts-expect-error Argument of type 'string' is not assignable to parameter of type 'number'
  Parameter.integer("forty")
  // @ts-expect-error Argument of type '"60 secs"' is not assignable to parameter of type 'DurationInput'
  Parameter.duration("60 secs")
  // @ts-expect-error Type 'number' is not assignable to type 'Parameter<unknown>'
  Job.make("x", { parameters: { station: 40 }, trigger, outputs: () => [] })
  Job.make("x", {
    parameters: { topic: Parameter.text("a") },
    trigger,
    // @ts-expect-error Property 'topik' does not exist on type '{ readonly topic: string; }'
    outputs: ({ topik }) => [Flow.from(Topic.source(topik)).pipe(Flow.to(Console.sink()))]
  })
  const found = { into: (_: Order, shop: typeof Shop.Type | null) => shop }
  // @ts-expect-error Property 'region' is missing in type '{ shopid: number; }'
  keyed.pipe(Flow.enrich("s", shops, { key: ({ shopid }) => ({ shopid }), ...found }))
  // @ts-expect-error Type 'string' is not assignable to type 'number'
  keyed.pipe(Flow.enrich("s", shops, { key: ({ region }) => ({ shopid: region, region }), ...found }))
  const key = ({ region }: { readonly region: string }) => ({ shopid: 1, region })
  // @ts-expect-error 'shop' is possibly 'null'
  keyed.pipe(Flow.enrich("s", shops, { key, into: (_, shop) => shop.name }))
  const enriching = { key, into: ({ region }: { readonly region: string }) => region }
  // @ts-expect-error 'changes': … "a refreshed lookup over rows that replace earlier rows: make it fixed, or …"
  income.pipe(Flow.enrich("s", refreshedShops, enriching))
  income.pipe(Flow.enrich("s", shops, enriching))
  closed.pipe(Flow.enrich("s", refreshedShops, enriching))
  // @ts-expect-error Type '"name"' … a key of several columns names each of them
  Lookup.make(shopsIn, { key: ["shopid", "nam"] })
  // @ts-expect-error Type '"5 minuts"' is not assignable
  Lookup.make(shopsIn, { key: ["shopid"], refresh: "5 minuts" })
  const needy = Schema.String as Schema.Schema<string, string, Topics>
  // @ts-expect-error Type 'Topics' is not assignable to type 'never'
  Codec.compile(needy)
  // @ts-expect-error Type 'Topics' is not assignable to type 'never'
  raw.pipe(Flow.decode(needy))
}
