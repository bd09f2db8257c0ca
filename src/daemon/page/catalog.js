/** Databases, tables and columns: asked when they are first needed, and again when a person comes back to them. */
import { call } from "./connection.js"
import { byId, element, empty } from "./dom.js"
import { quoted } from "./sql-words.js"

const staleMillis = 30_000
let databases = []
let askedAt = Number.NEGATIVE_INFINITY

/** All tables with their columns, and how the database quotes: what completions are made from. */
export const known = () => ({
  tables: databases.flatMap((of) => of.tables),
  dialect: databases[0]?.dialect ?? "postgres"
})

/** Reads it, unless it was just read; draws it, a name inserting itself by `insert(text)`. */
export const refresh = async (insert) => {
  if (performance.now() - askedAt < staleMillis) return
  askedAt = performance.now()
  try {
    const found = await call("/api/databases")
    if (JSON.stringify(found) === JSON.stringify(databases)) return
    databases = found
    draw(insert)
  } catch (error) {
    askedAt = Number.NEGATIVE_INFINITY
    byId("catalog-tree").replaceChildren(empty(error.message))
  }
}

const draw = (insert) => {
  const { dialect } = known()
  const named = (name, className) => {
    const button = element("button", { type: "button", class: className, "aria-label": `Insert ${name}` }, name)
    button.addEventListener("click", () => insert(quoted(name, dialect)))
    return button
  }
  byId("catalog-tree").replaceChildren(
    ...databases.map(({ database, tables }) =>
      element(
        "section",
        { "aria-label": database },
        element("p", { class: "muted database", title: database }, labelOf(database)),
        tables.length === 0 ? empty("No table yet.") : tables.map((table) => tableOf(table, named))
      )
    )
  )
}

/** The last part of where a database lies says enough. */
const labelOf = (database) => {
  const [kind, ...rest] = database.split(":")
  return rest.length === 0 ? kind : `${kind} · ${rest.join(":").split("/").filter(Boolean).at(-1) ?? ""}`
}

const tableOf = ({ table, columns, primaryKey }, named) => {
  const details = element(
    "details",
    { class: "table" },
    element("summary", {}, element("span", { class: "code" }, table)),
    element(
      "ul",
      {},
      element("li", {}, named(table, "plain link")),
      (columns ?? []).map(({ name, type, nullable }) =>
        element(
          "li",
          {},
          named(name, "plain code"),
          element(
            "span",
            { class: "muted" },
            `${type}${primaryKey.includes(name) ? " · key" : nullable ? " · null" : ""}`
          )
        )
      )
    )
  )
  details.querySelector("li button").textContent = "Insert the table's name"
  return details
}
