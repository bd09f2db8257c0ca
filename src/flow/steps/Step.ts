/**
 * What a flow is, and how a combinator makes one of others.
 *
 * A flow holds a node and which of its outputs goes on; all else of it are types. So a combinator says in its signature
 * what its flow is, and makes it of a description of the node.
 */
import { type Pipeable, pipeArguments } from "effect/Pipeable"
import type { Input, Node, NodeSpec, Port } from "../Topology.ts"

/** An open description: rows of type A, what can fail, what it needs, and what it already is. `row` to `brands` exist as types only. */
export interface Flow<out A, out E = never, out R = never, out Brands = {}> extends Pipeable {
  readonly node: Node
  /** Which of the node's outputs goes on. */
  readonly port: Port
  readonly row: A
  readonly error: E
  readonly requirements: R
  readonly brands: Brands
}

/** A flow that ends in a sink. */
export interface Output<out E, out R> {
  readonly hasSink: true
  readonly node: Node
  readonly error: E
  readonly requirements: R
}

/** A node that reads these flows. */
export const nodeOf = (spec: NodeSpec, ...inputs: ReadonlyArray<Input>): Node => ({
  spec,
  inputs: inputs.map(({ node, port }) => ({ node, port }))
})

/** An output of a node, as a flow. */
export const flowOf = <F>(node: Node, port: Port): F =>
  ({
    node,
    port,
    pipe() {
      return pipeArguments(this, arguments)
    }
  }) as never

/** A node that reads these flows, and its output. */
export const step = <F>(spec: NodeSpec, ...inputs: ReadonlyArray<Input>): F => flowOf(nodeOf(spec, ...inputs), "out")
