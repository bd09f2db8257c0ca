/** Epochs as a strip of stacked bars, one part a phase, and the last of them as a table. */
import { element, empty, table } from "./dom.js"
import { bytes, compact, duration, rate, time } from "./format.js"

const phases = ["process", "prepare", "intent", "sinks", "manifest"]
const shown = 60
const height = 150
const axis = 58

const total = (epoch) => phases.reduce((sum, phase) => sum + epoch.phases[phase], 0)

/** The strip, newest at the right, with a key that says the last epoch's phases. */
export const strip = (epochs, width) => {
  const last = epochs.slice(-shown)
  if (last.length === 0) return [empty("No epoch yet.")]
  const most = Math.max(...last.map(total), 1)
  const step = (width - axis) / shown
  const bars = last.map((epoch, i) =>
    bar(epoch, { x: axis + (shown - last.length + i) * step, width: Math.max(1, step - 2), most })
  )
  return [
    element(
      "svg",
      {
        viewBox: `0 0 ${width} ${height + 8}`,
        width,
        height: height + 8,
        role: "img",
        "aria-label": `Milliseconds of each phase of the last ${last.length} epochs, at most ${duration(most)} in all`
      },
      [0, 0.5, 1].flatMap((share) => [
        element("line", {
          class: "grid",
          x1: axis,
          x2: width,
          y1: height - share * (height - 12),
          y2: height - share * (height - 12)
        }),
        element(
          "text",
          { class: "muted", x: axis - 8, y: height + 4 - share * (height - 12), "text-anchor": "end" },
          share === 0 ? "0" : duration(most * share)
        )
      ]),
      bars
    ),
    key(last.at(-1))
  ]
}

const bar = (epoch, { x, width, most }) => {
  let y = height
  const parts = phases.map((phase) => {
    const part = (epoch.phases[phase] / most) * (height - 12)
    y -= part
    return element("rect", { class: phase, x, y, width, height: part })
  })
  return element(
    "g",
    {},
    element(
      "title",
      {},
      `Epoch ${epoch.epoch}: ${phases.map((phase) => `${phase} ${duration(epoch.phases[phase])}`).join(", ")}; ${epoch.inputRows} rows`
    ),
    parts
  )
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
      epoch.sinks.map((sink) => `${sink.sink} ${compact(sink.rows)}`).join(", ") || "–",
      epoch.watermark === null ? "–" : time(epoch.watermark),
      compact(epoch.stateRows),
      bytes(epoch.stateBytes),
      compact(epoch.late),
      compact(epoch.deadLetters)
    ]),
    "Last epochs"
  )
}
