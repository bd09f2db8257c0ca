/** The page: which view the address asks for, and what happens in the daemon, told to the view that is open. */
import { call, listen, rememberToken } from "./connection.js"
import * as Dashboards from "./dashboards.js"
import { byId, setAttribute, setText } from "./dom.js"
import * as Job from "./job.js"
import * as Jobs from "./jobs.js"
import * as Sql from "./sql.js"
import { seldom } from "./tables.js"
import * as Topics from "./topics.js"

const none = () => {}
const views = {
  jobs: { open: () => jobsSoon(), close: none, refresh: () => jobsSoon(), title: () => "Jobs" },
  job: { ...Job, title: (name) => name },
  sql: { ...Sql, title: () => "SQL" },
  dashboards: { ...Dashboards, title: (name) => name ?? "Dashboards" },
  topics: { ...Topics, title: (name) => name ?? "Topics" }
}
/** The view that is open, and what of it. */
let current = { view: null, of: null }
let isLocked = false

/** `#/jobs/orders` → the view `job` of `orders`. */
const asked = () => {
  const [, view = "", of = ""] = location.hash.split("/")
  const name = of === "" ? null : decodedOr(of)
  if (view === "jobs" && name !== null) return { view: "job", of: name }
  return { view: view in views && view !== "job" ? view : "jobs", of: name }
}

const decodedOr = (text) => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

const show = () => {
  if (isLocked) return
  const wanted = asked()
  if (current.view === wanted.view && current.of === wanted.of) return
  const before = current
  if (before.view !== null) views[before.view].close()
  current = wanted
  for (const name of Object.keys(views)) byId(`view-${name}`).hidden = name !== wanted.view
  for (const link of byId("views").children) {
    const isHere = link.dataset.view === (wanted.view === "job" ? "jobs" : wanted.view)
    setAttribute(link, "aria-current", isHere ? "page" : null)
  }
  document.title = `${views[wanted.view].title(wanted.of)} · Weir`
  if (before.view !== null) {
    scrollTo(0, 0)
    setText(byId("announcement"), views[wanted.view].title(wanted.of))
  }
  Promise.resolve(views[wanted.view].open(wanted.of)).catch(none)
}

/** Who comes without a wish sees the only job that has begun, else all. */
const begin = () => {
  const only = location.hash === "" ? Jobs.only() : null
  if (only !== null) history.replaceState(null, "", `#/jobs/${encodeURIComponent(only)}`)
  show()
}

const tell = (name, ...what) => current.view !== null && !isLocked && views[current.view][name]?.(...what)

const refreshJobs = async () => Jobs.show(await call("/api/jobs"))
const jobsSoon = seldom(() => (document.hidden || isLocked ? null : refreshJobs().catch(none)))

const onProgress = (progress) => {
  Jobs.noteProgress(progress)
  if (current.view === "jobs") jobsSoon()
  tell("onProgress", progress)
}

const onState = (status) => {
  const before = Jobs.stateOf(status.job)
  Jobs.update(status)
  if (before !== null && before !== status.state) setText(byId("announcement"), `${status.job} is ${status.state}`)
  tell("onState", status)
}

const sayConnection = (text, live) => {
  setText(byId("connection"), text)
  setAttribute(byId("connection"), "data-live", live)
  document.body.toggleAttribute("data-gone", live === "no")
}

const askToken = () =>
  new Promise((given) => {
    const form = byId("token")
    isLocked = true
    form.hidden = false
    byId("views").hidden = true
    // A link carries no token: what it would open is an error.
    byId("metrics-link").hidden = true
    if (current.view !== null) views[current.view].close()
    for (const name of Object.keys(views)) byId(`view-${name}`).hidden = true
    current = { view: null, of: null }
    sayConnection("Locked", null)
    byId("token-text").focus()
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault()
        rememberToken(byId("token-text").value)
        byId("token-text").value = ""
        form.hidden = true
        byId("views").hidden = false
        isLocked = false
        given()
      },
      { once: true }
    )
  })

addEventListener("hashchange", show)
let drawnWidth = innerWidth
addEventListener("resize", () => {
  if (innerWidth === drawnWidth) return
  drawnWidth = innerWidth
  tell("onResize")
})
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return
  jobsSoon()
  tell("refresh")
})
setInterval(() => {
  if (document.hidden || isLocked) return
  if (current.view === "jobs") Jobs.tick()
  tell("onTick")
}, 1_000)
setInterval(jobsSoon, 5_000)

listen({
  open: () => {
    sayConnection("Live", "yes")
    refreshJobs()
      .catch(none)
      .then(() => (current.view === null ? begin() : tell("refresh")))
  },
  event: (name, content) => (name === "progress" ? onProgress(content) : onState(content)),
  closed: async (error) => {
    if (error?.status === 401) return askToken()
    sayConnection("The daemon does not answer: trying again", "no")
    if (current.view === null) show()
  }
})
