/** Databases, tables and columns: asked when they are first needed, and again when a person comes back to them. */
import { call } from "./connection.js"
import { byId, element, empty } from "./dom.js"
import { typeShown } from "./format.js"
import { quoted } from "./sql-words.js"

const staleMillis = 30_000
let databases = []
let askedAt = Number.NEGATIVE_INFINITY

/** All tables with their columns, and how the database quotes: what completions are made from. */
export const known = () => ({
  tables: databases.flatMap((of) => of.tables),
  dialect: databases[0]?.dialect ?? "postgres"
})

/** Reads it, unless it was just read; draws it, a name inserting itself by `on.insert(text)`, a table shown by `on.look(sql)`. */
export const refresh = async (on) => {
  if (performance.now() - askedAt < staleMillis) return
  askedAt = performance.now()
  try {
    const found = await call("/api/databases")
    if (JSON.stringify(found) === JSON.stringify(databases)) return
    databases = found
    draw(on)
  } catch (error) {
    askedAt = Number.NEGATIVE_INFINITY
    byId("catalog-tree").replaceChildren(empty(error.message))
  }
}

const draw = (on) => {
  const { dialect } = known()
  const button = (label, spoken, className, press) => {
    const made = element("button", { type: "button", class: className, "aria-label": spoken }, label)
    made.addEventListener("click", press)
    return made
  }
  const named = (name, label = name, className = "plain code") =>
    button(label, `Insert ${name}`, className, () => on.insert(quoted(name, dialect)))
  const lookedAt = (table) =>
    button("Show rows", `Show rows of ${table}`, "plain link", () =>
      on.look(`select *\nfrom ${quoted(table, dialect)}\nlimit 100`)
    )
  byId("catalog-tree").replaceChildren(
    ...databases.map(({ database, tables }) =>
      element(
        "section",
        { "aria-label": database },
        element("p", { class: "muted database", title: database }, labelOf(database)),
        tables.length === 0 ? empty("No table yet.") : tables.map((table) => tableOf(table, { named, lookedAt }))
      )
    )
  )
}

/** The last part of where a database lies says enough. */
const labelOf = (database) => {
  const [kind, ...rest] = database.split(":")
  return rest.length === 0 ? kind : `${kind} · ${rest.join(":").split("/").filter(Boolean).at(-1) ?? ""}`
}

const tableOf = ({ table, columns, primaryKey }, { lookedAt, named }) =>
  element(
    "details",
    { class: "table" },
    element("summary", {}, element("span", { class: "code" }, table)),
    element(
      "ul",
      {},
      element("li", {}, lookedAt(table), named(table, "Insert name", "plain link")),
      (columns ?? []).map(({ name, type, nullable }) =>
        element(
          "li",
          {},
          named(name),
          element(
            "span",
            { class: "muted" },
            `${typeShown(type)}${primaryKey.includes(name) ? " · key" : nullable ? " · null" : ""}`
          )
        )
      )
    )
  )
