/** The page: which job is chosen, what is known of it, and when it is drawn again. */
import * as Chart from "./chart.js"
import { call, listen, rememberToken } from "./connection.js"
import * as DeadLetters from "./dead-letters.js"
import { byId, element, setAttribute, setText, table } from "./dom.js"
import * as Epochs from "./epochs.js"
import { age, title } from "./format.js"
import * as Jobs from "./jobs.js"
import { draw as drawRows, measure, newest, ofJob, overTime, seldom } from "./tables.js"
import * as Topology from "./topology.js"

const epochsKept = 200
/** All that is known of the chosen job. */
const chosen = { name: null, detail: null, epochs: [], tables: null, table: null }

const chosenByAddress = () => decodeURIComponent(location.hash.slice(1))
const pathOf = (name, rest = "") => `/api/jobs/${encodeURIComponent(name)}${rest}`
const widthOf = (id) => Math.max(280, Math.floor(byId(id).getBoundingClientRect().width))
const isChosen = (name) => chosen.name === name

const choose = async (name) => {
  if (name === null || isChosen(name)) return
  Object.assign(chosen, { name, detail: null, epochs: [], tables: null, table: null })
  Jobs.markChosen(name)
  byId("job").hidden = false
  byId("chart-section").hidden = true
  byId("rows-section").hidden = true
  setText(byId("job-title"), name)
  for (const id of ["epochs", "topology", "nodes", "settings", "recent", "chart", "rows", "letters"])
    byId(id).replaceChildren()
  await refreshChosen()
}

const refreshChosen = async () => {
  const name = chosen.name
  const epochs = await call(pathOf(name, `/progress?last=${epochsKept}`))
  if (!isChosen(name)) return
  chosen.epochs = epochs
  drawEpochs()
  await refreshDetail()
  if (!isChosen(name)) return
  chosen.tables = await ofJob(chosen.detail.topology.nodes).catch(() => [])
  if (!isChosen(name)) return
  chosen.table ??= chosen.tables[0] ?? null
  await Promise.allSettled([refreshTables(), refreshLetters()])
}

const refreshDetail = async () => {
  const name = chosen.name
  const detail = await call(pathOf(name))
  if (!isChosen(name)) return
  chosen.detail = detail
  Jobs.update(detail)
  drawHead(detail)
  drawTopology()
}

const drawHead = (status) => {
  const { state, reason } = status
  byId("job-figures").replaceChildren(
    ...Jobs.leftOut(status).map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value))
    )
  )
  setText(byId("job-state"), state)
  setAttribute(byId("job-state"), "data-state", state)
  const action = byId("job-action")
  setText(action, Jobs.isRunning(state) ? "Stop" : "Start")
  setAttribute(action, "aria-disabled", String(state === "stopping"))
  const notice = byId("job-reason")
  notice.hidden = reason === null
  if (reason !== null && notice.textContent !== reason.message + reason.hint) {
    notice.replaceChildren(reason.message, element("small", {}, reason.hint))
  }
}

const drawTopology = () => {
  const { detail } = chosen
  if (detail === null) return
  const now = Jobs.isRunning(detail.state) ? Date.now() : null
  byId("topology").replaceChildren(
    Topology.draw(detail.topology, { width: widthOf("topology") - 4, lag: detail.lag, now })
  )
  byId("nodes").replaceChildren(Topology.figures(detail.topology.nodes))
  byId("settings").replaceChildren(
    table(
      [
        { name: "Name" },
        { name: "Value" },
        { name: "Default" },
        { name: "Type" },
        { name: "Meaning", className: "prose" }
      ],
      detail.settings.map((of) => [of.name, of.value, of.fallback, of.type, of.meaning]),
      "Settings in force"
    )
  )
}

const drawEpochs = () => {
  byId("epochs").replaceChildren(...Epochs.strip(chosen.epochs, widthOf("epochs")))
  byId("recent").replaceChildren(Epochs.recent(chosen.epochs))
}

const refreshTables = async () => {
  const { name, table: shown, tables } = chosen
  if (tables === null || shown === null) return
  const drawn = measure(tables)
  const [rows, points] = await Promise.all([newest(shown), drawn === null ? [] : overTime(drawn)])
  if (!isChosen(name) || chosen.table !== shown) return
  byId("rows-section").hidden = false
  setText(byId("rows-title"), `Newest rows of ${shown.table}`)
  byId("rows").replaceChildren(drawRows(rows, shown))
  drawChoice()
  if (points.length === 0) return
  const label = `${title(drawn.column)} per window`
  const opened = byId("chart-section").hidden
  byId("chart-section").hidden = false
  byId("chart-title").replaceChildren(
    perWindow(drawn.column, points),
    element("small", {}, ` · sum over ${drawn.name}`)
  )
  byId("chart").replaceChildren(Chart.draw(points, { width: widthOf("chart"), label }))
  if (opened) drawEpochs()
}

/** `Gross income per minute`, if the windows are minutes. */
const perWindow = (column, points) => {
  const steps = points.slice(1).map((point, i) => point.at - points[i].at)
  const step = Math.min(...steps)
  const names = { 1000: "second", 60000: "minute", 3600000: "hour", 86400000: "day" }
  return `${title(column)} per ${names[step] ?? (Number.isFinite(step) ? age(step) : "window")}`
}

const drawChoice = () => {
  const choice = byId("table-choice")
  if (chosen.tables.length < 2) return choice.replaceChildren()
  if (choice.dataset.of === chosen.name && choice.childElementCount === chosen.tables.length) {
    for (const button of choice.children)
      setAttribute(button, "aria-pressed", String(button.textContent === chosen.table.table))
    return
  }
  choice.dataset.of = chosen.name
  choice.replaceChildren(
    ...chosen.tables.map((of) => {
      const button = element("button", { type: "button", "aria-pressed": String(of === chosen.table) }, of.table)
      button.addEventListener("click", () => {
        chosen.table = of
        drawChoice()
        refreshTables().catch(() => {})
      })
      return button
    })
  )
}

const refreshLetters = async () => {
  const name = chosen.name
  const letters = await call(pathOf(name, "/dead-letters?last=20"))
  if (isChosen(name)) byId("letters").replaceChildren(DeadLetters.draw(letters))
}

const refreshJobs = async () => {
  Jobs.show(await call("/api/jobs"))
  const wanted = chosenByAddress()
  await choose(Jobs.has(wanted) ? wanted : Jobs.first())
}

// What fails here fails because the daemon is gone: the stream of events says so, and all is read anew afterwards.
const quietly = (task) => seldom(() => (document.hidden ? undefined : task().catch(() => {})))
const jobsSoon = quietly(refreshJobs)
const detailSoon = quietly(async () => chosen.name !== null && refreshDetail())
const tablesSoon = quietly(refreshTables)
const lettersSoon = quietly(refreshLetters)
const epochsSoon = quietly(async () => drawEpochs())

const onProgress = (progress) => {
  Jobs.noteProgress(progress)
  jobsSoon()
  if (!isChosen(progress.job)) return
  chosen.epochs = [...chosen.epochs.filter((of) => of.triggeredAt !== progress.triggeredAt), progress].slice(
    -epochsKept
  )
  epochsSoon()
  detailSoon()
  if (progress.inputRows > 0 || progress.final) tablesSoon()
  if (progress.deadLetters > 0) lettersSoon()
}

const onState = (status) => {
  const before = Jobs.stateOf(status.job)
  Jobs.update(status)
  if (before !== null && before !== status.state) setText(byId("announcement"), `${status.job} is ${status.state}`)
  if (isChosen(status.job)) {
    drawHead(status)
    detailSoon()
  }
}

const sayConnection = (text, live) => {
  setText(byId("connection"), text)
  setAttribute(byId("connection"), "data-live", live)
  document.body.toggleAttribute("data-gone", live === "no")
}

const askToken = () =>
  new Promise((given) => {
    const form = byId("token")
    form.hidden = false
    byId("jobs").hidden = true
    // A link carries no token: what it would open is an error.
    byId("metrics-link").hidden = true
    sayConnection("Locked", null)
    byId("token-text").focus()
    form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault()
        rememberToken(byId("token-text").value)
        byId("token-text").value = ""
        form.hidden = true
        byId("jobs").hidden = false
        given()
      },
      { once: true }
    )
  })

// `aria-disabled`, since a button that is disabled loses the focus.
byId("job-action").addEventListener("click", async ({ currentTarget: action }) => {
  if (action.getAttribute("aria-disabled") === "true" || chosen.detail === null) return
  const verb = action.textContent === "Stop" ? "stop" : "start"
  setAttribute(action, "aria-disabled", "true")
  try {
    onState(await call(pathOf(chosen.name, `/${verb}`), { method: "POST" }))
  } catch (error) {
    drawHead({ ...chosen.detail, reason: { message: error.message, hint: error.hint ?? "" } })
  }
})
addEventListener("hashchange", () => {
  const wanted = chosenByAddress()
  if (Jobs.has(wanted)) choose(wanted).catch(() => {})
})
let drawnWidth = innerWidth
addEventListener("resize", () => {
  if (innerWidth === drawnWidth || chosen.name === null) return
  drawnWidth = innerWidth
  drawEpochs()
  drawTopology()
  tablesSoon()
})
document.addEventListener("visibilitychange", () => {
  if (document.hidden || chosen.name === null) return
  jobsSoon()
  refreshChosen().catch(() => {})
})
setInterval(Jobs.tick, 1_000)
setInterval(jobsSoon, 5_000)

listen({
  open: () => {
    sayConnection("Live", "yes")
    refreshJobs()
      .then(() => refreshChosen())
      .catch(() => {})
  },
  event: (name, content) => (name === "progress" ? onProgress(content) : onState(content)),
  closed: async (error) => {
    if (error?.status === 401) return askToken()
    sayConnection("The daemon does not answer: trying again", "no")
  }
})
