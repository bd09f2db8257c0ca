/** Every transfer again, and what each account has paid in a minute, once, when the minute is closed. */
import { Schema } from "effect"
import { Aggregate, Flow, Instant, Int64, Job, Window } from "weir"
import { Topic } from "weir/topic"
import { parameters, Transfer, transfers, trigger } from "../bank.ts"

class Paid extends Schema.Class<Paid>("Paid")({
  debtor: Schema.Int,
  windowStart: Instant,
  windowEnd: Instant,
  amount: Int64,
  transfers: Int64
}) {}

export default Job.make("statements", {
  parameters,
  trigger,
  outputs: ({ topic }) => {
    const all = transfers("statements", topic)
    const paid = all.pipe(
      Flow.keyBy("debtor"),
      Flow.window(Window.tumbling("60 seconds"), { allowedLateness: "10 seconds" }),
      Flow.aggregate("paid", { amount: Aggregate.sum((transfer) => transfer.amount), transfers: Aggregate.count })
    )
    return [
      all.pipe(Flow.to(Topic.sink("statements.copies", Transfer))),
      paid.pipe(Flow.emit("onClose"), Flow.to(Topic.sink("statements.paid", Paid))),
      paid.late.pipe(Flow.to(Topic.late("statements.late")))
    ]
  }
})
