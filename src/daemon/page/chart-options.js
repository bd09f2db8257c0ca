/** An answer and a chart's mapping become what is drawn, what is said of it, and its figures. Pure. */
import { axes, seriesMax, spokenOf, textStyle, tooltip } from "./chart-base.js"
import { drawHeatmap } from "./chart-heat.js"
import { fitted, instantsShown, kindsOf, millisOf } from "./columns.js"
import { compact, count, figure, title } from "./format.js"

/** Categories of a bar chart, words of a cloud, boxes of a treemap: what is beyond is left out, and said. */
const categoriesMax = 60
const wordsMax = 120

const numberOf = (text) => (text === null ? null : Number.isFinite(Number(text)) ? Number(text) : null)

/** `{options, spoken, figures, note}`; `null` where the mapping lacks a column that the chart needs. */
export const chartOf = (answer, mapping, name) => {
  const chart = fitted(mapping, answer)
  const figures = () => ({
    columns: kindsOf(answer).map((column) => ({ name: column.name, number: column.kind === "number" })),
    rows: answer.rows.map((row) => row.map((value) => value ?? "–"))
  })
  const made =
    chart.values.length === 0 && chart.type !== "wordcloud" ? null : drawings[chart.type]?.(answer, chart, name)
  return made === null || made === undefined ? null : { figures, note: "", ...made }
}

/**
 * Rows as points along x, in its order, and one series for each number, or for each text of `by`: those by name, so that
 * each keeps its colour. Rows at the same place are added.
 */
const seriesOf = ({ columns, rows }, { x, values, by }, isTime) => {
  const place = new Map()
  const xAt = columns.indexOf(x)
  const byAt = by === null ? -1 : columns.indexOf(by)
  const series = new Map()
  let added = 0
  for (const row of rows) {
    const at = xAt < 0 ? place.size : isTime ? millisOf(row[xAt] ?? "") : (row[xAt] ?? "–")
    if (isTime && !Number.isFinite(at)) continue
    if (!place.has(at)) place.set(at, place.size)
    for (const value of byAt < 0 ? values : values.slice(0, 1)) {
      const name = byAt < 0 ? title(value) : (row[byAt] ?? "–")
      if (!series.has(name)) series.set(name, new Map())
      const points = series.get(name)
      const number = numberOf(row[columns.indexOf(value)])
      if (points.has(at)) added++
      points.set(at, number === null ? (points.get(at) ?? null) : (points.get(at) ?? 0) + number)
    }
  }
  const along = [...place.keys()]
  if (isTime) along.sort((one, other) => one - other)
  const named =
    byAt < 0 ? [...series] : [...series].sort(([one], [other]) => one.localeCompare(other, "en", { numeric: true }))
  return {
    along,
    added,
    series: named.map(([name, points]) => ({ name, values: along.map((at) => points.get(at) ?? null) }))
  }
}

const drawAxes = (type) => (answer, chart, name) => {
  const kinds = kindsOf(answer)
  const isTime = kinds.find((column) => column.name === chart.x)?.kind === "time"
  const { added, along, series } = seriesOf(answer, chart, isTime && type === "line")
  const left = type === "bar" || !isTime ? Math.max(0, along.length - categoriesMax * (type === "bar" ? 1 : 20)) : 0
  const kept = along.slice(0, along.length - left)
  const notDrawn = series.slice(seriesMax(type, chart.stacked))
  const shown = isTime && type === "bar" ? instantsShown(kept) : kept
  return {
    options: axes({
      type,
      x: {
        kind: isTime && type === "line" ? "time" : "category",
        utc: true,
        values: shown.map((at) => (type === "line" && isTime ? at : String(at)))
      },
      series: series.map((of) => ({ ...of, values: of.values.slice(0, kept.length) })),
      stacked: chart.stacked,
      filled: series.length === 1
    }),
    spoken: spokenOf(`${name}, ${type} chart`, series, along.length),
    note: [
      left > 0 ? `${count(left)} more are not drawn.` : "",
      notDrawn.length > 0 ? `${count(notDrawn.length)} more series are not drawn.` : "",
      added > 0 ? `Rows of the same ${chart.x ?? "place"} are added.` : ""
    ]
      .filter((sentence) => sentence !== "")
      .join(" ")
  }
}

const sized = ({ columns, rows }, { x, values }) => {
  const [xAt, valueAt] = [columns.indexOf(x), columns.indexOf(values[0])]
  return rows
    .map((row) => ({
      row,
      name: xAt < 0 ? "–" : (row[xAt] ?? "–"),
      value: valueAt < 0 ? 1 : (numberOf(row[valueAt]) ?? 0)
    }))
    .filter(({ value }) => value > 0)
    .sort((one, other) => other.value - one.value)
}

const leftOut = (left) => (left > 0 ? `${count(left)} smaller ones are not drawn.` : "")

const largest = (found) =>
  found
    .slice(0, 3)
    .map(({ name, value }) => `${name} ${count(value)}`)
    .join(", ")

const drawTreemap = (answer, chart, name) => {
  const all = sized(answer, chart)
  const found = all.slice(0, 400)
  const byAt = chart.by === null ? -1 : answer.columns.indexOf(chart.by)
  const leaves = (some) => some.map(({ name, value }) => ({ name, value }))
  const groupOf = ({ row }) => row[byAt] ?? "–"
  const groups = [...new Set(found.map(groupOf))].sort((one, other) =>
    one.localeCompare(other, "en", { numeric: true })
  )
  // Groups by name, so that each keeps its colour while sizes change.
  const contentIn = (colours) =>
    byAt < 0
      ? leaves(found)
      : groups.map((group, at) => ({
          name: group,
          itemStyle: { color: colours.series[at % colours.series.length] },
          children: leaves(found.filter((of) => groupOf(of) === group))
        }))
  return {
    options: (colours) => ({
      color: colours.series,
      textStyle: textStyle(colours),
      tooltip: tooltip(colours, {
        formatter: ({ treePathInfo, value }) =>
          `${treePathInfo
            .slice(1)
            .map((part) => part.name)
            .join(" / ")}\n${count(value)}`
      }),
      series: [
        {
          type: "treemap",
          top: 0,
          left: 0,
          right: 0,
          bottom: 0,
          roam: false,
          nodeClick: false,
          breadcrumb: { show: false },
          itemStyle: { borderColor: colours.surface, borderWidth: 1, gapWidth: 1 },
          label: {
            color: "#fff",
            fontSize: 12,
            overflow: "none",
            textBorderColor: "rgba(0,0,0,0.45)",
            textBorderWidth: 2
          },
          upperLabel: { show: byAt >= 0, height: 22, color: colours.text, fontSize: 12, fontWeight: 600 },
          levels: [
            { itemStyle: { borderColor: colours.surface, borderWidth: 0, gapWidth: 3 }, upperLabel: { show: false } },
            { itemStyle: { borderColor: colours.surface, gapWidth: 1 } },
            { colorSaturation: null }
          ],
          // A name that is cut reads as another name: it is left out where it does not fit.
          labelLayout: ({ labelRect, rect }) => (labelRect.width + 8 > rect.width ? { fontSize: 0 } : {}),
          data: contentIn(colours)
        }
      ]
    }),
    spoken: `${name}, treemap of ${found.length}; the largest: ${largest(found)}`,
    note: leftOut(all.length - found.length)
  }
}

const drawCloud = (answer, chart, name) => {
  const all = sized(answer, chart)
  const found = all.slice(0, wordsMax)
  return {
    options: (colours) => ({
      textStyle: textStyle(colours),
      tooltip: tooltip(colours, { formatter: ({ name, value }) => `${name}  ${count(value)}` }),
      series: [
        {
          type: "wordCloud",
          width: "96%",
          height: "96%",
          left: "center",
          top: "center",
          gridSize: 8,
          sizeRange: [14, 60],
          rotationRange: [0, 0],
          drawOutOfBound: false,
          shrinkToFit: true,
          layoutAnimation: false,
          textStyle: { fontWeight: 600 },
          emphasis: { textStyle: { color: colours.text } },
          data: found.map(({ name, value }, i) => ({ name, value, textStyle: { color: colours.series[i % 6] } }))
        }
      ]
    }),
    spoken: `${name}, word cloud of ${found.length}; the largest: ${largest(found)}`,
    note: leftOut(all.length - found.length)
  }
}

const drawings = {
  line: drawAxes("line"),
  bar: drawAxes("bar"),
  heatmap: drawHeatmap,
  treemap: drawTreemap,
  wordcloud: drawCloud
}

/** What a tile that is one number says: the first row's value, and what it is of. */
export const numberOfAnswer = (answer, mapping) => {
  const chart = fitted(mapping, answer)
  const at = answer.columns.indexOf(chart.values[0] ?? answer.columns[0])
  const value = answer.rows[0]?.[at] ?? null
  return {
    value: value === null ? "–" : figure(value),
    label: title(answer.columns[at] ?? ""),
    short: compact(Number(value))
  }
}
