import { Schema } from "effect"
import { Console } from "../src/connectors/console/index.ts"
import { Sql } from "../src/connectors/sql/index.ts"
import { Aggregate, Decimal, Flow, Int64, Job, Trigger } from "../src/index.ts"
import { Average, prices, topic } from "./stocks/Prices.ts"

export class StockAverage extends Schema.Class<StockAverage>("StockAverage")({
  symbol: Schema.String,
  avgPrice: Average,
  volume: Int64
}) {}

export class StockRank extends Schema.Class<StockRank>("StockRank")({
  rank: Schema.Int,
  symbol: Schema.String,
  avgPrice: Decimal(15, 3)
}) {}

/** The mean price of each symbol since the first record, and the five highest of them. */
export default Job.make("stocks-average", {
  parameters: { topic },
  trigger: Trigger.every("10 seconds"),
  starts: false,
  outputs: ({ topic }) => {
    const averages = prices("stocks-average", topic).pipe(
      Flow.keyBy("symbol"),
      Flow.aggregate("averages", {
        avgPrice: Aggregate.avg((price) => price.price, { scale: 3 }),
        volume: Aggregate.sum((price) => price.volume)
      })
    )
    const top = averages.pipe(
      Flow.keyBy(),
      Flow.aggregate("top", { highest: Aggregate.topN(5, ({ avgPrice }) => avgPrice) }),
      Flow.updates,
      Flow.flatMap(({ after }) =>
        (after?.highest ?? []).map(({ avgPrice, symbol }, i) => ({ rank: i + 1, symbol, avgPrice: rounded(avgPrice) }))
      )
    )
    return [
      averages.pipe(Flow.to(Sql.upsert("stock_averages", StockAverage, { key: ["symbol"] }))),
      averages.pipe(Flow.emit("complete"), Flow.to(Console.sink())),
      top.pipe(Flow.to(Sql.upsert("stock_top", StockRank, { key: ["rank"] })))
    ]
  }
})

/** Six places to three, the half away from zero. */
const rounded = (average: Decimal<6>): Decimal<3> => ((average + (average < 0n ? -500n : 500n)) / 1_000n) as Decimal<3>
