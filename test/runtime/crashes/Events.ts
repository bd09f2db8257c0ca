/** Steps that look at one event at a time, or at several flows. */
import { Effect, Schema } from "effect"
import { Sql } from "../../../src/connectors/sql/index.ts"
import { Topic } from "../../../src/connectors/topic/index.ts"
import * as Lookup from "../../../src/flow/Lookup.ts"
import { Aggregate, Flow, Int64 } from "../../../src/index.ts"
import type { Case } from "./Case.ts"
import * as Language from "./Language.ts"
import * as Records from "./Records.ts"

const Copy = Schema.Struct({ id: Schema.Int, twice: Schema.Int, copy: Schema.Int })
const oneByOne: Case = {
  name: "map, filter and flatMap, and records that cannot be read",
  topics: { events: Records.make(11, { brokenEach: 9 }) },
  job: Language.job(() => [
    Flow.from(Topic.source("events")).pipe(
      Flow.decode(Language.Event, { invalid: Topic.deadLetter("broken") }),
      Flow.map(({ id, value }) => ({ id, twice: 2 * value })),
      Flow.filter(({ id }) => id % 4 !== 1),
      Flow.flatMap((row) => Array.from({ length: row.id % 3 }, (_, copy) => ({ ...row, copy }))),
      Flow.to(Sql.append("copies", Copy))
    )
  ]),
  expected: ({ topics: { events = [] } }) => {
    const copies: Array<typeof Copy.Type> = []
    for (const event of events) {
      if (Records.isBroken(event) || event.id % 4 === 1) continue
      for (let copy = 0; copy < event.id % 3; copy++) copies.push({ id: event.id, twice: 2 * event.value, copy })
    }
    return { tables: { copies }, topics: { broken: Records.textsOf(events.filter(Records.isBroken)) } }
  }
}

const Branched = Schema.Struct({ id: Schema.Int, value: Schema.Int })
const Latest = Schema.Struct({ key: Schema.String, events: Int64, last: Schema.Int })
const branch: Case = {
  name: "branch",
  topics: { events: Records.make(12) },
  job: Language.job(() => {
    const { high, low, rest } = Language.events().pipe(
      Flow.branch({ high: (event) => event.value > 40, low: (event) => event.value < 10 })
    )
    const branched = Flow.map(({ id, value }: Language.Event) => ({ id, value }))
    return [
      high.pipe(branched, Flow.to(Sql.append("high", Branched))),
      low.pipe(
        Flow.keyBy("key"),
        Flow.aggregate("lows", { events: Aggregate.count, last: Aggregate.last((event) => event.id) }),
        Flow.to(Sql.upsert("low", Latest, { key: ["key"] }))
      ),
      rest.pipe(branched, Flow.to(Topic.sink("rest", Branched)))
    ]
  }),
  expected: ({ topics: { events = [] } }) => {
    const lows = Records.grouped(
      events.filter(({ value }) => value < 10),
      ({ key }) => key
    )
    const rest = events.filter(({ value }) => value >= 10 && value <= 40)
    return {
      tables: {
        high: events.filter(({ value }) => value > 40).map(({ id, value }) => ({ id, value })),
        low: [...lows].map(([key, all]) => ({
          key,
          events: all.length,
          last: [...all].sort(Records.inTime).at(-1)!.id
        }))
      },
      topics: { rest: rest.map(({ id, value }) => JSON.stringify({ id, value })) }
    }
  }
}

const Merged = Schema.Struct({ way: Schema.String, id: Schema.Int })
const merge: Case = {
  name: "merge of flows whose rows have the same places",
  topics: { events: Records.make(13, { count: 70 }), others: Records.make(14, { count: 70 }) },
  job: Language.job(() => {
    const events = Language.plain("events")
    const by = (way: string, flow = events) => flow.pipe(Flow.map(({ id }) => ({ way, id })))
    return [
      by("events").pipe(
        Flow.merge(by("others", Language.plain("others"))),
        Flow.merge(by("events again")),
        Flow.to(Sql.append("merged", Merged))
      )
    ]
  }),
  expected: ({ topics: { events = [], others = [] } }) => {
    const rows = (way: string, records: ReadonlyArray<Records.Read>) => records.map(({ id }) => ({ way, id }))
    return {
      tables: { merged: [...rows("events", events), ...rows("others", others), ...rows("events again", events)] }
    }
  }
}

const Sum = Schema.Struct({ key: Schema.String, sum: Schema.Int, rows: Int64 })
const mergeOfChanges: Case = {
  name: "merge of rows that change with rows that never do",
  topics: { events: Records.make(15, { count: 70 }), others: Records.make(16, { count: 70 }) },
  job: Language.job(() => {
    const ofValue = { sum: Aggregate.sum((event: Language.Event) => event.value) }
    const sums = Language.plain("events").pipe(Flow.keyBy("key"), Flow.aggregate("sums of events", ofValue))
    const others = Language.plain("others").pipe(Flow.map(({ key, value }) => ({ key, sum: value })))
    return [
      sums.pipe(
        Flow.merge(others),
        Flow.keyBy("key"),
        Flow.aggregate("sums of both", { sum: Aggregate.sum((row) => row.sum), rows: Aggregate.count }),
        Flow.to(Sql.upsert("sums", Sum, { key: ["key"] }))
      )
    ]
  }),
  expected: ({ topics: { events = [], others = [] } }) => {
    const [ofEvents, ofOthers] = [events, others].map((all) => Records.grouped(all, ({ key }) => key))
    const keys = new Set([...ofEvents!.keys(), ...ofOthers!.keys()])
    return {
      tables: {
        sums: [...keys].map((key) => {
          const [some, more] = [ofEvents!.get(key) ?? [], ofOthers!.get(key) ?? []]
          return { key, sum: Records.sumOf(some) + Records.sumOf(more), rows: Math.min(some.length, 1) + more.length }
        })
      }
    }
  }
}

/** Four keys of five, each with a rank that changes every seven seconds. */
const Rank = Schema.Struct({ key: Schema.String, rank: Schema.Int })
const ranks = <const T extends Lookup.Refresh>(now: () => number, refresh: T) =>
  Lookup.make(
    {
      from: "ranks",
      label: "ranks",
      schema: Rank,
      load: Effect.sync(() => ({
        rows: [0, 1, 2, 3].map((i) => ({ key: `key ${i}`, rank: (Math.floor(now() / 7_000) % 1_000) + 1_000 * i })),
        placeOf: null
      }))
    },
    { key: ["key"], refresh }
  )

const Ranked = Schema.Struct({ key: Schema.String, sum: Schema.Int, rank: Schema.Int })
const enrichFixed: Case = {
  name: "enrich of rows that change by a fixed lookup",
  topics: { events: Records.make(17) },
  job: Language.job((now) => [
    Language.plain().pipe(
      Flow.keyBy("key"),
      Flow.aggregate("sums", { sum: Aggregate.sum((event) => event.value) }),
      Flow.enrich("rank", ranks(now, "fixed"), {
        type: "inner",
        key: ({ key }) => ({ key }),
        into: ({ key, sum }, { rank }) => ({ key, sum, rank })
      }),
      Flow.to(Sql.upsert("ranked", Ranked, { key: ["key"] }))
    )
  ]),
  expected: ({ epochs, topics }) => {
    // The version of the first epoch holds for good, whatever became of the table.
    const rankOf = new Map(epochs[0]!.lookup.map(({ key, rank }) => [key, rank as number]))
    const sums = [...Records.grouped(topics.events!, ({ key }) => key)].filter(([key]) => rankOf.has(key))
    return { tables: { ranked: sums.map(([key, all]) => ({ key, sum: Records.sumOf(all), rank: rankOf.get(key)! })) } }
  }
}

const Seen = Schema.Struct({ id: Schema.Int, rank: Schema.NullOr(Schema.Int) })
const enrichRefreshed: Case = {
  name: "enrich by a lookup that is refreshed",
  topics: { events: Records.make(18) },
  job: Language.job((now) => [
    Language.plain().pipe(
      Flow.enrich("rank", ranks(now, "1 second"), {
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
    const versions = new Set(epochs.map(({ lookup }) => JSON.stringify(lookup)))
    return { tables: { seen }, happened: { "versions after the first": versions.size - 1 } }
  }
}

export const cases: ReadonlyArray<Case> = [oneByOne, branch, merge, mergeOfChanges, enrichFixed, enrichRefreshed]
