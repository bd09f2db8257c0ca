/**
 * The row type after each step of a topology, without running it.
 *
 * After `decode` it is what the Schema says. Steps behind it are functions: a few arbitrary values of the Schema are
 * pushed through their operators, always the same ones, and what comes out is described. Where a function throws, or
 * nothing comes out, the type is not known.
 */
import { Arbitrary, FastCheck, Schema } from "effect"
import type { Topology, TopologyNode } from "../flow/Topology.ts"
import type { Change } from "../model/Event.ts"
import type { Batch } from "../model/Message.ts"
import { eventTimeMax } from "../model/Time.ts"
import * as Graph from "./Graph.ts"
import { operatorOf } from "./Operators.ts"
import * as Shape from "./RowShape.ts"

export interface RowType {
  readonly node: string
  /** `null`: it is not known, and `why` says why. */
  readonly type: Shape.Shape | null
  readonly why: string | null
  /** Do its rows replace earlier ones of the same key? */
  readonly replaces: boolean
}

/** What leaves a node: the sampled values and their type. */
interface Flowing {
  readonly values: ReadonlyArray<unknown>
  readonly type: Shape.Shape | null
  readonly why: string | null
}

const samples = 24
/** Fixed, so that the same job is always explained in the same words. */
const seed = 20_180_921
/** When sampled events happen: a job's functions see an instant of an ordinary day. */
const sampledAt = Date.UTC(2018, 8, 21, 7, 20)

/** The types of all nodes but sources and sinks, in data order. */
export const of = (topology: Topology, job: string): ReadonlyArray<RowType> => {
  const graph = Graph.make(topology, job)
  const flowing = new Map<string, Flowing>()
  const found: Array<RowType> = []
  for (const node of topology.nodes) {
    const inputs = topology.edges
      .filter((edge) => edge.to === node.id && edge.port !== "invalid")
      .sort((a, b) => a.input - b.input)
      .map((edge) => flowing.get(`${edge.from}/${edge.port}`) ?? unknown("nothing is known of what comes in"))
    const ports = through(graph, node, inputs)
    for (const [port, out] of Object.entries(ports)) flowing.set(`${node.id}/${port}`, out)
    if (node.spec.kind === "source" || node.spec.kind === "sink") continue
    const { type, values, why } = ports.out ?? unknown("nothing goes on from it")
    found.push({ node: node.id, type, why, replaces: values.length > 0 && values.every(isChange) })
  }
  return found
}

const unknown = (why: string): Flowing => ({ values: [], type: null, why })

const through = (graph: Graph.Graph, node: TopologyNode, inputs: ReadonlyArray<Flowing>): Record<string, Flowing> => {
  const [input = unknown("nothing comes in")] = inputs
  switch (node.spec.kind) {
    case "source":
      return { out: { values: [], type: { kind: "record" }, why: null } }
    case "sink":
      return {}
    case "decode":
      return attempted(() => ({ out: sampled((node.spec as { readonly schema: Schema.Schema<any, any> }).schema) }))
    // They pass events on as they are, or some of them.
    case "filter":
    case "eventTime":
    case "keyBy":
    case "window":
    case "emit":
      return { out: input, late: input }
    default: {
      const missing = inputs.find(({ type }) => type === null)
      if (missing !== undefined) return { out: missing, late: input }
      return { late: input, ...attempted(() => pushed(graph, node, inputs)) }
    }
  }
}

const attempted = (attempt: () => Record<string, Flowing>): Record<string, Flowing> => {
  try {
    return attempt()
  } catch (error) {
    return { out: unknown(error instanceof Error ? error.message : String(error)) }
  }
}

const sampled = (schema: Schema.Schema<any, any>): Flowing => {
  const type = Shape.ofSchema(schema.ast)
  const arbitrary = Arbitrary.make(Schema.typeSchema(schema))
  return { values: FastCheck.sample(arbitrary, { numRuns: samples, seed }), type, why: null }
}

/** What an operator makes of sampled events and of a last barrier. */
const pushed = (graph: Graph.Graph, node: TopologyNode, inputs: ReadonlyArray<Flowing>): Record<string, Flowing> => {
  const operator = operatorOf(graph, node, { triggerMillis: 0 })
  const ports = new Map<string, Array<unknown>>()
  const collector = {
    emit: (port: string, batch: Batch) => {
      ports.set(port, [...(ports.get(port) ?? []), ...batch.values])
    }
  }
  inputs.forEach(({ values }, input) => {
    if (values.length > 0) operator.onBatch(batchOf(node.id, values), collector, input)
  })
  operator.onBarrier(
    {
      _tag: "Barrier",
      epoch: 1,
      openedAt: sampledAt,
      closedAt: sampledAt,
      final: true,
      partitions: [],
      watermark: eventTimeMax,
      idle: false
    },
    collector
  )
  const known = inputs.flatMap(({ type, values }) => (type === null ? [] : [{ type, values: rowsOf(values) }]))
  const described = [...ports].map(
    ([port, values]) => [port, { values, type: Shape.ofValues(rowsOf(values), known), why: null }] as const
  )
  return { out: unknown("sampled events give no row"), ...Object.fromEntries(described) }
}

const batchOf = (origin: string, values: ReadonlyArray<unknown>): Batch => ({
  _tag: "Batch",
  origin,
  partition: 0,
  openedAt: sampledAt,
  values,
  offsets: Float64Array.from(values, (_, i) => i),
  rows: null,
  eventTimes: new Float64Array(values.length).fill(sampledAt),
  ownWatermarks: new Float64Array(values.length).fill(Number.NEGATIVE_INFINITY),
  records: null,
  recordIndexes: null
})

/** The rows that changes speak of; other values are rows themselves. */
const rowsOf = (values: ReadonlyArray<unknown>): ReadonlyArray<unknown> =>
  values.flatMap((value) => {
    if (!isChange(value)) return [value]
    const { after, before } = value
    return after === undefined ? [before] : [after]
  })

const isChange = (value: unknown): value is Change =>
  typeof value === "object" &&
  value !== null &&
  "key" in value &&
  ("before" in value || "after" in value) &&
  Object.keys(value).every((name) => name === "key" || name === "before" || name === "after")
