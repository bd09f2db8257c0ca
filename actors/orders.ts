import { Schema } from "effect"
import { Sql } from "../src/connectors/sql/index.ts"
import { Topic } from "../src/connectors/topic/index.ts"
import {
  Aggregate,
  Decimal,
  Flow,
  Instant,
  InstantFromSeconds,
  Int64,
  Job,
  Parameter,
  Trigger,
  Window
} from "../src/index.ts"

/** An order of a shop; `price` is the total of the order. */
export class Order extends Schema.Class<Order>("Order")({
  orderid: Int64,
  region: Schema.String.pipe(Schema.maxLength(8)),
  shopid: Schema.Int,
  itemid: Schema.Int,
  price: Decimal(12, 2),
  count: Int64,
  orderedAt: Schema.propertySignature(InstantFromSeconds).pipe(Schema.fromKey("timestamp"))
}) {}

export class ShopItemIncome extends Schema.Class<ShopItemIncome>("ShopItemIncome")({
  region: Schema.String,
  shopid: Schema.Int,
  itemid: Schema.Int,
  windowStart: Instant,
  windowEnd: Instant,
  grossIncome: Decimal(18, 2),
  totalItems: Int64,
  totalOrders: Int64
}) {}

/** Gross income per shop item and window. */
export default Job.make("orders", {
  parameters: {
    window: Parameter.duration("60 seconds", { meaning: "width of a window" }),
    topic: Parameter.text("orders", { meaning: "topic of the orders" }),
    table: Parameter.text("shop_item_income", { meaning: "table of the results" })
  },
  trigger: Trigger.every("1 second"),
  outputs: ({ table, topic, window }) => {
    const income = Flow.from(Topic.source(topic)).pipe(
      Flow.decode(Order, { invalid: Topic.deadLetter(`${topic}.invalid`) }),
      Flow.eventTime((order) => order.orderedAt, { maxOutOfOrderness: "5 seconds" }),
      Flow.keyBy("region", "shopid", "itemid"),
      Flow.window(Window.tumbling(window), { allowedLateness: "30 seconds" }),
      Flow.aggregate("income", {
        grossIncome: Aggregate.sum((order) => order.price),
        totalItems: Aggregate.sum((order) => order.count),
        totalOrders: Aggregate.count
      })
    )
    return [
      income.pipe(
        Flow.emit("onUpdate"),
        Flow.to(
          Sql.upsert(table, ShopItemIncome, {
            key: ["region", "shopid", "itemid", "windowStart"],
            updatedAt: "updatedAt",
            views: { agg_order_minute: aggOrderMinute(table) }
          })
        )
      ),
      income.late.pipe(Flow.to(Topic.late(`${topic}.late`)))
    ]
  }
})

/** The table under the names that the original gave it: instants as seconds. */
const aggOrderMinute = (table: string): Sql.View => ({
  postgres: `
  select region, shopid, itemid, extract(epoch from window_start)::bigint as "timestamp", gross_income, updated_at as utime
  from "${table.replaceAll('"', '""')}"`,
  mysql: `
  select region, shopid, itemid, timestampdiff(second, '1970-01-01', window_start) as \`timestamp\`, gross_income, updated_at as utime
  from \`${table.replaceAll("`", "``")}\``
})
