/** One tile of a dashboard: what it asks for, kept fresh; a choice where one of several numbers is drawn; a menu. */

import * as ChartBar from "./chart-bar.js"
import { ask } from "./dialog.js"
import { element, setText } from "./dom.js"
import { title as titleOf } from "./format.js"
import * as Menu from "./menu.js"
import { answerOf, missingOf } from "./tile-answer.js"
import * as TileContent from "./tile-content.js"

/** The numbers of which a chart draws one at a time; none where it draws all. */
const alternativesOf = ({ by, type, values }) =>
  values.length > 1 &&
  (["treemap", "wordcloud", "heatmap"].includes(type) || (["line", "bar"].includes(type) && by !== null))
    ? values
    : []

/**
 * `change(tile)`, `move(step)` and `remove()` are the dashboard's. `refresh(tables)` asks again and never throws: what
 * went wrong stands in the tile, beside the last answer; a tile with tables that are not among these waits. `isOf(jobs)`:
 * may an epoch of one of these jobs have changed what it shows?
 */
export const make = (tile, { change, move, remove, edit }) => {
  const content = TileContent.make()
  const title = element("h2", { id: `tile-${tile.id}`, class: "tile-title" })
  const failure = element("p", { class: "notice", role: "status" })
  failure.hidden = true
  const bar = element("div", { class: "row bar" })
  bar.hidden = true
  const choice = element("div", { class: "segments tile-choice", role: "group", "aria-label": "Shown" })
  let current = tile
  let answer = null
  let chosen = null
  let awaited = []

  const set = (next) => {
    current = next
    setText(title, current.title)
    root.dataset.width = current.width
    root.dataset.height = current.height
    root.dataset.chart = current.chart.type
    drawChoice()
    drawContent()
    if (!bar.hidden && answer !== null) drawBar()
  }
  const drawContent = () => {
    if (answer === null) return
    const chart = chosen === null ? current.chart : { ...current.chart, values: [chosen] }
    const none = current.job === undefined ? "No rows." : `No rows yet. Job ${current.job} writes them.`
    content.set({ answer, chart, title: current.title, none })
  }
  const drawChoice = () => {
    const alternatives = alternativesOf(current.chart)
    chosen = alternatives.includes(chosen) ? chosen : (alternatives[0] ?? null)
    choice.hidden = chosen === null
    choice.replaceChildren(
      ...alternatives.map((name) => {
        const button = element("button", { type: "button", "aria-pressed": String(name === chosen) }, titleOf(name))
        button.addEventListener("click", () => {
          chosen = name
          for (const of of choice.children) of.setAttribute("aria-pressed", String(of === button))
          drawContent()
        })
        return button
      })
    )
  }
  const drawBar = () => ChartBar.draw(bar, answer, current.chart, (chart) => change({ ...current, chart }))
  const editChart = () => {
    bar.hidden = !bar.hidden
    root.toggleAttribute("data-editing", !bar.hidden)
    if (!bar.hidden && answer !== null) drawBar()
  }
  const rename = async () => {
    const said = await ask({
      title: "Rename the tile",
      fields: [{ name: "title", label: "Title", value: current.title, required: true }],
      confirm: "Rename"
    })
    if (said !== null) change({ ...current, title: said.title })
  }
  const drop = async () => {
    const said = await ask({ title: `Remove ${current.title}?`, confirm: "Remove", danger: true })
    if (said !== null) remove()
  }
  const resized = (by) => change({ ...current, ...by })
  const menu = Menu.make(`Change ${current.title}`, () => [
    { label: "Rename…", run: rename },
    { label: bar.hidden ? "Change chart" : "Done with chart", run: editChart },
    { label: "Edit query", run: () => edit(current), off: current.sql === undefined },
    { label: "Move earlier", run: () => move(-1) },
    { label: "Move later", run: () => move(1) },
    { label: "Wider", run: () => resized({ width: Math.min(4, current.width + 1) }), off: current.width === 4 },
    { label: "Narrower", run: () => resized({ width: Math.max(1, current.width - 1) }), off: current.width === 1 },
    { label: "Taller", run: () => resized({ height: Math.min(3, current.height + 1) }), off: current.height === 3 },
    { label: "Shorter", run: () => resized({ height: Math.max(1, current.height - 1) }), off: current.height === 1 },
    { label: "Remove…", run: drop }
  ])
  const root = element(
    "section",
    { class: "tile", "aria-labelledby": `tile-${tile.id}`, "data-tile": tile.id },
    element("div", { class: "tile-head" }, title, choice, menu.root),
    bar,
    failure,
    content.root
  )
  set(tile)
  return {
    root,
    set,
    isOf: (jobs) => current.job === undefined || jobs.has(current.job),
    /** Might it wait? What was answered once is there. */
    isUnsure: () => current.job !== undefined && answer === null,
    /** `{job, tables}`: whose rows it shows, and which tables it waits for; `null`: it does not know. */
    awaits: () => (current.job === undefined ? null : { job: current.job, tables: awaited }),
    refresh: async (tables) => {
      try {
        const isFirst = answer === null
        // A sink need not be a table: once it has rows, it is there.
        const arrived = current.sql === undefined ? await answerOf(current) : null
        const mayMiss = isFirst && tables !== null && current.job !== undefined && !(arrived?.rows.length > 0)
        awaited = mayMiss ? missingOf(current, tables) : []
        root.toggleAttribute("data-waits", awaited.length > 0)
        if (awaited.length > 0) content.wait(`Waits for ${awaited.join(" and ")}, which job ${current.job} makes.`)
        else {
          answer = arrived ?? (await answerOf(current))
          if (isFirst && !bar.hidden) drawBar()
          drawContent()
        }
        failure.hidden = true
      } catch (error) {
        failure.hidden = false
        failure.replaceChildren(error.message, element("small", {}, error.hint ?? ""))
      }
      root.dataset.asked = String(Number(root.dataset.asked ?? 0) + 1)
    },
    focusMenu: () => menu.focus(),
    dispose: () => content.dispose()
  }
}
