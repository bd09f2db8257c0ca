/**
 * A topology as actors: one for each source, each chain of operators, each sink.
 *
 * A chain begins behind a source, behind a node that several others read, and behind a stateful step; within it a
 * batch goes from operator to operator by plain calls. `keyBy`, `window`, `aggregate` and `emit` become one operator.
 * Where a source is read by what takes events, be it a sink, the chain begins with an operator that makes them.
 */

import type { Source } from "../flow/Source.ts"
import type { AnySink, NodeKind, SpecOf, Topology, TopologyNode } from "../flow/Topology.ts"
import { InvalidJob } from "../model/Errors.ts"
import * as AssignTime from "../operator/AssignTime.ts"
import * as Decode from "../operator/Decode.ts"
import type { Operator, Port } from "../operator/Operator.ts"
import * as Transform from "../operator/Transform.ts"
import * as WindowAggregate from "../operator/WindowAggregate.ts"

/** Where an operator's output goes: to another operator of its chain, by index, or to another actor, by id. */
export type Target = { readonly operator: number } | { readonly actor: string }

export interface PlannedOperator {
  /** Makes the operator anew: at every start of the job. */
  readonly make: () => Operator
  readonly id: string
  readonly kind: NodeKind
  readonly targets: Readonly<Record<Port, ReadonlyArray<Target>>>
  /** Does it set the watermark? */
  readonly assignsTime: boolean
}

export interface PlannedChain {
  readonly id: string
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
}

export interface Plan {
  readonly sources: ReadonlyArray<PlannedSource>
  readonly chains: ReadonlyArray<PlannedChain>
  readonly sinks: ReadonlyArray<PlannedSink>
}

export interface PlanOptions {
  readonly job: string
  readonly triggerMillis: number
}

export const make = (topology: Topology, options: PlanOptions): Plan => {
  const graph = graphOf(topology, options)
  const heads = topology.nodes.filter((node) => graph.beginsChain(node))
  const chains = heads.map((head) => chainOf(graph, head))
  const sinks = graph.ofKind("sink").map((node) => sinkOf(graph, node, chains))
  const sources = graph.ofKind("source").map((node) => ({
    id: node.id,
    source: node.spec.source,
    actors: graph.consumers(node.id, "out").map((consumer) => `chain:${consumer.id}`),
    idleAfterMillis: Math.min(
      ...graph
        .downstream(node)
        .flatMap((below) => (below.spec.kind === "eventTime" ? [below.spec.idleAfterMillis] : []))
    )
  }))
  return { sources, chains, sinks }
}

// Nodes that are no operators of their own are passed over: `keyBy`, `window` and `emit` are parts of an aggregate.
const isPart = (kind: NodeKind): boolean => kind === "keyBy" || kind === "window" || kind === "emit"

interface Graph {
  readonly options: PlanOptions
  readonly ofKind: <K extends NodeKind>(kind: K) => ReadonlyArray<TopologyNode<SpecOf<K>>>
  /** Operators and sinks that read a port, with the parts of aggregates passed over. */
  readonly consumers: (id: string, port: Port) => ReadonlyArray<TopologyNode>
  /** The operator or source whose rows a node reads. */
  readonly producer: (node: TopologyNode) => TopologyNode | null
  readonly beginsChain: (node: TopologyNode) => boolean
  /** Does it read the late events of an aggregate? */
  readonly isLate: (node: TopologyNode) => boolean
  readonly downstream: (node: TopologyNode) => ReadonlyArray<TopologyNode>
  /** All nodes above, the nearest first, parts included. */
  readonly upstream: (node: TopologyNode) => ReadonlyArray<TopologyNode>
  /** The id of the sink that takes what this node sets aside as invalid. */
  readonly invalidOf: (node: TopologyNode) => string | null
}

const graphOf = (topology: Topology, options: PlanOptions): Graph => {
  const byId = new Map(topology.nodes.map((node) => [node.id, node]))
  const above = (node: TopologyNode): TopologyNode | null => {
    const edge = topology.edges.find((edge) => edge.to === node.id && edge.port !== "invalid")
    return edge === undefined ? null : byId.get(edge.from)!
  }
  const upstream = (node: TopologyNode): ReadonlyArray<TopologyNode> => {
    const found: Array<TopologyNode> = []
    for (let at = above(node); at !== null; at = above(at)) found.push(at)
    return found
  }
  const consumers = (id: string, port: Port): ReadonlyArray<TopologyNode> =>
    topology.edges
      .filter((edge) => edge.from === id && edge.port === port)
      .flatMap((edge) => {
        const node = byId.get(edge.to)!
        return isPart(node.spec.kind) ? consumers(node.id, "out") : [node]
      })
  const producer = (node: TopologyNode) => upstream(node).find((other) => !isPart(other.spec.kind)) ?? null
  const isLate = (node: TopologyNode) => topology.edges.some((edge) => edge.to === node.id && edge.port === "late")
  return {
    options,
    consumers,
    producer,
    upstream,
    isLate,
    ofKind: (kind) => topology.nodes.filter((node) => node.spec.kind === kind) as never,
    beginsChain: (node) => {
      const from = producer(node)
      if (from === null || isPart(node.spec.kind)) return false
      if (from.spec.kind === "source") return true
      return (
        node.spec.kind !== "sink" &&
        (from.spec.kind === "aggregate" || consumers(from.id, "out").length > 1 || isLate(node))
      )
    },
    downstream: (node) => {
      const found: Array<TopologyNode> = []
      const visit = (id: string): void => {
        for (const edge of topology.edges) {
          if (edge.from !== id) continue
          found.push(byId.get(edge.to)!)
          visit(edge.to)
        }
      }
      visit(node.id)
      return found
    },
    invalidOf: (node) => {
      const decode = [node, ...upstream(node)].find((other) => other.spec.kind === "decode")
      return decode?.spec.kind === "decode" ? (decode.spec.invalid?.name ?? null) : null
    }
  }
}

const chainOf = (graph: Graph, head: TopologyNode): PlannedChain => {
  const nodes = operatorsFrom(graph, head)
  const startsRaw = graph.producer(head)?.spec.kind === "source" && head.spec.kind !== "decode"
  const shift = startsRaw ? 1 : 0
  const target = (node: TopologyNode): Target => {
    const index = nodes.indexOf(node)
    if (index >= 0) return { operator: index + shift }
    return { actor: node.spec.kind === "sink" ? node.id : `chain:${node.id}` }
  }
  const operators = nodes.map((node): PlannedOperator => {
    const invalid = graph.invalidOf(node)
    return {
      id: node.id,
      kind: node.spec.kind,
      make: () => operatorOf(graph, node),
      assignsTime: node.spec.kind === "eventTime",
      targets: {
        out: graph.consumers(node.id, "out").map(target),
        late: graph.consumers(node.id, "late").map(target),
        invalid: invalid === null ? [] : [{ actor: invalid }]
      }
    }
  })
  const raw: PlannedOperator = {
    id: `${head.id}:raw`,
    kind: "source",
    make: () => Transform.materialise(`${head.id}:raw`),
    assignsTime: false,
    targets: { out: [nodes.length === 0 ? { actor: head.id } : { operator: 1 }], late: [], invalid: [] }
  }
  const all = startsRaw ? [raw, ...operators] : operators
  const actors = new Set(
    all.flatMap(({ targets }) =>
      [...targets.out, ...targets.late, ...targets.invalid].flatMap((to) => ("actor" in to ? [to.actor] : []))
    )
  )
  return { id: `chain:${head.id}`, operators: all, actors: [...actors] }
}

/** The nodes that follow each other from the head of a chain on; none if the head is a sink. */
const operatorsFrom = (graph: Graph, head: TopologyNode): ReadonlyArray<TopologyNode> => {
  const nodes: Array<TopologyNode> = []
  for (let next = [head]; next.length === 1 && next[0]!.spec.kind !== "sink"; ) {
    const [node] = next as [TopologyNode]
    if (node !== head && graph.beginsChain(node)) break
    nodes.push(node)
    next = [...graph.consumers(node.id, "out")]
  }
  return nodes
}

const operatorOf = (graph: Graph, node: TopologyNode): Operator => {
  const { id, spec } = node
  switch (spec.kind) {
    case "decode":
      return Decode.make({ id, spec })
    case "map":
    case "filter":
    case "flatMap":
      return Transform.make({ id, spec }, { changes: carriesChanges(graph, node) })
    case "eventTime":
      return AssignTime.make({ id, spec }, { triggerMillis: graph.options.triggerMillis })
    case "aggregate":
      return WindowAggregate.make({ id, ...partsOf(graph, node as TopologyNode<SpecOf<"aggregate">>) })
    default:
      throw new InvalidJob({
        job: graph.options.job,
        message: `Job ${graph.options.job}: node ${id} (${spec.kind}) cannot run by itself`,
        hint: "Put it between a source and a sink."
      })
  }
}

/** Do rows that replace earlier rows pass this node? */
const carriesChanges = (graph: Graph, node: TopologyNode): boolean => {
  const aggregate = graph.upstream(node).find((other) => other.spec.kind === "aggregate")
  if (aggregate === undefined || isLateBetween(graph, aggregate, node)) return false
  return modeOf(graph, aggregate) === "onUpdate"
}

/** Does the node read what the aggregate above it sets aside as late? */
const isLateBetween = (graph: Graph, aggregate: TopologyNode, node: TopologyNode): boolean => {
  const path = [node, ...graph.upstream(node)]
  return graph.isLate(path[path.indexOf(aggregate) - 1]!)
}

const modeOf = (graph: Graph, aggregate: TopologyNode): "onUpdate" | "onClose" => {
  const modes = new Set(
    graph
      .ofKind("emit")
      .flatMap((emit) =>
        graph.upstream(emit).find((node) => node.spec.kind === "aggregate")?.id === aggregate.id ? [emit.spec.mode] : []
      )
  )
  if (modes.size > 1) {
    throw new InvalidJob({
      job: graph.options.job,
      message: `Job ${graph.options.job}: '${aggregate.id}' is emitted both onUpdate and onClose`,
      hint: "Give each its own Flow.aggregate with an id of its own."
    })
  }
  return [...modes][0] ?? "onUpdate"
}

const partsOf = (graph: Graph, node: TopologyNode<SpecOf<"aggregate">>) => {
  const above = graph.upstream(node)
  const window = above.find((other): other is TopologyNode<SpecOf<"window">> => other.spec.kind === "window")!
  const keyBy = above.find((other): other is TopologyNode<SpecOf<"keyBy">> => other.spec.kind === "keyBy")!
  const mode = modeOf(graph, node)
  const appends =
    mode === "onClose" &&
    graph
      .downstream(node)
      .some((below) => below.spec.kind === "sink" && !below.spec.sink.replaces && !isLateBetween(graph, node, below))
  return { keyBy: keyBy.spec, window: window.spec, aggregate: node.spec, mode, appends }
}

const sinkOf = (graph: Graph, node: TopologyNode<SpecOf<"sink">>, chains: ReadonlyArray<PlannedChain>): PlannedSink => {
  const takesInvalid = graph.ofKind("decode").some(({ spec }) => spec.invalid?.name === node.id)
  const isLate = graph
    .upstream(node)
    .some((above) => above.spec.kind === "aggregate" && isLateBetween(graph, above, node))
  return {
    id: node.id,
    sink: node.spec.sink,
    inputs: chains.filter((chain) => chain.actors.includes(node.id)).map((chain) => chain.id),
    invalid: takesInvalid ? null : graph.invalidOf(node),
    takesInvalid,
    counts: !takesInvalid && !isLate
  }
}
