/**
 * A job for every operator and every kind of sink, with records for it: what is tried in simulated worlds. Most are
 * those that are crashed at every durable step, with their oracles.
 */
import { Clock, Effect, Schema } from "effect"
import orders from "../../actors/orders.ts"
import { orders as generate } from "../../fixtures/orders.ts"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import type { Job } from "../../src/flow/Job.ts"
import * as Lookup from "../../src/flow/Lookup.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import type { Topics } from "../../src/flow/Topics.ts"
import { Aggregate, Flow, Int64 } from "../../src/index.ts"
import type { Case } from "../runtime/crashes/Case.ts"
import * as Events from "../runtime/crashes/Events.ts"
import * as Joins from "../runtime/crashes/Joins.ts"
import * as Keyed from "../runtime/crashes/Keyed.ts"
import * as Language from "../runtime/crashes/Language.ts"
import * as Ordered from "../runtime/crashes/Ordered.ts"
import * as Records from "../runtime/crashes/Records.ts"
import * as Windows from "../runtime/crashes/Windows.ts"

export interface SimulatedJob {
  readonly name: string
  readonly job: Job<unknown, Tables | Topics, {}>
  /** Values by topic; partitions take them in turn. */
  readonly input: Readonly<Record<string, ReadonlyArray<string | Uint8Array>>>
  /** Partitions of each topic. */
  readonly partitions: number
  /** Parameters of the job. */
  readonly set: Readonly<Record<string, string>>
  /** What it must have written, by an oracle that knows the job's language and nothing of the engine. Absent: none knows. */
  readonly expected?: Case["expected"]
  /** The records at their places, as the oracle is told of them. */
  readonly topics?: Case["topics"]
}

/** Partitions take records in turn: their places are others than where they are crashed. */
const inTurn = (records: ReadonlyArray<Records.Read>): ReadonlyArray<Records.Read> =>
  records.map((record, i) => ({
    ...record,
    partition: i % Records.partitions,
    offset: Math.floor(i / Records.partitions)
  }))

/** Epochs are cut each second: those of a case end with its records alone. */
const simulated = ({ expected, job, name, topics: records }: Case): SimulatedJob => {
  const topics = Object.fromEntries(Object.entries(records).map(([topic, all]) => [topic, inTurn(all)]))
  return {
    name,
    // None of these asks what time it is.
    job: job(() => 0),
    input: Object.fromEntries(Object.entries(topics).map(([topic, all]) => [topic, Records.textsOf(all)])),
    partitions: Records.partitions,
    set: { trigger: "1 second" },
    expected,
    topics
  }
}

const orderValues: Array<Uint8Array> = []
for (const { records } of generate({ count: 150, items: 25, late: 0.04, outOfOrder: 0.1, malformed: 0.04, rate: 2 }))
  for (const { value } of records) orderValues.push(value.slice())

const ordersJob: SimulatedJob = {
  name: "orders",
  job: orders as never,
  input: { orders: orderValues },
  partitions: 3,
  set: {}
}

const timed = { seed: 61, count: 90 } as const
const records = (): Case["topics"] => ({ events: Records.make(timed.seed, { count: timed.count }) })

/** Ranks of four keys of five, which change every seven seconds of the process's clock. */
const Rank = Schema.Struct({ key: Schema.String, rank: Schema.Int })
const ranks = Lookup.make(
  {
    from: "ranks",
    label: "ranks",
    schema: Rank,
    load: Effect.map(Clock.currentTimeMillis, (now) => ({
      rows: [0, 1, 2, 3].map((i) => ({ key: `key ${i}`, rank: (Math.floor(now / 7_000) % 1_000) + 1_000 * i })),
      placeOf: null
    }))
  },
  { key: ["key"], refresh: "1 second" }
)
const Seen = Schema.Struct({ id: Schema.Int, rank: Schema.NullOr(Schema.Int) })
const enriched = simulated({
  name: "enrich by a lookup that is refreshed",
  topics: records(),
  job: Language.job(() => [
    Language.plain().pipe(
      Flow.enrich("rank", ranks, {
        key: ({ key }) => ({ key }),
        into: ({ id }, found) => ({ id, rank: found?.rank ?? null })
      }),
      Flow.to(Sql.append("seen", Seen))
    )
  ]),
  expected: ({ epochs }) => {
    const seen = epochs.flatMap(({ came, lookup }) => {
      const rankOf = new Map(lookup.map(({ key, rank }) => [key, rank as number]))
      return came.events!.map(({ id, key }) => ({ id, rank: rankOf.get(key) ?? null }))
    })
    return { tables: { seen } }
  }
})

/** A table of one row, one whose columns are all of its key, and rows that a column cannot hold. */
const Sum = Schema.Struct({ sum: Schema.Int, events: Int64 })
const Pair = Schema.Struct({ key: Schema.String, value: Schema.Int })
const Short = Schema.Struct({ id: Schema.Int, key: Schema.String.pipe(Schema.maxLength(5)) })
const small = (id: number, key: string) => ({ id, key: id % 7 === 0 ? `${key} is too long` : key })
const tables = simulated({
  name: "a table of one row, one of keys alone, and refused rows",
  topics: records(),
  job: Language.job(() => {
    const events = Flow.from(Topic.source("events")).pipe(
      Flow.decode(Language.Event, { invalid: Topic.deadLetter("broken") })
    )
    const byKeyAndValue = events.pipe(
      Flow.keyBy("key", "value"),
      Flow.aggregate("pairs", { count: Aggregate.count }),
      Flow.map(({ key, value }) => ({ key, value }))
    )
    return [
      events.pipe(
        Flow.keyBy(),
        Flow.aggregate("sum", { sum: Aggregate.sum((event) => event.value), events: Aggregate.count }),
        Flow.to(Sql.upsert("total", Sum, { key: [] }))
      ),
      byKeyAndValue.pipe(Flow.to(Sql.upsert("known", Pair, { key: ["key", "value"] }))),
      events.pipe(
        Flow.map(({ id, key }) => small(id, key)),
        Flow.to(Sql.append("short", Short))
      )
    ]
  }),
  expected: ({ topics: { events = [] } }) => {
    const pairs = Records.grouped(events, ({ key, value }) => `${key} ${value}`)
    const fits = events.map(({ id, key }) => small(id, key)).filter(({ key }) => key.length <= 5)
    return {
      tables: {
        total: [{ sum: Records.sumOf(events), events: events.length }],
        known: [...pairs.values()].map(([first]) => ({ key: first!.key, value: first!.value })),
        short: fits
      }
    }
  }
})

/** What asks the clock of its world for a table to look up is above instead. */
const asksTime = /^enrich /

export const jobs: ReadonlyArray<SimulatedJob> = [
  ordersJob,
  ...[...Events.cases, ...Keyed.cases, ...Windows.cases, ...Joins.cases, ...Ordered.cases]
    .filter(({ name }) => !asksTime.test(name))
    .map(simulated),
  enriched,
  tables
]

export const jobOf = (name: string): SimulatedJob => {
  const found = jobs.find((one) => one.name === name)
  if (found === undefined) throw new Error(`there is no job '${name}': ${jobs.map((one) => one.name).join("; ")}`)
  return found
}
