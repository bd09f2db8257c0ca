/** A job's partitions: how far each is read, how far its watermark is, and which one the job's watermark waits for. */
import { element, empty, table } from "./dom.js"
import { age, compact, count, time } from "./format.js"

const known = (partition) => partition.watermark !== null && partition.watermark !== undefined
const counts = (partition) => partition.state === "active" && known(partition)

/** The active partition with the lowest watermark: the job's cannot pass it. */
export const holding = (partitions) =>
  partitions.filter(counts).reduce((least, of) => (least === null || of.watermark < least.watermark ? of : least), null)

/** One sentence on what the job's watermark is and what holds it. */
export const summary = (epoch, now) => {
  if (epoch === undefined) return ""
  if (epoch.watermark === null) return "No watermark yet."
  const held = holding(epoch.partitions)
  const behind = `${age(Math.max(0, now - epoch.watermark))} behind the clock`
  const by = held === null ? "" : `; held by ${held.source} / ${held.partition}`
  return `Watermark ${time(epoch.watermark)}, ${behind}${by}.`
}

export const draw = (epoch, now) => {
  if (epoch === undefined || epoch.partitions.length === 0) return empty("No partition was read yet.")
  const held = holding(epoch.partitions)
  const says = epoch.partitions.some(known)
  return table(
    [
      { name: "Partition" },
      { name: "State" },
      { name: "Read to", number: true },
      { name: "Latest", number: true },
      { name: "Behind", number: true },
      ...(says ? [{ name: "Watermark", number: true }] : [])
    ],
    epoch.partitions.map((of) => [
      of === held
        ? element("span", {}, `${of.source} / ${of.partition} `, element("em", { class: "tag" }, "holds"))
        : `${of.source} / ${of.partition}`,
      of.state,
      count(of.to),
      count(of.latest),
      compact(Math.max(0, of.latest - of.to)),
      ...(says ? [known(of) ? `${time(of.watermark)} (${age(Math.max(0, now - of.watermark))})` : "–"] : [])
    ]),
    "Partitions of the last epoch"
  )
}
