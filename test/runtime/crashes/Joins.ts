/** Joins of every type. Their oracle is nested loops. */
import { Schema } from "effect"
import { Sql } from "../../../src/connectors/sql/index.ts"
import { Topic } from "../../../src/connectors/topic/index.ts"
import { Flow } from "../../../src/index.ts"
import type { Case, Row } from "./Case.ts"
import * as Language from "./Language.ts"
import * as Records from "./Records.ts"

const allowedLateness = "2 seconds"
const isLate = ({ at, own }: Records.Judged): boolean => at + 2_000 < own

const Pair = Schema.Struct({ left: Schema.NullOr(Schema.Int), right: Schema.NullOr(Schema.Int) })
const pairs = Flow.map(
  ({ left, right }: { readonly left: Language.Event | null; readonly right: Language.Event | null }) => ({
    left: left?.id ?? null,
    right: right?.id ?? null
  })
)

const topicsOf = (seed: number) => ({
  events: Records.make(seed, { count: 72, keys: 6 }),
  others: Records.make(seed + 1, { count: 72, keys: 6 })
})

const judged = ({ events = [], others = [] }: Readonly<Record<string, ReadonlyArray<Records.Read>>>) => {
  const [left, right] = [Records.parted(events, isLate), Records.parted(others, isLate)]
  const late = { late: Records.textsOf(left.late), late_others: Records.textsOf(right.late) }
  return { lefts: left.punctual, rights: right.punctual, late }
}

const interval = (type: "inner" | "left" | "outer", seed: number): Case => ({
  name: `an interval join, ${type}`,
  topics: topicsOf(seed),
  job: Language.job(() => {
    const others = Language.events("others").pipe(Flow.keyBy("key"))
    const within = { before: "1500 millis", after: "3 seconds" } as const
    const joined = Language.events().pipe(
      Flow.keyBy("key"),
      Flow.join("pairs", others, { within, type, allowedLateness })
    )
    return [
      joined.pipe(pairs, Flow.to(Sql.append("joined", Pair))),
      joined.late.pipe(Flow.to(Topic.late("late"))),
      joined.lateOther.pipe(Flow.to(Topic.late("late_others")))
    ]
  }),
  expected: ({ topics }) => {
    const { late, lefts, rights } = judged(topics)
    const joined: Array<Row> = []
    const [withLeft, withRight] = [new Set<number>(), new Set<number>()]
    for (const left of lefts)
      for (const right of rights) {
        if (left.key !== right.key || right.at < left.at - 1_500 || right.at > left.at + 3_000) continue
        joined.push({ left: left.id, right: right.id })
        withRight.add(left.id)
        withLeft.add(right.id)
      }
    const lonelyLefts = lefts.filter(({ id }) => !withRight.has(id)).map(({ id }) => ({ left: id, right: null }))
    const lonelyRights = rights.filter(({ id }) => !withLeft.has(id)).map(({ id }) => ({ left: null, right: id }))
    const happened = { pairs: joined.length, "left alone": lonelyLefts.length, "right alone": lonelyRights.length }
    if (type !== "inner") joined.push(...lonelyLefts)
    if (type === "outer") joined.push(...lonelyRights)
    return { tables: { joined }, topics: late, happened }
  }
})

const temporal = (type: "inner" | "left", seed: number): Case => ({
  name: `a temporal join, ${type}`,
  topics: topicsOf(seed),
  job: Language.job(() => {
    const versions = Language.events("others").pipe(Flow.keyBy("key"))
    const joined = Language.events().pipe(
      Flow.keyBy("key"),
      Flow.temporalJoin("versions", versions, { type, allowedLateness })
    )
    return [
      joined.pipe(pairs, Flow.to(Sql.append("joined", Pair))),
      joined.late.pipe(Flow.to(Topic.late("late"))),
      joined.lateOther.pipe(Flow.to(Topic.late("late_others")))
    ]
  }),
  expected: ({ topics }) => {
    const { late, lefts, rights } = judged(topics)
    const all = lefts.map((left) => {
      const known = rights.filter(({ at, key }) => key === left.key && at <= left.at)
      return { left: left.id, right: known.sort(Records.inTime).at(-1)?.id ?? null }
    })
    const found = all.filter(({ right }) => right !== null)
    return {
      tables: { joined: type === "inner" ? found : all },
      topics: late,
      happened: { "with a version": found.length, "without one": all.length - found.length }
    }
  }
})

export const cases: ReadonlyArray<Case> = [
  interval("inner", 41),
  interval("left", 43),
  interval("outer", 45),
  temporal("inner", 47),
  temporal("left", 49)
]
