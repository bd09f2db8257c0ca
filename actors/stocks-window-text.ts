import { Schema } from "effect"
import { Sql } from "../src/connectors/sql/index.ts"
import { Topic } from "../src/connectors/topic/index.ts"
import { Decimal, Flow, Int64, Job, Trigger } from "../src/index.ts"
import { Average, topic, window, windows } from "./stocks/Prices.ts"

export class PricesOfSpan extends Schema.Class<PricesOfSpan>("PricesOfSpan")({
  window: Schema.String.pipe(Schema.maxLength(128)),
  symbol: Schema.String,
  avgPrice: Average,
  maxPrice: Decimal(12, 3),
  volume: Int64,
  events: Int64
}) {}

/** The same as `stocks-windows`, with each window as text: `2017-11-11 10:02:00 - 2017-11-11 10:02:30`. */
export default Job.make("stocks-window-text", {
  parameters: { topic, window },
  trigger: Trigger.every("10 seconds"),
  starts: false,
  outputs: (values) => {
    const prices = windows("stocks-window-text", values)
    return [
      prices.pipe(
        Flow.emit("onClose"),
        Flow.map(({ windowEnd, windowStart, ...row }) => ({
          ...row,
          window: `${secondsOf(windowStart)} - ${secondsOf(windowEnd)}`
        })),
        Flow.to(Sql.upsert("streaming_inserts_avg_price", PricesOfSpan, { key: ["window", "symbol"] }))
      ),
      prices.late.pipe(Flow.to(Topic.late("stocks-window-text.late")))
    ]
  }
})

/** An instant as UTC to the second. */
const secondsOf = (instant: number): string => new Date(instant).toISOString().slice(0, 19).replace("T", " ")
