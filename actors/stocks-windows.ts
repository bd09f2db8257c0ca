import { Schema } from "effect"
import { Sql } from "../src/connectors/sql/index.ts"
import { Topic } from "../src/connectors/topic/index.ts"
import { Decimal, Flow, Instant, Int64, Job, Trigger } from "../src/index.ts"
import { Average, topic, window, windows } from "./stocks/Prices.ts"

export class PricesOfWindow extends Schema.Class<PricesOfWindow>("PricesOfWindow")({
  windowStart: Instant,
  windowEnd: Instant,
  symbol: Schema.String,
  avgPrice: Average,
  maxPrice: Decimal(12, 3),
  volume: Int64,
  events: Int64
}) {}

/** Mean and highest price, volume and number of prices of each symbol, per window of event time. */
export default Job.make("stocks-windows", {
  parameters: { topic, window },
  trigger: Trigger.every("10 seconds"),
  starts: false,
  outputs: (values) => {
    const prices = windows("stocks-windows", values)
    return [
      prices.pipe(
        Flow.emit("onClose"),
        Flow.to(
          Sql.upsert("streaming_inserts_avg_price_final", PricesOfWindow, {
            key: ["windowStart", "windowEnd", "symbol"]
          })
        )
      ),
      prices.late.pipe(Flow.to(Topic.late("stocks-windows.late")))
    ]
  }
})
