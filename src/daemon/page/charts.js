/**
 * Draws charts by ECharts, which is loaded when the first is wanted. A chart follows the system's light or dark, never
 * moves by itself (it is drawn anew each second: what moved would never rest), says what it shows, and has a table of
 * the same figures.
 */
import { element, table } from "./dom.js"

const library = "/page/echarts-5.6.0.js"
const words = "/page/echarts-wordcloud-2.1.0.js"

const loaded = new Map()
const load = (file) => {
  if (!loaded.has(file)) {
    const loading = new Promise((done, failed) => {
      const script = element("script", { src: file })
      script.addEventListener("load", () => done())
      script.addEventListener("error", () => failed(new Error("The chart library cannot be loaded")))
      document.head.append(script)
    })
    // What failed is tried again when the next chart is wanted.
    loading.catch(() => loaded.delete(file))
    loaded.set(file, loading)
  }
  return loaded.get(file)
}

/** The library; with word clouds if the options ask for one. */
const libraryFor = async (options) => {
  await load(library)
  if (options.series?.some((series) => series.type === "wordCloud")) await load(words)
  return globalThis.echarts
}

const dark = matchMedia("(prefers-color-scheme: dark)")
const drawn = new Set()
dark.addEventListener("change", () => {
  for (const chart of drawn) chart.redraw()
})

const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Colours by the page's variables, so that charts and page are one. */
export const palette = () => ({
  text: variable("--text"),
  muted: variable("--muted"),
  line: variable("--line"),
  surface: variable("--surface"),
  ground: variable("--ground"),
  series: [1, 2, 3, 4, 5, 6, 7, 8].map((n) => variable(`--series-${n}`)),
  of: variable
})

/** Rows of the table beside a chart. */
const tableRowsMax = 200

/**
 * A chart that is drawn when it comes into view. `set({options, spoken, figures})`: `options(palette)` gives ECharts'
 * options, `spoken` says what is to be seen, `figures()` gives `{columns, rows}` of the same. Equal content is drawn once.
 */
export const make = ({ className = "chart", onFailure = () => {} } = {}) => {
  const canvas = element("div", { class: className, role: "img", "aria-label": "Chart" })
  const figures = element("div", { class: "scroll" })
  const details = element("details", { class: "as-table" }, element("summary", {}, "As a table"), figures)
  const root = element("div", { class: "chart-box" }, canvas, details)
  let content = null
  let seen = null
  let chart = null
  let isVisible = false
  let isGone = false

  const redraw = async () => {
    if (content === null || !isVisible || isGone) return
    const options = content.options(palette())
    const text = JSON.stringify(options)
    try {
      const echarts = await libraryFor(options)
      if (isGone) return
      chart ??= echarts.init(canvas, null, { renderer: "canvas" })
      // What shows the same stays as it is: nothing moves without a reason.
      if (text === seen) return
      seen = text
      chart.setOption({ ...options, animation: false }, { notMerge: true })
    } catch (error) {
      onFailure(error)
    }
  }
  const fillTable = () => {
    if (!details.open || content === null) return
    const { columns, rows } = content.figures()
    figures.replaceChildren(table(columns, rows.slice(-tableRowsMax), content.spoken))
  }
  const sight = new IntersectionObserver(
    ([entry]) => {
      isVisible = entry.isIntersecting
      redraw()
    },
    { rootMargin: "200px" }
  )
  const size = new ResizeObserver(() => chart?.resize())
  sight.observe(canvas)
  size.observe(canvas)
  details.addEventListener("toggle", fillTable)
  const self = { redraw }
  drawn.add(self)
  return {
    root,
    set: (next) => {
      content = next
      if (canvas.getAttribute("aria-label") !== next.spoken) canvas.setAttribute("aria-label", next.spoken)
      fillTable()
      return redraw()
    },
    dispose: () => {
      isGone = true
      drawn.delete(self)
      sight.disconnect()
      size.disconnect()
      chart?.dispose()
    }
  }
}
