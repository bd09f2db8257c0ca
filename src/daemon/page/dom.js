/** Makes and changes elements; every text goes in as text, never as markup. */

const svgNames = new Set(["svg", "g", "rect", "path", "text", "line", "title", "tspan"])

/** An element with attributes (`null` and `false` are left out) and children (texts or elements). */
export const element = (name, attributes = {}, ...children) => {
  const made = svgNames.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue
    made.setAttribute(key, value === true ? "" : String(value))
  }
  made.append(...children.flat().filter((child) => child !== null))
  return made
}

export const byId = (id) => document.getElementById(id)

/** Puts a text where it differs, so that a reader's selection stays. */
export const setText = (target, text) => {
  if (target.textContent !== text) target.textContent = text
}

export const setAttribute = (target, name, value) => {
  if (value === null) target.removeAttribute(name)
  else if (target.getAttribute(name) !== value) target.setAttribute(name, value)
}

/** A table: columns are `{name, number?, className?}`, cells are texts or elements. */
export const table = (columns, rows, caption) => {
  const kinds = columns.map((column) => [column.number ? "number" : null, column.className].filter(Boolean).join(" "))
  const cells = (kind, row) =>
    row.map((cell, i) => element(kind, { class: kinds[i] || null, scope: kind === "th" ? "col" : null }, cell))
  return element(
    "table",
    {},
    element("caption", { class: "hidden" }, caption),
    element(
      "thead",
      {},
      element(
        "tr",
        {},
        cells(
          "th",
          columns.map((column) => column.name)
        )
      )
    ),
    element(
      "tbody",
      {},
      rows.map((row) => element("tr", {}, cells("td", row)))
    )
  )
}

export const empty = (text) => element("p", { class: "empty" }, text)
