/** Says above a dashboard which of its jobs have failed, or have not made their tables yet: how each is started, and starts it. */
import { call } from "./connection.js"
import { element } from "./dom.js"
import * as Jobs from "./jobs.js"

/** Tables of which the names are said: more are counted. */
const namesShown = 4

/** By job, the tables that tiles wait for, from `{job, tables}` of each; none of a job that has made all. */
export const byJob = (awaits) => {
  const jobs = new Map()
  for (const { job, tables } of awaits) jobs.set(job, new Set([...(jobs.get(job) ?? []), ...tables]))
  return [...jobs].map(([job, tables]) => ({ job, tables: [...tables].sort() }))
}

const listed = (names) => {
  const more = names.length - namesShown
  return more > 1 ? `${names.slice(0, namesShown).join(", ")} and ${more} more` : names.join(", ")
}

/** `{root, set(awaits)}`; what says the same is left as it is, and keeps the focus. `attempt` says what is refused. */
export const make = (attempt) => {
  const root = element("div", { class: "notice", "data-kind": "answer", role: "status" })
  root.hidden = true
  let seen = "[]"
  const startOf = (job) => {
    const button = element("button", { type: "button" }, `Start ${job}`)
    button.addEventListener("click", () =>
      attempt(() => call(`/api/jobs/${encodeURIComponent(job)}/start`, { method: "POST", body: {} }))
    )
    return button
  }
  const lineOf = ({ job, reason, state, tables }) => {
    const link = element("a", { href: `#/jobs/${encodeURIComponent(job)}` }, job)
    const what = tables.length === 1 ? `Table ${tables[0]} is` : `Tables ${listed(tables)} are`
    const made = tables.length === 1 ? "makes it" : "makes them"
    const why = reason === null ? null : element("small", {}, `${reason.message}. ${reason.hint}`)
    if (tables.length === 0) return element("p", {}, "Job ", link, " has failed: nothing new comes from it. ", why)
    if (state !== null && Jobs.isRunning(state))
      return element("p", {}, `${what} not there yet: job `, link, ` is ${state}, and ${made}. `, why)
    const command = element("code", {}, `weir run ${job}`)
    return element("p", {}, `${what} not there yet. Job `, link, ` ${made}: `, command, startOf(job), why)
  }
  return {
    root,
    set: (awaits) => {
      const lines = byJob(awaits)
        .map((of) => {
          const status = Jobs.statusOf(of.job)
          return { ...of, state: status?.state ?? null, reason: status?.reason ?? null }
        })
        .filter(({ state, tables }) => tables.length > 0 || state === "failed")
      const text = JSON.stringify(lines)
      if (text === seen) return
      seen = text
      root.hidden = lines.length === 0
      root.replaceChildren(...lines.map(lineOf))
    }
  }
}
