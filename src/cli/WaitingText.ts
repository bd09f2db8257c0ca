/** What the steps of a job wait for, in lines for a person. */
import type { Millis } from "../model/Time.ts"
import { formatInstant } from "../model/Time.ts"
import type { PartitionTime, Waiting } from "../operator/Waiting.ts"
import type { StepWaiting } from "../runtime/Chain.ts"

/** A line for each step, and one for each open window that is told. */
export const lines = (steps: ReadonlyArray<StepWaiting>): ReadonlyArray<string> =>
  steps.flatMap(({ node, waiting }) =>
    waiting.kind === "time" ? timeLines(node, waiting) : windowLines(node, waiting, steps)
  )

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
  const slowest = slowestOf(steps)
  const whom = slowest === null ? "" : ` of ${slowest.source}/${slowest.partition}`
  return [
    `${node}: ${open} open windows, watermark ${at(watermark)}`,
    ...first.map(({ closesAt, end, rows, start }) => {
      const missing = watermark === null ? "" : `, ${Math.max(0, closesAt - watermark) / 1000} s of event time from now`
      return `  ${formatInstant(start)} to ${formatInstant(end)}, ${rows} rows: waits for the watermark${whom} to come to ${formatInstant(closesAt)}${missing}`
    })
  ]
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
