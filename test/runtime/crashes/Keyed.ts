/** Steps that keep something for each key. */
import { Schema } from "effect"
import { Sql } from "../../../src/connectors/sql/index.ts"
import { Aggregate, Flow, Int64 } from "../../../src/index.ts"
import type { Case, Epoch, Row } from "./Case.ts"
import * as Language from "./Language.ts"
import * as Records from "./Records.ts"

const byKey = (records: ReadonlyArray<Records.Read>) => Records.grouped(records, ({ key }) => key)

const Total = Schema.Struct({ key: Schema.String, sum: Schema.Int, count: Int64, least: Schema.Int, first: Schema.Int })
const totals: Case = {
  name: "an aggregate",
  topics: { events: Records.make(21) },
  job: Language.job(() => [
    Language.events().pipe(
      Flow.keyBy("key"),
      Flow.aggregate("sums", {
        sum: Aggregate.sum((event) => event.value),
        count: Aggregate.count,
        least: Aggregate.min((event) => event.value),
        first: Aggregate.first((event) => event.id)
      }),
      Flow.to(Sql.upsert("totals", Total, { key: ["key"] }))
    )
  ]),
  expected: ({ topics }) => ({
    tables: {
      totals: [...byKey(topics.events!)].map(([key, all]) => ({
        key,
        sum: Records.sumOf(all),
        count: all.length,
        least: Math.min(...all.map(({ value }) => value)),
        first: [...all].sort(Records.inTime)[0]!.id
      }))
    }
  })
}

const Best = Schema.Struct({ key: Schema.String, values: Int64, best: Schema.String })
const bests: Case = {
  name: "distinctCount and topN",
  topics: { events: Records.make(22) },
  job: Language.job(() => [
    Language.plain().pipe(
      Flow.keyBy("key"),
      Flow.aggregate("values and bests", {
        values: Aggregate.distinctCount((event) => event.value % 13),
        best: Aggregate.topN(3, (event) => event.value % 13)
      }),
      Flow.map(({ best, key, values }) => ({ key, values, best: best.map(({ id }) => id).join(" ") })),
      Flow.to(Sql.upsert("bests", Best, { key: ["key"] }))
    )
  ]),
  expected: ({ topics }) => ({
    tables: {
      bests: [...byKey(topics.events!)].map(([key, all]) => ({
        key,
        values: new Set(all.map(({ value }) => value % 13)).size,
        // Of equal ones the earliest: `at` is the first of their columns.
        best: [...all]
          .sort((one, other) => (other.value % 13) - (one.value % 13) || one.at - other.at || one.id - other.id)
          .slice(0, 3)
          .map(({ id }) => id)
          .join(" ")
      }))
    }
  })
}

// Time to live: keys come for a while, and come again when they have been forgotten.

const passing = (seed: number) => ({ events: Records.make(seed, { count: 150, keys: 3, passing: 15 }) })
const timeToLive = "9 seconds"
const timeToLiveMillis = 9_000

interface Living {
  readonly sum: number
  readonly seenAt: number
}
/** The sums of the keys that are not forgotten, as each epoch leaves them. */
const living = (epochs: ReadonlyArray<Epoch>) => {
  const ever = new Set<string>()
  let [forgotten, again] = [0, 0]
  let now: ReadonlyMap<string, Living> = new Map()
  const states = epochs.map(({ came, closedAt }) => {
    const next = new Map(now)
    for (const { key, value } of came.events!) {
      if (ever.has(key) && !next.has(key)) again++
      ever.add(key)
      next.set(key, { sum: (next.get(key)?.sum ?? 0) + value, seenAt: closedAt })
    }
    for (const [key, { seenAt }] of next)
      if (seenAt + timeToLiveMillis <= closedAt) {
        next.delete(key)
        forgotten++
      }
    now = next
    return next
  })
  return { states, happened: { forgotten, "began anew": again } }
}

const Sum = Schema.Struct({ key: Schema.String, sum: Schema.Int })
const sumsOf = (state: ReadonlyMap<string, Living>): ReadonlyArray<Row> =>
  [...state].map(([key, { sum }]) => ({ key, sum }))
const sums = () =>
  Language.plain().pipe(
    Flow.keyBy("key"),
    Flow.aggregate("living", { sum: Aggregate.sum((event) => event.value) }, { timeToLive })
  )
const totalsForATime: Case = {
  name: "an aggregate with a time to live",
  topics: passing(23),
  job: Language.job(() => [sums().pipe(Flow.to(Sql.upsert("sums", Sum, { key: ["key"] })))]),
  expected: ({ epochs }) => {
    const { happened, states } = living(epochs)
    return { tables: { sums: sumsOf(states.at(-1)!) }, happened }
  }
}

const Told = Schema.Struct({ key: Schema.String, before: Schema.NullOr(Schema.Int), after: Schema.NullOr(Schema.Int) })
const toldOf = ({ after, before }: Flow.Update<typeof Sum.Type>) => ({
  key: (after ?? before)!.key,
  before: before?.sum ?? null,
  after: after?.sum ?? null
})
/** Every row that there is, and those that are gone, for each epoch in which one of them changed. */
const complete: Case = {
  name: "complete rows",
  topics: passing(24),
  job: Language.job(() => {
    const all = sums().pipe(Flow.emit("complete"))
    return [
      all.pipe(Flow.to(Sql.upsert("sums", Sum, { key: ["key"] }))),
      all.pipe(Flow.updates, Flow.map(toldOf), Flow.to(Sql.append("told", Told)))
    ]
  }),
  expected: ({ epochs }) => {
    const { happened, states } = living(epochs)
    const told = states.flatMap((state, i): ReadonlyArray<typeof Told.Type> => {
      const was = states[i - 1] ?? new Map<string, Living>()
      const gone = [...was].filter(([key]) => !state.has(key))
      if (gone.length === 0 && [...state].every(([key, { sum }]) => was.get(key)?.sum === sum)) return []
      return [
        ...gone.map(([key, { sum }]) => ({ key, before: sum, after: null })),
        ...[...state].map(([key, { sum }]) => {
          const before = was.get(key)?.sum ?? null
          return { key, before: before === sum ? null : before, after: sum }
        })
      ]
    })
    return { tables: { sums: sumsOf(states.at(-1)!), told }, happened }
  }
}

const updates: Case = {
  name: "changes as events",
  topics: passing(25),
  job: Language.job(() => [sums().pipe(Flow.updates, Flow.map(toldOf), Flow.to(Sql.append("told", Told)))]),
  expected: ({ epochs }) => {
    const { happened, states } = living(epochs)
    const told = states.flatMap((state, i): ReadonlyArray<typeof Told.Type> => {
      const was = states[i - 1] ?? new Map<string, Living>()
      return [...new Set([...was.keys(), ...state.keys()])]
        .map((key) => ({ key, before: was.get(key)?.sum ?? null, after: state.get(key)?.sum ?? null }))
        .filter(({ after, before }) => after !== before)
    })
    return { tables: { told }, happened }
  }
}

// Distinct: of the events of one epoch the one with the lowest place.

const First = Schema.Struct({ id: Schema.Int, key: Schema.String })
const firsts = (epochs: ReadonlyArray<Epoch>, livesMillis: number) => {
  const seen = new Map<string, number>()
  let forgotten = 0
  const rows = epochs.flatMap(({ came, closedAt }) => {
    const fresh = [...byKey(came.events!)].filter(([key]) => !seen.has(key))
    for (const [key] of fresh) seen.set(key, closedAt)
    for (const [key, at] of seen) if (at + livesMillis <= closedAt && seen.delete(key)) forgotten++
    return fresh.map(([key, all]) => ({ id: all[0]!.id, key }))
  })
  return { rows, forgotten }
}
const first = Flow.map(({ id, key }: Language.Event) => ({ id, key }))
const distinct: Case = {
  name: "distinct",
  topics: { events: Records.make(26, { keys: 4, passing: 6 }) },
  job: Language.job(() => [
    Language.events().pipe(Flow.keyBy("key"), Flow.distinct("once"), first, Flow.to(Sql.append("firsts", First)))
  ]),
  expected: ({ epochs }) => ({ tables: { firsts: firsts(epochs, Number.POSITIVE_INFINITY).rows } })
}
const distinctForATime: Case = {
  name: "distinct with a time to live",
  topics: passing(27),
  job: Language.job(() => [
    Language.plain().pipe(
      Flow.keyBy("key"),
      Flow.distinct("once", { timeToLive }),
      first,
      Flow.to(Sql.append("firsts", First))
    )
  ]),
  expected: ({ epochs }) => {
    const { forgotten, rows } = firsts(epochs, timeToLiveMillis)
    return { tables: { firsts: rows }, happened: { forgotten } }
  }
}

// Rows that replace each other, three steps deep.

const isLarge = (sum: number): boolean => sum > 60
const Remainder = Schema.Struct({ remainder: Schema.Int, keys: Int64, total: Schema.Int, most: Schema.Int })
const Size = Schema.Struct({ keys: Int64, remainders: Int64 })
const chain: Case = {
  name: "aggregates of an aggregate",
  topics: { events: Records.make(28, { keys: 14 }) },
  job: Language.job(() => {
    const remainders = Language.plain().pipe(
      Flow.keyBy("key"),
      Flow.aggregate("sums", { sum: Aggregate.sum((event) => event.value), count: Aggregate.count }),
      Flow.filter(({ sum }) => isLarge(sum)),
      Flow.keyBy({ remainder: ({ count }) => Number(count % 3n) }),
      Flow.aggregate("remainders", {
        keys: Aggregate.count,
        total: Aggregate.sum((row) => row.sum),
        most: Aggregate.max((row) => row.sum)
      })
    )
    return [
      remainders.pipe(Flow.to(Sql.upsert("by_remainder", Remainder, { key: ["remainder"] }))),
      remainders.pipe(
        Flow.keyBy("keys"),
        Flow.aggregate("sizes", { remainders: Aggregate.count }),
        Flow.to(Sql.upsert("by_size", Size, { key: ["keys"] }))
      )
    ]
  }),
  expected: ({ topics }) => {
    const large = [...byKey(topics.events!).values()]
      .map((all) => ({ value: Records.sumOf(all), remainder: all.length % 3 }))
      .filter(({ value }) => isLarge(value))
    const remainders = [...Records.grouped(large, ({ remainder }) => String(remainder))].map(([remainder, all]) => ({
      remainder: Number(remainder),
      keys: all.length,
      total: Records.sumOf(all),
      most: Math.max(...all.map(({ value }) => value))
    }))
    const sizes = Records.grouped(remainders, ({ keys }) => String(keys))
    return {
      tables: {
        by_remainder: remainders,
        by_size: [...sizes].map(([keys, all]) => ({ keys: Number(keys), remainders: all.length }))
      }
    }
  }
}

export const cases: ReadonlyArray<Case> = [
  totals,
  bests,
  totalsForATime,
  complete,
  updates,
  distinct,
  distinctForATime,
  chain
]
