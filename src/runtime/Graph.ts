/**
 * A topology, looked at from its nodes: who reads whom, what stands above an aggregate, which flows carry changes.
 *
 * `keyBy`, `window` and `emit` are no operators of their own but parts of the step below or above them: whoever asks
 * for operators passes them over.
 */
import { prototypesOf } from "../flow/Codec.ts"
import {
  type Edge,
  isLate,
  type NodeKind,
  type Port,
  type SpecOf,
  type Topology,
  type TopologyNode
} from "../flow/Topology.ts"
import { InvalidJob } from "../model/Errors.ts"

export interface Graph {
  readonly job: string
  readonly ofKind: <K extends NodeKind>(kind: K) => ReadonlyArray<TopologyNode<SpecOf<K>>>
  /** What reads a port: operators and sinks, and by which of their inputs. */
  readonly consumers: (id: string, port: Port) => ReadonlyArray<Consumer>
  /** The ports of a node that somebody reads. */
  readonly ports: (id: string) => ReadonlyArray<Port>
  /** What a node reads: an operator or a source, and which of its ports; one for each input. */
  readonly producers: (node: TopologyNode) => ReadonlyArray<Producer>
  /** All nodes below, parts included. */
  readonly downstream: (node: TopologyNode) => ReadonlyArray<TopologyNode>
  /** All nodes above, the nearest first, parts included. */
  readonly upstream: (node: TopologyNode) => ReadonlyArray<TopologyNode>
  /** Do rows that leave by this port replace earlier rows? */
  readonly givesChanges: (id: string, port: Port) => boolean
  /** Do rows that replace earlier rows come by this input? */
  readonly takesChanges: (node: TopologyNode, input: number) => boolean
  /** Can rows of one source, or of one step that makes rows, come by several of its inputs? */
  readonly sharesPlaces: (node: TopologyNode) => boolean
  /** Have the events that come by this input event time? */
  readonly isTimed: (node: TopologyNode, input: number) => boolean
  /** Of the classes that events of a step may be instances of: those of the decodes above it. */
  readonly prototypes: (node: TopologyNode) => ReadonlyArray<object>
  /** The parts above one of a step's inputs, the first if none is said: how its events are keyed and windowed. */
  readonly grouping: (node: TopologyNode, input?: number) => Grouping
  readonly modeOf: (aggregate: TopologyNode) => "onUpdate" | "onClose"
  /** The id of the sink that takes what this node sets aside as invalid. */
  readonly invalidOf: (node: TopologyNode) => string | null
}

export interface Consumer {
  readonly node: TopologyNode
  readonly input: number
}

export interface Producer {
  readonly node: TopologyNode
  readonly port: Port
}

export interface Grouping {
  readonly keyBy: SpecOf<"keyBy"> | null
  readonly window: SpecOf<"window"> | null
}

export const isPart = (kind: NodeKind): boolean => kind === "keyBy" || kind === "window" || kind === "emit"

/** Does a step of this kind keep rows and let others go at barriers? */
export const keepsRows = (kind: NodeKind): boolean => keeping.has(kind)

/** May something have to be fetched before the step gets a batch? Then its actor does it. */
export const fetches = ({ spec }: TopologyNode): boolean =>
  spec.kind === "decode" && (spec.value.codec.fetches || spec.key?.codec.fetches === true)

/** Does a step of this kind give places of its own to what it lets go? The first events of keys keep theirs. */
const makesRows = (kind: NodeKind): boolean => keepsRows(kind) && kind !== "distinct"

const keeping: ReadonlySet<string> = new Set<string>([
  "aggregate",
  "distinct",
  "complete",
  "join",
  "temporalJoin",
  "process",
  "frames"
])

export const make = (topology: Topology, job: string): Graph => {
  const byId = new Map(topology.nodes.map((node) => [node.id, node]))
  const edgesInto = (id: string): ReadonlyArray<Edge> =>
    topology.edges
      .filter((edge) => edge.to === id && edge.port !== "invalid")
      .sort((left, right) => left.input - right.input)
  const consumers = (id: string, port: Port): ReadonlyArray<Consumer> =>
    topology.edges
      .filter((edge) => edge.from === id && edge.port === port)
      .flatMap((edge): ReadonlyArray<Consumer> => {
        const node = byId.get(edge.to)!
        return isPart(node.spec.kind) ? consumers(node.id, "out") : [{ node, input: edge.input }]
      })
  const producer = (edge: Edge): Producer => {
    const node = byId.get(edge.from)!
    return isPart(node.spec.kind) ? producer(edgesInto(node.id)[0]!) : { node, port: edge.port }
  }
  const producers = (node: TopologyNode) => edgesInto(node.id).map(producer)
  const upstream = (node: TopologyNode): ReadonlyArray<TopologyNode> => {
    const found = new Set<TopologyNode>()
    let level = [node]
    while (level.length > 0) {
      level = level.flatMap((one) => edgesInto(one.id).map((edge) => byId.get(edge.from)!))
      for (const one of level) found.add(one)
    }
    return [...found]
  }
  const downstream = (node: TopologyNode): ReadonlyArray<TopologyNode> => {
    const found = new Set<TopologyNode>()
    const visit = (id: string): void => {
      for (const edge of topology.edges) {
        if (edge.from !== id) continue
        found.add(byId.get(edge.to)!)
        visit(edge.to)
      }
    }
    visit(node.id)
    return [...found]
  }
  const grouping = (node: TopologyNode, input = 0): Grouping => {
    let window: SpecOf<"window"> | null = null
    for (let edge = edgesInto(node.id)[input]; edge !== undefined; ) {
      const above = byId.get(edge.from)!
      if (above.spec.kind === "keyBy") return { keyBy: above.spec, window }
      if (above.spec.kind === "window") window ??= above.spec
      edge = edgesInto(above.id)[0]
    }
    return { keyBy: null, window }
  }
  const givesTime = (id: string, port: Port): boolean => {
    const node = byId.get(id)!
    switch (node.spec.kind) {
      case "source":
        return false
      case "eventTime":
        return true
      case "aggregate":
        return port === "out" && grouping(node).window === null ? false : isTimed(node, 0)
      default:
        return edgesInto(id).every((edge) => givesTime(edge.from, edge.port))
    }
  }
  const isTimed = (node: TopologyNode, input: number): boolean => {
    const edge = edgesInto(node.id)[input]
    return edge !== undefined && givesTime(edge.from, edge.port)
  }
  /** What may have given their places to the events of an edge: sources, and steps that make rows. */
  const originsOf = (edge: Edge): ReadonlySet<string> => {
    const origins = new Set<string>()
    const seen = new Set([edge])
    for (const { from, port } of seen) {
      const { kind } = byId.get(from)!.spec
      if (kind === "source" || (makesRows(kind) && !isLate(port))) origins.add(from)
      else for (const above of edgesInto(from)) seen.add(above)
    }
    return origins
  }
  const sharesPlaces = (node: TopologyNode): boolean => {
    const origins = edgesInto(node.id).flatMap((edge) => [...originsOf(edge)])
    return new Set(origins).size < origins.length
  }
  const prototypes = (node: TopologyNode): ReadonlyArray<object> => {
    const above = new Set(upstream(node))
    return [...above].flatMap(({ spec }) => {
      if (spec.kind === "decode") return prototypesOf(spec.schema)
      return spec.kind === "enrich" ? prototypesOf(spec.lookup.schema) : []
    })
  }
  const ofKind = (kind: NodeKind) => topology.nodes.filter((node) => node.spec.kind === kind)
  const modeOf = (aggregate: TopologyNode): "onUpdate" | "onClose" => {
    const emits = ofKind("emit").filter((emit) => nearestAggregate(emit)?.id === aggregate.id)
    const modes = new Set(emits.map((emit) => (emit as TopologyNode<SpecOf<"emit">>).spec.mode))
    if (modes.size > 1) throw twoModes(job, aggregate.id)
    return [...modes][0] ?? "onUpdate"
  }
  const nearestAggregate = (node: TopologyNode) => upstream(node).find((above) => above.spec.kind === "aggregate")
  const givesChanges = (id: string, port: Port): boolean => {
    const node = byId.get(id)!
    switch (node.spec.kind) {
      case "aggregate":
        if (port !== "out") return takesChanges(node, 0)
        return grouping(node).window === null || modeOf(node) === "onUpdate"
      case "map":
      case "filter":
      case "enrich":
      case "merge":
      case "complete":
        return edgesInto(node.id).some((edge) => givesChanges(edge.from, edge.port))
      case "keyBy":
      case "window":
      case "emit":
        return takesChanges(node, 0)
      default:
        return false
    }
  }
  const takesChanges = (node: TopologyNode, input: number): boolean => {
    const edge = edgesInto(node.id)[input]
    return edge !== undefined && givesChanges(edge.from, edge.port)
  }
  return {
    job,
    ofKind: ofKind as Graph["ofKind"],
    consumers,
    ports: (id) => [...new Set(topology.edges.filter((edge) => edge.from === id).map((edge) => edge.port))],
    producers,
    downstream,
    upstream,
    givesChanges,
    takesChanges,
    sharesPlaces,
    isTimed,
    prototypes,
    grouping,
    modeOf,
    invalidOf: (node) => {
      const decode = [node, ...upstream(node)].find((other) => other.spec.kind === "decode")
      return decode?.spec.kind === "decode" ? (decode.spec.invalid?.name ?? null) : null
    }
  }
}

// Private

const twoModes = (job: string, aggregate: string): InvalidJob =>
  new InvalidJob({
    job,
    message: `Job ${job}: '${aggregate}' is emitted both onUpdate and onClose`,
    hint: "Give each its own Flow.aggregate with an id of its own."
  })
