/** The tables that a job writes, and their newest rows. */
import { instantShown } from "./columns.js"
import { call } from "./connection.js"
import { element, table } from "./dom.js"

const rowsShown = 12
const windowsShown = 60
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

/** What of the tables is drawn over time: an amount that is no part of a key, by the window of its row; or `null`. */
export const measureOf = (tables) => {
  for (const { table: name, columns, primaryKey, replaces } of tables) {
    const amounts = columns.filter((of) => isNumber(of) && isPlain(of.name) && !primaryKey.includes(of.name))
    const amount = amounts.find((of) => /^(numeric|decimal)/.test(of.type)) ?? amounts[0]
    const hasWindow = columns.some((of) => of.name === "window_start" && isInstant(of))
    if (replaces && hasWindow && amount !== undefined) return { table: name, amount: amount.name }
  }
  return null
}

/** Its sums over all keys, for the newest windows in the order of time. */
export const overTime = ({ amount, table: name }) =>
  query(
    `select window_start, ${amount} from (select window_start, sum(${amount}) as ${amount} from ${name} group by window_start order by window_start desc limit ${windowsShown}) as newest order by window_start`
  )

/** Columns that say where a row came from, not what it is, are left out. */
export const draw = ({ columns, rows }, { columns: described, table: name }) => {
  const shown = columns
    .map((column, i) => ({ i, name: column, known: described.find((of) => of.name === column) }))
    .filter((column) => !column.name.startsWith("weir_"))
  const cell = (value, known) =>
    value === null
      ? element("span", { class: "empty" }, "null")
      : known !== undefined && isInstant(known)
        ? instantShown(value)
        : value
  return table(
    shown.map((column) => ({ name: column.name, number: column.known !== undefined && isNumber(column.known) })),
    rows.map((row) => shown.map(({ i, known }) => cell(row[i], known))),
    `Newest rows of ${name}`
  )
}

/**
 * Runs a task at most once a second, one at a time, and more rarely if it takes long, but every `millisMax` if that is
 * wanted and possible. A skipped call is made up for.
 */
export const seldom = (task, millisMax = Number.POSITIVE_INFINITY) => {
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
      const took = performance.now() - began
      setTimeout(
        () => {
          running = false
          if (wanted) run()
        },
        Math.max(1_000, Math.min(restFactor * took, millisMax - took))
      )
    }
  }
  return run
}
