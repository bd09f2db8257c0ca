/** How many units a plant has finished by the end of each hour of a day, beside how many it was to finish. */
import { Schema } from "effect"
import { Flow, Instant } from "../../src/index.ts"

export const hourMillis = 3_600_000
export const dayMillis = 24 * hourMillis

/** The first moment of the hour, or of the day, that an instant is in. */
export const hourOf = (at: number): Instant => startOf(at, hourMillis)
export const dayOf = (at: number): Instant => startOf(at, dayMillis)

const startOf = (at: number, millis: number): Instant => (Math.floor(at / millis) * millis) as Instant

const Day = Schema.Struct({ hours: Schema.Array(Schema.Struct({ hour: Instant, units: Schema.Int })) })

/**
 * For finished units by `day`: the row of a unit's hour, and of each later hour of its day. `plan` counts from the first
 * hour of a day in which a unit was finished.
 */
export const production = (plan: ReadonlyArray<number>) =>
  Flow.process("production", {
    state: Day,
    onEvent: ({ at }: { readonly at: number }, { keep, state }) => {
      const hours = counted(state?.hours ?? [], hourOf(at))
      keep({ hours })
      let total = 0
      return hours.map(({ hour, units }) => {
        total += units
        const planned = plan[(hour - hours[0]!.hour) / hourMillis]
        return { hour, total, plan: planned ?? null }
      })
    }
  })

/** One unit more in this hour; hours in their order. */
const counted = (hours: (typeof Day.Type)["hours"], hour: Instant): (typeof Day.Type)["hours"] =>
  hours.some((one) => one.hour === hour)
    ? hours.map((one) => (one.hour === hour ? { hour, units: one.units + 1 } : one))
    : [...hours, { hour, units: 1 }].sort((a, b) => a.hour - b.hour)
