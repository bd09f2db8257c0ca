/** A job's partitions: how far each is read, how far its watermark is, which one holds the job's, and what waits for it. */
import { element, empty, table } from "./dom.js"
import { age, compact, count, dayAndTime, time } from "./format.js"

const times = (waiting) => waiting.filter((step) => step.waiting.kind === "time").map((step) => step.waiting)
const nameOf = ({ partition, source }) => `${source} / ${partition}`

/** The partition that holds the lowest watermark of all steps that assign times: `{source, partition, since}`. */
export const holderOf = (waiting) =>
  times(waiting)
    .filter((of) => of.holder !== null)
    .reduce((least, of) => (least === null || (of.watermark ?? 0) < (least.watermark ?? 0) ? of : least), null)
    ?.holder ?? null

/** One sentence on what the job's watermark is and what holds it. */
export const summary = (epoch, waiting, now) => {
  if (epoch === undefined) return ""
  if (epoch.watermark === null) return "No watermark yet."
  const holder = holderOf(waiting)
  const behind = `${age(Math.max(0, now - epoch.watermark))} behind the clock`
  const held = holder === null ? "" : `; held by ${nameOf(holder)} since ${time(holder.since)}`
  return `Watermark ${dayAndTime(epoch.watermark)}, ${behind}${held}.`
}

export const draw = (epoch, waiting, now) => {
  if (epoch === undefined || epoch.partitions.length === 0) return empty("No partition was read yet.")
  const holder = holderOf(waiting)
  const known = new Map(times(waiting).flatMap((of) => of.partitions.map((found) => [nameOf(found), found])))
  const isHolder = (of) => holder !== null && nameOf(of) === nameOf(holder)
  return table(
    [
      { name: "Partition" },
      { name: "State" },
      { name: "Read to", number: true },
      { name: "Latest", number: true },
      { name: "Behind", number: true },
      ...(known.size > 0
        ? [
            { name: "Newest event", number: true },
            { name: "Watermark", number: true }
          ]
        : [])
    ],
    epoch.partitions.map((of) => [
      isHolder(of) ? element("span", {}, `${nameOf(of)} `, element("em", { class: "tag" }, "holds")) : nameOf(of),
      known.get(nameOf(of))?.state ?? of.state,
      count(of.to),
      count(of.latest),
      compact(Math.max(0, of.latest - of.to)),
      ...(known.size > 0 ? [instant(known.get(nameOf(of))?.highest), late(known.get(nameOf(of))?.watermark, now)] : [])
    ]),
    "Partitions of the last epoch"
  )
}

const instant = (at) => (at === null || at === undefined ? "–" : dayAndTime(at))
const late = (at, now) => (at === null || at === undefined ? "–" : `${dayAndTime(at)} (${age(Math.max(0, now - at))})`)

const lacks = (until, watermark) => (watermark === null ? "–" : age(Math.max(0, until - watermark)))

const windowRows = ({ node, waiting: { first, open, watermark } }) =>
  first.map(({ closesAt, end, rows, start }, i) => [
    i === 0 ? `${node} (${count(open)} open)` : "",
    `${dayAndTime(start)} – ${time(end)}`,
    count(rows),
    dayAndTime(closesAt),
    lacks(closesAt, watermark)
  ])

/** Of the events that a step keeps, the one that it lets go first. */
const eventRows = ({ node, waiting: { first, waiting, watermark } }) =>
  first === null
    ? []
    : [
        [
          node,
          `events from ${dayAndTime(first.eventTime)}`,
          count(waiting),
          dayAndTime(first.until),
          lacks(first.until, watermark)
        ]
      ]

/**
 * The windows that close first and the events that wait: step, what, how many, until which watermark, and how far that
 * is; `null`: no step has either.
 */
export const rowsOf = (waiting) => {
  const steps = waiting.filter((step) => step.waiting.kind === "windows" || step.waiting.kind === "events")
  if (steps.length === 0) return null
  return steps.flatMap((step) => (step.waiting.kind === "windows" ? windowRows(step) : eventRows(step)))
}

/** The same as a table. */
export const windows = (waiting) => {
  const rows = rowsOf(waiting)
  if (rows === null) return null
  if (rows.length === 0) return empty("No window is open, and no event waits.")
  return table(
    [
      { name: "Step" },
      { name: "What waits" },
      { name: "Rows", number: true },
      { name: "Until watermark", number: true },
      { name: "Watermark lacks", number: true }
    ],
    rows,
    "Open windows and events that wait, the next to go first"
  )
}
