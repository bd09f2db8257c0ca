import { Schema } from "effect"
import { expect, test } from "vitest"
import * as Drawing from "../../src/cli/Drawing.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Topology from "../../src/flow/Topology.ts"
import { Instant } from "../../src/model/Columns.ts"
import { append, topic } from "../flow/Connectors.ts"

const flow = (name: string) =>
  Flow.from(topic(name)).pipe(
    Flow.decode(Schema.Struct({ id: Schema.Int, at: Instant })),
    Flow.eventTime((event) => event.at, { maxOutOfOrderness: "5 seconds" }),
    Flow.keyBy("id")
  )

test("a drawing of a join names it, leads both its inputs to it, and its late events to their sinks", () => {
  const paid = flow("orders").pipe(Flow.join("paid", flow("payments"), { within: "1 hour" }))
  const lines = Drawing.draw(
    Topology.make("job", [paid.pipe(Flow.to(append("t"))), paid.lateOther.pipe(Flow.to(append("late")))])
  )
  const said = lines.map((line) => line.replace(/^[│├└─ ]+/, "")).filter((line) => line !== "")
  const join = "join paid  inner, within 1h, allowedLateness 0"
  expect(said.filter((line) => line.startsWith("join"))).toEqual([join, `${join}  (see above)`])
  expect(said.filter((line) => line.startsWith("source"))).toEqual([
    "source orders  topic orders",
    "source payments  topic payments"
  ])
  expect(said.slice(said.indexOf(join) + 1, said.indexOf(join) + 3)).toEqual([
    "(side late right) sink late  append to late",
    "sink t  append to t"
  ])
})
