/** A job's nodes and edges as a drawing: data runs right, or down where there is no room; side outputs stand beside. */
import { element, table } from "./dom.js"
import { age, compact, rate, time } from "./format.js"

const gap = { along: 22, across: 22 }
const height = 76
const wideKinds = new Set(["source", "aggregate", "window", "sink"])
const widthOf = (node) => (node.kind === "source" || node.kind === "sink" ? 156 : wideKinds.has(node.kind) ? 136 : 106)

/** Draws into `width` pixels. `lag` is the whole job's: it stands at its sources. */
export const draw = ({ nodes, edges }, { width, lag, now }) => {
  const places = placesOf(nodes, edges)
  const columns = []
  for (const { node, depth, side } of places.values())
    if (!side) columns[depth] = Math.max(columns[depth] ?? 0, widthOf(node))
  const needed = columns.reduce((sum, column) => sum + column + gap.along, -gap.along)
  const spare = Math.min(64, Math.floor((width - needed) / columns.length))
  const boxes =
    needed <= width
      ? across(
          places,
          columns.map((column) => column + spare)
        )
      : down(places, width)
  const all = [...boxes.values()]
  const right = Math.max(...all.map((box) => box.x + box.width)) + 2
  const bottom = Math.max(...all.map((box) => box.y + box.height)) + 2
  const sources = nodes.filter((node) => node.kind === "source").length
  return element(
    "svg",
    {
      viewBox: `-2 -2 ${right + 2} ${bottom + 2}`,
      width: right + 2,
      height: bottom + 2,
      role: "img",
      "aria-label": spoken(nodes, edges)
    },
    edges.map((edge) => line(boxes.get(edge.from), boxes.get(edge.to), edge.port, needed <= width)),
    all.map((box) => nodeOf(box, { lag: sources === 1 ? lag : null, now }))
  )
}

/** The same figures as a table, for whoever does not see the drawing. */
export const figures = (nodes) =>
  table(
    [
      { name: "Node" },
      { name: "Kind" },
      { name: "What" },
      { name: "Rows in", number: true },
      { name: "Rows out", number: true },
      { name: "Rows/s", number: true },
      { name: "Watermark", number: true },
      { name: "Waiting", number: true }
    ],
    nodes.map((node) => [
      node.id,
      node.kind,
      node.label,
      compact(node.rowsIn),
      compact(node.rowsOut),
      rate(node.rowsPerSecond),
      node.watermark === null ? "–" : time(node.watermark),
      String(node.waiting)
    ]),
    "Figures of each node"
  )

const spoken = (nodes, edges) =>
  `${nodes.length} nodes. ${edges.map(({ from, port, to }) => `${from} to ${to}${port === "out" ? "" : ` (${port})`}`).join(", ")}.`

/** Depth (how far from a source) and lane of every node; a side output has the lane below all others. */
const placesOf = (nodes, edges) => {
  const places = new Map()
  const taken = new Set()
  const isSide = (id) => {
    const into = edges.filter((edge) => edge.to === id)
    return into.length > 0 && into.every((edge) => edge.port !== "out")
  }
  const sides = nodes.filter((node) => isSide(node.id))
  const free = (depth, lane) => {
    let at = lane
    while (taken.has(`${depth} ${at}`)) at++
    taken.add(`${depth} ${at}`)
    return at
  }
  for (const node of nodes) {
    if (sides.includes(node)) continue
    const parents = edges.filter((edge) => edge.to === node.id).map((edge) => places.get(edge.from))
    const depth = Math.max(-1, ...parents.map((parent) => parent?.depth ?? -1)) + 1
    places.set(node.id, { node, depth, lane: free(depth, parents[0]?.lane ?? 0), side: false })
  }
  const below = Math.max(...[...places.values()].map((place) => place.lane)) + 1
  for (const node of sides) {
    const origin = edges.find((edge) => edge.to === node.id).from
    const depth = places.get(origin)?.depth ?? 0
    places.set(node.id, { node, depth, lane: free(depth, below), side: true, origin })
  }
  return places
}

const across = (places, columns) => {
  const starts = columns.map((_, depth) => columns.slice(0, depth).reduce((sum, column) => sum + column + gap.along, 0))
  return new Map(
    [...places].map(([id, { node, depth, lane, side }]) => {
      const width = columns[depth] + (side ? gap.along - 8 : 0)
      return [id, { node, side, x: starts[depth], y: lane * (height + gap.across + 6), width, height }]
    })
  )
}

/** One below the other; a side output stands right of the node that feeds it, half as wide. */
const down = (places, width) => {
  const lanes = Math.max(...[...places.values()].map((place) => (place.side ? 0 : place.lane))) + 1
  const sideWidth = [...places.values()].some((place) => place.side) ? Math.min(150, Math.floor(width * 0.36)) : 0
  const laneWidth = Math.min(320, Math.floor((width - sideWidth - gap.across * lanes) / lanes))
  const boxes = new Map()
  for (const [id, { node, depth, lane, side, origin }] of places) {
    const y = depth * (height + gap.across)
    const x = side ? lanes * (laneWidth + gap.across) : lane * (laneWidth + gap.across)
    const others = side
      ? [...boxes.values()].filter((box) => box.side && places.get(box.node.id).origin === origin).length
      : 0
    boxes.set(id, { node, side, x, y: y + others * 12, width: side ? sideWidth - 4 : laneWidth, height })
  }
  return boxes
}

const line = (from, to, port, isAcross) => {
  const side = port !== "out"
  const [x1, y1, x2, y2] =
    isAcross === side
      ? [
          from.x + (side && isAcross ? 24 : from.width / 2),
          from.y + from.height,
          to.x + (side && isAcross ? 24 : to.width / 2),
          to.y
        ]
      : [from.x + from.width, from.y + from.height / 2, to.x, to.y + to.height / 2]
  const vertical = isAcross === side
  const bend = vertical ? (y2 - y1) / 2 : (x2 - x1) / 2
  const path = vertical
    ? `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2 - 5}`
    : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 5} ${y2}`
  const head = vertical ? `M${x2 - 4} ${y2 - 7}h8l-4 7z` : `M${x2 - 7} ${y2 - 4}v8l7 -4z`
  return element(
    "g",
    {},
    element("path", { class: "edge", "data-side": side, d: path }),
    element("path", { class: "arrow", d: head })
  )
}

const nodeOf = ({ node, side, x, y, width, height: boxHeight }, { lag, now }) => {
  const room = (size) => Math.floor((width - 20) / size)
  const behind = node.watermark === null || now === null ? null : `${age(Math.max(0, now - node.watermark))} behind`
  const third = [node.kind === "source" && lag !== null ? `lag ${compact(lag)}` : null, behind].filter(
    (text) => text !== null
  )
  return element(
    "g",
    {},
    element(
      "title",
      {},
      `${node.kind} ${node.id}\n${node.label}\n${compact(node.rowsIn)} in, ${compact(node.rowsOut)} out`
    ),
    element("rect", { class: "box", "data-kind": node.kind, "data-side": side, x, y, width, height: boxHeight, rx: 8 }),
    element("text", { class: "strong", x: x + 10, y: y + 20 }, clipped(node.id, room(7))),
    element("text", { class: "muted", x: x + 10, y: y + 36 }, clipped(node.label || node.kind, room(6.6))),
    element(
      "text",
      { x: x + 10, y: y + 52 },
      counts(node) ? `${rate(node.rowsPerSecond)}/s` : "",
      node.waiting > 0
        ? element("tspan", { class: node.waiting > 8 ? "warn" : "muted" }, ` · ${compact(node.waiting)} waiting`)
        : null
    ),
    element("text", { class: "muted", x: x + 10, y: y + 67 }, clipped(third.join(" · "), room(6.6)))
  )
}

/** Steps that another one carries out have no figures of their own. */
const counts = (node) => node.kind === "source" || node.kind === "sink" || node.rowsIn + node.rowsOut > 0

const clipped = (text, characters) =>
  text.length <= characters ? text : `${text.slice(0, Math.max(1, characters - 1))}…`
