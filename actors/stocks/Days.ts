/** Days of shares in symbol files, the list of shares, and what is kept of both. */
import { Schema } from "effect"
import { Aggregate, Decimal, Frame, Instant, Int64 } from "../../src/index.ts"
import { Average } from "./Prices.ts"

/** `2017-11-10`, in UTC. */
const DayText = Schema.transform(Schema.String, Instant, {
  strict: true,
  decode: (text) => `${text}T00:00:00Z`,
  encode: (text) => text.slice(0, 10)
})

/** In dollars, of five places. */
const Price = Decimal(12, 5)

const named = <A, I>(schema: Schema.Schema<A, I>, name: string) =>
  Schema.propertySignature(schema).pipe(Schema.fromKey(name))

/** A row of a symbol file: `Date,Open,High,Low,Close,Volume,OpenInt`. */
export class Day extends Schema.Class<Day>("Day")({
  fullDate: named(DayText, "Date"),
  open: named(Price, "Open"),
  high: named(Price, "High"),
  low: named(Price, "Low"),
  close: named(Price, "Close"),
  volume: named(Int64, "Volume")
}) {}

/** A row of the list of shares; not every share has a category. */
export class Listing extends Schema.Class<Listing>("Listing")({
  symbol: named(Schema.String, "Ticker"),
  category: named(Schema.NullOr(Schema.String), "Category Name")
}) {}

/** `aapl.us.txt` → `AAPL`. */
export const symbolOf = (path: string): string =>
  path
    .slice(path.lastIndexOf("/") + 1)
    .split(".")[0]!
    .toUpperCase()

/** The instant at which a day such as `2017-09-01` begins. Throws `RangeError` for other text. */
export const startOf = (day: string): Instant => {
  const at = Date.parse(`${day}T00:00:00Z`)
  if (!/^\d{4}-\d\d-\d\d$/.test(day) || Number.isNaN(at)) throw new RangeError(`'${day}' is no day such as 2017-09-01`)
  return at as Instant
}

/** `ma20`: the mean close of a day and the 20 before it. */
type MeanName = `ma${number}`

/** By name, the mean of each of these frames. */
export const means = (frames: ReadonlyArray<number>) =>
  byName(frames, (before) =>
    Frame.rows(
      before,
      Aggregate.avg((day: Day) => day.close, { scale: 5 })
    )
  )

const stock = {
  symbol: Schema.String.pipe(Schema.maxLength(10)),
  category: Schema.NullOr(Schema.String),
  open: Price,
  high: Price,
  low: Price,
  close: Price,
  volume: Int64
}

/** A row of the result, with the means of these frames. */
export const stockOf = (frames: ReadonlyArray<number>) =>
  Schema.Struct({ fullDate: Instant, ...stock, ...byName(frames, () => Average) })

/** The same in a file, in a folder of its day. */
export const filedOf = (frames: ReadonlyArray<number>) =>
  Schema.Struct({
    full_date: Instant,
    ...stock,
    ...byName(frames, () => Average),
    year: Schema.Int,
    month: Schema.Int,
    day: Schema.Int
  })

export const filed = <A extends { readonly fullDate: Instant }>({ fullDate, ...row }: A) => {
  const at = new Date(fullDate)
  return { ...row, full_date: fullDate, year: at.getUTCFullYear(), month: at.getUTCMonth() + 1, day: at.getUTCDate() }
}

/** A share that is not on the list, and how many of its days are left out. */
export class Unlisted extends Schema.Class<Unlisted>("Unlisted")({ symbol: Schema.String, days: Int64 }) {}

const byName = <A>(frames: ReadonlyArray<number>, of: (before: number) => A): Readonly<Record<MeanName, A>> =>
  Object.fromEntries(frames.map((before) => [`ma${before}`, of(before)]))
