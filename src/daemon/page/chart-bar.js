/** How an answer is drawn, to be changed: the type, and which columns it takes. */
import { kindsOf, suggest } from "./columns.js"
import { element } from "./dom.js"

export const types = {
  table: "Table",
  line: "Line",
  bar: "Bar",
  heatmap: "Heat",
  treemap: "Treemap",
  wordcloud: "Words",
  number: "Number"
}
const seriesMax = 8
let count = 0

/** Draws into `root`; every change makes a new mapping and says it to `changed`. */
export const draw = (root, answer, chart, changed) => {
  const kinds = kindsOf(answer)
  const focused = root.contains(document.activeElement) ? document.activeElement.dataset.name : null
  const choices = element(
    "div",
    { class: "segments", role: "group", "aria-label": "Shown as" },
    Object.entries(types).map(([type, label]) =>
      toggle(label, type === chart.type, () =>
        changed(type === "table" ? { ...chart, type } : { ...suggest(answer, type) })
      )
    )
  )
  root.replaceChildren(choices, ...columnsOf(kinds, chart, changed))
  if (focused !== null) [...root.querySelectorAll("[data-name]")].find((of) => of.dataset.name === focused)?.focus()
}

const columnsOf = (kinds, chart, changed) => {
  if (chart.type === "table") return []
  const numbers = kinds.filter((column) => column.kind === "number").map((column) => column.name)
  const isAxes = chart.type === "line" || chart.type === "bar"
  const all = kinds.map((column) => column.name)
  const one = (label, names, value, set, none = null) =>
    selection(label, [...(none === null ? [] : [["", none]]), ...names.map((name) => [name, name])], value, set)
  if (chart.type === "number")
    return [one("Value", all, chart.values[0] ?? "", (name) => changed({ ...chart, values: [name] }))]
  const along = one(
    { line: "Along", bar: "Category", heatmap: "Along", treemap: "Box", wordcloud: "Word" }[chart.type],
    all,
    chart.x ?? "",
    (x) => changed({ ...chart, x })
  )
  const by = one(
    "By",
    all.filter((name) => name !== chart.x),
    chart.by ?? "",
    (name) => changed({ ...chart, by: name || null, values: name && isAxes ? chart.values.slice(0, 1) : chart.values }),
    "–"
  )
  if (!isAxes) {
    const size = one(
      "Size",
      numbers,
      chart.values[0] ?? "",
      (name) => changed({ ...chart, values: name ? [name] : [] }),
      chart.type === "wordcloud" ? "rows" : null
    )
    return chart.type === "wordcloud" ? [along, size] : [along, size, by]
  }
  return [
    along,
    valuesOf(numbers, chart, changed),
    by,
    toggle("Stacked", chart.stacked, () => changed({ ...chart, stacked: !chart.stacked }))
  ]
}

const valuesOf = (numbers, chart, changed) =>
  element(
    "div",
    { class: "values", role: "group", "aria-label": "Values" },
    element("span", { class: "muted" }, "Values"),
    numbers.map((name) =>
      toggle(name, chart.values.includes(name), () => {
        const without = chart.values.filter((of) => of !== name)
        const values = without.length < chart.values.length ? without : chart.by === null ? [...without, name] : [name]
        changed({ ...chart, values: values.slice(-seriesMax) })
      })
    )
  )

const toggle = (label, pressed, press) => {
  const button = element("button", { type: "button", "aria-pressed": String(pressed), "data-name": label }, label)
  button.addEventListener("click", press)
  return button
}

const selection = (label, options, value, set) => {
  const id = `chart-bar-${++count}`
  const select = element(
    "select",
    { id, "data-name": label },
    options.map(([of, text]) => element("option", { value: of }, text))
  )
  select.value = value
  select.addEventListener("change", () => set(select.value))
  return element("span", { class: "choice" }, element("label", { for: id, class: "muted" }, label), select)
}
