/** A topology as text, in data order: each node under what feeds it. */
import type { Edge, Topology, TopologyNode } from "../flow/Topology.ts"

/** Lines such as `└─ window  tumbling 60s`, from each source down to its sinks. */
export const draw = (topology: Topology): ReadonlyArray<string> => {
  const nodes = new Map(topology.nodes.map((node) => [node.id, node]))
  const drawn = new Set<string>()
  const lines: Array<string> = []
  const walk = (node: TopologyNode, port: Edge["port"], indent: string, branch: string, below: string): void => {
    const again = drawn.has(node.id)
    const via = port === "out" ? "" : `(${port}) `
    lines.push(`${indent}${branch}${via}${shown(node)}${again ? "  (see above)" : ""}`)
    if (again) return
    drawn.add(node.id)
    const edges = topology.edges.filter((edge) => edge.from === node.id)
    const inOrder = [...edges].sort((a, b) => Number(a.port === "out") - Number(b.port === "out"))
    inOrder.forEach((edge, i) => {
      const next = nodes.get(edge.to)
      if (next === undefined) return
      const last = i === inOrder.length - 1
      // A chain goes straight down; only a node with several outputs opens branches.
      const alone = inOrder.length === 1
      walk(next, edge.port, indent + below, alone ? "│\n" : last ? "└─ " : "├─ ", alone ? "" : last ? "   " : "│  ")
    })
  }
  for (const node of topology.nodes)
    if (!topology.edges.some((edge) => edge.to === node.id)) walk(node, "out", "", "", "")
  return lines.flatMap(straight)
}

// `│\n` stands for a line of its own before a node that goes straight down.
const straight = (line: string): ReadonlyArray<string> => {
  const at = line.indexOf("│\n")
  return at === -1 ? [line] : [`${line.slice(0, at)}│`, line.slice(0, at) + line.slice(at + 2)]
}

/** Sources, sinks and stateful steps have names that the job gave them; all other ids only count. */
const isNamed = (spec: TopologyNode["spec"]): boolean =>
  spec.kind === "source" || spec.kind === "sink" || ("id" in spec && spec.kind !== "complete")

const shown = ({ id, spec, label }: TopologyNode): string => {
  const name = isNamed(spec) ? `${spec.kind} ${id}` : spec.kind
  return label === "" ? name : `${name}  ${label}`
}
