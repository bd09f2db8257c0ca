/**
 * A topology as actors: one for each source, each chain of operators, each sink.
 *
 * A chain begins behind a source, at a node with several inputs, behind a node that several others read, behind a step
 * that keeps rows, and at one that fetches what a batch needs; within it a batch goes from operator to operator by plain calls. `keyBy`, `window`,
 * `aggregate` and `emit` become one operator. Where a source is read by what takes events, be it a sink, the chain
 * begins with an operator that makes them.
 */

import * as SchemaFingerprint from "../flow/SchemaFingerprint.ts"
import type { Source } from "../flow/Source.ts"
import {
  type AnySink,
  isLate,
  type NodeKind,
  type Port,
  type SpecOf,
  type Topology,
  type TopologyNode
} from "../flow/Topology.ts"
import type { LookupTables } from "../operator/LookupTable.ts"
import type { Operator } from "../operator/Operator.ts"
import * as Transform from "../operator/Transform.ts"
import * as Graph from "./Graph.ts"
import { operatorOf } from "./Operators.ts"

/** Where an operator's output goes: to another operator of its chain, by index, or to another actor, by id. */
export type Target = { readonly operator: number } | { readonly actor: string; readonly input: number }

export interface PlannedOperator {
  /** Makes the operator anew: at every start of the job. */
  readonly make: () => Operator
  readonly id: string
  readonly kind: NodeKind
  readonly targets: Targets
  /** Does it set the watermark? */
  readonly assignsTime: boolean
  /** Where it keeps whole rows: their form as they were decoded; `null`: it does not. */
  readonly rows?: string | null
  /** The form of events that may wait beside what it keeps; absent: none does. */
  readonly waits?: string
  /** Ids of the sources above a step that keeps something of each of them. */
  readonly of?: ReadonlyArray<string>
  /** What the numbers are counted in that a step may keep, by column. */
  readonly numbers?: Readonly<Record<string, string>>
  /** Ids of the nearest steps above whose rows it takes back. */
  readonly over?: ReadonlyArray<string>
}

/** Is a node on a way to a step, or that step? By their ids; of a chain by its actor's. */
export type Leads = (node: string, step: string) => boolean

/** By port; `out`, `late` and `invalid` are always there. */
export type Targets = Readonly<Record<Port, ReadonlyArray<Target>>>

export interface PlannedChain {
  readonly id: string
  readonly leads: Leads
  /** The actors whose barriers end its epochs. */
  readonly inputs: ReadonlyArray<string>
  readonly operators: ReadonlyArray<PlannedOperator>
  /** The actors that get its batches and barriers. */
  readonly actors: ReadonlyArray<string>
}

export interface PlannedSource {
  readonly id: string
  readonly source: Source<unknown, unknown, unknown>
  /** The chains that read it. */
  readonly actors: ReadonlyArray<string>
  /** After so long without a record a partition is idle. */
  readonly idleAfterMillis: number
}

export interface PlannedSink {
  readonly id: string
  readonly sink: AnySink
  /** The chains that write to it. */
  readonly inputs: ReadonlyArray<string>
  /** The sink that takes the rows that this one refuses; `null`: the job fails at the first. */
  readonly invalid: string | null
  /** Is it what another node sets its invalid events aside to? */
  readonly takesInvalid: boolean
  /** Is it fed by what goes on, not by what is set aside? */
  readonly counts: boolean
  /** The step whose late events it takes; `null`: it takes others. */
  readonly lateOf: string | null
}

export interface Plan {
  readonly sources: ReadonlyArray<PlannedSource>
  readonly chains: ReadonlyArray<PlannedChain>
  readonly sinks: ReadonlyArray<PlannedSink>
  readonly leads: Leads
}

export interface PlanOptions {
  readonly job: string
  readonly triggerMillis: number
  /** The versions of lookups that are loaded; absent: the plan is only looked at. */
  readonly lookups?: LookupTables
}

export const make = (topology: Topology, options: PlanOptions): Plan => {
  const graph = Graph.make(topology, options.job)
  const heads = topology.nodes.filter((node) => beginsChain(graph, node))
  const leads = leadsOf(graph, topology)
  const unjoined = heads.map((head) => ({ ...chainOf(graph, head, options), leads }))
  const sources = graph.ofKind("source").map((node) => ({
    id: node.id,
    source: node.spec.source,
    actors: [...new Set(graph.consumers(node.id, "out").map((consumer) => `chain:${consumer.node.id}`))],
    idleAfterMillis: Math.min(
      ...graph
        .downstream(node)
        .flatMap((below) => (below.spec.kind === "eventTime" ? [below.spec.idleAfterMillis] : []))
    )
  }))
  const senders = [...sources, ...unjoined]
  const chains = unjoined.map((chain) => ({
    ...chain,
    inputs: senders.flatMap((sender) => (sender.actors.includes(chain.id) ? [sender.id] : []))
  }))
  return { sources, chains, sinks: graph.ofKind("sink").map((node) => sinkOf(graph, node, chains)), leads }
}

// Private

const leadsOf = (graph: Graph.Graph, topology: Topology): Leads => {
  const ways = new Map<string, ReadonlySet<string>>()
  return (node, step) => {
    let way = ways.get(step)
    if (way === undefined) {
      const to = topology.nodes.find(({ id }) => id === step)
      way = new Set(to === undefined ? [] : [to, ...graph.upstream(to)].flatMap(({ id }) => [id, `chain:${id}`]))
      ways.set(step, way)
    }
    return way.has(node)
  }
}

/** A sink that reads a source has a chain of its own, of an operator that is no node. */
const beginsChain = (graph: Graph.Graph, node: TopologyNode): boolean => {
  if (Graph.isPart(node.spec.kind)) return false
  const producers = graph.producers(node)
  const [from] = producers
  if (from === undefined) return false
  if (producers.length === 1 && from.node.spec.kind === "source") return true
  if (node.spec.kind === "sink") return false
  return (
    producers.length > 1 ||
    Graph.fetches(node) ||
    Graph.keepsRows(from.node.spec.kind) ||
    from.port !== "out" ||
    graph.consumers(from.node.id, "out").length > 1
  )
}

const chainOf = (graph: Graph.Graph, head: TopologyNode, options: PlanOptions): Omit<PlannedChain, "leads"> => {
  const nodes = operatorsFrom(graph, head)
  const [from] = graph.producers(head)
  const startsRaw = from?.node.spec.kind === "source" && head.spec.kind !== "decode"
  const shift = startsRaw ? 1 : 0
  const target = ({ input, node }: Graph.Consumer): Target => {
    const index = nodes.indexOf(node)
    if (index > 0) return { operator: index + shift }
    return { actor: node.spec.kind === "sink" ? node.id : `chain:${node.id}`, input }
  }
  const operators = nodes.map((node): PlannedOperator => {
    const invalid = graph.invalidOf(node)
    const read = Object.fromEntries(
      graph.ports(node.id).map((port) => [port, graph.consumers(node.id, port).map(target)])
    )
    return {
      id: node.id,
      kind: node.spec.kind,
      make: () => operatorOf(graph, node, options),
      assignsTime: node.spec.kind === "eventTime",
      rows: rowsOf(graph, node),
      ...(node.spec.kind === "process" && graph.isTimed(node, 0) ? { waits: decodedAs(graph, node) } : {}),
      ...(keepsNumbers(node) ? { numbers: numbersOf(graph, node) } : {}),
      over: takenBackOf(graph, node),
      ...(node.spec.kind === "eventTime" ? { of: sourcesAbove(graph, node) } : {}),
      targets: { out: [], late: [], ...read, invalid: invalid === null ? [] : [{ actor: invalid, input: 0 }] }
    }
  })
  const raw: PlannedOperator = {
    id: `${head.id}:raw`,
    kind: "source",
    make: () => Transform.materialise(`${head.id}:raw`),
    assignsTime: false,
    targets: {
      out: [nodes.length === 0 ? { actor: head.id, input: 0 } : { operator: 1 }],
      late: [],
      invalid: []
    }
  }
  const all = startsRaw ? [raw, ...operators] : operators
  const actors = all.flatMap(({ targets }) =>
    Object.values(targets).flatMap((list) => list.flatMap((to) => ("actor" in to ? [to.actor] : [])))
  )
  return { id: `chain:${head.id}`, inputs: [], operators: all, actors: [...new Set(actors)] }
}

const keepsWholeRows: ReadonlySet<NodeKind> = new Set<NodeKind>(["join", "temporalJoin", "complete", "frames"])

/** The Schemas by which the rows were decoded that a step keeps: a change of them changes its state. */
const rowsOf = (graph: Graph.Graph, node: TopologyNode): string | null =>
  keepsWholeRows.has(node.spec.kind) ? decodedAs(graph, node) : null

const decodedAs = (graph: Graph.Graph, node: TopologyNode): string =>
  graph
    .upstream(node)
    .flatMap(({ spec }) => (spec.kind === "decode" ? [SchemaFingerprint.make(spec.schema)] : []))
    .join(" and ")

/** Digits of what came, and not whole rows: a count keeps none. */
const keepsNumbers = ({ spec }: TopologyNode): boolean =>
  spec.kind === "process" ||
  (spec.kind === "aggregate" && Object.values(spec.aggregates).some(({ keeps }) => keeps !== "count"))

/** What numbers are counted in where they are decoded, by column. */
const numbersOf = (graph: Graph.Graph, node: TopologyNode): Readonly<Record<string, string>> => {
  const kinds = new Map<string, Set<string>>()
  for (const { spec } of graph.upstream(node))
    if (spec.kind === "decode")
      for (const [column, kind] of Object.entries(SchemaFingerprint.numbers(spec.schema)))
        kinds.set(column, (kinds.get(column) ?? new Set()).add(kind))
  return Object.fromEntries([...kinds].map(([column, found]) => [column, [...found].sort().join(" or ")]))
}

/** The steps that gave the rows that a step takes back: it must have seen them come. */
const takenBackOf = (graph: Graph.Graph, node: TopologyNode): ReadonlyArray<string> => {
  const above = graph
    .producers(node)
    .flatMap(({ node: from }, input) => (graph.takesChanges(node, input) ? [from] : []))
    .flatMap((from) => (from.spec.kind === "aggregate" ? [from.id] : takenBackOf(graph, from)))
  return [...new Set(above)]
}

const sourcesAbove = (graph: Graph.Graph, node: TopologyNode): ReadonlyArray<string> =>
  graph.upstream(node).flatMap(({ id, spec }) => (spec.kind === "source" ? [id] : []))

/** The nodes that follow each other from the head of a chain on; none if the head is a sink. */
const operatorsFrom = (graph: Graph.Graph, head: TopologyNode): ReadonlyArray<TopologyNode> => {
  const nodes: Array<TopologyNode> = []
  for (let next = [head]; next.length === 1 && next[0]!.spec.kind !== "sink"; ) {
    const [node] = next as [TopologyNode]
    if (node !== head && beginsChain(graph, node)) break
    nodes.push(node)
    next = graph.consumers(node.id, "out").map((consumer) => consumer.node)
  }
  return nodes
}

const sinkOf = (
  graph: Graph.Graph,
  node: TopologyNode<SpecOf<"sink">>,
  chains: ReadonlyArray<PlannedChain>
): PlannedSink => {
  const takesInvalid = graph.ofKind("decode").some(({ spec }) => spec.invalid?.name === node.id)
  return {
    id: node.id,
    sink: node.spec.sink,
    inputs: chains.filter((chain) => chain.actors.includes(node.id)).map((chain) => chain.id),
    invalid: takesInvalid ? null : graph.invalidOf(node),
    takesInvalid,
    counts: !takesInvalid && !isSetAside(graph, node),
    lateOf: lateOf(graph, node)
  }
}

/** The step whose late events come to a node, by whatever way. */
const lateOf = (graph: Graph.Graph, node: TopologyNode): string | null => {
  for (const from of graph.producers(node)) {
    const found = isLate(from.port) ? from.node.id : lateOf(graph, from.node)
    if (found !== null) return found
  }
  return null
}

/** Does the node read, by whatever way, what a step set aside? */
const isSetAside = (graph: Graph.Graph, node: TopologyNode): boolean =>
  graph.producers(node).some((from) => isLate(from.port) || isSetAside(graph, from.node))
