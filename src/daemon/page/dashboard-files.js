/** Dashboards at the daemon: read, written, made from a query, taken out to a file and brought in from one. */
import { call } from "./connection.js"
import { ask } from "./dialog.js"
import { element } from "./dom.js"

const pathOf = (name) => `/api/dashboards/${encodeURIComponent(name)}`

export const list = () => call("/api/dashboards")
export const read = (name) => call(pathOf(name))
export const write = (name, dashboard) => call(pathOf(name), { method: "PUT", body: dashboard })
export const remove = (name) => call(pathOf(name), { method: "DELETE" })

/** A title as a name: lower-case words joined by `-`; beside the names that are taken. */
export const nameOf = (title, taken) => {
  const plain = title.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase()
  const name =
    plain
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-+|-+$/g, "")
      .slice(0, 56)
      .replace(/-+$/, "") || "dashboard"
  for (let n = 1; ; n++) {
    const tried = n === 1 ? name : `${name}-${n}`
    if (!taken.includes(tried)) return tried
  }
}

/** Makes an empty one; answers its name. */
export const make = async (title) => {
  const name = nameOf(
    title,
    (await list()).map((of) => of.name)
  )
  await write(name, { version: 1, title, tiles: [] })
  return name
}

const widths = { number: 1, line: 2, bar: 2, treemap: 2, wordcloud: 2, table: 2 }
export const tileOf = ({ title, sql, chart }) => ({
  id: Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(36))
    .join("")
    .slice(0, 12),
  title,
  sql,
  chart,
  width: widths[chart.type],
  height: 1
})

/** Asks for a title and a dashboard, and adds the tile; answers `{name, title}` of the dashboard, or `null`. */
export const saveAsTile = async ({ sql, chart }) => {
  const all = await list()
  const answer = await ask({
    title: "Save as tile",
    fields: [
      { name: "title", label: "Title of the tile", required: true, value: firstWords(sql) },
      ...(all.length === 0
        ? []
        : [
            {
              name: "into",
              label: "Dashboard",
              options: [
                ...all.map(({ name, title }) => ({ value: name, label: title })),
                { value: "", label: "A new one" }
              ]
            }
          ]),
      {
        name: "fresh",
        label: all.length === 0 ? "Name of the dashboard" : "Or a new one, named",
        value: all.length === 0 ? "Overview" : ""
      }
    ],
    confirm: "Save"
  })
  if (answer === null) return null
  const name = answer.fresh !== "" || !answer.into ? await make(answer.fresh || "Dashboard") : answer.into
  const dashboard = await read(name)
  const tile = tileOf({ title: answer.title, sql, chart })
  await write(name, { ...dashboard, tiles: [...dashboard.tiles, tile] })
  return { name, title: dashboard.title }
}

const firstWords = (sql) => {
  const table = /\bfrom\s+"?(\w+)/i.exec(sql)?.[1]
  return table === undefined ? "Query" : table.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase())
}

/** Lets the browser keep it as a file. */
export const exported = (name, dashboard) => {
  const address = URL.createObjectURL(
    new Blob([`${JSON.stringify(dashboard, null, 2)}\n`], { type: "application/json" })
  )
  const link = element("a", { href: address, download: `${name}.json` })
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), 1_000)
}

/** Asks for a file and makes a dashboard of it; answers its name, or `null`. The daemon refuses what is none. */
export const imported = () =>
  new Promise((done, failed) => {
    const input = element("input", { type: "file", accept: "application/json,.json" })
    input.addEventListener("cancel", () => done(null))
    input.addEventListener("change", () => {
      const [file] = input.files
      if (file === undefined) return done(null)
      readFile(file).then(done, failed)
    })
    input.click()
  })

const readFile = async (file) => {
  let dashboard
  try {
    dashboard = JSON.parse(await file.text())
  } catch {
    throw Object.assign(new Error(`${file.name} is no JSON`), { hint: "Take a file that was exported here." })
  }
  const title = typeof dashboard?.title === "string" ? dashboard.title : file.name
  const name = nameOf(
    title,
    (await list()).map((of) => of.name)
  )
  await write(name, dashboard)
  return name
}
