/** One tile of a dashboard: its query's answer, kept fresh, and a menu to change it. */

import * as ChartBar from "./chart-bar.js"
import { suggest } from "./columns.js"
import { call } from "./connection.js"
import { ask } from "./dialog.js"
import { element, setText } from "./dom.js"
import * as Menu from "./menu.js"
import * as TileContent from "./tile-content.js"

/**
 * `change(tile)`, `move(step)` and `remove()` are the dashboard's. `refresh()` asks the query again and never throws:
 * what went wrong stands in the tile, beside the last answer.
 */
export const make = (tile, { change, move, remove, edit }) => {
  const content = TileContent.make()
  const title = element("h2", { id: `tile-${tile.id}`, class: "tile-title" })
  const failure = element("p", { class: "notice", role: "status" })
  failure.hidden = true
  const bar = element("div", { class: "row bar" })
  bar.hidden = true
  let current = tile
  let answer = null

  const set = (next) => {
    current = next
    setText(title, current.title)
    root.dataset.width = current.width
    root.dataset.height = current.height
    root.dataset.chart = current.chart.type
    if (answer !== null) content.set({ answer, chart: current.chart, title: current.title })
    if (!bar.hidden && answer !== null) drawBar()
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
    { label: "Edit query", run: () => edit(current) },
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
    element("div", { class: "tile-head" }, title, menu.root),
    bar,
    failure,
    content.root
  )
  set(tile)
  return {
    root,
    set,
    refresh: async () => {
      try {
        const isFirst = answer === null
        answer = await call("/api/query", { method: "POST", body: { sql: current.sql } })
        failure.hidden = true
        if (isFirst && !bar.hidden) drawBar()
        content.set({ answer, chart: current.chart ?? suggest(answer), title: current.title })
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
