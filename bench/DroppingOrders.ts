/** The job `orders` with a sink that counts its rows and drops them: all of the engine but the preparing and writing of rows. */
import { Effect } from "effect"
import { Order, type ShopItemIncome } from "../actors/orders.ts"
import { Topic } from "../src/connectors/topic/index.ts"
import type { OwnWriter, Sink } from "../src/flow/Sink.ts"
import { Aggregate, Flow, Job, Trigger, Window } from "../src/index.ts"
import type { Change } from "../src/model/Event.ts"

/** The job, and how many keys it has emitted a row for. */
export const dropping = () => {
  let keys = 0
  const writer: OwnWriter = {
    _tag: "OwnWriter",
    prepare: ({ barrier, batches }) =>
      Effect.sync(() => {
        let rows = 0
        for (const { values } of batches) {
          rows += values.length
          for (const { before } of values as ReadonlyArray<Change>) if (before === undefined) keys += 1
        }
        return { epoch: barrier.epoch, rows, bytes: 0, digest: "", invalid: [] }
      }),
    commit: () => Effect.succeed("written"),
    position: Effect.succeed(null)
  }
  const sink: Sink<ShopItemIncome, never, never> = {
    name: "shop_item_income",
    label: "nowhere",
    guarantee: "at least once",
    replaces: true,
    key: ["region", "shopid", "itemid", "windowStart"],
    clear: null,
    open: () => Effect.succeed(writer)
  }
  return { job: jobInto(sink), keys: () => keys }
}

/** As `actors/orders.ts`, into another sink. */
const jobInto = (sink: Sink<ShopItemIncome, never, never>) =>
  Job.make("orders", {
    parameters: {},
    trigger: Trigger.every("1 second"),
    outputs: () => {
      const income = Flow.from(Topic.source("orders")).pipe(
        Flow.decode(Order, { invalid: Topic.deadLetter("orders.invalid") }),
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
        income.pipe(Flow.emit("onUpdate"), Flow.to(sink)),
        income.late.pipe(Flow.to(Topic.sink("orders.late", Order)))
      ]
    }
  })
