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

/** The windows that close first, and how far the watermark has to go for each; `null`: no step has windows. */
export const windows = (waiting) => {
  const steps = waiting.filter((step) => step.waiting.kind === "windows")
  if (steps.length === 0) return null
  const rows = steps.flatMap(({ node, waiting: { first, open, watermark } }) =>
    first.map(({ closesAt, end, rows, start }, i) => [
      i === 0 ? `${node} (${count(open)} open)` : "",
      `${dayAndTime(start)} – ${time(end)}`,
      count(rows),
      dayAndTime(closesAt),
      watermark === null ? "–" : age(Math.max(0, closesAt - watermark))
    ])
  )
  if (rows.length === 0) return empty("No window is open.")
  return table(
    [
      { name: "Step" },
      { name: "Window" },
      { name: "Rows", number: true },
      { name: "Closes at", number: true },
      { name: "Watermark lacks", number: true }
    ],
    rows,
    "Open windows, the next to close first"
  )
}
