/** Records that the job set aside, dead letters and late ones: what they were, where they came from, why. */
import { call } from "./connection.js"
import { element, empty, table } from "./dom.js"
import { count, time } from "./format.js"

const charactersMax = 160
const deadShown = 20
const lateShown = 10

/** Topics that the job's late records go to. */
const lateTopicsOf = ({ edges, nodes }) => {
  const sinks = new Set(nodes.filter((node) => node.kind === "sink").map((node) => node.id))
  return [...new Set(edges.filter((edge) => edge.port === "late" && sinks.has(edge.to)).map((edge) => edge.to))]
}

/** The newest of both kinds, newest first: `{dead, late}`. A topic that does not exist yet has none. */
export const newest = async (path, topology) => {
  const wanted = lateTopicsOf(topology)
  const [dead, late] = await Promise.all([
    call(`${path}/dead-letters?last=${deadShown}`),
    wanted.length === 0 ? [] : lateOf(wanted)
  ])
  return { dead: dead.toSorted(newestFirst), late: late.toSorted(newestFirst).slice(0, lateShown) }
}

const newestFirst = (one, other) => other.record.timestamp - one.record.timestamp

const lateOf = async (wanted) => {
  const there = (await call("/api/topics")).filter(({ topic }) => wanted.includes(topic))
  const records = await Promise.all(
    there.map(({ topic }) => call(`/api/topics/${encodeURIComponent(topic)}?offset=-${lateShown}`))
  )
  return records.flatMap((of, i) => of.map((record) => ({ topic: there[i].topic, record })))
}

/** Both kinds, each under its name with how many there were in all. */
export const draw = ({ dead, late }, totals) =>
  dead.length + late.length === 0
    ? [empty("Nothing was set aside.")]
    : [
        ...(dead.length === 0 ? [] : [heading("Dead letters", totals.deadLetters), deadTable(dead)]),
        ...(late.length === 0 ? [] : [heading("Late events", totals.late), lateTable(late)])
      ]

const heading = (name, total) => element("h3", {}, `${name} `, element("small", {}, count(total)))

const deadTable = (letters) =>
  table(
    [{ name: "At" }, { name: "Position" }, { name: "Why", className: "prose" }, { name: "Record" }],
    letters.map(({ about, record }) => [
      time(record.timestamp),
      [about.source, about.partition, about.offset].filter((part) => part !== undefined).join(" / ") ||
        `${record.partition} / ${record.offset}`,
      [about.step, about.cause ?? about.reason].filter((part) => part !== undefined).join(": "),
      element("code", {}, textOf(record.value))
    ]),
    "Dead letters, newest first"
  )

const lateTable = (letters) =>
  table(
    [{ name: "At" }, { name: "Position" }, { name: "Record" }],
    letters.map(({ record, topic }) => [
      time(record.timestamp),
      `${topic} / ${record.partition} / ${record.offset}`,
      element("code", {}, textOf(record.value))
    ]),
    "Late events, newest first"
  )

/** A record's key or value as one short line. */
export const textOf = (value) => {
  const text = typeof value === "string" ? value : `base64 ${value.base64}`
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`
}
