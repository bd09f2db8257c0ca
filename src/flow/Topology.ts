/**
 * A job as nodes and edges, in data order: what `explain` prints, what a Plan is made from.
 *
 * Flows hold their nodes by reference; a node that is used twice is one node. Here each gets its id: the names of
 * sources, sinks and stateful steps are given by the job and stay; the others count up.
 */

import type { Schema } from "effect"
import { Duration } from "effect"
import type { Instant, KeyValue } from "../model/Columns.ts"
import { InvalidJob } from "../model/Errors.ts"
import type { Aggregate } from "./Aggregate.ts"
import type { AnyCodec } from "./Codec.ts"
import * as Frame from "./Frame.ts"
import * as Join from "./Join.ts"
import type { AnyLookup } from "./Lookup.ts"
import type { StateCodec } from "./Process.ts"
import type { Sink } from "./Sink.ts"
import type { Source } from "./Source.ts"
import type { Output } from "./steps/Step.ts"
import * as Window from "./Window.ts"

export type AnySink = Sink<never, unknown, unknown, unknown>

export interface KeyColumn {
  readonly name: string
  readonly of: (event: never) => KeyValue
}

/** What a user's own operator does with an event or a timer. */
export type Handler<A> = (given: A, context: never) => Iterable<unknown> | undefined

/** What a part of each record holds, and in which form. */
export interface Part {
  readonly schema: Schema.Schema<any, any>
  readonly codec: AnyCodec
}

/** What a node is to do: the description that an operator is made from. */
export type NodeSpec =
  | { readonly kind: "source"; readonly source: Source<unknown, unknown, unknown> }
  | {
      readonly kind: "decode"
      /** Of its rows. */
      readonly schema: Schema.Schema<any, any>
      readonly value: Part
      /** `null`: the key is not read, and the row is the value. */
      readonly key: Part | null
      readonly invalid: AnySink | null
    }
  | { readonly kind: "map"; readonly f: (event: never) => unknown }
  | { readonly kind: "filter"; readonly predicate: (event: never) => boolean; readonly label?: string }
  | { readonly kind: "flatMap"; readonly f: (event: never) => Iterable<unknown> }
  | {
      readonly kind: "eventTime"
      readonly at: (event: never) => number
      readonly maxOutOfOrdernessMillis: number
      readonly idleAfterMillis: number
      readonly maxFutureSkewMillis: number
    }
  | { readonly kind: "keyBy"; readonly columns: ReadonlyArray<KeyColumn> }
  | { readonly kind: "window"; readonly window: Window.Window; readonly allowedLatenessMillis: number }
  | {
      readonly kind: "aggregate"
      readonly id: string
      readonly aggregates: Readonly<Record<string, Aggregate<never, any, unknown>>>
      /** Of keys without events; `null`: they are kept for good. Without a window only. */
      readonly timeToLiveMillis: number | null
    }
  | { readonly kind: "emit"; readonly mode: "onUpdate" | "onClose" }
  | { readonly kind: "complete"; readonly id: string }
  | { readonly kind: "distinct"; readonly id: string; readonly timeToLiveMillis: number | null }
  | {
      readonly kind: "frames"
      readonly id: string
      readonly frames: Readonly<Record<string, Frame.Frame<never, unknown>>>
    }
  | {
      readonly kind: "process"
      readonly id: string
      readonly state: StateCodec
      /** The names of its side outputs. */
      readonly outputs: ReadonlyArray<string>
      readonly onEvent: Handler<never>
      readonly onTimer: Handler<Instant> | null
      readonly onProcessingTimer: Handler<Instant> | null
    }
  | { readonly kind: "merge" }
  | {
      readonly kind: "join"
      readonly id: string
      readonly type: Join.JoinType
      readonly beforeMillis: number
      readonly afterMillis: number
      readonly allowedLatenessMillis: number
    }
  | {
      readonly kind: "temporalJoin"
      readonly id: string
      readonly type: Join.TemporalType
      readonly allowedLatenessMillis: number
    }
  | {
      readonly kind: "enrich"
      readonly id: string
      readonly lookup: AnyLookup
      readonly type: "inner" | "left"
      readonly key: (event: never) => unknown
      readonly into: (event: never, found: never) => unknown
    }
  | { readonly kind: "updates" }
  | { readonly kind: "sink"; readonly sink: AnySink }

export type NodeKind = NodeSpec["kind"]
export type SpecOf<K extends NodeKind> = Extract<NodeSpec, { readonly kind: K }>

/**
 * Which of a node's outputs: `out` goes on, `late` and `invalid` are set aside, and a step may have others of its own,
 * by name.
 */
export type Port = "out" | "late" | "invalid" | `side ${string}`

/** Where a join sets aside the late events of its second input. */
export const lateRight = "side late right"

/** Does it carry events that came too late? */
export const isLate = (port: Port): boolean => port === "late" || port === lateRight

/** A node as a flow holds it. */
export interface Node {
  readonly spec: NodeSpec
  readonly inputs: ReadonlyArray<Input>
}

/** What a node reads: an output of another. */
export interface Input {
  readonly node: Node
  readonly port: Port
}

/** A node with its id. */
export interface TopologyNode<S extends NodeSpec = NodeSpec> {
  readonly id: string
  readonly spec: S
  /** For the drawing: `upsert into shop_item_income by region`. */
  readonly label: string
}

export interface Edge {
  readonly from: string
  readonly port: Port
  readonly to: string
  /** Which of the inputs of `to` it is, from 0. */
  readonly input: number
}

export interface Topology {
  readonly nodes: ReadonlyArray<TopologyNode>
  readonly edges: ReadonlyArray<Edge>
}

/** Values that a person set for a job, put over what its flows say. */
export interface Overrides {
  readonly maxOutOfOrdernessMillis?: number
  readonly allowedLatenessMillis?: number
}

/** The nodes of a job in data order; throws `InvalidJob` where ids collide or a key is too narrow. */
export const make = (
  job: string,
  outputs: ReadonlyArray<Output<unknown, unknown>>,
  overrides: Overrides = {}
): Topology => {
  const ids = new Map<Node, string>()
  const sinks = new Map<AnySink, string>()
  const counts = new Map<string, number>()
  const taken = new Map<string, { readonly what: string; readonly isSink: boolean }>()
  const nodes: Array<TopologyNode> = []
  const edges: Array<Edge> = []

  const claim = (id: string, what: string, isSink = false): string => {
    const other = taken.get(id)
    if (other !== undefined) {
      throw new InvalidJob({
        job,
        message: `Job ${job}: two nodes are called '${id}' (${other.what}, ${what})`,
        hint: isSink && other.isSink ? oneSink(id) : isSink || other.isSink ? otherName(id) : oneName
      })
    }
    taken.set(id, { what, isSink })
    return id
  }
  const numbered = (kind: string): string => {
    const count = (counts.get(kind) ?? 0) + 1
    counts.set(kind, count)
    return claim(count === 1 ? kind : `${kind}-${count}`, kind)
  }
  const idOf = (spec: NodeSpec): string => {
    switch (spec.kind) {
      case "source":
        return claim(spec.source.name, `source ${spec.source.label}`)
      case "aggregate":
      case "complete":
      case "distinct":
      case "join":
      case "temporalJoin":
      case "enrich":
      case "process":
      case "frames":
        return claim(spec.id, `${spec.kind} ${spec.id}`)
      case "sink":
        return claim(spec.sink.name, `sink ${spec.sink.label}`, true)
      default:
        return numbered(spec.kind)
    }
  }
  // A sink that takes what several decodes set aside is one node.
  const sideSink = (sink: AnySink): string => {
    const known =
      sinks.get(sink) ??
      nodes.find((node) => node.spec.kind === "sink" && node.id === sink.name && node.label === sink.label)?.id
    if (known !== undefined) return known
    const id = claim(sink.name, `sink ${sink.label}`, true)
    sinks.set(sink, id)
    nodes.push({ id, spec: { kind: "sink", sink }, label: sink.label })
    return id
  }
  const visit = (node: Node): string => {
    const known = ids.get(node)
    if (known !== undefined) return known
    const inputs = node.inputs.map((input) => ({ from: visit(input.node), port: input.port }))
    const spec = overridden(node.spec, overrides)
    refuseTimeToLive(job, node)
    const id = idOf(spec)
    ids.set(node, id)
    nodes.push({ id, spec, label: labelOf(spec) })
    edges.push(...inputs.map((from, input) => ({ ...from, to: id, input })))
    if (spec.kind === "decode" && spec.invalid !== null)
      edges.push({ from: id, port: "invalid", to: sideSink(spec.invalid), input: 0 })
    return id
  }
  for (const output of outputs) {
    visit(output.node)
    refuseNarrowKey(job, output.node)
  }
  const topology = { nodes: inDataOrder(nodes, edges), edges }
  lookupsOf(job, topology)
  return topology
}

const oneName = "Give each stateful step an id of its own, use each sink once, and name a flow to use its source twice."

const otherName = (name: string): string =>
  `A source is named by its topic, a sink by its table or topic, and a stateful step by its id: call one of those that are called '${name}' otherwise.`

const oneSink = (name: string): string =>
  `A sink is named by the table or topic that it writes, and each is written by one: bring the flows together with Flow.merge before one sink of '${name}', or give each a table or topic of its own.`

const overridden = (spec: NodeSpec, overrides: Overrides): NodeSpec => {
  if (spec.kind === "eventTime" && overrides.maxOutOfOrdernessMillis !== undefined) {
    return { ...spec, maxOutOfOrdernessMillis: overrides.maxOutOfOrdernessMillis }
  }
  if (takesLateness(spec) && overrides.allowedLatenessMillis !== undefined) {
    return { ...spec, allowedLatenessMillis: overrides.allowedLatenessMillis }
  }
  return spec
}

type TakesLateness = SpecOf<"window" | "join" | "temporalJoin">

/** Does the step have an `allowedLateness`? */
export const takesLateness = (spec: NodeSpec): spec is TakesLateness =>
  spec.kind === "window" || spec.kind === "join" || spec.kind === "temporalJoin"

const labelOf = (spec: NodeSpec): string => {
  switch (spec.kind) {
    case "source":
      return spec.source.label
    case "decode":
      return [decodedOf(spec), ...(spec.invalid === null ? [withoutInvalid] : [])].join("; ")
    case "eventTime":
      return `maxOutOfOrderness ${Duration.format(spec.maxOutOfOrdernessMillis)}, idleAfter ${Duration.format(spec.idleAfterMillis)}, maxFutureSkew ${Duration.format(spec.maxFutureSkewMillis)}`
    case "keyBy":
      return spec.columns.map((column) => column.name).join(", ") || "all under one key"
    case "window":
      return `${Window.format(spec.window)}, allowedLateness ${Duration.format(spec.allowedLatenessMillis)}`
    case "aggregate":
      return [Object.keys(spec.aggregates).join(", "), ...living(spec.timeToLiveMillis)].join("; ")
    case "distinct":
      return ["the first of each key", ...living(spec.timeToLiveMillis)].join("; ")
    case "join":
      return `${spec.type}, ${Join.format(spec)}, allowedLateness ${Duration.format(spec.allowedLatenessMillis)}`
    case "temporalJoin":
      return `${spec.type}, the version at event time, allowedLateness ${Duration.format(spec.allowedLatenessMillis)}`
    case "enrich":
      return `${spec.type}, ${spec.lookup.label}`
    case "frames":
      return Object.entries(spec.frames)
        .map(([name, frame]) => `${name} ${Frame.format(frame)}`)
        .join("; ")
    case "process":
      return ["an operator of its own", ...spec.outputs].join("; ")
    case "emit":
      return spec.mode
    case "complete":
      return "all rows at each trigger"
    case "sink":
      return spec.sink.label
    case "updates":
      return "changes as rows of their own"
    case "filter":
      return spec.label ?? ""
    case "map":
    case "flatMap":
    case "merge":
      return ""
  }
}

const decodedOf = ({ key, value }: SpecOf<"decode">): string =>
  key === null ? partOf(value) : `${partOf(value)}, key ${partOf(key)}`

const partOf = ({ codec, schema }: Part): string =>
  codec.name === "json" ? identifierOf(schema) : `${identifierOf(schema)} from ${codec.name}`

const withoutInvalid = "no invalid: the first record that cannot be used fails the job"

const living = (timeToLiveMillis: number | null): ReadonlyArray<string> =>
  timeToLiveMillis === null ? [] : [`timeToLive ${Duration.format(timeToLiveMillis)}`]

const identifierOf = (schema: Schema.Schema<any, any>): string => {
  const text = String(schema)
  return /^\(.* <-> (\w+)\)$/s.exec(text)?.[1] ?? text
}

/** Time to live is of keys that are kept for good: windows are forgotten when they close. */
const refuseTimeToLive = (job: string, node: Node): void => {
  const { spec } = node
  if ((spec.kind !== "aggregate" && spec.kind !== "distinct") || spec.timeToLiveMillis === null) return
  if (!(spec.timeToLiveMillis > 0))
    throw new InvalidJob({
      job,
      message: `Job ${job}: '${spec.id}' has a timeToLive of ${Duration.format(spec.timeToLiveMillis)}, so it would keep nothing`,
      hint: "Make timeToLive longer than 0, or leave it out to keep every key."
    })
  if (spec.kind !== "aggregate" || groupingOf(node).window === null) return
  throw new InvalidJob({
    job,
    message: `Job ${job}: '${spec.id}' has a window and a timeToLive, but a window is forgotten when it closes`,
    hint: "Leave timeToLive out: allowedLateness of Flow.window says how long a window takes events after its end."
  })
}

/** A window's rows are told apart by key and `windowStart`: a sink's key without one of them would mix rows. */
const refuseNarrowKey = (job: string, node: Node): void => {
  const input = node.inputs[0]
  if (node.spec.kind !== "sink" || !node.spec.sink.replaces || input?.port !== "out") return
  const sinkKey = node.spec.sink.key
  const wanted = rowKey(input.node)
  const missing = wanted?.filter((column) => !sinkKey.includes(column)) ?? []
  if (wanted === null || missing.length === 0) return
  throw new InvalidJob({
    job,
    message: `Job ${job}: sink '${node.spec.sink.name}' has key (${sinkKey.join(", ")}), but its rows are told apart by (${wanted.join(", ")})`,
    hint: `Add ${missing.join(", ")} to the sink's key: without it, rows of several windows or keys would overwrite each other.`
  })
}

/** By which columns the rows of a flow are told apart, as far as names say it; `null`: they do not. */
const rowKey = (node: Node): ReadonlyArray<string> | null => {
  for (let at: Node | undefined = node; at !== undefined; at = at.inputs[0]?.node) {
    switch (at.spec.kind) {
      case "aggregate": {
        const { keyBy, window } = groupingOf(at)
        return [...keyBy.columns.map((column) => column.name), ...(window === null ? [] : ["windowStart"])]
      }
      case "filter":
      case "emit":
      case "complete":
        continue
      default:
        return null
    }
  }
  return null
}

/** The lookups of a job, each once; throws `InvalidJob` where two have one name. */
export const lookupsOf = (job: string, topology: Topology): ReadonlyArray<AnyLookup> => {
  const found = new Map<string, AnyLookup>()
  for (const { spec } of topology.nodes) {
    if (spec.kind !== "enrich") continue
    const { lookup } = spec
    const other = found.get(lookup.name) ?? lookup
    if (other !== lookup)
      throw new InvalidJob({
        job,
        message: `Job ${job}: two lookups are called '${lookup.name}' (${other.label}; ${lookup.label})`,
        hint: "Use one lookup in both steps, or give each a `name` of its own."
      })
    found.set(lookup.name, lookup)
  }
  return [...found.values()]
}

/** How the events of an aggregate are grouped: the `keyBy` above it, and the window between, if there is one. */
const groupingOf = (aggregate: Node): { keyBy: SpecOf<"keyBy">; window: SpecOf<"window"> | null } => {
  let window: SpecOf<"window"> | null = null
  for (let at = aggregate.inputs[0]?.node; at !== undefined; at = at.inputs[0]?.node) {
    if (at.spec.kind === "window") window ??= at.spec
    if (at.spec.kind === "keyBy") return { keyBy: at.spec, window }
  }
  return { keyBy: { kind: "keyBy", columns: [] }, window }
}

/** Sources first, then each node after all that feed it, otherwise in the order of the text. */
const inDataOrder = (nodes: ReadonlyArray<TopologyNode>, edges: ReadonlyArray<Edge>): ReadonlyArray<TopologyNode> => {
  const placed = new Set<string>()
  const ordered: Array<TopologyNode> = []
  while (ordered.length < nodes.length) {
    const ready = nodes.filter(
      (node) => !placed.has(node.id) && edges.every((edge) => edge.to !== node.id || placed.has(edge.from))
    )
    const next = ready.find((node) => node.spec.kind !== "sink") ?? ready[0]!
    placed.add(next.id)
    ordered.push(next)
  }
  return ordered
}
