/** The answer of a query drawn in the form that a person chose: a chart, one number, or a table. */
import { chartOf, numberOfAnswer } from "./chart-options.js"
import * as Charts from "./charts.js"
import { element, empty } from "./dom.js"
import * as ResultTable from "./result-table.js"

/** A word cloud is laid out anew for every change: it may not change more often than this. */
const cloudMillis = 10_000

/**
 * `root` to put into the page, `set({answer, chart, title, none?})`, `wait(sentence)`, `dispose()`. What shows the same is
 * left as it is; `none` is said where there are no rows.
 */
export const make = () => {
  const root = element("div", { class: "tile-content" })
  let drawn = null
  let seen = null
  let mapped = null
  let drawnAt = Number.NEGATIVE_INFINITY
  const note = element("p", { class: "muted note" })
  const drop = () => {
    drawn?.dispose()
    drawn = null
  }
  const still = (...children) => {
    drop()
    root.replaceChildren(...children)
  }
  /** There is nothing to show yet, and this is why. */
  const wait = (sentence) => {
    if (sentence === seen) return
    seen = sentence
    mapped = null
    still(empty(sentence))
  }
  const set = ({ answer, chart, title, none = "No rows." }) => {
    const text = JSON.stringify([answer, chart, title])
    if (text === seen) return
    const mapping = JSON.stringify([chart, title])
    const isRestless = chart.type === "wordcloud" && mapping === mapped
    if (isRestless && performance.now() - drawnAt < cloudMillis) return
    seen = text
    mapped = mapping
    drawnAt = performance.now()
    if (answer.rows.length === 0) return still(empty(none))
    if (chart.type === "table") return still(ResultTable.make(answer, title))
    if (chart.type === "number") {
      const { label, value } = numberOfAnswer(answer, chart)
      return still(element("p", { class: "big" }, element("b", {}, value), element("span", { class: "muted" }, label)))
    }
    const content = chartOf(answer, chart, title)
    if (content === null) return still(empty("Choose the columns that this chart is to show."))
    if (drawn === null) {
      drawn = Charts.make({ onFailure: (error) => note.replaceChildren(error.message) })
      root.replaceChildren(drawn.root, note)
    }
    drawn.set(content)
    note.textContent = content.note
  }
  return { root, set, wait, dispose: drop }
}
