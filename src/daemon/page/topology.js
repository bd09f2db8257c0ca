/** A job's nodes and edges as a drawing: data runs right, or down where there is no room; side outputs stand beside. */
import { element, table } from "./dom.js"
import { age, compact, rate, time } from "./format.js"
import { placesOf } from "./layout.js"

const gapMin = 24
/** Where lines carry names there is room to read them. */
const gapNamed = { along: 58, across: 38 }
const height = 76
const laneWidthMin = 132
const wideKinds = new Set(["aggregate", "window", "join", "process", "enrich"])
const widthOf = (node) => (node.kind === "source" || node.kind === "sink" ? 156 : wideKinds.has(node.kind) ? 136 : 106)

/** Draws into `width` pixels, or wider where it must be. `lag` is the whole job's: it stands at its only source. */
export const draw = ({ nodes, edges }, { width, lag, now }) => {
  const places = placesOf({ nodes, edges })
  const kinds = new Map(nodes.map((node) => [node.id, node.kind]))
  const isNamed = edges.some((edge) => nameOf(edge, kinds, edges) !== null)
  const gap = isNamed ? gapNamed : { along: gapMin, across: gapMin }
  const columns = []
  for (const { node, depth, side } of places.values())
    if (!side) columns[depth] = Math.max(columns[depth] ?? 0, widthOf(node))
  const needed = columns.reduce((sum, column) => sum + column + gap.along, -gap.along)
  const spare = Math.max(0, Math.min(64, Math.floor((width - needed) / columns.length)))
  const isAcross = needed <= width || (width >= 700 && needed <= 1.35 * width)
  const boxes = isAcross
    ? across(
        places,
        columns.map((column) => column + spare),
        gap
      )
    : down(places, width, gap)
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
    edges.map((edge) =>
      line(boxes.get(edge.from), boxes.get(edge.to), edge, {
        isAcross,
        name: nameOf(edge, kinds, edges),
        entry: entryOf(edge, edges, boxes, isAcross)
      })
    ),
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
  `${nodes.length} nodes. ${edges
    .map(
      ({ from, port, to, input }) =>
        `${from} to ${to}${port === "out" ? "" : ` (${port})`}${input > 0 ? `, input ${input + 1}` : ""}`
    )
    .join(", ")}.`

/** The name of a line: that of the step's own output, or which side of a join it is; inputs of a merge are alike. */
const nameOf = ({ port, to, input }, kinds, edges) => {
  if (port.startsWith("side ")) return port.slice(5)
  const isPair = edges.filter((edge) => edge.to === to).length === 2
  return isPair && /join/i.test(kinds.get(to)) ? ["left", "right"][input] : null
}

/** How far from the middle of its box a line comes in: those from beside come in beside the one from straight behind. */
const entryOf = (edge, edges, boxes, isAcross) => {
  const at = (box) => (isAcross ? box.y : box.x)
  const middle = at(boxes.get(edge.to))
  const own = at(boxes.get(edge.from)) - middle
  if (own === 0 || edge.port === "late" || edge.port === "invalid") return 0
  const alike = edges.filter((of) => of.to === edge.to && Math.sign(at(boxes.get(of.from)) - middle) === Math.sign(own))
  const others = edges.filter((of) => of.to === edge.to).length
  return others === 1 ? 0 : Math.sign(own) * Math.min(30, 16 * (alike.indexOf(edge) + 1))
}

const across = (places, columns, gap) => {
  const starts = columns.map((_, depth) => columns.slice(0, depth).reduce((sum, column) => sum + column + gap.along, 0))
  return new Map(
    [...places].map(([id, { node, depth, lane, side }]) => {
      const width = columns[depth] + (side ? gap.along - 8 : 0)
      return [id, { node, side, x: starts[depth], y: lane * (height + gapMin + 6), width, height }]
    })
  )
}

/** One below the other; a side output stands right of the node that feeds it, half as wide. */
const down = (places, width, gap) => {
  const used = [...new Set([...places.values()].filter((place) => !place.side).map((place) => place.lane))].sort()
  const lanes = used.length
  const hasSides = [...places.values()].some((place) => place.side)
  const sideWidth = hasSides ? Math.max(110, Math.min(150, Math.floor(width * 0.36))) : 0
  const room = Math.floor((width - sideWidth - gap.across * (lanes - (hasSides ? 0 : 1))) / lanes)
  const laneWidth = Math.max(laneWidthMin, Math.min(320, room))
  const boxes = new Map()
  for (const [id, { node, depth, lane, side, origin }] of places) {
    const y = depth * (height + gap.across)
    const x = side ? lanes * (laneWidth + gap.across) : used.indexOf(lane) * (laneWidth + gap.across)
    const others = side
      ? [...boxes.values()].filter((box) => box.side && places.get(box.node.id).origin === origin).length
      : 0
    boxes.set(id, { node, side, x, y: y + others * 12, width: side ? sideWidth - 4 : laneWidth, height })
  }
  return boxes
}

const line = (from, to, { port }, { entry, isAcross, name }) => {
  const side = to.side
  const vertical = isAcross === side
  const [x1, y1, x2, y2] = vertical
    ? [
        from.x + (side && isAcross ? 24 : from.width / 2),
        from.y + from.height,
        to.x + (side && isAcross ? 24 : to.width / 2 + entry),
        to.y
      ]
    : [from.x + from.width, from.y + from.height / 2, to.x, to.y + to.height / 2 + entry]
  // A line along several columns bends at its end alone: before that its lane is free.
  const straight = vertical ? Math.max(0, y2 - y1 - 48) : Math.max(0, x2 - x1 - 48)
  const bend = ((vertical ? y2 - y1 : x2 - x1) - straight) / 2
  const path = vertical
    ? `M${x1} ${y1}v${straight}C${x1} ${y1 + straight + bend} ${x2} ${y2 - bend} ${x2} ${y2 - 5}`
    : `M${x1} ${y1}h${straight}C${x1 + straight + bend} ${y1} ${x2 - bend} ${y2} ${x2 - 5} ${y2}`
  const head = vertical ? `M${x2 - 4} ${y2 - 7}h8l-4 7z` : `M${x2 - 7} ${y2 - 4}v8l7 -4z`
  return element(
    "g",
    {},
    element("title", {}, `${from.node.id} to ${to.node.id}${port === "out" ? "" : `, ${port}`}`),
    element("path", { class: "edge", "data-side": side || port !== "out", d: path }),
    element("path", { class: "arrow", d: head }),
    name === null ? null : lineName(name, { x1, y1, x2, y2, vertical })
  )
}

/** Beside the arrow, on the side that the line does not come from. */
const lineName = (text, { vertical, x1, x2, y1, y2 }) => {
  const right = vertical && x1 !== x2
  const x = vertical ? x2 + (right ? 9 : -9) : x2 - 10
  const y = vertical ? y2 - 4 : y2 + (y1 < y2 ? 15 : -6)
  return element("text", { class: "port", x, y, "text-anchor": right ? "start" : "end" }, text)
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
