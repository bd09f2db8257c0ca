/** What the steps of a job wait for, in lines for a person. */
import type { Millis } from "../model/Time.ts"
import { formatInstant } from "../model/Time.ts"
import type { EventsWaiting, PartitionTime, Waiting } from "../operator/Waiting.ts"
import type { StepWaiting } from "../runtime/Chain.ts"

/** A line for each step, one for each open window that is told, and one for the event that is let go first. */
export const lines = (steps: ReadonlyArray<StepWaiting>): ReadonlyArray<string> =>
  steps.flatMap((step) => linesOf(step, steps))

const linesOf = ({ node, waiting }: StepWaiting, steps: ReadonlyArray<StepWaiting>): ReadonlyArray<string> => {
  switch (waiting.kind) {
    case "time":
      return timeLines(node, waiting)
    case "windows":
      return windowLines(node, waiting, steps)
    case "events":
      return eventLines(node, waiting, steps)
  }
}

type Time = Extract<Waiting, { readonly kind: "time" }>
type Windows = Extract<Waiting, { readonly kind: "windows" }>

const at = (time: Millis | null): string => (time === null ? "not known yet" : formatInstant(time))

const timeLines = (node: string, { holder, partitions, watermark }: Time): ReadonlyArray<string> => [
  `${node}: watermark ${at(watermark)}`,
  ...partitions.map((of) => {
    const holds = of.source === holder?.source && of.partition === holder.partition
    const since = holds ? `, holds the watermark since ${formatInstant(holder.since)}` : ""
    const idle = of.state === null || of.state === "active" ? "" : `, ${of.state}: does not hold it`
    return `  ${of.source}/${of.partition}: has come to ${at(of.highest)}, watermark ${at(of.watermark)}${since}${idle}`
  })
]

const windowLines = (
  node: string,
  { first, open, watermark }: Windows,
  steps: ReadonlyArray<StepWaiting>
): ReadonlyArray<string> => {
  const waits = waitsOf(steps)
  return [
    `${node}: ${open === 1 ? "1 open window" : `${open} open windows`}, watermark ${at(watermark)}`,
    ...first.map(
      ({ closesAt, end, rows, start }) =>
        `  ${formatInstant(start)} to ${formatInstant(end)}, ${rows === 1 ? "1 row" : `${rows} rows`}: ${waits(closesAt, watermark)}`
    )
  ]
}

const eventLines = (
  node: string,
  { first, waiting, watermark }: EventsWaiting,
  steps: ReadonlyArray<StepWaiting>
): ReadonlyArray<string> => [
  `${node}: ${waiting === 1 ? "1 event waits" : `${waiting} events wait`}, watermark ${at(watermark)}`,
  ...(first === null
    ? []
    : [`  the first, of ${formatInstant(first.eventTime)}: ${waitsOf(steps)(first.until, watermark)}`])
]

/** Until which watermark something waits, whose that is, and how far it is from there. */
const waitsOf =
  (steps: ReadonlyArray<StepWaiting>) =>
  (until: Millis, watermark: Millis | null): string => {
    const slowest = slowestOf(steps)
    const whom = slowest === null ? "" : ` of ${slowest.source}/${slowest.partition}`
    const missing = watermark === null ? "" : `, ${Math.max(0, until - watermark) / 1000} s of event time from now`
    return `waits for the watermark${whom} to come to ${formatInstant(until)}${missing}`
  }

/** The partition that holds the watermark: the one that a step names, else the active one that is furthest behind. */
const slowestOf = (steps: ReadonlyArray<StepWaiting>): PartitionTime | null => {
  const times = steps.flatMap(({ waiting }) => (waiting.kind === "time" ? [waiting] : []))
  const all = times.flatMap(({ partitions }) => partitions).filter(({ state }) => state === null || state === "active")
  const behind = (of: PartitionTime): number => of.watermark ?? Number.NEGATIVE_INFINITY
  return all.reduce<PartitionTime | null>(
    (least, of) => (least === null || behind(of) < behind(least) ? of : least),
    null
  )
}
