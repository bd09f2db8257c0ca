/**
 * Every built-in job, and a job for every operator and every kind of sink, with records for it: what is tried in
 * simulated worlds. Most are those that are crashed at every durable step, with their oracles.
 */
import { Clock, Effect, Schema } from "effect"
import orders from "../../actors/orders.ts"
import plant from "../../actors/plant.ts"
import stocksAverage from "../../actors/stocks-average.ts"
import stocksInserts from "../../actors/stocks-inserts.ts"
import stocksWindowText from "../../actors/stocks-window-text.ts"
import stocksWindows from "../../actors/stocks-windows.ts"
import type { Block } from "../../fixtures/Generator.ts"
import { orders as ordersOf } from "../../fixtures/orders.ts"
import { plant as plantOf } from "../../fixtures/plant.ts"
import { stocks as stocksOf } from "../../fixtures/stocks.ts"
import { Sql } from "../../src/connectors/sql/index.ts"
import { Topic } from "../../src/connectors/topic/index.ts"
import type { Job } from "../../src/flow/Job.ts"
import * as Lookup from "../../src/flow/Lookup.ts"
import type { Tables } from "../../src/flow/Tables.ts"
import type { Topics } from "../../src/flow/Topics.ts"
import { Aggregate, Flow, Int64 } from "../../src/index.ts"
import { JobTest } from "../../src/testing/index.ts"
import type { Arrived, Cut, Oracle } from "../../src/testing/simulation/Oracle.ts"
import type { Case, Epoch, Told } from "../runtime/crashes/Case.ts"
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
  readonly input: Input
  /** Partitions of each topic. */
  readonly partitions: number
  /** Parameters of the job. */
  readonly set: Readonly<Record<string, string>>
  /** Knows the job's language, and nothing of the engine. Absent: none does. */
  readonly oracle?: Oracle<Input>
}

/** Values by topic; partitions take them in turn. */
type Input = Readonly<Record<string, ReadonlyArray<unknown>>>

/** Epochs are cut each second: those of a case end with its records alone. */
const simulated = ({ expected, job, name, topics }: Case): SimulatedJob => ({
  name,
  // None of these asks what time it is.
  job: job(() => 0),
  input: Object.fromEntries(Object.entries(topics).map(([topic, all]) => [topic, Records.textsOf(all)])),
  partitions: Records.partitions,
  set: { trigger: "1 second" },
  oracle: (input, { case: cuts = [] }) => {
    const told = toldOf(arrived(topics, input), cuts)
    const { tables, topics: texts = {} } = expected(told)
    const records = Object.entries(texts).filter(([, all]) => !all.some(isBroken))
    return {
      ...tables,
      ...Object.fromEntries(records.map(([topic, all]) => [topic, all.map((text) => JSON.parse(text))]))
    }
  }
})

/** What was no JSON cannot be compared field by field. */
const isBroken = (text: string): boolean => !text.endsWith("}")

/** The records of a case at the places where they came in a world. */
const arrived = (topics: Case["topics"], input: Readonly<Record<string, Arrived<unknown>>>): Case["topics"] =>
  Object.fromEntries(
    Object.entries(topics).map(([topic, all]) => {
      const byText = new Map(all.map((record) => [record.text, record]))
      const came = input[topic]!.flatMap((texts, partition) =>
        texts.map((text, offset) => ({ ...byText.get(text as string)!, partition, offset }))
      )
      return [topic, came]
    })
  )

const toldOf = (topics: Case["topics"], cuts: ReadonlyArray<Cut>): Told => {
  const epochs = cuts.map(({ closedAt, partitions }, i): Epoch => {
    const endOf = (ends: Cut["partitions"], topic: string, of: number): number =>
      ends.find(({ partition, source }) => source === topic && partition === of)?.offset ?? 0
    const before = cuts[i - 1]?.partitions ?? []
    const came = Object.entries(topics).map(([topic, all]) => {
      const isOf = ({ offset, partition }: Records.Read): boolean =>
        offset >= endOf(before, topic, partition) && offset < endOf(partitions, topic, partition)
      return [topic, all.filter(isOf).sort(Records.inPlace)]
    })
    return { closedAt, came: Object.fromEntries(came), lookup: [] }
  })
  return { topics, epochs }
}

/** What a generator makes, with its keys, as records of one topic. */
const generated = (blocks: Iterable<Block>): Array<unknown> => {
  const all: Array<unknown> = []
  for (const { records } of blocks)
    for (const { key, value } of records)
      all.push(key == null ? value.slice() : JobTest.record(value.slice(), { key: new TextDecoder().decode(key) }))
  return all
}

const prices = generated(stocksOf({ count: 150, malformed: 0.04 }))
const overStocks = (job: SimulatedJob["job"]): SimulatedJob => ({
  name: job.name,
  job,
  input: { stocks: prices },
  partitions: 3,
  set: { trigger: "1 second" }
})

const builtIn: ReadonlyArray<SimulatedJob> = [
  {
    name: "orders",
    job: orders as never,
    input: {
      orders: generated(ordersOf({ count: 150, items: 25, late: 0.04, outOfOrder: 0.1, malformed: 0.04, rate: 2 }))
    },
    partitions: 3,
    set: {}
  },
  ...[stocksAverage, stocksInserts, stocksWindowText, stocksWindows].map((job) => overStocks(job as never)),
  {
    name: "plant",
    job: plant as never,
    input: { TFI: generated(plantOf({ units: 25, repeated: 0.05, malformed: 0.04 })) },
    partitions: 2,
    set: { trigger: "1 second", plan: "5,11,17" }
  }
]

const events = { events: Records.make(61, { count: 90 }) }

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
const enriched: SimulatedJob = {
  name: "enrich by a lookup that is refreshed",
  job: Language.job(() => [
    Language.plain().pipe(
      Flow.enrich("rank", ranks, {
        key: ({ key }) => ({ key }),
        into: ({ id }, found) => ({ id, rank: found?.rank ?? null })
      }),
      Flow.to(Sql.append("seen", Seen))
    )
  ])(() => 0),
  input: { events: Records.textsOf(events.events) },
  partitions: Records.partitions,
  set: { trigger: "1 second" }
}

/** A table of one row, one whose columns are all of its key, one of events as they come, and refused rows. */
const Sum = Schema.Struct({ sum: Schema.Int, events: Int64 })
const Pair = Schema.Struct({ key: Schema.String, value: Schema.Int })
const Small = Schema.Struct({ id: Schema.Int, small: Schema.Int })
const Latest = Schema.Struct({ id: Schema.Int, key: Schema.String })
/** An integer of a column has 32 bits. */
const tooLarge = 2 ** 31
const smallOf = ({ id }: { readonly id: number }) => ({ id, small: id % 7 === 0 ? tooLarge + id : id })
const tables = simulated({
  name: "a table of one row, one of keys alone, the latest events, and refused rows",
  topics: events,
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
        Flow.map(({ id, key }) => ({ id, key })),
        Flow.to(Sql.upsert("latest", Latest, { key: ["key"] }))
      ),
      events.pipe(Flow.map(smallOf), Flow.to(Sql.append("small", Small)))
    ]
  }),
  expected: ({ epochs, topics: { events = [] } }) => {
    // Of one epoch the last by its place, whatever came last.
    const latest = new Map(epochs.flatMap(({ came }) => came.events!.map(({ id, key }) => [key, id] as const)))
    const pairs = Records.grouped(events, ({ key, value }) => `${key} ${value}`)
    const small = events.map(smallOf)
    const refused = small.filter((row) => row.small >= tooLarge)
    return {
      tables: {
        total: [{ sum: Records.sumOf(events), events: events.length }],
        latest: [...latest].map(([key, id]) => ({ key, id })),
        known: [...pairs.values()].map(([first]) => ({ key: first!.key, value: first!.value })),
        small: small.filter((row) => row.small < tooLarge)
      },
      topics: { broken: refused.map((row) => JSON.stringify(row)) }
    }
  }
})

/** What asks the clock of its world for a table to look up is above instead. */
const asksTime = /^enrich /

export const jobs: ReadonlyArray<SimulatedJob> = [
  ...builtIn,
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
