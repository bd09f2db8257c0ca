/** What the columns of an answer hold, seen from their texts, and how a chart may use them. Pure. */

const numberText = /^-?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i
const instantText = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?$/
/** Rows that are looked at: a column that is a number so far may be text later, and is then drawn as far as it is one. */
const looked = 500

/** `{name, kind}` for each column: `number`, `time`, or `text` (also what holds nothing). */
export const kindsOf = ({ columns, rows }) =>
  columns.map((name, i) => {
    const values = rows
      .slice(0, looked)
      .map((row) => row[i])
      .filter((value) => value !== null)
    const all = (pattern) => values.length > 0 && values.every((value) => pattern.test(value))
    return { name, kind: all(instantText) ? "time" : all(numberText) ? "number" : "text" }
  })

/** Milliseconds of an instant as a database writes it; without a zone it is UTC. */
export const millisOf = (text) => {
  const [, date, time, zone] = /^(\S{10})(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))? ?(\S*)$/.exec(text) ?? []
  if (date === undefined) return Number.NaN
  const at = (zone || "Z").replace(/^([+-]\d\d)(\d\d)?$/, (_, hours, minutes) => `${hours}:${minutes ?? "00"}`)
  return Date.parse(`${date}T${time ?? "00:00"}${at}`)
}

/** Names that are numbers only by the look of it: they say which, not how much. */
const isName = (name) => /(^|_)(id|key|code|year|month|day|hour|rank)$|id$/i.test(name)

/** The chart that suits an answer: a time column runs along, texts are categories, numbers are series. */
export const suggest = (answer, type = null) => {
  const kinds = kindsOf(answer)
  const named = (kind) => kinds.filter((column) => column.kind === kind).map((column) => column.name)
  const [times, texts, numbers] = [named("time"), named("text"), named("number")]
  const amounts = numbers.filter((name) => !isName(name))
  const values = amounts.length > 0 ? amounts : numbers
  const names = [...texts, ...numbers.filter((name) => !values.includes(name))]
  const chosen = type ?? suggestType({ answer, times, values, texts })
  // Categories that come again at other times are series over time.
  const isOverTime = times.length > 0 && texts.length > 0 && hasRepeats(answer, texts[0])
  const along =
    {
      line: times[0] ?? names[0],
      heatmap: times[0] ?? names[0],
      bar: isOverTime ? times[0] : (texts[0] ?? times[0] ?? names[0])
    }[chosen] ?? names[0]
  const x = along ?? times[0] ?? null
  const repeats = x !== null && hasRepeats(answer, x)
  const isSplit = (chosen === "line" || chosen === "bar") && repeats
  return {
    type: chosen,
    x: chosen === "number" || chosen === "table" ? null : x,
    values:
      chosen === "table" ? [] : isSplit || !["line", "bar"].includes(chosen) ? values.slice(0, 1) : values.slice(0, 4),
    by: isSplit || chosen === "treemap" || chosen === "heatmap" ? (names.find((name) => name !== x) ?? null) : null,
    stacked: chosen === "bar" && isSplit
  }
}

const suggestType = ({ answer, times, values, texts }) => {
  if (values.length === 0) return "table"
  if (answer.rows.length === 1) return "number"
  if (times.length > 0) return "line"
  return texts.length > 0 ? "bar" : "table"
}

const hasRepeats = ({ columns, rows }, name) => {
  const at = columns.indexOf(name)
  return new Set(rows.map((row) => row[at])).size < rows.length
}

/** A chart with columns that the answer has: what is missing is left out. */
export const fitted = (chart, { columns }) => ({
  ...chart,
  x: columns.includes(chart.x) ? chart.x : null,
  by: columns.includes(chart.by) ? chart.by : null,
  values: chart.values.filter((name) => columns.includes(name))
})

/** Compares two texts of a column in its kind; what is null comes last. */
export const comparing = (kind) => (one, other) => {
  if (one === null || other === null) return one === other ? 0 : one === null ? 1 : -1
  if (kind === "number") return Number(one) - Number(other)
  if (kind === "time") return millisOf(one) - millisOf(other)
  return one.localeCompare(other, "en", { numeric: true })
}

/** `2026-11-21 06:59:00`: UTC as the database said it, without what is zero anyway. */
export const instantShown = (text) =>
  text
    .replace("T", " ")
    .replace(/(\.0+)?(Z|\+00(:00)?)?$/, "")
    .replace(/(\.\d*?)0+$/, "$1")

/** The same of several that stand beside each other, without what is zero in all: `2026-11-21`, `2026-11-21 06:59`. */
export const instantsShown = (texts) => {
  const shown = texts.map(instantShown)
  const zero = [" 00:00:00", ":00"].find((end) => shown.every((text) => text.endsWith(end))) ?? ""
  return shown.map((text) => text.slice(0, text.length - zero.length))
}
