/** The tables that a job writes: their newest rows, and the first figure of its first table over time. */
import { call } from "./connection.js"
import { element, table } from "./dom.js"

const rowsShown = 12
const windowsShown = 40
/** A query waits this many times as long as the last one took, so that looking costs little. */
const restFactor = 10

const query = (sql) => call("/api/query", { method: "POST", body: { sql } })
/** Names go into SQL as they are, so only those that need no quotes. */
const isPlain = (name) => /^[a-z_][a-z0-9_]*$/.test(name)
const isInstant = (column) => /^(timestamp|datetime)/.test(column.type)
const isNumber = (column) => /^(numeric|decimal|double|real|float|bigint|int|integer|smallint)\b/.test(column.type)

/** The tables among the job's sinks, with their columns: such a sink is called as its table. */
export const ofJob = async (nodes) => {
  const names = (await call("/api/tables")).filter(isPlain)
  const written = nodes.filter((node) => node.sink !== null && names.includes(node.id))
  return Promise.all(
    written.map(async ({ id, sink }) => ({ ...(await call(`/api/tables/${id}`)), replaces: sink.replaces }))
  )
}

/** The newest rows, by the last instant of the row. */
export const newest = ({ table: name, columns }) => {
  const order = columns.filter((column) => isInstant(column) && isPlain(column.name)).at(-1)
  return query(`select * from ${name}${order === undefined ? "" : ` order by ${order.name} desc`} limit ${rowsShown}`)
}

/** What of a table can be drawn over time: its first number that is no part of its key, by `window_start`. */
export const measure = (tables) => {
  for (const { table: name, columns, primaryKey, replaces } of tables) {
    const numbers = columns.filter(
      (column) => isNumber(column) && isPlain(column.name) && !primaryKey.includes(column.name)
    )
    const value = numbers.find((column) => /^(numeric|decimal)/.test(column.type)) ?? numbers[0]
    const hasWindow = columns.some((column) => column.name === "window_start" && isInstant(column))
    if (replaces && hasWindow && value !== undefined) return { name, column: value.name }
  }
  return null
}

/** Its sums over the newest windows, in the order of time. */
export const overTime = async ({ name, column }) => {
  const { rows } = await query(
    `select window_start, sum(${column}) from ${name} group by window_start order by window_start desc limit ${windowsShown}`
  )
  return rows
    .map(([at, value]) => ({
      at: Date.parse(at.replace(" ", "T").replace(/([+-]\d\d)$/, "$1:00")),
      value: Number(value)
    }))
    .filter((point) => Number.isFinite(point.at) && Number.isFinite(point.value))
    .reverse()
}

/** Columns that say where a row came from, not what it is, are left out. */
export const draw = ({ columns, rows }, { columns: described, table: name }) => {
  const shown = columns
    .map((column, i) => ({ i, name: column, known: described.find((of) => of.name === column) }))
    .filter((column) => !column.name.startsWith("weir_"))
  const cell = (value, known) =>
    value === null
      ? element("span", { class: "empty" }, "null")
      : known !== undefined && isInstant(known)
        ? instant(value)
        : value
  return table(
    shown.map((column) => ({ name: column.name, number: column.known !== undefined && isNumber(column.known) })),
    rows.map((row) => shown.map(({ i, known }) => cell(row[i], known))),
    `Newest rows of ${name}`
  )
}

/** `2026-11-21 06:59:00`: UTC as the database said it, without what is zero anyway. */
const instant = (text) =>
  text
    .replace("T", " ")
    .replace(/(\.0+)?(Z|\+00(:00)?)?$/, "")
    .replace(/(\.\d*?)0+$/, "$1")

/** Runs a task at most once a second, one at a time, and more rarely if it takes long. A skipped call is made up for. */
export const seldom = (task) => {
  let running = false
  let wanted = false
  const run = async () => {
    if (running) {
      wanted = true
      return
    }
    running = true
    wanted = false
    const began = performance.now()
    try {
      await task()
    } finally {
      setTimeout(
        () => {
          running = false
          if (wanted) run()
        },
        Math.max(1_000, restFactor * (performance.now() - began))
      )
    }
  }
  return run
}
