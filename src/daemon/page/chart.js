/** Bars over time: one value a window, the newest still open. */
import { element } from "./dom.js"
import { compact, count, minuteOfDay } from "./format.js"

const height = 184
const axis = { left: 58, right: 18, bottom: 22, top: 10 }

/** `points` are `{at, value}` in the order of time. */
export const draw = (points, { width, label }) => {
  const most = ceiling(Math.max(...points.map((point) => point.value), 0))
  const floor = height - axis.bottom
  const yOf = (value) => floor - (value / most) * (floor - axis.top)
  const step = (width - axis.left - axis.right) / points.length
  const every = Math.max(1, Math.ceil(points.length / Math.max(2, Math.floor(width / 90))))
  return element(
    "svg",
    {
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: "img",
      "aria-label": `${label}; newest: ${count(points.at(-1).value)}`
    },
    [0, 0.5, 1].flatMap((share) => [
      element("line", { class: "grid", x1: axis.left, x2: width, y1: yOf(most * share), y2: yOf(most * share) }),
      element(
        "text",
        { class: "muted", x: axis.left - 8, y: yOf(most * share) + 4, "text-anchor": "end" },
        compact(most * share)
      )
    ]),
    points.map(({ at, value }, i) =>
      element(
        "g",
        {},
        element("title", {}, `${minuteOfDay(at)}: ${count(value)}`),
        element("rect", {
          class: "bar",
          "data-open": i === points.length - 1,
          x: axis.left + i * step + 1,
          y: yOf(Math.max(0, value)),
          width: Math.max(1, step - 2),
          height: Math.max(0, floor - yOf(Math.max(0, value))),
          rx: Math.min(2, step / 4)
        })
      )
    ),
    points.map(({ at }, i) =>
      (points.length - 1 - i) % every === 0
        ? element(
            "text",
            {
              class: "muted",
              x: axis.left + (i + 0.5) * step,
              y: height - 5,
              "text-anchor": "middle"
            },
            minuteOfDay(at)
          )
        : null
    )
  )
}

/** The next round number: 1, 2 or 5 times a power of ten. */
const ceiling = (value) => {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 3, 4, 5, 6, 8, 10].map((times) => times * power).find((round) => round >= value)
}
