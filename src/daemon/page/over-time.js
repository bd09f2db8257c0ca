/** One job over time: rates, rows, how long its epochs took, and in which phases. */
import { axes, spokenOf } from "./chart-base.js"
import * as Charts from "./charts.js"
import { element } from "./dom.js"
import { bytes, count, duration, rate, time } from "./format.js"

/** Phases of an epoch in their order, with the page's colour of each. */
export const phases = ["cut", "process", "prepare", "intent", "sinks", "manifest"]
const phasesIn = (epochs) => phases.filter((phase) => epochs.some((epoch) => (epoch.phases[phase] ?? 0) > 0))
/** Milliseconds that an epoch took in all its phases. */
export const tookMillis = (epoch) => phases.reduce((sum, phase) => sum + (epoch.phases[phase] ?? 0), 0)

const drawings = [
  {
    title: "Input rate, rows per second",
    shown: rate,
    filled: true,
    series: () => [{ name: "Input", of: (epoch) => epoch.inputRowsPerSecond }]
  },
  {
    title: "Processing rate, rows per second",
    shown: rate,
    filled: true,
    series: () => [{ name: "Processing", of: (epoch) => epoch.processedRowsPerSecond, colour: "--series-2" }]
  },
  {
    title: "Input rows",
    type: "bar",
    shown: count,
    series: () => [{ name: "Rows", of: (epoch) => epoch.inputRows }]
  },
  {
    title: "Epoch duration",
    shown: duration,
    filled: true,
    series: () => [{ name: "Duration", of: tookMillis, colour: "--series-5" }]
  },
  {
    title: "Duration by phase",
    shown: duration,
    stacked: true,
    series: (epochs) =>
      phasesIn(epochs).map((phase) => ({ name: phase, of: (epoch) => epoch.phases[phase] ?? 0, colour: `--${phase}` }))
  },
  {
    title: "State",
    shown: bytes,
    filled: true,
    series: () => [{ name: "Bytes", of: (epoch) => epoch.stateBytes, colour: "--series-3" }]
  }
]

/** The charts of a job: `root` to put into the page, `set(epochs)`, `dispose()`. */
export const make = () => {
  const made = drawings.map((drawing) => {
    const chart = Charts.make({ className: "chart small" })
    const root = element("figure", {}, element("figcaption", {}, drawing.title), chart.root)
    return { drawing, chart, root }
  })
  return {
    roots: made.map(({ root }) => root),
    set: (epochs) => {
      for (const { chart, drawing } of made) chart.set(contentOf(drawing, epochs))
    },
    dispose: () => {
      for (const { chart } of made) chart.dispose()
    }
  }
}

const contentOf = ({ title, type = "line", shown, series, stacked = false, filled = false }, epochs) => {
  const at = epochs.map((epoch) => epoch.triggeredAt)
  const drawn = series(epochs).map(({ name, of, colour }) => ({ name, colour, values: epochs.map(of) }))
  return {
    options: axes({ type, x: { kind: "time", values: at }, series: drawn, shown, stacked, filled }),
    spoken: spokenOf(title, drawn, epochs.length, shown === rate ? count : shown),
    figures: () => ({
      columns: [{ name: "Epoch" }, { name: "At" }, ...drawn.map(({ name }) => ({ name, number: true }))],
      rows: epochs.map((epoch, i) => [
        String(epoch.epoch),
        time(epoch.triggeredAt),
        ...drawn.map(({ values }) => shown(values[i]))
      ])
    })
  }
}
