/**
 * What a tile shows: the answer of its query, or the rows that a job wrote to one of its sinks in each minute. And which
 * of a query's tables are not there yet. Pure but for `answerOf`.
 */
import { call } from "./connection.js"
import { tablesOf } from "./sql-words.js"

/** Reports of epochs that the daemon keeps of a job. */
const reportsKept = 200
const minuteMillis = 60_000
const minutesShown = 60

export const answerOf = async (tile) => {
  if (tile.sql !== undefined) return call("/api/query", { method: "POST", body: { sql: tile.sql } })
  const reports = await call(`/api/jobs/${encodeURIComponent(tile.job)}/progress?last=${reportsKept}`)
  return arrivalsOf(reports, tile.arrivals)
}

/**
 * Rows by minute, as an answer with columns `minute` and `rows`. A row's own columns say when it happened, not when it
 * came: that is when its epoch was cut. Minutes in which no epoch was brought no row; of the first one that is known,
 * reports may already be gone.
 */
export const arrivalsOf = (reports, sink) => {
  const minutes = new Map()
  for (const { cutAt, sinks } of reports) {
    const minute = Math.floor(cutAt / minuteMillis)
    const rows = sinks.reduce((sum, of) => (of.sink === sink ? sum + of.rows : sum), 0)
    minutes.set(minute, (minutes.get(minute) ?? 0) + rows)
  }
  const last = Math.max(...minutes.keys())
  const first = Math.min(...minutes.keys()) + (reports.length < reportsKept || minutes.size === 1 ? 0 : 1)
  const from = Math.max(first, last - minutesShown + 1)
  const rows = Array.from({ length: minutes.size === 0 ? 0 : last - from + 1 }, (_, i) => [
    new Date((from + i) * minuteMillis).toISOString(),
    String(minutes.get(from + i) ?? 0)
  ])
  return { columns: ["minute", "rows"], rows, truncated: false }
}

/** Tables that a tile reads and that are not among `known`; what a `with` names is no table. */
export const missingOf = ({ arrivals, sql }, known) => {
  if (sql === undefined) return known.includes(arrivals) ? [] : [arrivals]
  const named = [...sql.matchAll(/\b(\w+)\s*(?:\([^()]*\)\s*)?as\s+(?:(?:not\s+)?materialized\s+)?\(\s*select\b/gi)]
  const own = named.map(([, name]) => name.toLowerCase())
  const all = [...new Set(tablesOf(sql).map(({ table }) => table))]
  return all.filter((table) => !own.includes(table.toLowerCase()) && !known.includes(table))
}
