/** Single steps of a job: taken out of its plan as a job runs them, given batches and barriers, and their rows counted or held. */
import { Topic } from "../src/connectors/topic/index.ts"
import type { Sink } from "../src/flow/Sink.ts"
import * as Topology from "../src/flow/Topology.ts"
import { Flow } from "../src/index.ts"
import type { Change } from "../src/model/Event.ts"
import type { Barrier, Batch } from "../src/model/Message.ts"
import type { LookupTable } from "../src/operator/LookupTable.ts"
import type { Collector, Operator } from "../src/operator/Operator.ts"
import * as Plan from "../src/runtime/Plan.ts"

export const batchSize = 8_192

/** A sink that is described and never opened; by whatever a flow of a bench is keyed by. */
const nowhere: Sink<unknown, never, never> = {
  name: "nowhere",
  label: "nowhere",
  guarantee: "at least once",
  replaces: true,
  key: ["region", "shop", "item", "windowStart"],
  clear: null,
  open: undefined as never
}

/** The operators of these nodes, as a job with the flow would make them; in the order of the ids. */
export const of = (
  flow: Flow.Flow<any, any, any, any>,
  ids: ReadonlyArray<string>,
  table?: LookupTable
): ReadonlyArray<Operator> => {
  const output = flow.pipe(Flow.to(nowhere as never)) as Flow.Output<unknown, unknown>
  const lookups = table === undefined ? {} : { lookups: { first: () => table, of: () => table } }
  const plan = Plan.make(Topology.make("bench", [output]), { job: "bench", triggerMillis: 1_000, ...lookups })
  const planned = plan.chains.flatMap(({ operators }) => operators)
  return ids.map((id) => {
    const found = planned.find((one) => one.id === id)
    if (found === undefined) throw new RangeError(`no step ${id}: ${planned.map((one) => one.id).join(", ")}`)
    return found.make()
  })
}

/** Records of a topic, which nobody reads: the bench gives the rows. */
export const source = (topic: string) => Flow.from(Topic.source(topic))

/** Batches of an epoch, each with the input that it comes to, and the watermark at its end. */
export interface Epoch {
  readonly batches: ReadonlyArray<{ readonly batch: Batch; readonly input: number }>
  readonly watermark: number
}

/** Values of one partition, with their times, as a batch from an offset on. */
export const batchOf = (
  origin: string,
  values: ReadonlyArray<unknown>,
  first: number,
  times: { readonly at: ReadonlyArray<number>; readonly own: number } | null
): Batch => ({
  _tag: "Batch",
  origin,
  partition: 0,
  openedAt: 0,
  values,
  offsets: Float64Array.from(values, (_, i) => first + i),
  rows: null,
  eventTimes: times === null ? null : Float64Array.from(times.at),
  ownWatermarks: times === null ? null : new Float64Array(values.length).fill(times.own),
  records: null,
  recordIndexes: null
})

/** Ends an epoch; nothing is read from it but its number, times and watermark. */
export const barrierOf = (epoch: number, watermark: number, final: boolean): Barrier => ({
  _tag: "Barrier",
  epoch,
  openedAt: epoch * 1_000,
  closedAt: epoch * 1_000 + 1_000,
  final,
  partitions: [],
  watermark,
  idle: false
})

/** Lets epochs go through steps that follow each other; the last is final. What comes out of the last goes to `take`. */
export const run = (
  steps: ReadonlyArray<Operator>,
  epochs: ReadonlyArray<Epoch>,
  options: { readonly snapshots: boolean; readonly take: (batch: Batch) => void }
): void => {
  const last = steps.length - 1
  const outs: ReadonlyArray<Collector> = steps.map((_, i) => ({
    emit: (port, batch) => {
      if (port !== "out") throw new RangeError(`${steps[i]!.id} set ${batch.values.length} events aside`)
      if (i === last) options.take(batch)
      else steps[i + 1]!.onBatch(batch, outs[i + 1]!, 0)
    }
  }))
  epochs.forEach(({ batches, watermark }, e) => {
    for (const { batch, input } of batches) steps[0]!.onBatch(batch, outs[0]!, input)
    let barrier = barrierOf(e + 1, watermark, e === epochs.length - 1)
    steps.forEach((step, i) => {
      barrier = step.onBarrier(barrier, outs[i]!)
      if (options.snapshots) step.state?.snapshot(e + 1)
    })
  })
}

/** The rows that batches leave behind: of changes the last of each key, of events all. As texts, in order. */
export const rowsOf = (batches: ReadonlyArray<Batch>, changes: boolean): ReadonlyArray<string> => {
  if (!changes) return batches.flatMap(({ values }) => values.map(textOf)).sort()
  const rows = new Map<string, string>()
  for (const { values } of batches) {
    for (const { after, key } of values as ReadonlyArray<Change>) {
      if (after === undefined) rows.delete(textOf(key))
      else rows.set(textOf(key), textOf(after))
    }
  }
  return [...rows.values()].sort()
}

/** Equal for rows of equal columns. */
export const textOf = (row: unknown): string =>
  JSON.stringify(row, (_, value) => {
    if (typeof value === "bigint") return `${value}`
    if (typeof value !== "object" || value === null || Array.isArray(value)) return value
    return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
  })
