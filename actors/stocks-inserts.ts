import { Schema } from "effect"
import { Sql } from "../src/connectors/sql/index.ts"
import { Decimal, Flow, Instant, Int64, Job, Trigger } from "../src/index.ts"
import { prices, topic } from "./stocks/Prices.ts"

export class StreamingInsert extends Schema.Class<StreamingInsert>("StreamingInsert")({
  timestamp: Instant,
  symbol: Schema.String,
  price: Decimal(12, 3),
  volume: Int64
}) {}

/** Every price as a row. Equal prices stay rows of their own: a row's key is its record's place. */
export default Job.make("stocks-inserts", {
  parameters: { topic },
  trigger: Trigger.every("10 seconds"),
  starts: false,
  outputs: ({ topic }) => [
    prices("stocks-inserts", topic).pipe(Flow.to(Sql.append("streaming_inserts", StreamingInsert)))
  ]
})
