/**
 * The row type after each step of a topology, without running it.
 *
 * After `decode` it is what the Schema says. What joins, aggregates and windows make of it follows by rule. Where a
 * function of the job decides, a few arbitrary values of the Schema are handed to it, always the same ones, and what
 * comes out is described. Where a function throws, or nothing comes out, the type is not known.
 */
import { Arbitrary, FastCheck, Schema } from "effect"
import { lateRight, type Port, type SpecOf, type Topology, type TopologyNode } from "../flow/Topology.ts"
import type { Batch } from "../model/Message.ts"
import { eventTimeMax } from "../model/Time.ts"
import * as AggregateTypes from "./AggregateTypes.ts"
import { sampledAt } from "./AggregateTypes.ts"
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

/** What leaves a node by a port: sampled rows and their type. Of a change, its rows. */
type Flowing = Shape.Known | Unknown

interface Unknown {
  readonly type: null
  readonly why: string
}

type Ports = Readonly<Partial<Record<Port, Flowing>>>

const samples = 24
/** Fixed, so that the same job is always explained in the same words. */
const seed = 20_180_921

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
    for (const [port, out] of Object.entries(ports)) if (out !== undefined) flowing.set(`${node.id}/${port}`, out)
    if (node.spec.kind === "source" || node.spec.kind === "sink") continue
    const out = ports.out ?? unknown("nothing goes on from it")
    const why = out.type === null ? out.why : null
    found.push({ node: node.id, type: out.type, why, replaces: graph.givesChanges(node.id, "out") })
  }
  return found
}

const unknown = (why: string): Unknown => ({ type: null, why })

const through = (graph: Graph.Graph, node: TopologyNode, inputs: ReadonlyArray<Flowing>): Ports => {
  if (node.spec.kind === "source") return { out: { values: [], type: { kind: "record" } } }
  if (node.spec.kind === "sink") return {}
  const [late, other = late] = inputs as readonly [Flowing, ...ReadonlyArray<Flowing>]
  const aside = { late, [lateRight]: other }
  const missing = inputs.find(({ type }) => type === null)
  if (missing !== undefined) return { ...aside, out: missing }
  try {
    return { ...aside, ...made(graph, node, inputs as ReadonlyArray<Shape.Known>) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { ...aside, out: unknown(`Step '${node.id}' failed on a sampled event: ${message}`) }
  }
}

/** What a step makes of what comes in; throws what a function of the job throws. */
const made = (graph: Graph.Graph, node: TopologyNode, inputs: ReadonlyArray<Shape.Known>): Ports => {
  const { spec } = node
  const [input, other = input] = inputs as readonly [Shape.Known, ...ReadonlyArray<Shape.Known>]
  switch (spec.kind) {
    case "decode":
      return { out: sampled(spec.schema) }
    case "map":
      return { out: seen(input.values.map(spec.f as (event: unknown) => unknown), inputs) }
    case "flatMap":
      return {
        out: seen(
          input.values.flatMap((value) => [...spec.f(value as never)]),
          inputs
        )
      }
    case "filter":
      return { out: { ...input, values: passing(spec, input.values) } }
    case "merge":
      return {
        out: { type: Shape.union(inputs.map(({ type }) => type)), values: inputs.flatMap(({ values }) => values) }
      }
    case "join":
    case "temporalJoin":
      return { out: pairs(spec.type, input, other) }
    case "enrich":
      return { out: enriched(spec, input) }
    case "updates":
      return { out: updates(input) }
    case "aggregate":
      return { out: AggregateTypes.ofGroups(spec.aggregates, graph.grouping(node), input) }
    case "frames":
      return { out: AggregateTypes.ofFrames(spec.frames, input) }
    case "process":
      return { out: unknown("sampled events give no row"), ...pushed(graph, node, input) }
    // They pass rows on as they are, or some of them.
    default:
      return { out: input }
  }
}

const sampled = (schema: Schema.Schema<any, any>): Shape.Known => ({
  type: Shape.ofSchema(schema.ast),
  values: FastCheck.sample(Arbitrary.make(Schema.typeSchema(schema)), { numRuns: samples, seed })
})

/** Rows that functions of the job made. */
const seen = (values: ReadonlyArray<unknown>, known: ReadonlyArray<Shape.Known>): Flowing =>
  values.length === 0 ? unknown("sampled events give no row") : { values, type: Shape.ofValues(values, known) }

/** What passes a predicate. If nothing does, all: the samples say nothing of what passes. */
const passing = ({ predicate }: SpecOf<"filter">, values: ReadonlyArray<unknown>): ReadonlyArray<unknown> => {
  const some = values.filter((value) => predicate(value as never))
  return some.length === 0 ? values : some
}

const pairs = (type: SpecOf<"join">["type"], left: Shape.Known, right: Shape.Known): Shape.Known => {
  const [lacksLeft, lacksRight] = [type === "outer", type !== "inner"]
  const row = (of: number): unknown => right.values[of % right.values.length]
  return {
    type: structOf({
      left: lacksLeft ? Shape.nullable(left.type) : left.type,
      right: lacksRight ? Shape.nullable(right.type) : right.type
    }),
    values: [
      ...left.values.map((value, i) => ({ left: value, right: row(i) })),
      ...(lacksRight ? left.values.map((value) => ({ left: value, right: null })) : []),
      ...(lacksLeft ? right.values.map((value) => ({ left: null, right: value })) : [])
    ]
  }
}

const enriched = ({ into, lookup, type }: SpecOf<"enrich">, input: Shape.Known): Flowing => {
  const rows = sampled(lookup.schema)
  const put = into as (event: unknown, found: unknown) => unknown
  const found = input.values.map((value, i) => put(value, rows.values[i % rows.values.length]))
  const notFound = type === "left" ? input.values.map((value) => put(value, null)) : []
  return seen([...found, ...notFound], [input, rows])
}

const updates = ({ type, values }: Shape.Known): Shape.Known => ({
  type: {
    kind: "struct",
    fields: ["before", "after"].map((name) => ({ name, type, optional: true }))
  },
  values: values.flatMap((row) => [{ after: row }, { before: row, after: row }, { before: row }])
})

const structOf = (fields: Readonly<Record<string, Shape.Shape>>): Shape.Shape => ({
  kind: "struct",
  fields: Object.entries(fields).map(([name, type]) => ({ name, type, optional: false }))
})

/** What an operator of the job's own makes of sampled events and of a last barrier. */
const pushed = (graph: Graph.Graph, node: TopologyNode, input: Shape.Known): Ports => {
  const operator = operatorOf(graph, node, { triggerMillis: 0 })
  const ports = new Map<string, ReadonlyArray<unknown>>()
  const collector = {
    emit: (port: string, batch: Batch) => {
      ports.set(port, [...(ports.get(port) ?? []), ...batch.values])
    }
  }
  if (input.values.length > 0) operator.onBatch(batchOf(node.id, input.values), collector, 0)
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
  return Object.fromEntries([...ports].map(([port, values]) => [port, seen(values, [input])]))
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
