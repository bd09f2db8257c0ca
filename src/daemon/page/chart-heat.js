/** A heat map: rows and columns of cells, each as deep in colour as its number is large, and with the number in it. */
import { axisStyle, textStyle, tooltip } from "./chart-base.js"
import { instantsShown, kindsOf } from "./columns.js"
import { compact, count, title } from "./format.js"

/** Columns, and rows: what is beyond is left out, and said. */
const linesMax = 60
/** Columns beside each other for which numbers still fit into the cells. */
const numberedMax = 24

const isNumber = (text) => text !== null && Number.isFinite(Number(text))

export const drawHeatmap = ({ columns, rows }, chart, name) => {
  const at = (column) => columns.indexOf(column)
  const [xAt, byAt, valueAt] = [at(chart.x), at(chart.by), at(chart.values[0])]
  if (xAt < 0 || byAt < 0) return null
  const isTime = kindsOf({ columns, rows })[xAt].kind === "time"
  const found = rows.filter((row) => isNumber(row[valueAt]))
  const distinct = (column) => [...new Set(found.map((row) => row[column] ?? "–"))]
  const along = distinct(xAt)
  const down = distinct(byAt).sort((one, other) => one.localeCompare(other, "en", { numeric: true }))
  const cells = new Map()
  for (const row of found) {
    const place = `${along.indexOf(row[xAt] ?? "–")} ${down.indexOf(row[byAt] ?? "–")}`
    cells.set(place, (cells.get(place) ?? 0) + Number(row[valueAt]))
  }
  const all = [...cells].map(([place, value]) => [...place.split(" ").map(Number), value])
  const drawn = all.filter(([x, y]) => x < linesMax && y < linesMax)
  const shown = isTime ? instantsShown(along) : along
  const largest = drawn.toSorted((one, other) => other[2] - one[2]).slice(0, 3)
  return {
    options: (colours) => ({
      textStyle: textStyle(colours),
      grid: { left: 4, right: 4, top: 4, bottom: 4, containLabel: true },
      tooltip: tooltip(colours, {
        formatter: ({ value: [x, y, value] }) =>
          `${shown[x]}\n${title(chart.by)} ${down[y]}: ${title(chart.values[0])} ${count(value)}`
      }),
      visualMap: {
        show: false,
        min: 0,
        max: Math.max(1, ...drawn.map(([, , value]) => value)),
        inRange: { color: [colours.series[0], colours.series[0]], opacity: [0.06, 0.6] }
      },
      xAxis: { type: "category", data: shown.slice(0, linesMax), ...axisStyle(colours), splitLine: { show: false } },
      yAxis: {
        type: "category",
        data: down.slice(0, linesMax),
        inverse: true,
        ...axisStyle(colours),
        axisLabel: { ...axisStyle(colours).axisLabel, interval: down.length > 40 ? "auto" : 0, fontSize: 10 },
        splitLine: { show: false }
      },
      series: [
        {
          type: "heatmap",
          data: drawn,
          itemStyle: { borderColor: colours.surface, borderWidth: 1 },
          label: {
            show: along.length <= numberedMax,
            color: colours.text,
            fontSize: 10,
            formatter: ({ value }) => compact(value[2])
          },
          emphasis: { itemStyle: { borderColor: colours.text } }
        }
      ]
    }),
    spoken: `${name}, heat map of ${drawn.length} cells; the largest: ${largest
      .map(([x, y, value]) => `${shown[x]} / ${down[y]} ${count(value)}`)
      .join(", ")}`,
    note: drawn.length < all.length ? `${count(all.length - drawn.length)} more cells are not drawn.` : ""
  }
}
