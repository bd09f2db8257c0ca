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
  const sidesOf = (id) => sides.filter((node) => edges.find((edge) => edge.to === node.id).from === id)
  const lanes = lanesOf(flow, { lines, depths, sidesOf })
  const places = new Map(
    flow.map((node) => [node.id, { node, depth: depths.get(node.id), lane: lanes.get(node.id), side: false }])
  )
  for (const origin of flow)
    for (const [i, node] of sidesOf(origin.id).entries()) {
      const { depth, lane } = places.get(origin.id)
      places.set(node.id, { node, depth, lane: lane + 1 + i, side: true, origin: origin.id })
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

/**
 * In data order: a node takes the lane of its first parent, or the next that is free for it, for what stands beside it
 * and for its lines; a source one that is free as far as it goes on alone.
 */
const lanesOf = (flow, { lines, depths, sidesOf }) => {
  const lanes = new Map()
  const taken = new Set()
  const isFree = (from, to, lane) => {
    for (let depth = from; depth <= to; depth++) if (taken.has(`${depth} ${lane}`)) return false
    return true
  }
  for (const { id } of flow) {
    const depth = depths.get(id)
    const parents = lines.filter((line) => line.to === id).map((line) => line.from)
    const reach = parents.length === 0 ? aloneUntil(id, lines, depths) : reachOf(id, lines, depths)
    const beside = sidesOf(id).length
    let lane = parents.length === 0 ? 0 : Math.min(...parents.map((parent) => lanes.get(parent) ?? 0))
    while (
      !isFree(depth, reach, lane) ||
      !Array.from({ length: beside }, (_, i) => lane + 1 + i).every((of) => isFree(depth, depth, of))
    )
      lane++
    lanes.set(id, lane)
    for (let at = depth; at <= reachOf(id, lines, depths); at++) taken.add(`${at} ${lane}`)
    for (let i = 1; i <= beside; i++) taken.add(`${depth} ${lane + i}`)
  }
  return lanes
}

/** The last depth that a node's lane must be free in: the one before the farthest that reads it. */
const reachOf = (id, lines, depths) =>
  Math.max(depths.get(id), ...lines.filter((line) => line.from === id).map((line) => depths.get(line.to) - 1))

/** The depth before data of another source comes in, or before it divides. */
const aloneUntil = (id, lines, depths) => {
  const after = lines.filter((line) => line.from === id)
  const joins = after.length !== 1 || lines.filter((line) => line.to === after[0].to).length > 1
  return joins ? reachOf(id, lines, depths) : aloneUntil(after[0].to, lines, depths)
}
