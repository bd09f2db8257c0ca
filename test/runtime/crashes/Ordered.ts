/** Steps that take events in order. */
import { Schema } from "effect"
import { Sql } from "../../../src/connectors/sql/index.ts"
import { Topic } from "../../../src/connectors/topic/index.ts"
import { Aggregate, Flow, Frame, Int64 } from "../../../src/index.ts"
import type { Case, Row } from "./Case.ts"
import * as Language from "./Language.ts"
import * as Records from "./Records.ts"

const isLate = ({ at, own }: Records.Judged): boolean => at < own

// A timer of event time that each event of its key puts off.

const Visit = Schema.Struct({ key: Schema.String, what: Schema.String, at: Schema.Number, visits: Schema.Int })
const Large = Schema.Struct({ id: Schema.Int })
const staysMillis = 3_000
const isLarge = (value: number): boolean => value > 50
const eventTimers: Case = {
  name: "process with timers of event time and other outputs",
  topics: { events: Records.make(51) },
  job: Language.job(() => {
    const visits = Language.events().pipe(
      Flow.keyBy("key"),
      Flow.process("visits", {
        state: Schema.Struct({ visits: Schema.Number, until: Schema.Number }),
        outputs: { large: Flow.output<typeof Large.Type>(), ended: Flow.output<typeof Visit.Type>() },
        onEvent: ({ at, id, key, value }: Language.Event, { cancelTimer, emit, keep, setTimer, state }) => {
          const visits = (state?.visits ?? 0) + 1
          if (state !== undefined) cancelTimer(state.until)
          keep({ visits, until: at + staysMillis })
          setTimer(at + staysMillis)
          if (isLarge(value)) emit("large", { id })
          return [{ key, what: "visit", at: Number(at), visits }]
        },
        onTimer: (at, { emit, forget, key, state }) => {
          const row = { key: key.key, what: "end", at: Number(at), visits: state!.visits }
          emit("ended", row)
          forget()
          return [row]
        }
      })
    )
    return [
      visits.pipe(Flow.to(Sql.append("visits_table", Visit))),
      visits.large.pipe(Flow.to(Topic.sink("large", Large))),
      visits.ended.pipe(Flow.to(Sql.append("ended_table", Visit))),
      visits.late.pipe(Flow.to(Topic.late("late")))
    ]
  }),
  expected: ({ topics }) => {
    const { late, punctual } = Records.parted(topics.events!, isLate)
    // A final run fires the timers before its last event.
    const last = Math.max(...punctual.map(({ at }) => at))
    const [visits, ended]: [Array<Row>, Array<Row>] = [[], []]
    for (const [key, all] of Records.grouped([...punctual].sort(Records.inTime), (record) => record.key)) {
      let count = 0
      for (const [i, { at }] of all.entries()) {
        visits.push({ key, what: "visit", at, visits: ++count })
        const until = at + staysMillis
        // A timer comes after the events of its time.
        if (until >= last || (i + 1 < all.length && all[i + 1]!.at <= until)) continue
        ended.push({ key, what: "end", at: until, visits: count })
        count = 0
      }
    }
    const large = punctual.filter(({ value }) => isLarge(value))
    return {
      tables: { visits_table: [...visits, ...ended], ended_table: ended },
      topics: { large: large.map(({ id }) => JSON.stringify({ id })), late: Records.textsOf(late) }
    }
  }
}

// A timer of processing time that each epoch with an event of its key puts off.

const Left = Schema.Struct({ key: Schema.String, at: Schema.Number, visits: Schema.Int })
const Visited = Schema.Struct({ id: Schema.Int, visits: Schema.Int })
const waitsMillis = 9_000
const processingTimers: Case = {
  name: "process with timers of processing time",
  topics: { events: Records.make(52, { count: 150, keys: 3, passing: 15 }) },
  job: Language.job(() => {
    const visits = Language.plain().pipe(
      Flow.keyBy("key"),
      Flow.process("visits", {
        state: Schema.Struct({ visits: Schema.Number, until: Schema.Number }),
        outputs: { left: Flow.output<typeof Left.Type>() },
        onEvent: ({ id }: Language.Event, { cancelProcessingTimer, keep, setProcessingTimer, state }) => {
          const visits = (state?.visits ?? 0) + 1
          if (state !== undefined) cancelProcessingTimer(state.until)
          keep({ visits, until: setProcessingTimer("9 seconds") })
          return [{ id, visits }]
        },
        onProcessingTimer: (at, { emit, forget, key, state }) => {
          emit("left", { key: key.key, at: Number(at), visits: state!.visits })
          forget()
        }
      })
    )
    return [
      visits.pipe(Flow.to(Sql.append("visited", Visited))),
      visits.left.pipe(Flow.to(Sql.append("left_table", Left)))
    ]
  }),
  expected: ({ epochs }) => {
    const here = new Map<string, { readonly visits: number; readonly until: number }>()
    const [visited, left]: [Array<Row>, Array<Row>] = [[], []]
    for (const { came, closedAt } of epochs) {
      for (const { id, key } of came.events!) {
        const visits = (here.get(key)?.visits ?? 0) + 1
        here.set(key, { visits, until: closedAt + waitsMillis })
        visited.push({ id, visits })
      }
      for (const [key, { until, visits }] of here) {
        if (until > closedAt) continue
        left.push({ key, at: until, visits })
        here.delete(key)
      }
    }
    return { tables: { visited, left_table: left } }
  }
}

const Framed = Schema.Struct({
  id: Schema.Int,
  sum: Schema.Int,
  most: Schema.Int,
  rows: Schema.NullOr(Int64)
})
const frames: Case = {
  name: "frames",
  topics: { events: Records.make(53) },
  job: Language.job(() => {
    const framed = Language.events().pipe(
      Flow.keyBy("key"),
      Flow.frames("moving", {
        sum: Frame.rows(
          3,
          Aggregate.sum((event) => event.value)
        ),
        most: Frame.rows(
          2,
          Aggregate.max((event) => event.value)
        ),
        rows: Frame.rows(4, Aggregate.count, { minRows: 3 })
      })
    )
    return [
      framed.pipe(
        Flow.map(({ id, most, rows, sum }) => ({ id, most, rows, sum })),
        Flow.to(Sql.append("framed", Framed))
      ),
      framed.late.pipe(Flow.to(Topic.late("late")))
    ]
  }),
  expected: ({ topics }) => {
    const { late, punctual } = Records.parted(topics.events!, isLate)
    const keys = Records.grouped([...punctual].sort(Records.inTime), ({ key }) => key)
    const framed = [...keys.values()].flatMap((all) =>
      all.map(({ id }, i) => {
        const lastRows = (count: number) => all.slice(Math.max(0, i + 1 - count), i + 1)
        return {
          id,
          sum: Records.sumOf(lastRows(4)),
          most: Math.max(...lastRows(3).map(({ value }) => value)),
          rows: i + 1 < 3 ? null : lastRows(5).length
        }
      })
    )
    return { tables: { framed }, topics: { late: Records.textsOf(late) } }
  }
}

export const cases: ReadonlyArray<Case> = [eventTimers, processingTimers, frames]
