/** Figures and times as a person reads them. */

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 })
const precise = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 })
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 })
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" })

export const count = (value) => whole.format(value)
export const compact = (value) => {
  if (Math.abs(value) >= 10_000) return short.format(value)
  return Number.isInteger(value) ? whole.format(value) : precise.format(value)
}
/** A rate: small ones keep a digit behind the point. */
export const rate = (value) => (value > 0 && value < 10 ? value.toFixed(1) : compact(value))
export const time = (millis) => clock.format(millis)

/** Instants of the reader's own time, or of UTC: `full` as `21 Nov, 09:49:05`, `forSpan` as short as an axis allows. */
export const instants = (utc) => {
  const zone = utc ? { timeZone: "UTC" } : {}
  const date = { day: "numeric", month: "short" }
  const minutes = { hour: "2-digit", minute: "2-digit" }
  const made = (parts) => new Intl.DateTimeFormat("en-GB", { ...parts, ...zone })
  const forms = {
    seconds: made({ ...minutes, second: "2-digit" }),
    minutes: made(minutes),
    hours: made({ ...date, ...minutes }),
    days: made(date)
  }
  const full = made({ ...date, ...minutes, second: "2-digit" })
  const formFor = (span) =>
    span < 600_000 ? "seconds" : span < 86_400_000 ? "minutes" : span < 4 * 86_400_000 ? "hours" : "days"
  return {
    full: (millis) => full.format(millis),
    forSpan: (span) => {
      const form = forms[formFor(span)]
      return (millis) => form.format(millis)
    }
  }
}
export const dayAndTime = instants(false).full
/** A number's text with its thousands apart, digits as they are; any other text as it is. */
export const figure = (text) => {
  const [, sign, digits, rest] = /^(-?)(\d+)(\.\d+)?$/.exec(text) ?? []
  return digits === undefined ? text : `${sign}${digits.replace(/\B(?=(\d{3})+$)/g, ",")}${rest ?? ""}`
}

export const duration = (millis) => {
  if (millis < 1_000) return `${Math.round(millis)} ms`
  if (millis < 10_000) return `${(millis / 1_000).toFixed(1)} s`
  if (millis < 120_000) return `${Math.round(millis / 1_000)} s`
  if (millis < 7_200_000) return `${Math.round(millis / 60_000)} min`
  if (millis < 172_800_000) return `${Math.round(millis / 3_600_000)} h`
  return `${Math.round(millis / 86_400_000)} d`
}

/** An age in whole steps, so that it does not flicker. */
export const age = (millis) =>
  millis < 1_000 ? "< 1 s" : millis < 120_000 ? `${Math.floor(millis / 1_000)} s` : duration(millis)

export const bytes = (value) => {
  if (value < 1_024) return `${value} B`
  const units = ["KiB", "MiB", "GiB", "TiB"]
  const power = Math.min(Math.floor(Math.log2(value) / 10), units.length)
  const amount = value / 1_024 ** power
  return `${amount.toFixed(amount < 10 ? 1 : 0)} ${units[power - 1]}`
}

/** `gross_income` as a title: `Gross income`. */
export const title = (name) => {
  const words = name.replaceAll("_", " ")
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** A column's type as people call it. */
export const typeShown = (type) =>
  type
    .replace("timestamp with time zone", "timestamptz")
    .replace("timestamp without time zone", "timestamp")
    .replace("character varying", "varchar")
    .replace("double precision", "double")
