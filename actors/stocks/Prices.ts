/** What the jobs of the system `stocks` share: prices of shares as they come, and windows over them. */
import { type Duration, Schema } from "effect"
import { Topic } from "../../src/connectors/topic/index.ts"
import { Aggregate, Decimal, Flow, Instant, Int64, Parameter, Window } from "../../src/index.ts"

/** A price of a share; `volume` is how many shares changed hands at it, 0 where nobody said so. */
export class Price extends Schema.Class<Price>("Price")({
  symbol: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(10)),
  timestamp: Instant,
  price: Decimal(12, 3),
  volume: Schema.optionalWith(Int64, { default: () => 0n as Int64 })
}) {}

/** Of money to six places: a mean. */
export const Average = Decimal(18, 6)

export const topic = Parameter.text("stocks", { meaning: "topic of the prices" })

/** The prices of a topic by event time. What cannot be used is kept for the job that reads it. */
export const prices = (job: string, topic: string) =>
  Flow.from(Topic.source(topic)).pipe(
    Flow.decode(Price, { invalid: Topic.deadLetter(`${job}.invalid`) }),
    Flow.eventTime((price) => price.timestamp, { maxOutOfOrderness: "60 seconds" })
  )

export const window = Parameter.duration("30 seconds", { meaning: "width of a window" })

/** The prices of each symbol in each window, once the window is over. */
export const windows = (
  job: string,
  { topic, window }: { readonly topic: string; readonly window: Duration.Duration }
) =>
  prices(job, topic).pipe(
    Flow.keyBy("symbol"),
    Flow.window(Window.tumbling(window)),
    Flow.aggregate("prices", {
      avgPrice: Aggregate.avg((price) => price.price, { scale: 3 }),
      maxPrice: Aggregate.max((price) => price.price),
      volume: Aggregate.sum((price) => price.volume),
      events: Aggregate.count
    })
  )
