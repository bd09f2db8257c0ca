/** The job of orders with all of its outputs in topics: each window's row once, when it is closed. */

import { Schema } from "effect"
import { Aggregate, Decimal, Flow, Instant, InstantFromSeconds, Int64, Job, Parameter, Trigger, Window } from "weir"
import { Topic } from "weir/topic"

class Order extends Schema.Class<Order>("Order")({
  orderid: Int64,
  region: Schema.String.pipe(Schema.maxLength(8)),
  shopid: Schema.Int,
  itemid: Schema.Int,
  price: Decimal(12, 2),
  count: Int64,
  orderedAt: Schema.propertySignature(InstantFromSeconds).pipe(Schema.fromKey("timestamp"))
}) {}

class Income extends Schema.Class<Income>("Income")({
  region: Schema.String,
  shopid: Schema.Int,
  itemid: Schema.Int,
  windowStart: Instant,
  windowEnd: Instant,
  grossIncome: Decimal(18, 2),
  totalItems: Int64,
  totalOrders: Int64
}) {}

export default Job.make("incomes", {
  parameters: { topic: Parameter.text("orders", { meaning: "topic of the orders" }) },
  trigger: Trigger.every("1 second"),
  outputs: ({ topic }) => {
    const income = Flow.from(Topic.source(topic)).pipe(
      Flow.decode(Order, { invalid: Topic.deadLetter(`${topic}.invalid`) }),
      Flow.eventTime((order) => order.orderedAt, { maxOutOfOrderness: "5 seconds" }),
      Flow.keyBy("region", "shopid", "itemid"),
      Flow.window(Window.tumbling("60 seconds"), { allowedLateness: "30 seconds" }),
      Flow.aggregate("income", {
        grossIncome: Aggregate.sum((order) => order.price),
        totalItems: Aggregate.sum((order) => order.count),
        totalOrders: Aggregate.count
      })
    )
    return [
      income.pipe(Flow.emit("onClose"), Flow.to(Topic.sink(`${topic}.income`, Income))),
      income.late.pipe(Flow.to(Topic.late(`${topic}.late`)))
    ]
  }
})
