/** One job's view: its controls, topology, figures over time, partitions, records set aside, newest rows. */
import { takesGet, takesPost } from "./capabilities.js"
import { call } from "./connection.js"
import * as Controls from "./controls.js"
import { ask } from "./dialog.js"
import { byId, element, empty, setAttribute, setText, table } from "./dom.js"
import * as Epochs from "./epochs.js"
import { title } from "./format.js"
import * as Jobs from "./jobs.js"
import * as Letters from "./letters.js"
import * as OverTime from "./over-time.js"
import * as Partitions from "./partitions.js"
import * as Savepoints from "./savepoints.js"
import { draw as drawRows, measureOf, newest, ofJob, overTime, seldom } from "./tables.js"
import * as TileContent from "./tile-content.js"
import * as Topology from "./topology.js"

const epochsKept = 200
const replayPath = "/api/jobs/{job}/dead-letters/replay"
const waitingPath = "/api/jobs/{job}/waiting"
const checkPath = "/api/jobs/{job}/check"
/** All that is known of the chosen job. */
const chosen = {
  name: null,
  detail: null,
  epochs: [],
  tables: null,
  table: null,
  charts: null,
  result: null,
  waiting: []
}

const pathOf = (name, rest = "") => `/api/jobs/${encodeURIComponent(name)}${rest}`
const isChosen = (name) => chosen.name === name

export const open = async (name) => {
  Object.assign(chosen, {
    name,
    detail: null,
    epochs: [],
    tables: null,
    table: null,
    waiting: [],
    charts: OverTime.make(),
    result: TileContent.make()
  })
  setText(byId("job-title"), name)
  byId("rows-section").hidden = true
  byId("result-section").hidden = true
  byId("savepoints-section").hidden = true
  byId("windows-section").hidden = true
  byId("check-details").open = false
  byId("job-answer").hidden = true
  for (const id of ["topology", "nodes", "settings", "recent", "rows", "letters", "letters-actions", "partitions"])
    byId(id).replaceChildren()
  byId("over-time").replaceChildren(...chosen.charts.roots)
  byId("result").replaceChildren(chosen.result.root)
  const status = Jobs.statusOf(name)
  if (status === null) byId("job-figures").replaceChildren()
  else drawHead(status)
  await refresh()
}

export const close = () => {
  chosen.charts?.dispose()
  chosen.result?.dispose()
  Object.assign(chosen, { name: null, charts: null, result: null })
}

export const refresh = async () => {
  const name = chosen.name
  if (name === null) return
  try {
    const epochs = await call(pathOf(name, `/progress?last=${epochsKept}`))
    if (!isChosen(name)) return
    chosen.epochs = epochs
    drawEpochs()
    await refreshDetail()
  } catch (error) {
    if (isChosen(name)) sayReason(error)
    return
  }
  if (!isChosen(name)) return
  chosen.tables = await ofJob(chosen.detail.topology.nodes).catch(() => [])
  if (!isChosen(name)) return
  chosen.table ??= chosen.tables[0] ?? null
  await Promise.allSettled([
    refreshWaiting(),
    refreshRows(),
    refreshResult(),
    refreshLetters(),
    refreshSavepoints(),
    refreshCheck()
  ])
}

const refreshDetail = async () => {
  const name = chosen.name
  if (name === null) return
  const detail = await call(pathOf(name))
  if (!isChosen(name)) return
  chosen.detail = detail
  Jobs.update(detail)
  drawHead(detail)
  drawTopology()
}

const drawHead = (status) => {
  byId("job-figures").replaceChildren(
    ...Jobs.figuresOf(status).map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, value))
    )
  )
  setText(byId("job-state"), status.state)
  setAttribute(byId("job-state"), "data-state", status.state)
  sayReason(status.reason)
  Controls.draw(byId("job-controls"), status, {
    refused: (error) => sayReason(error),
    answer: (said, sentence) => {
      sayAnswer(sentence)
      if (said !== null && isChosen(said.job)) onState(said)
      refreshSavepoints().catch(() => {})
    }
  })
}

const sayAnswer = (sentence) => {
  byId("job-answer").hidden = sentence === ""
  setText(byId("job-answer"), sentence)
}

/** `{message, hint}` of a job that failed, or of a call that was refused; `null`: all is well. */
const sayReason = (reason) => {
  const notice = byId("job-reason")
  notice.hidden = reason === null
  const text = reason === null ? "" : reason.message + (reason.hint ?? "")
  if (reason !== null && notice.textContent !== text)
    notice.replaceChildren(reason.message, element("small", {}, reason.hint ?? ""))
}

const drawTopology = () => {
  const { detail } = chosen
  if (detail === null) return
  const now = Jobs.isRunning(detail.state) ? Date.now() : null
  const width = Math.max(280, Math.floor(byId("topology").getBoundingClientRect().width)) - 4
  const root = byId("topology")
  const left = root.scrollLeft
  root.replaceChildren(Topology.draw(detail.topology, { width, lag: detail.lag, now }))
  root.scrollLeft = left
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
  const { epochs } = chosen
  chosen.charts?.set(epochs)
  byId("recent").replaceChildren(Epochs.recent(epochs))
  drawPartitions()
}

const drawPartitions = () => {
  const { epochs, waiting } = chosen
  const now = Date.now()
  setText(byId("partitions-summary"), Partitions.summary(epochs.at(-1), waiting, now))
  byId("partitions").replaceChildren(Partitions.draw(epochs.at(-1), waiting, now))
  const windows = Partitions.windows(waiting)
  byId("windows-section").hidden = windows === null
  if (windows !== null) byId("windows").replaceChildren(windows)
}

const refreshWaiting = async () => {
  const { name } = chosen
  if (name === null || !(await takesGet(waitingPath))) return
  const waiting = await call(pathOf(name, "/waiting"))
  if (!isChosen(name)) return
  chosen.waiting = waiting
  drawPartitions()
}

const refreshRows = async () => {
  const { name, table: shown, tables } = chosen
  if (tables === null || shown === null) return
  const rows = await newest(shown)
  if (!isChosen(name) || chosen.table !== shown) return
  byId("rows-section").hidden = false
  setText(byId("rows-title"), `Newest rows of ${shown.table}`)
  byId("rows").replaceChildren(drawRows(rows, shown))
  drawChoice()
}

/** What the job makes of its input, summed for each window. */
const refreshResult = async () => {
  const { name, tables } = chosen
  const measure = tables === null ? null : measureOf(tables)
  if (measure === null) return
  const { amount, table: of } = measure
  const answer = await overTime(measure)
  if (!isChosen(name)) return
  const heading = `${title(amount)} of ${of} by window`
  byId("result-section").hidden = answer.rows.length === 0
  setText(byId("result-title"), heading)
  const chart = { type: "bar", x: "window_start", values: [amount], by: null, stacked: false }
  chosen.result.set({ answer, chart, title: heading })
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
        refreshRows().catch(() => {})
      })
      return button
    })
  )
}

const refreshLetters = async () => {
  const { detail, name } = chosen
  if (detail === null) return
  const letters = await Letters.newest(pathOf(name), detail.topology)
  if (!isChosen(name)) return
  byId("letters").replaceChildren(...Letters.draw(letters, chosen.detail))
  await drawReplay(letters.dead.length > 0)
}

const drawReplay = async (hasLetters) => {
  const actions = byId("letters-actions")
  if (!hasLetters || !(await takesPost(replayPath))) return actions.replaceChildren()
  if (actions.childElementCount > 0) return
  const button = element("button", { type: "button" }, "Replay…")
  button.addEventListener("click", () => replay(button))
  actions.replaceChildren(button)
}

const replay = async (button) => {
  const { name } = chosen
  const answer = await ask({
    title: `Replay the dead letters of ${name}?`,
    text: "They go through the job again, each once. What fails again is set aside again.",
    confirm: "Replay"
  })
  if (answer === null) return
  try {
    const said = await call(pathOf(name, "/dead-letters/replay"), { method: "POST", body: {} })
    sayAnswer(replayedShown(said))
    lettersSoon()
  } catch (error) {
    // A daemon without the route: the button says too much.
    if (error.status === 404) button.remove()
    else sayReason(error)
  }
}

const replayedShown = ({ deadLetters = 0, late = 0, replayed = 0, skipped = 0 }) => {
  const others = [
    [deadLetters, "dead letters again"],
    [late, "too late now"],
    [skipped, "left aside"]
  ].filter(([count]) => count > 0)
  return `${[`${replayed} dead letters went through the job`, ...others.map(([count, what]) => `${count} ${what}`)].join(", ")}.`
}

const refreshSavepoints = async () => {
  if (chosen.detail === null) return
  await Savepoints.refresh(chosen.detail, {
    refused: (error) => sayReason(error),
    answer: (sentence) => {
      sayAnswer(sentence)
      refreshDetail()
        .then(refreshSavepoints)
        .catch(() => {})
    }
  })
}

const refreshCheck = async () => {
  const { name } = chosen
  const isThere = await takesGet(checkPath)
  byId("check-details").hidden = !isThere
  if (!isThere || !byId("check-details").open || name === null) return
  const drawn = await Savepoints.check(name).catch((error) => [empty(error.message)])
  if (isChosen(name)) byId("check").replaceChildren(...drawn)
}
byId("check-details").addEventListener("toggle", refreshCheck)

const quietly = (task) => seldom(() => (chosen.name === null || document.hidden ? null : task().catch(() => {})))
const epochsSoon = seldom(async () => chosen.name !== null && !document.hidden && drawEpochs())
const detailSoon = quietly(refreshDetail)
const waitingSoon = quietly(refreshWaiting)
const rowsSoon = quietly(refreshRows)
const resultSoon = quietly(refreshResult)
const lettersSoon = quietly(refreshLetters)

export const onProgress = (progress) => {
  if (!isChosen(progress.job)) return
  chosen.epochs = [...chosen.epochs.filter((of) => of.triggeredAt !== progress.triggeredAt), progress].slice(
    -epochsKept
  )
  epochsSoon()
  detailSoon()
  waitingSoon()
  if (progress.inputRows > 0 || progress.final) {
    rowsSoon()
    resultSoon()
  }
  if (progress.deadLetters > 0 || progress.late > 0) lettersSoon()
}

const standingSoon = quietly(async () => {
  await refreshDetail()
  await Promise.allSettled([refreshSavepoints(), refreshCheck()])
})

export const onState = (status) => {
  if (!isChosen(status.job)) return
  drawHead(status)
  standingSoon()
}

export const onResize = drawTopology
