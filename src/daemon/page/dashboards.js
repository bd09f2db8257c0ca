/** Dashboards: the list of all, and one with its tiles, kept fresh by epochs and at the latest every ten seconds. */
import * as Awaited from "./awaited.js"
import { call } from "./connection.js"
import * as Files from "./dashboard-files.js"
import { ask } from "./dialog.js"
import { byId, element, empty, setText } from "./dom.js"
import { edit as editSql } from "./sql.js"
import { seldom } from "./tables.js"
import * as Tile from "./tile.js"

/** Milliseconds after which a tile is asked again though nothing was said. */
const staleMillis = 10_000
/** Tiles that ask at once: the daemon's database answers one after the other. */
const askingMax = 2

/** `askedAt`: when all tiles were asked; `jobs`: those that have had an epoch since tiles were asked. */
const none = {
  name: null,
  origin: "own",
  dashboard: null,
  tiles: new Map(),
  awaited: null,
  askedAt: Number.NEGATIVE_INFINITY,
  jobs: new Set()
}
const shown = { ...none, isOpen: false }

export const open = async (name) => {
  Object.assign(shown, { ...none, name, tiles: new Map(), jobs: new Set(), isOpen: true })
  setText(byId("dashboard-title"), name ?? "Dashboards")
  byId("dashboard").replaceChildren()
  byId("dashboard-controls").replaceChildren()
  await attempt(() => (name === null ? showList() : showOne(name)))
}

export const close = () => {
  for (const tile of shown.tiles.values()) tile.dispose()
  Object.assign(shown, { ...none, tiles: new Map(), isOpen: false })
}

/** Runs it, and says what was refused. */
const attempt = async (task) => {
  const notice = byId("dashboard-error")
  notice.hidden = true
  try {
    return await task()
  } catch (error) {
    notice.hidden = false
    notice.replaceChildren(error.message, element("small", {}, error.hint ?? ""))
  }
}

const button = (label, press, className = null) => {
  const made = element("button", { type: "button", class: className }, label)
  made.addEventListener("click", () => attempt(press))
  return made
}
const goTo = (name) => {
  location.hash = name === null ? "#/dashboards" : `#/dashboards/${encodeURIComponent(name)}`
}

// The list of all

const showList = async () => {
  const all = await Files.list()
  if (!shown.isOpen || shown.name !== null) return
  byId("dashboard-controls").replaceChildren(button("New…", makeNew, "primary"), button("Import…", bringIn))
  byId("dashboard").replaceChildren(
    all.length === 0
      ? empty("None yet. Run a query in SQL and save it as a tile, or make one here.")
      : element(
          "ul",
          { class: "cards" },
          all.map(({ name, tiles, title }) =>
            element(
              "li",
              {},
              element("a", { href: `#/dashboards/${encodeURIComponent(name)}` }, title),
              element("span", { class: "muted" }, `${tiles} ${tiles === 1 ? "tile" : "tiles"}`)
            )
          )
        )
  )
}

const makeNew = async () => {
  const said = await ask({
    title: "New dashboard",
    fields: [{ name: "title", label: "Title", required: true }],
    confirm: "Make"
  })
  if (said !== null) goTo(await Files.make(said.title))
}

const bringIn = async () => {
  const name = await Files.imported()
  if (name !== null) goTo(name)
}

// One

const showOne = async (name) => {
  const [dashboard, all] = await Promise.all([Files.read(name), Files.list()])
  if (shown.name !== name) return
  Object.assign(shown, {
    dashboard,
    origin: all.find((of) => of.name === name)?.origin ?? "own",
    awaited: Awaited.make(attempt)
  })
  setText(byId("dashboard-title"), dashboard.title)
  document.title = `${dashboard.title} · Weir`
  drawControls()
  const grid = element("div", { class: "grid" })
  byId("dashboard").replaceChildren(shown.awaited.root, grid)
  drawTiles()
  await refreshTiles()
}

const drawControls = () =>
  byId("dashboard-controls").replaceChildren(
    button("Rename…", rename),
    button("Export", () => Files.exported(shown.name, shown.dashboard)),
    ...(shown.origin === "own" ? [button("Delete…", drop, "quiet")] : []),
    ...(shown.origin === "changed" ? [button("Undo changes…", undo, "quiet")] : []),
    element("a", { href: "#/dashboards", class: "back" }, "All dashboards")
  )

const drawTiles = () => {
  const grid = byId("dashboard").lastElementChild
  const { tiles } = shown.dashboard
  for (const [id, tile] of shown.tiles) {
    if (tiles.some((of) => of.id === id)) continue
    tile.dispose()
    shown.tiles.delete(id)
  }
  for (const of of tiles) {
    const known = shown.tiles.get(of.id)
    if (known !== undefined) known.set(of)
    else shown.tiles.set(of.id, Tile.make(of, commandsOf(of.id)))
  }
  const roots = tiles.map((of) => shown.tiles.get(of.id).root)
  // Moved only where the order differs: what moves in the page loses the focus, and a chart its place.
  for (const [i, root] of roots.entries())
    if (grid.children[i] !== root) grid.insertBefore(root, grid.children[i] ?? null)
  while (grid.children.length > roots.length) grid.lastElementChild.remove()
  if (roots.length === 0) grid.append(empty("No tile yet. Run a query in SQL and save it here."))
}

/** The daemon keeps it first; then it is shown. */
const save = (dashboard) =>
  attempt(async () => {
    const { name } = shown
    const kept = await Files.write(name, dashboard)
    if (shown.name !== name) return
    shown.dashboard = kept
    if (shown.origin === "project") {
      shown.origin = "changed"
      drawControls()
    }
    drawTiles()
  })

const commandsOf = (id) => ({
  change: (tile) => save({ ...shown.dashboard, tiles: shown.dashboard.tiles.map((of) => (of.id === id ? tile : of)) }),
  remove: () => save({ ...shown.dashboard, tiles: shown.dashboard.tiles.filter((of) => of.id !== id) }),
  move: async (step) => {
    const tiles = [...shown.dashboard.tiles]
    const at = tiles.findIndex((of) => of.id === id)
    const to = at + step
    if (to < 0 || to >= tiles.length) return
    tiles.splice(to, 0, ...tiles.splice(at, 1))
    await save({ ...shown.dashboard, tiles })
    shown.tiles.get(id)?.focusMenu()
  },
  edit: (tile) => editSql(tile.sql)
})

const rename = async () => {
  const said = await ask({
    title: "Rename the dashboard",
    fields: [{ name: "title", label: "Title", value: shown.dashboard.title, required: true }],
    confirm: "Rename"
  })
  if (said === null) return
  await save({ ...shown.dashboard, title: said.title })
  setText(byId("dashboard-title"), shown.dashboard.title)
}

const drop = async () => {
  const { dashboard, name } = shown
  const said = await ask({
    title: `Delete ${dashboard.title}?`,
    text: `Its ${dashboard.tiles.length} tiles go with it. Export it first if they may be wanted again.`,
    confirm: "Delete",
    danger: true
  })
  if (said === null) return
  await Files.remove(name)
  goTo(null)
}

/** What was changed here is left; the project's own is shown again. */
const undo = async () => {
  const { dashboard, name } = shown
  const said = await ask({
    title: `Undo the changes of ${dashboard.title}?`,
    text: "It will be as the project brings it. Export it first if it may be wanted again.",
    confirm: "Undo changes",
    danger: true
  })
  if (said === null) return
  await Files.remove(name)
  close()
  await open(name)
}

const isStale = () => performance.now() - shown.askedAt >= staleMillis - 1_000

const refreshTiles = async () => {
  if (shown.dashboard === null || document.hidden) return
  const { awaited, jobs, tiles } = shown
  const all = isStale()
  const wanted = [...tiles.values()].filter((tile) => all || tile.isOf(jobs))
  if (all) shown.askedAt = performance.now()
  shown.jobs = new Set()
  // Asked only until all tables have been there: to ask for one that is not there is an error.
  const tables = wanted.some((tile) => tile.isUnsure()) ? await call("/api/tables").catch(() => null) : null
  const next = async () => {
    for (let tile = wanted.shift(); tile !== undefined; tile = wanted.shift()) await tile.refresh(tables)
  }
  await Promise.all(Array.from({ length: askingMax }, next))
  if (shown.awaited === awaited) drawAwaited()
}

const drawAwaited = () =>
  shown.awaited?.set([...shown.tiles.values()].map((tile) => tile.awaits()).filter((awaits) => awaits !== null))

const tilesSoon = seldom(refreshTiles, staleMillis)

/** What a query shows may have changed with any epoch that brought rows. */
export const onProgress = (progress) => {
  if (shown.dashboard === null || (progress.inputRows === 0 && !progress.final)) return
  shown.jobs.add(progress.job)
  tilesSoon()
}
export const onState = drawAwaited
export const onTick = () => {
  if (shown.dashboard !== null && isStale()) tilesSoon()
}
export const refresh = () => {
  if (shown.dashboard === null) return open(shown.name)
  shown.askedAt = Number.NEGATIVE_INFINITY
  tilesSoon()
}
