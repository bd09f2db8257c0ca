/** How many units a plant has finished by the end of each hour of a day, beside how many it was to finish. */
import { Either, Schema } from "effect"
import { Files } from "../../src/connectors/files/index.ts"
import { Flow, Instant, Parameter } from "../../src/index.ts"

export const hourMillis = 3_600_000
export const dayMillis = 24 * hourMillis

/** The first moment of the hour, or of the day, that an instant is in. */
export const hourOf = (at: number): Instant => startOf(at, hourMillis)
export const dayOf = (at: number): Instant => startOf(at, dayMillis)

const startOf = (at: number, millis: number): Instant => (Math.floor(at / millis) * millis) as Instant

const Day = Schema.Struct({ hours: Schema.Array(Schema.Struct({ hour: Instant, units: Schema.Int })) })

/** Units that are to be finished by the end of each hour: from the first hour of a day on, or by hours in a file. */
export type Plan = ReadonlyArray<number> | { readonly file: string }

const hours = Parameter.list(Parameter.integer, [13, 27, 41, 55, 65, 72, 86, 100, 110])

/** `13,27,41`, or the path of a CSV file with the columns `hour` (of the day in UTC, 0 to 23) and `units`. */
export const plan: Parameter.Parameter<Plan> = {
  type: `${hours.type}, or .csv file`,
  fallback: hours.fallback,
  parse: (text) =>
    /\.csv$/i.test(text)
      ? Either.right({ file: text })
      : Either.mapLeft(
          hours.parse(text),
          (why) => `${why}, or the path of a .csv file with the columns hour and units`
        ),
  format: (value: Plan) => ("file" in value ? value.file : hours.format(value as never)),
  meaning:
    "units that are to be finished by the end of each hour, from a day's first on; or a CSV file `hour,units` by the hour of the day"
}

/** For finished units by `day`: the total at a unit's hour, and at each later hour of its day. */
export const totals = Flow.process("production", {
  state: Day,
  onEvent: ({ at }: { readonly at: number }, { keep, state }) => {
    const hours = counted(state?.hours ?? [], hourOf(at))
    keep({ hours })
    let total = 0
    return hours.map(({ hour, units }) => {
      total += units
      return { hour, total, sinceFirst: (hour - hours[0]!.hour) / hourMillis }
    })
  }
})
type Total = { readonly hour: Instant; readonly total: number; readonly sinceFirst: number }

const PlannedHour = Schema.Struct({ hour: Schema.Int.pipe(Schema.between(0, 23)), units: Schema.Int })

/** Totals, each with what was planned for its hour; `null` where the plan says nothing. */
export const planned = (plan: Plan) =>
  "file" in plan
    ? Flow.enrich("plan", Files.lookup(plan.file, PlannedHour, { key: ["hour"], format: "csv" }), {
        key: ({ hour }: Total) => ({ hour: new Date(hour).getUTCHours() }),
        into: ({ hour, total }, found) => ({ hour, total, plan: found?.units ?? null })
      })
    : Flow.map(({ hour, sinceFirst, total }: Total) => ({ hour, total, plan: plan[sinceFirst] ?? null }))

/** One unit more in this hour; hours in their order. */
const counted = (hours: (typeof Day.Type)["hours"], hour: Instant): (typeof Day.Type)["hours"] =>
  hours.some((one) => one.hour === hour)
    ? hours.map((one) => (one.hour === hour ? { hour, units: one.units + 1 } : one))
    : [...hours, { hour, units: 1 }].sort((a, b) => a.hour - b.hour)
