/** A bank: each transfer takes from one account what it gives to another, so that all balances together are zero. */
import { Schema } from "effect"
import { Aggregate, Flow, InstantFromSeconds, Int64, Job, Parameter, Trigger } from "weir"
import { Sql } from "weir/sql"
import { Topic } from "weir/topic"

export class Transfer extends Schema.Class<Transfer>("Transfer")({
  id: Int64,
  debtor: Schema.Int,
  creditor: Schema.Int,
  amount: Int64,
  at: InstantFromSeconds
}) {}

class Balance extends Schema.Class<Balance>("Balance")({
  account: Schema.Int,
  balance: Int64,
  movements: Int64
}) {}

class Booked extends Schema.Class<Booked>("Booked")({
  id: Int64,
  debtor: Schema.Int,
  creditor: Schema.Int,
  amount: Int64
}) {}

export const trigger = Trigger.every("300 millis")
export const parameters = { topic: Parameter.text("transfers", { meaning: "topic of the transfers" }) }

/** The transfers of a topic. No partition is ever idle: what is late is a matter of the records alone. */
export const transfers = (job: string, topic: string) =>
  Flow.from(Topic.source(topic)).pipe(
    Flow.decode(Transfer, { invalid: Topic.deadLetter(`${job}.invalid`) }),
    Flow.eventTime((transfer) => transfer.at, { maxOutOfOrderness: "5 seconds", idleAfter: "3650 days" })
  )

/** Keeps the balance of each account, and a row for each transfer. */
export const bank = (job: string) =>
  Job.make(job, {
    parameters,
    trigger,
    outputs: ({ topic }) => {
      const all = transfers(job, topic)
      return [
        all.pipe(
          Flow.flatMap(({ amount, creditor, debtor }) => [
            { account: debtor, amount: -amount as typeof amount },
            { account: creditor, amount }
          ]),
          Flow.keyBy("account"),
          Flow.aggregate("balance", { balance: Aggregate.sum((one) => one.amount), movements: Aggregate.count }),
          Flow.to(Sql.upsert("balances", Balance, { key: ["account"] }))
        ),
        all.pipe(Flow.to(Sql.append("booked", Booked)))
      ]
    }
  })
