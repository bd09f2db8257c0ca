/** Which operator does what a node says: the only list of them. */
import type { KeyColumn, SpecOf, TopologyNode } from "../flow/Topology.ts"
import { Defect, InvalidJob } from "../model/Errors.ts"
import * as AssignTime from "../operator/AssignTime.ts"
import * as Complete from "../operator/Complete.ts"
import * as Decode from "../operator/Decode.ts"
import * as Distinct from "../operator/Distinct.ts"
import * as Enrich from "../operator/Enrich.ts"
import * as Frames from "../operator/Frames.ts"
import * as IntervalJoin from "../operator/IntervalJoin.ts"
import * as KeyedAggregate from "../operator/KeyedAggregate.ts"
import type { LookupTables } from "../operator/LookupTable.ts"
import * as Merge from "../operator/Merge.ts"
import type { Operator } from "../operator/Operator.ts"
import * as Process from "../operator/Process.ts"
import * as TemporalJoin from "../operator/TemporalJoin.ts"
import * as Transform from "../operator/Transform.ts"
import * as WindowAggregate from "../operator/WindowAggregate.ts"
import { type Graph, keepsRows } from "./Graph.ts"

interface Options {
  readonly triggerMillis: number
  /** The versions that are loaded; absent: none is, and the operators are not to run. */
  readonly lookups?: LookupTables
}

/** The operator of a node that is one. */
export const operatorOf = (graph: Graph, node: TopologyNode, options: Options): Operator => {
  const { id, spec } = node
  switch (spec.kind) {
    case "decode":
      return Decode.make({ id, spec })
    case "map":
    case "filter":
    case "flatMap":
      return Transform.make({ id, spec }, { changes: graph.takesChanges(node, 0) })
    case "enrich":
      return enrichOf(graph, node as TopologyNode<SpecOf<"enrich">>, options.lookups ?? noLookups)
    case "updates":
      return Transform.updates(id)
    case "eventTime":
      return AssignTime.make({ id, spec }, options)
    case "aggregate":
      return aggregateOf(graph, node as TopologyNode<SpecOf<"aggregate">>)
    case "complete":
      return Complete.make({ id, prototypes: graph.prototypes(node) })
    case "distinct":
      return Distinct.make({
        id,
        keyBy: keyOf(graph, node),
        timeToLiveMillis: spec.timeToLiveMillis
      })
    case "frames":
      return Frames.make({
        id,
        frames: spec.frames,
        keyBy: keyOf(graph, node),
        prototypes: graph.prototypes(node)
      })
    case "process":
      return Process.make({
        id,
        process: spec,
        keyBy: keyOf(graph, node),
        timed: graph.isTimed(node, 0),
        prototypes: graph.prototypes(node)
      })
    case "merge": {
      const changes = graph.producers(node).map((_, input) => graph.takesChanges(node, input))
      return Merge.make({ id, changes, sharesPlaces: graph.sharesPlaces(node) })
    }
    case "join": {
      const prototypes = graph.prototypes(node)
      const appends = isAppended(graph, node)
      return IntervalJoin.make({ id, join: spec, keys: joinedKeys(graph, node), prototypes, appends })
    }
    case "temporalJoin":
      return TemporalJoin.make({ id, join: spec, keys: joinedKeys(graph, node), prototypes: graph.prototypes(node) })
    default:
      throw new InvalidJob({
        job: graph.job,
        message: `Job ${graph.job}: node ${id} (${spec.kind}) cannot run by itself`,
        hint: "Put it between a source and a sink."
      })
  }
}

// Private

type Columns = ReadonlyArray<KeyColumn>

const keyOf = (graph: Graph, node: TopologyNode): SpecOf<"keyBy"> =>
  graph.grouping(node).keyBy ?? { kind: "keyBy", columns: [] }

const enrichOf = (graph: Graph, node: TopologyNode<SpecOf<"enrich">>, tables: LookupTables): Operator => {
  const { id, spec } = node
  const changes = graph.takesChanges(node, 0)
  if (!changes || spec.lookup.policy === "fixed") return Enrich.make({ id, spec }, { changes, tables })
  throw new InvalidJob({
    job: graph.job,
    message: `Job ${graph.job}: '${id}' looks up rows that replace earlier rows in ${spec.lookup.label}: what was looked up for an earlier row is no longer known`,
    hint: "Make the lookup fixed, or put Flow.enrich before the aggregate, or Flow.emit(onClose) before it."
  })
}

const unloaded = (lookup: string): never => {
  throw new Defect({
    message: `No version of lookup ${lookup} is loaded`,
    hint: "Report it: lookups open before steps."
  })
}
const noLookups: LookupTables = { first: unloaded, of: unloaded }

const aggregateOf = (graph: Graph, node: TopologyNode<SpecOf<"aggregate">>): Operator => {
  const { id, spec } = node
  const { window } = graph.grouping(node)
  if (window === null)
    return KeyedAggregate.make({ id, keyBy: keyOf(graph, node), aggregate: spec, changes: graph.takesChanges(node, 0) })
  const mode = graph.modeOf(node)
  return WindowAggregate.make({
    id,
    keyBy: keyOf(graph, node),
    window,
    aggregate: spec,
    mode,
    appends: mode === "onClose" && isAppended(graph, node)
  })
}

/** Does what goes on from here come to a sink that cannot replace a row, or to a step that takes rows as events? */
const isAppended = (graph: Graph, node: TopologyNode): boolean =>
  graph
    .consumers(node.id, "out")
    .some(({ node: below }) =>
      below.spec.kind === "sink" ? !below.spec.sink.replaces : keepsRows(below.spec.kind) || isAppended(graph, below)
    )

/** How both inputs of a join are keyed: the columns of the second in the order of the first. */
const joinedKeys = (graph: Graph, node: TopologyNode): readonly [Columns, Columns] => {
  const [left, right] = [0, 1].map((input) => graph.grouping(node, input).keyBy?.columns ?? [])
  const found = left!.flatMap(({ name }) => right!.find((column) => column.name === name) ?? [])
  if (found.length === left!.length && found.length === right!.length) return [left!, found]
  const named = (columns: Columns) => columns.map(({ name }) => name).join(", ")
  throw new InvalidJob({
    job: graph.job,
    message: `Job ${graph.job}: '${node.id}' joins a flow by (${named(left!)}) with one by (${named(right!)})`,
    hint: "Give Flow.keyBy of both flows columns of the same names."
  })
}
