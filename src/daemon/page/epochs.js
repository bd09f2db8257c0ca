/** Epochs as a strip of stacked bars, one part a phase, and the last of them as a table. */
import { element, empty, table } from "./dom.js"
import { bytes, compact, duration, rate, time } from "./format.js"

const phases = ["process", "prepare", "intent", "sinks", "manifest"]
const shown = 60
/** Reading and processing last as long as the trigger; what commits is shorter by far, and has a scale of its own. */
const panels = [
  { phases: ["prepare", "intent", "sinks", "manifest"], top: 12, height: 96 },
  { phases: ["process"], top: 122, height: 36 }
]
const height = 162
const axis = 58

const sumOf = (epoch, some) => some.reduce((sum, phase) => sum + epoch.phases[phase], 0)
const total = (epoch) => sumOf(epoch, phases)

/** The strip, newest at the right, with a key that says the last epoch's phases. */
export const strip = (epochs, width) => {
  const last = epochs.slice(-shown)
  if (last.length === 0) return [empty("No epoch yet.")]
  const most = duration(Math.max(...last.map(total)))
  const spoken = `Milliseconds of each phase of the last ${last.length} epochs, at most ${most} in all`
  return [
    element(
      "svg",
      { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": spoken },
      panels.flatMap((panel) => draw(panel, last, width))
    ),
    key(last.at(-1))
  ]
}

const draw = (panel, epochs, width) => {
  const most = Math.max(...epochs.map((epoch) => sumOf(epoch, panel.phases)), 1)
  const floor = panel.top + panel.height
  const step = (width - axis) / shown
  const marks = [0, 1].flatMap((share) => [
    element("line", {
      class: "grid",
      x1: axis,
      x2: width,
      y1: floor - share * panel.height,
      y2: floor - share * panel.height
    }),
    element(
      "text",
      { class: "muted", x: axis - 8, y: floor + 4 - share * panel.height, "text-anchor": "end" },
      share === 0 ? "0" : duration(most)
    )
  ])
  const bars = epochs.map((epoch, i) => {
    const place = { x: axis + (shown - epochs.length + i) * step, width: Math.max(1, step - 2) }
    return bar(epoch, panel.phases, { ...place, floor, scale: panel.height / most })
  })
  return [...marks, ...bars]
}

const bar = (epoch, some, { x, width, floor, scale }) => {
  let y = floor
  const parts = some.map((phase) => {
    y -= epoch.phases[phase] * scale
    return element("rect", { class: phase, x, y, width, height: epoch.phases[phase] * scale })
  })
  const said = phases.map((phase) => `${phase} ${duration(epoch.phases[phase])}`).join(", ")
  return element("g", {}, element("title", {}, `Epoch ${epoch.epoch}: ${said}; ${epoch.inputRows} rows`), parts)
}

const key = (epoch) =>
  element(
    "ul",
    { class: "key", "aria-label": `Phases of epoch ${epoch.epoch}` },
    phases.map((phase) =>
      element("li", {}, element("i", { class: phase }), `${phase} `, element("b", {}, duration(epoch.phases[phase])))
    )
  )

/** The last ten, newest first. */
export const recent = (epochs) => {
  if (epochs.length === 0) return empty("No epoch yet.")
  const rows = epochs.slice(-10).reverse()
  return table(
    [
      { name: "Epoch" },
      { name: "At" },
      { name: "Rows in", number: true },
      { name: "Rows/s", number: true },
      { name: "Processed/s", number: true },
      { name: "Took", number: true },
      { name: "Sink rows" },
      { name: "Watermark" },
      { name: "State rows", number: true },
      { name: "State", number: true },
      { name: "Late", number: true },
      { name: "Dead", number: true }
    ],
    rows.map((epoch) => [
      `${epoch.epoch}${epoch.replayed ? " (replayed)" : ""}${epoch.final ? " (final)" : ""}`,
      time(epoch.triggeredAt),
      compact(epoch.inputRows),
      rate(epoch.inputRowsPerSecond),
      rate(epoch.processedRowsPerSecond),
      duration(total(epoch)),
      epoch.sinks
        .filter((sink) => sink.rows > 0)
        .map((sink) => `${sink.sink} ${compact(sink.rows)}`)
        .join(", ") || "–",
      epoch.watermark === null ? "–" : time(epoch.watermark),
      compact(epoch.stateRows),
      bytes(epoch.stateBytes),
      compact(epoch.late),
      compact(epoch.deadLetters)
    ]),
    "Last epochs"
  )
}
