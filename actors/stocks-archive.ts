import { Schema } from "effect"
import { Files } from "../src/connectors/files/index.ts"
import { Decimal, Flow, Instant, Int64, Job, Trigger } from "../src/index.ts"
import { prices, topic } from "./stocks/Prices.ts"

export class ArchivedPrice extends Schema.Class<ArchivedPrice>("ArchivedPrice")({
  symbol: Schema.String,
  timestamp: Instant,
  price: Decimal(12, 3),
  volume: Int64,
  year: Schema.Int,
  month: Schema.Int,
  day: Schema.Int,
  hour: Schema.Int,
  minute: Schema.Int
}) {}

/** Every price as a row of a Parquet file, in the folder of its minute (UTC). */
export default Job.make("stocks-archive", {
  parameters: { topic },
  trigger: Trigger.every("30 seconds"),
  starts: false,
  outputs: ({ topic }) => [
    prices("stocks-archive", topic).pipe(
      Flow.map((price) => ({ ...price, ...minuteOf(price.timestamp) })),
      Flow.to(
        Files.toParquet("out/stocks-archive", ArchivedPrice, {
          by: ["year", "month", "day", "hour", "minute"],
          roll: { every: "5 minutes" }
        })
      )
    )
  ]
})

const minuteOf = (at: number) => {
  const date = new Date(at)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes()
  }
}
