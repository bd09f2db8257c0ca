/** The answer of a query as a table: sorted by a click on a column, grown as a person scrolls. */
import { comparing, instantShown, kindsOf } from "./columns.js"
import { element } from "./dom.js"

/** Rows that are added at once: ten thousand at once would stop the page. */
const rowsStep = 200
const charactersMax = 400

/** A scrolling region with the table in it. */
export const make = (answer, caption) => {
  const kinds = kindsOf(answer)
  const body = element("tbody")
  const sorting = { column: null, down: false }
  let rows = answer.rows
  let shown = 0

  const more = () => {
    body.append(...rows.slice(shown, shown + rowsStep).map((row) => rowOf(row, kinds)))
    shown = Math.min(rows.length, shown + rowsStep)
  }
  const heads = kinds.map(({ kind, name }, column) => {
    const button = element("button", { type: "button" }, name)
    const head = element("th", { scope: "col", class: kind === "number" ? "number" : null }, button)
    button.addEventListener("click", () => {
      sorting.down = sorting.column === column ? !sorting.down : false
      sorting.column = column
      const compare = comparing(kind)
      rows = answer.rows.toSorted((one, other) => compare(one[column], other[column]) * (sorting.down ? -1 : 1))
      for (const of of heads) of.removeAttribute("aria-sort")
      head.setAttribute("aria-sort", sorting.down ? "descending" : "ascending")
      body.replaceChildren()
      shown = 0
      more()
    })
    return head
  })
  more()
  const table = element(
    "table",
    { class: "result", "aria-rowcount": String(answer.rows.length + 1) },
    element("caption", { class: "hidden" }, caption),
    element("thead", {}, element("tr", {}, heads)),
    body
  )
  const root = element("section", { class: "scroll result-box", "aria-label": caption }, table)
  root.addEventListener("scroll", () => {
    if (shown < rows.length && root.scrollTop + root.clientHeight > root.scrollHeight - 600) more()
  })
  return root
}

const rowOf = (row, kinds) =>
  element(
    "tr",
    {},
    row.map((value, i) =>
      element("td", { class: kinds[i].kind === "number" ? "number" : null }, cellOf(value, kinds[i].kind))
    )
  )

const cellOf = (value, kind) => {
  if (value === null) return element("span", { class: "empty" }, "null")
  const text = kind === "time" ? instantShown(value) : value
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`
}
