/** What all charts share: calm axes, a tooltip that needs no markup, series in the page's colours. */
import { compact, count, instants } from "./format.js"

/** Colours that are told apart: series beyond them are not drawn, but as lines of other dashes. */
const coloursMax = 8
const dashes = ["solid", "dashed", "dotted"]
/** The same in a legend. */
const dashIcons = [
  "path://M0 0h20v3h-20z",
  "path://M0 0h8v3h-8zM12 0h8v3h-8z",
  "path://M0 0h3v3h-3zM5.7 0h3v3h-3zM11.3 0h3v3h-3zM17 0h3v3h-3z"
]

/** Series that a chart of this form draws. */
export const seriesMax = (type, stacked = false) =>
  type === "line" && !stacked ? coloursMax * dashes.length : coloursMax

const font = 'system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
export const textStyle = (colours) => ({ color: colours.text, fontFamily: font })

export const axisStyle = (colours) => ({
  axisLine: { lineStyle: { color: colours.line } },
  axisTick: { show: false },
  axisLabel: { color: colours.muted, hideOverlap: true, fontSize: 11 },
  splitLine: { lineStyle: { color: colours.line } }
})

/** Drawn on the canvas: markup with styles would be against the page's policy. */
export const tooltip = (colours, more = {}) => ({
  renderMode: "richText",
  confine: true,
  transitionDuration: 0,
  backgroundColor: colours.surface,
  borderColor: colours.line,
  borderWidth: 1,
  padding: [8, 10],
  textStyle: { color: colours.text, fontSize: 12, fontFamily: font },
  ...more
})

/** Sets a mark before a name in the tooltip in the colour of its series. */
export const tipLines = (points, shown) =>
  points.map(({ marker, seriesName, value }) => `${marker} ${seriesName}  ${shown(value)}`).join("\n")

/**
 * A chart with axes. `x` is `{kind: "time" | "category", values}`, each series `{name, values, colour?}` with one value
 * for each of `x` or `null`; `type` is `line` or `bar`; `shown` says a value. Instants are
 * the reader's own time, or with `x.utc` those of the database.
 */
export const axes =
  ({ type, x, series, stacked = false, filled = false, shown = compact }) =>
  (colours) => {
    const isTime = x.kind === "time"
    const legend = series.length > 1
    const instant = instants(x.utc === true)
    const steps = isTime ? instant.forSpan(x.values.at(-1) - x.values[0]) : null
    const drawn = series.slice(0, seriesMax(type, stacked))
    // Where a colour comes twice, its dash is seen in the legend, and the line that is pointed at stands out.
    const isMany = drawn.length > coloursMax
    return {
      useUTC: x.utc === true,
      color: drawn.map(({ colour }, i) => (colour === undefined ? colours.series[i % coloursMax] : colours.of(colour))),
      textStyle: textStyle(colours),
      grid: { left: 4, right: 12, top: legend ? 34 : 12, bottom: 4, containLabel: true },
      ...(legend
        ? {
            legend: {
              type: "scroll",
              top: 0,
              left: 0,
              itemWidth: isMany ? 20 : 8,
              itemHeight: 8,
              ...(isMany
                ? { data: drawn.map(({ name }, i) => ({ name, icon: dashIcons[Math.floor(i / coloursMax)] })) }
                : { icon: "roundRect" }),
              itemGap: 8,
              // Without a height of its own the text is cut off above where the legend has pages.
              textStyle: { color: colours.muted, fontSize: 11, lineHeight: 14 },
              pageTextStyle: { color: colours.muted },
              pageIconColor: colours.muted,
              pageIconInactiveColor: colours.line
            }
          }
        : {}),
      tooltip: tooltip(colours, {
        trigger: "axis",
        axisPointer: { type: type === "bar" ? "shadow" : "line", lineStyle: { color: colours.muted } },
        formatter: (points) => {
          const [first] = points
          const title = isTime ? instant.full(first.axisValue ?? first.value[0]) : first.name
          const valueOf = ({ value }) => (isTime ? value[1] : value)
          const sorted = isMany ? points.toSorted((one, other) => valueOf(other) - valueOf(one)) : points
          return `${title}\n${tipLines(sorted, (value) => shownOf(shown, isTime ? value[1] : value))}`
        }
      }),
      xAxis: {
        type: x.kind,
        ...(isTime ? {} : { data: x.values }),
        ...axisStyle(colours),
        ...(type === "bar" ? { axisLabel: { ...axisStyle(colours).axisLabel, interval: 0 } } : {}),
        ...(isTime ? { axisLabel: { ...axisStyle(colours).axisLabel, formatter: steps, showMaxLabel: false } } : {}),
        ...(isTime ? { splitNumber: 4 } : {}),
        splitLine: { show: false }
      },
      yAxis: {
        type: "value",
        ...axisStyle(colours),
        axisLine: { show: false },
        splitNumber: 4,
        minInterval: shown === count ? 1 : 0,
        axisLabel: { ...axisStyle(colours).axisLabel, formatter: shown }
      },
      series: drawn.map(({ name, values }, i) => ({
        name,
        type,
        ...(stacked ? { stack: "all" } : {}),
        ...(type === "line"
          ? {
              showSymbol: values.filter((value) => value !== null).length < 2,
              symbolSize: 5,
              ...(isMany ? { symbol: "none" } : {}),
              lineStyle: { width: stacked ? 1 : 1.75, type: dashes[Math.floor(i / coloursMax)] },
              ...(stacked || filled ? { areaStyle: { opacity: stacked ? 0.75 : 0.12 } } : {})
            }
          : { barMaxWidth: 36, barCategoryGap: "24%", itemStyle: { borderRadius: stacked ? 0 : [2, 2, 0, 0] } }),
        emphasis: { focus: isMany ? "series" : "none" },
        data: isTime ? values.map((value, i) => [x.values[i], value]) : values
      }))
    }
  }

const shownOf = (shown, value) => (value === null || value === undefined ? "–" : shown(value))

/** `3 series over 40 points; newest: in 1,200, out 48`. */
export const spokenOf = (title, series, points, shown = count) => {
  const last = series
    .slice(0, coloursMax)
    .map(
      ({ name, values }) =>
        `${name} ${shownOf(
          shown,
          values.findLast((value) => value !== null)
        )}`
    )
    .join(", ")
  return points === 0 ? `${title}: nothing yet` : `${title}: ${points} points, the last: ${last}`
}
