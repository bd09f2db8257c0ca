/** Windows of every kind and mode. */
import { Schema } from "effect"
import { Sql } from "../../../src/connectors/sql/index.ts"
import { Topic } from "../../../src/connectors/topic/index.ts"
import { Aggregate, Flow, Int64, Window } from "../../../src/index.ts"
import type { Case, Row } from "./Case.ts"
import * as Language from "./Language.ts"
import * as Records from "./Records.ts"

const allowedLateness = "2 seconds"
const allowedLatenessMillis = 2_000

const Counted = Schema.Struct({
  key: Schema.String,
  from: Schema.Number,
  until: Schema.Number,
  sum: Schema.Int,
  count: Int64
})

const counted = (window: Window.Window) =>
  Language.events().pipe(
    Flow.keyBy("key"),
    Flow.window(window, { allowedLateness }),
    Flow.aggregate("counts", { sum: Aggregate.sum((event) => event.value), count: Aggregate.count })
  )
type Count = Omit<typeof Counted.Type, "from" | "until"> & Window.WindowBounds
const bounds = Flow.map(({ windowEnd, windowStart, ...row }: Count) => ({
  ...row,
  from: Number(windowStart),
  until: Number(windowEnd)
}))

type Oracle = (records: ReadonlyArray<Records.Read>) => {
  readonly rows: ReadonlyArray<Row>
  readonly late: ReadonlyArray<Records.Read>
}

/** Both modes: a row replaced as its window grows, and a row once. */
const modes = (name: string, window: Window.Window, seed: number, oracle: Oracle): ReadonlyArray<Case> => {
  const topics = { events: Records.make(seed) }
  const expected: Case["expected"] = ({ topics: { events = [] } }) => {
    const { late, rows } = oracle(events)
    return { tables: { counted: rows }, topics: { late: Records.textsOf(late) } }
  }
  const onUpdate: Case = {
    name: `${name} on update`,
    topics,
    expected,
    job: Language.job(() => {
      const counts = counted(window)
      return [
        counts.pipe(bounds, Flow.to(Sql.upsert("counted", Counted, { key: ["key", "from"] }))),
        counts.late.pipe(Flow.to(Topic.late("late")))
      ]
    })
  }
  const onClose: Case = {
    name: `${name} on close`,
    topics,
    expected,
    job: Language.job(() => {
      const counts = counted(window)
      return [
        counts.pipe(Flow.emit("onClose"), bounds, Flow.to(Sql.append("counted", Counted))),
        counts.late.pipe(Flow.to(Topic.late("late")))
      ]
    })
  }
  return [onUpdate, onClose]
}

const rowOf = (key: string, from: number, until: number, all: ReadonlyArray<Records.Read>): Row => ({
  key,
  from,
  until,
  sum: Records.sumOf(all),
  count: all.length
})

/** Windows of a size, one begun each so often. */
const aligned =
  (sizeMillis: number, everyMillis: number): Oracle =>
  (records) => {
    const late: Array<Records.Read> = []
    const taken: Array<{ readonly from: number; readonly record: Records.Read }> = []
    for (const record of Records.judged(records)) {
      const last = Math.floor(record.at / everyMillis) * everyMillis
      const starts = Array.from({ length: sizeMillis / everyMillis }, (_, i) => last - i * everyMillis)
      const open = starts.filter((from) => from + sizeMillis + allowedLatenessMillis > record.own)
      if (open.length === 0) late.push(record)
      for (const from of open) taken.push({ from, record })
    }
    const windows = Records.grouped(taken, ({ from, record }) => `${from} ${record.key}`)
    const rows = [...windows.values()].map((all) => {
      const { from, record } = all[0]!
      return rowOf(
        record.key,
        from,
        from + sizeMillis,
        all.map((one) => one.record)
      )
    })
    return { rows, late }
  }

const sessions =
  (gapMillis: number): Oracle =>
  (records) => {
    const { late, punctual } = Records.parted(records, ({ at, own }) => at + gapMillis + allowedLatenessMillis <= own)
    const rows = [...Records.grouped(punctual, ({ key }) => key)].flatMap(([key, all]) => {
      const found: Array<Array<Records.Read>> = []
      for (const record of [...all].sort(Records.inTime)) {
        const open = found.at(-1)
        if (open !== undefined && record.at < open.at(-1)!.at + gapMillis) open.push(record)
        else found.push([record])
      }
      return found.map((session) => rowOf(key, session[0]!.at, session.at(-1)!.at + gapMillis, session))
    })
    return { rows, late }
  }

const Wide = Schema.Struct({ key: Schema.String, from: Schema.Number, sum: Schema.Int, windows: Int64 })
const [narrowMillis, wideMillis] = [5_000, 20_000]
const overWindows: Case = {
  name: "a window over the rows of a window",
  topics: { events: Records.make(37) },
  job: Language.job(() => {
    const counts = counted(Window.tumbling("5 seconds"))
    return [
      counts.pipe(
        Flow.emit("onClose"),
        Flow.keyBy("key"),
        Flow.window(Window.tumbling("20 seconds")),
        Flow.aggregate("wide", { sum: Aggregate.sum((row) => row.sum), windows: Aggregate.count }),
        Flow.emit("onClose"),
        Flow.map(({ key, sum, windowStart, windows }) => ({ key, sum, windows, from: Number(windowStart) })),
        Flow.to(Sql.append("wide_rows", Wide))
      ),
      counts.late.pipe(Flow.to(Topic.late("late")))
    ]
  }),
  expected: ({ topics }) => {
    const { late, rows } = aligned(narrowMillis, narrowMillis)(topics.events!)
    const narrow = rows.map(({ from, key, sum }) => ({
      key: String(key),
      from: Math.floor(Number(from) / wideMillis) * wideMillis,
      value: Number(sum)
    }))
    const wide = Records.grouped(narrow, ({ from, key }) => `${from} ${key}`)
    return {
      tables: {
        wide_rows: [...wide.values()].map((all) => {
          const { from, key } = all[0]!
          return { key, from, sum: Records.sumOf(all), windows: all.length }
        })
      },
      topics: { late: Records.textsOf(late) }
    }
  }
}

export const cases: ReadonlyArray<Case> = [
  ...modes("a tumbling window", Window.tumbling("10 seconds"), 31, aligned(10_000, 10_000)),
  ...modes("a sliding window", Window.sliding("12 seconds", "4 seconds"), 32, aligned(12_000, 4_000)),
  ...modes("a session", Window.session("3 seconds"), 33, sessions(3_000)),
  overWindows
]
