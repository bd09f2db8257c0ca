/** Where a topology's nodes stand: a depth (how far along the data) and a lane (beside it) for each. Pure. */

/** Sinks that only take what a step sets aside: they stand beside, not in the flow. */
const isSide = (node, edges) => {
  const into = edges.filter((edge) => edge.to === node.id)
  return (
    node.kind === "sink" && into.length > 0 && into.every((edge) => edge.port === "late" || edge.port === "invalid")
  )
}

/**
 * Depth and lane by id, `{node, depth, lane, side, origin}`. A source stands right before the first that reads it; an
 * edge over several depths keeps its lane free, so that no line runs through a box.
 */
export const placesOf = ({ edges, nodes }) => {
  const sides = nodes.filter((node) => isSide(node, edges))
  const flow = nodes.filter((node) => !sides.includes(node))
  const inFlow = new Set(flow.map((node) => node.id))
  const lines = edges.filter((edge) => inFlow.has(edge.from) && inFlow.has(edge.to))
  const depths = depthsOf(flow, lines)
  const lanes = lanesOf(flow, lines, depths)
  const places = new Map(
    flow.map((node) => [node.id, { node, depth: depths.get(node.id), lane: lanes.get(node.id), side: false }])
  )
  const below = Math.max(0, ...[...places.values()].map((place) => place.lane)) + 1
  const taken = new Map()
  for (const node of sides) {
    const origin = edges.find((edge) => edge.to === node.id).from
    const depth = places.get(origin)?.depth ?? 0
    const lane = below + (taken.get(depth) ?? 0)
    taken.set(depth, lane - below + 1)
    places.set(node.id, { node, depth, lane, side: true, origin })
  }
  return places
}

const depthsOf = (flow, lines) => {
  const depths = new Map()
  for (const node of flow) {
    const before = lines.filter((line) => line.to === node.id).map((line) => depths.get(line.from) ?? 0)
    depths.set(node.id, Math.max(-1, ...before) + 1)
  }
  for (const node of flow.toReversed()) {
    const after = lines.filter((line) => line.from === node.id).map((line) => depths.get(line.to))
    if (!lines.some((line) => line.to === node.id) && after.length > 0) depths.set(node.id, Math.min(...after) - 1)
  }
  return depths
}

/** Of each depth in turn: a node takes the lane of its first parent, or the next one that is free. */
const lanesOf = (flow, lines, depths) => {
  const lanes = new Map()
  const taken = new Set()
  const isFree = (from, to, lane) => {
    for (let depth = from; depth <= to; depth++) if (taken.has(`${depth} ${lane}`)) return false
    return true
  }
  const order = flow
    .map((node, i) => ({ node, i }))
    .sort((one, other) => depths.get(one.node.id) - depths.get(other.node.id) || one.i - other.i)
  for (const { node } of order) {
    const depth = depths.get(node.id)
    const parents = lines.filter((line) => line.to === node.id).map((line) => line.from)
    let lane = parents.length === 0 ? 0 : Math.min(...parents.map((id) => lanes.get(id)))
    while (!isFree(depth, reachOf(node.id, lines, depths), lane)) lane++
    lanes.set(node.id, lane)
    for (let at = depth; at <= reachOf(node.id, lines, depths); at++) taken.add(`${at} ${lane}`)
  }
  return lanes
}

/** The last depth that a node's lane must be free in: the one before the farthest that reads it. */
const reachOf = (id, lines, depths) =>
  Math.max(depths.get(id), ...lines.filter((line) => line.from === id).map((line) => depths.get(line.to) - 1))
