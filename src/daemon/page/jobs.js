/** The table of jobs: a row each, changed in place, so that focus and selection stay. */
import { byId, element, setAttribute, setText } from "./dom.js"
import { age, compact, count, rate } from "./format.js"

/** By name: its status, its cells, when the status came. */
const jobs = new Map()
const rates = new Map()
const columns = ["state", "epoch", "checkpoint", "rate", "rowsIn", "rowsOut", "lag", "restarts", "late", "deadLetters"]
const wide = new Set(["epoch", "checkpoint", "rowsIn", "rowsOut", "restarts", "late", "deadLetters"])

export const statusOf = (name) => jobs.get(name)?.status ?? null
export const stateOf = (name) => jobs.get(name)?.status.state ?? null
/** The name of the only job that has ever begun, or that there is; `null`: there are others, or none. */
export const only = () => {
  const all = [...jobs.values()].map(({ status }) => status)
  const begun = all.filter(({ epoch, state }) => epoch > 0 || state !== "stopped")
  const [first, ...others] = begun.length > 0 ? begun : all
  return first !== undefined && others.length === 0 ? first.job : null
}
export const isRunning = (state) => !["stopped", "finished", "failed"].includes(state)
/** `3 running, 1 failed, 2 stopped`. */
const summary = () => {
  const counts = new Map()
  for (const { status } of jobs.values()) counts.set(status.state, (counts.get(status.state) ?? 0) + 1)
  return [...counts].map(([state, count]) => `${count} ${state}`).join(", ") || "None yet."
}

/** All jobs as they are now. */
export const show = (statuses) => {
  for (const [name, { row }] of jobs) {
    if (statuses.some((status) => status.job === name)) continue
    row.remove()
    jobs.delete(name)
  }
  for (const status of statuses) update(status)
}

export const update = (status) => {
  const known = jobs.get(status.job) ?? added(status.job)
  known.status = status
  known.cameAt = performance.now()
  draw(known)
  setText(byId("jobs-summary"), summary())
}

export const noteProgress = (progress) => rates.set(progress.job, progress.inputRowsPerSecond)

/** The figures of one job, by name. */
export const figuresOf = (status) => [
  ["Epoch", count(status.epoch)],
  ["Checkpoint", status.checkpointAgeMillis === null ? "–" : age(status.checkpointAgeMillis)],
  ["Rows/s", isRunning(status.state) && rates.has(status.job) ? rate(rates.get(status.job)) : "–"],
  ["Rows in", compact(status.rowsIn)],
  ["Rows out", compact(status.rowsOut)],
  ["Lag", compact(status.lag)],
  ["Restarts", compact(status.restarts)],
  ["Late", compact(status.late)],
  ["Dead letters", compact(status.deadLetters)]
]

/** Ages grow while nothing comes. */
export const tick = () => {
  for (const job of jobs.values()) draw(job)
}

const added = (name) => {
  const link = element("a", { href: `#/jobs/${encodeURIComponent(name)}` }, name)
  const cells = Object.fromEntries(
    columns.map((column) => [
      column,
      element("td", { class: column === "state" ? "state" : `number${wide.has(column) ? " wide" : ""}` })
    ])
  )
  const row = element("tr", {}, element("td", {}, link), Object.values(cells))
  row.addEventListener("click", (event) => {
    if (event.target !== link) link.click()
  })
  byId("job-rows").append(row)
  const made = { cells, row, status: null, cameAt: 0 }
  jobs.set(name, made)
  return made
}

const draw = ({ status, cells, cameAt }) => {
  const running = isRunning(status.state)
  setText(cells.state, status.state)
  setAttribute(cells.state, "data-state", status.state)
  setText(cells.epoch, count(status.epoch))
  setText(
    cells.checkpoint,
    status.checkpointAgeMillis === null ? "–" : age(status.checkpointAgeMillis + performance.now() - cameAt)
  )
  setText(cells.rate, running && rates.has(status.job) ? rate(rates.get(status.job)) : "–")
  for (const column of ["rowsIn", "rowsOut", "lag", "restarts", "late", "deadLetters"]) {
    setText(cells[column], compact(status[column]))
  }
}
