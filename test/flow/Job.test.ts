import { Duration, Either, Schema } from "effect"
import { describe, expect, it } from "vitest"
import * as Aggregate from "../../src/flow/Aggregate.ts"
import * as Flow from "../../src/flow/Flow.ts"
import * as Job from "../../src/flow/Job.ts"
import * as Parameter from "../../src/flow/Parameter.ts"
import * as Trigger from "../../src/flow/Trigger.ts"
import * as Window from "../../src/flow/Window.ts"
import { Instant } from "../../src/model/Columns.ts"
import type { InvalidJob, InvalidParameter } from "../../src/model/Errors.ts"
import { append, topic, upsert } from "./Connectors.ts"

class Order extends Schema.Class<Order>("Order")({ region: Schema.String, at: Instant }) {}

const income = Job.make("income", {
  parameters: {
    window: Parameter.duration("60 seconds", { meaning: "length of a window" }),
    table: Parameter.text("income")
  },
  trigger: Trigger.every("1 second"),
  outputs: ({ table, window }) =>
    Flow.from(topic("orders")).pipe(
      Flow.decode(Order),
      Flow.eventTime((order) => order.at, { maxOutOfOrderness: "5 seconds" }),
      Flow.keyBy("region"),
      Flow.window(Window.tumbling(window), { allowedLateness: "30 seconds" }),
      Flow.aggregate("income-by-region", { orders: Aggregate.count }),
      Flow.to(upsert(table, ["region", "windowStart"]))
    )
})

const configured = (texts: Readonly<Record<string, string>> = {}, job: Job.Job = income): Job.Configured =>
  Either.getOrThrow(job.configure(texts))
const refused = (texts: Readonly<Record<string, string>>): InvalidParameter | InvalidJob =>
  Either.getOrThrow(Either.flip(income.configure(texts)))
const setting = (name: string, texts: Readonly<Record<string, string>> = {}) => {
  const { fallback, value } = configured(texts).settings.find((one) => one.name === name)!
  return [value, fallback]
}
const specOf = (kind: string, texts: Readonly<Record<string, string>>) =>
  configured(texts).topology.nodes.find(({ spec }) => spec.kind === kind)?.spec

describe("a job", () => {
  it("begins at the earliest record, is started with all others, and never stops for dead letters, unless it says so", () => {
    expect(income).toMatchObject({ name: "income", startAt: "earliest", starts: true, deadLetters: { shareMax: 1 } })
    const careful = Job.make("careful", {
      parameters: {},
      trigger: Trigger.availableNow,
      startAt: "latest",
      starts: false,
      deadLetters: { shareMax: 0.1 },
      outputs: () => Flow.from(topic("orders")).pipe(Flow.to(append("kept")))
    })
    expect(careful).toMatchObject({ startAt: "latest", starts: false, deadLetters: { shareMax: 0.1 } })
    expect(configured({}, careful)).toMatchObject({ startAt: "latest", trigger: { kind: "availableNow" } })
  })

  it("that cannot be made is its own fault: said, and not thrown at whoever hosts it", () => {
    const of = (outputs: () => ReturnType<typeof made>) =>
      Either.getOrThrow(
        Either.flip(Job.make("bad", { parameters: {}, trigger: Trigger.availableNow, outputs }).configure({}))
      )
    const made = () => Flow.from(topic("orders")).pipe(Flow.to(append("orders")))
    expect(of(made)).toMatchObject({
      _tag: "InvalidJob",
      message: expect.stringContaining("two nodes are called 'orders'")
    })
    const thrown = of(() => {
      throw new TypeError("no such column")
    })
    expect(thrown).toMatchObject({ _tag: "InvalidJob", job: "bad", message: "Job bad cannot be made: no such column" })
  })

  it("may have one output or several", () => {
    const orders = Flow.from(topic("orders"))
    const two = Job.make("two", {
      parameters: {},
      trigger: Trigger.availableNow,
      outputs: () => [orders.pipe(Flow.to(append("a"))), orders.pipe(Flow.to(append("b")))]
    })
    expect(configured({}, two).topology.nodes.map(({ id }) => id)).toEqual(["orders", "a", "b"])
  })

  it("lists every parameter in force, with what its own text says as the default", () => {
    expect(configured().settings.map(({ fallback, name, type, value }) => [name, type, value, fallback])).toEqual([
      ["trigger", "duration", "1s", "1s"],
      ["maxOutOfOrderness", "duration", "5s", "5s"],
      ["allowedLateness", "duration", "30s", "30s"],
      ["startAt", "text", "earliest", "earliest"],
      ["maxPerEpoch", "integer", "0", "0"],
      ["window", "duration", "1m", "1m"],
      ["table", "text", "income", "income"]
    ])
  })

  it("takes its own parameters from text", () => {
    expect(specOf("window", { window: "10s" })).toMatchObject({ window: { sizeMillis: 10_000 } })
    expect(setting("window", { window: "10s" })).toEqual(["10s", "1m"])
    expect(configured({ table: "other" }).topology.nodes.at(-1)?.id).toBe("other")
  })

  it.each<readonly [string, string, (texts: Readonly<Record<string, string>>) => unknown, unknown]>([
    ["trigger", "500 millis", (texts) => configured(texts).trigger, { kind: "every", intervalMillis: 500 }],
    ["trigger", "availableNow", (texts) => configured(texts).trigger, { kind: "availableNow" }],
    ["startAt", "latest", (texts) => configured(texts).startAt, "latest"],
    ["maxPerEpoch", "7", (texts) => configured(texts).maxPerEpoch, 7],
    ["maxPerEpoch", "0", (texts) => configured(texts).maxPerEpoch, null],
    [
      "maxOutOfOrderness",
      "1 minute",
      (texts) => (specOf("eventTime", texts) as { readonly maxOutOfOrdernessMillis?: number }).maxOutOfOrdernessMillis,
      60_000
    ],
    [
      "allowedLateness",
      "0 seconds",
      (texts) => (specOf("window", texts) as { readonly allowedLatenessMillis?: number }).allowedLatenessMillis,
      0
    ]
  ])("takes %s=%s as every job does", (name, text, found, wanted) => {
    expect(found({ [name]: text })).toEqual(wanted)
  })

  it("shows what was set beside the default", () => {
    expect(setting("trigger", { trigger: "availableNow" })).toEqual(["availableNow", "1s"])
    expect(setting("maxOutOfOrderness", { maxOutOfOrderness: "1 minute" })).toEqual(["1m", "5s"])
    expect(setting("allowedLateness", { allowedLateness: "0 seconds" })).toEqual([Duration.format(0), "30s"])
    expect(setting("startAt", { startAt: "latest" })).toEqual(["latest", "earliest"])
  })

  it.each([{}, { trigger: "90 seconds", window: "1 hour", allowedLateness: "0 seconds" }, { trigger: "availableNow" }])(
    "shows values in the form in which they can be set: %j",
    (texts) => {
      const shown = configured(texts).settings
      const again = configured(Object.fromEntries(shown.map(({ name, value }) => [name, value])))
      expect(again.settings.map(({ value }) => value)).toEqual(shown.map(({ value }) => value))
    }
  )

  it.each<readonly [string, string, string]>([
    ["window", "soon", "Job income: parameter 'window': 'soon' is no duration; write for example"],
    ["table", "", "Job income: parameter 'table': it must not be empty"],
    ["trigger", "sometimes", "Job income: parameter 'trigger': 'sometimes' is neither a duration of at least 1 milli"],
    ["trigger", "0 seconds", "Job income: parameter 'trigger': '0 seconds' is neither a duration of at least 1 milli"],
    ["startAt", "now", "Job income: parameter 'startAt': 'now' is neither 'earliest' nor 'latest'"],
    ["maxPerEpoch", "-1", "Job income: parameter 'maxPerEpoch': it must not be negative"],
    ["maxPerEpoch", "many", "Job income: parameter 'maxPerEpoch': 'many' is no whole number"]
  ])("refuses %s=%s by name", (name, text, told) => {
    const refusal = refused({ [name]: text })
    const { hint, message } = refusal
    expect(refusal).toMatchObject({ _tag: "InvalidParameter", parameter: name })
    expect(message.startsWith(told), message).toBe(true)
    expect(hint).toBe("`weir explain income` lists all parameters with their types and defaults.")
  })

  it("refuses a parameter that it does not have, and lists those that it has", () => {
    const { hint, message } = refused({ windw: "10s" })
    expect(message).toBe("Job income has no parameter 'windw'")
    expect(hint).toBe("It has: trigger, maxOutOfOrderness, allowedLateness, startAt, maxPerEpoch, window, table.")
  })
})

describe("a job that recomputes", () => {
  const whole = { ...upsert("whole", ["region"]), isWhole: true }
  const of = (sink: typeof whole, recomputes: boolean, trigger: Trigger.Trigger = Trigger.availableNow) =>
    Job.make("daily", {
      parameters: {},
      trigger,
      recomputes,
      outputs: () =>
        Flow.from(topic("orders")).pipe(
          Flow.decode(Order, { invalid: append("orders.invalid") }),
          Flow.eventTime((order) => order.at, { maxOutOfOrderness: "5 seconds" }),
          Flow.to(sink)
        )
    })
  const why = (job: Job.Job, texts: Readonly<Record<string, string>> = {}) =>
    Either.getOrThrow(Either.flip(job.configure(texts)))

  it("may write to a sink of one result, and set records aside; no other job may write to such a sink", () => {
    expect(Either.isRight(of(whole, true).configure({}))).toBe(true)
    expect(of(whole, true).recomputes).toBe(true)
    expect(why(of(whole, false))).toMatchObject({ _tag: "InvalidJob", hint: expect.stringContaining("recomputes") })
  })

  it("may not add to what earlier runs wrote", () => {
    const adding = append("log") as typeof whole
    expect(why(of(adding, true))).toMatchObject({ _tag: "InvalidJob", message: expect.stringContaining("sink 'log'") })
    expect(Either.isRight(of(adding, false).configure({}))).toBe(true)
  })

  it("has one epoch of all records, whatever their order: what says otherwise is refused", () => {
    expect(why(of(whole, true, Trigger.every("1 second")))).toMatchObject({ parameter: "trigger" })
    expect(why(of(whole, true), { trigger: "1 second" })).toMatchObject({ parameter: "trigger" })
    expect(why(of(whole, true), { startAt: "latest" })).toMatchObject({ parameter: "startAt" })
    expect(why(of(whole, true), { maxPerEpoch: "5" })).toMatchObject({ parameter: "maxPerEpoch" })
    const lateness = (texts: Readonly<Record<string, string>>) =>
      configured(texts, of(whole, true)).topology.nodes.flatMap(({ spec }) =>
        spec.kind === "eventTime" ? [spec.maxOutOfOrdernessMillis] : []
      )
    expect(lateness({})).toEqual([3_652_059 * 86_400_000])
    expect(lateness({ maxOutOfOrderness: "1 minute" })).toEqual([60_000])
  })
})
