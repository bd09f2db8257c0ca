/**
 * The job of the other engines: sums of orders by region, shop and item in windows of a minute, upserted into Postgres.
 * It says when it has its first record, as they do.
 */
import { Schema } from "effect"
import { Aggregate, Decimal, Flow, Instant, InstantFromSeconds, Int64, Job, Parameter, Trigger, Window } from "weir"
import { Sql } from "weir/sql"
import { Topic } from "weir/topic"

class Order extends Schema.Class<Order>("Order")({
  orderid: Int64,
  region: Schema.String,
  shopid: Schema.Int,
  itemid: Schema.Int,
  price: Decimal(12, 2),
  count: Int64,
  orderedAt: Schema.propertySignature(InstantFromSeconds).pipe(Schema.fromKey("timestamp"))
}) {}

class Total extends Schema.Class<Total>("Total")({
  region: Schema.String,
  shopid: Schema.Int,
  itemid: Schema.Int,
  windowStart: Instant,
  grossIncome: Decimal(18, 2),
  totalItems: Int64,
  totalOrders: Int64
}) {}

let began = false
const orderedAt = (order: Order) => {
  if (!began) {
    began = true
    console.log(`FIRST_RECORD ${Date.now()}`)
  }
  return order.orderedAt
}

export default Job.make("orders", {
  parameters: {
    topic: Parameter.text("orders", { meaning: "topic of the orders" }),
    letters: Parameter.text("orders.invalid", { meaning: "topic of the records that are no order" }),
    early: Parameter.flag(false, { meaning: "rows of open windows at each trigger, not only when they close" })
  },
  trigger: Trigger.every("10 seconds"),
  outputs: ({ early, letters, topic }) => {
    const totals = Flow.from(Topic.source(topic)).pipe(
      Flow.decode(Order, { invalid: Topic.deadLetter(letters) }),
      Flow.eventTime(orderedAt, { maxOutOfOrderness: "5 seconds" }),
      Flow.keyBy("region", "shopid", "itemid"),
      Flow.window(Window.tumbling("60 seconds")),
      Flow.aggregate("totals", {
        grossIncome: Aggregate.sum((order) => order.price),
        totalItems: Aggregate.sum((order) => order.count),
        totalOrders: Aggregate.count
      })
    )
    const table = Sql.upsert("agg_order", Total, { key: ["region", "shopid", "itemid", "windowStart"] })
    return [
      early ? totals.pipe(Flow.emit("onUpdate"), Flow.to(table)) : totals.pipe(Flow.emit("onClose"), Flow.to(table)),
      totals.late.pipe(Flow.to(Topic.late(`${letters}.late`)))
    ]
  }
})
