/** Records that the job set aside, dead letters and late ones: what they were, where they came from, why. */
import { call } from "./connection.js"
import { element, empty, table } from "./dom.js"
import { time } from "./format.js"

const charactersMax = 160
const shown = 20

/** Topics that the job's late records go to. */
const lateTopicsOf = ({ edges, nodes }) => {
  const sinks = new Set(nodes.filter((node) => node.kind === "sink").map((node) => node.id))
  return [...new Set(edges.filter((edge) => edge.port === "late" && sinks.has(edge.to)).map((edge) => edge.to))]
}

/** The newest of both kinds, newest first. A topic that does not exist yet has none. */
export const newest = async (path, topology) => {
  const dead = call(`${path}/dead-letters?last=${shown}`)
  const wanted = lateTopicsOf(topology)
  const late = wanted.length === 0 ? [] : lateOf(wanted)
  return [...(await dead), ...(await late).flat()]
    .sort((one, other) => other.record.timestamp - one.record.timestamp)
    .slice(0, shown * 2)
}

const lateOf = async (wanted) => {
  const there = (await call("/api/topics")).filter(({ topic }) => wanted.includes(topic))
  const records = await Promise.all(
    there.map(({ topic }) => call(`/api/topics/${encodeURIComponent(topic)}?offset=-${shown}`))
  )
  return records.map((of, i) => of.map((record) => ({ topic: there[i].topic, record, about: {}, late: true })))
}

export const draw = (letters) =>
  letters.length === 0
    ? empty("Nothing was set aside.")
    : table(
        [
          { name: "At" },
          { name: "Kind" },
          { name: "Position" },
          { name: "Why", className: "prose" },
          { name: "Record" }
        ],
        letters.map(({ about, late, record }) => [
          time(record.timestamp),
          late ? "late" : "dead",
          [about.source, about.partition, about.offset].filter((part) => part !== undefined).join(" / ") ||
            `${record.partition} / ${record.offset}`,
          late
            ? "behind the watermark"
            : [about.step, about.cause ?? about.reason].filter((part) => part !== undefined).join(": "),
          element("code", {}, textOf(record.value))
        ]),
        "Records that were set aside, newest first"
      )

/** A record's key or value as one short line. */
export const textOf = (value) => {
  const text = typeof value === "string" ? value : `base64 ${value.base64}`
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`
}
