/** The SQL view: a text that is coloured and completed, its answer as a table or a chart, and saved as a tile. */
import * as Catalog from "./catalog.js"
import * as ChartBar from "./chart-bar.js"
import { suggest } from "./columns.js"
import * as Completion from "./completion.js"
import { call } from "./connection.js"
import { saveAsTile } from "./dashboard-files.js"
import { byId, element, setAttribute, setText } from "./dom.js"
import { count, duration } from "./format.js"
import * as ResultTable from "./result-table.js"
import { wordsOf } from "./sql-words.js"
import * as TileContent from "./tile-content.js"

const draftName = "weir sql"
const area = byId("sql-text")
/** The last answer, what was asked, and how it is drawn. */
const state = { answer: null, sql: "", chart: null, content: null, running: 0 }

export const open = () => Catalog.refresh({ insert, look })
export const close = () => {}
export const refresh = open

const look = (sql) => {
  area.value = sql
  changed()
  run()
}

const insert = (text) => {
  area.focus()
  const before = area.value.slice(0, area.selectionStart)
  Completion.insertText(area, before === "" || /[\s(,.]$/.test(before) ? text : ` ${text}`)
  changed()
}

/** The same text in colours, under the one that is typed. */
const changed = () => {
  sessionStorage.setItem(draftName, area.value)
  byId("sql-colours").replaceChildren(
    ...wordsOf(area.value).map(({ kind, text }) =>
      ["keyword", "text", "number", "comment"].includes(kind) ? element("span", { class: kind }, text) : text
    ),
    "\n"
  )
  follow()
}
const follow = () => {
  byId("sql-colours").scrollTop = area.scrollTop
  byId("sql-colours").scrollLeft = area.scrollLeft
}

const run = async () => {
  const { selectionEnd, selectionStart, value } = area
  const sql = (selectionStart === selectionEnd ? value : value.slice(selectionStart, selectionEnd)).trim()
  if (sql === "") return
  const turn = ++state.running
  setText(byId("sql-status"), "Running…")
  setAttribute(byId("sql-run"), "aria-disabled", "true")
  byId("sql-error").hidden = true
  const began = performance.now()
  try {
    const answer = await call("/api/query", { method: "POST", body: { sql } })
    if (turn !== state.running) return
    const sameColumns = JSON.stringify(state.answer?.columns) === JSON.stringify(answer.columns)
    Object.assign(state, { answer, sql, chart: sameColumns ? state.chart : { ...suggest(answer), type: "table" } })
    setText(byId("sql-status"), saidOf(answer, performance.now() - began))
    draw()
  } catch (error) {
    if (turn !== state.running) return
    state.answer = null
    setText(byId("sql-status"), "")
    byId("sql-error").hidden = false
    byId("sql-error").replaceChildren(error.message, element("small", {}, error.hint ?? ""))
    byId("sql-chart-bar").hidden = true
    state.content?.dispose()
    byId("sql-result").replaceChildren()
  } finally {
    if (turn === state.running) byId("sql-run").removeAttribute("aria-disabled")
  }
  byId("sql-save").disabled = state.answer === null
}

const saidOf = ({ rows, truncated }, millis) =>
  `${truncated ? "The first " : ""}${count(rows.length)} ${rows.length === 1 ? "row" : "rows"} in ${duration(millis)}`

const draw = () => {
  const { answer, chart, sql } = state
  byId("sql-chart-bar").hidden = false
  ChartBar.draw(byId("sql-chart-bar"), answer, chart, (changedChart) => {
    state.chart = changedChart
    draw()
  })
  state.content?.dispose()
  state.content = null
  if (chart.type === "table") return byId("sql-result").replaceChildren(ResultTable.make(answer, "Result of the query"))
  state.content = TileContent.make("Result of the query")
  const frame = element("div", { class: "result-chart" }, state.content.root)
  byId("sql-result").replaceChildren(frame)
  state.content.set({ answer, chart, title: "Result of the query", sql })
}

byId("sql-run").addEventListener("click", () => byId("sql-run").getAttribute("aria-disabled") === "true" || run())
byId("sql-save").addEventListener("click", async () => {
  const { chart, sql } = state
  try {
    const saved = await saveAsTile({ sql, chart })
    if (saved !== null)
      byId("sql-status").replaceChildren("Saved to ", element("a", { href: `#/dashboards/${saved.name}` }, saved.title))
  } catch (error) {
    byId("sql-error").hidden = false
    byId("sql-error").replaceChildren(error.message, element("small", {}, error.hint ?? ""))
  }
})
area.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return
  event.preventDefault()
  completion.close()
  run()
})
area.addEventListener("scroll", follow)
area.addEventListener("input", changed)
const completion = Completion.attach(area, { source: Catalog.known, changed })
byId("catalog").open = innerWidth > 860
area.value = sessionStorage.getItem(draftName) ?? ""
changed()

/** Puts a query here, to be changed and run. */
export const edit = (sql) => {
  area.value = sql
  changed()
  location.hash = "#/sql"
}
