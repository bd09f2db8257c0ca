/** Topics with what they hold, and the tail of one: its newest records, followed while a person looks. */
import { call } from "./connection.js"
import { byId, element, empty, setText, table } from "./dom.js"
import { count, dayAndTime, duration } from "./format.js"
import { textOf } from "./letters.js"
import { seldom } from "./tables.js"

const recordsShown = 50
const followMillis = 2_000
const shown = { topic: null, isOpen: false, follows: true, partition: "", text: "", records: [], askedAt: 0 }

export const open = async (topic) => {
  Object.assign(shown, { topic, isOpen: true, follows: true, partition: "", text: "", records: [], controls: null })
  byId("tail").hidden = topic === null
  byId("tail-records").replaceChildren()
  await Promise.allSettled([refreshList(), refreshTail()])
}
export const close = () => Object.assign(shown, { topic: null, isOpen: false })

const held = ({ partitions }) => partitions.reduce((sum, of) => sum + of.latest - of.oldest, 0)

const refreshList = async () => {
  try {
    const topics = await call("/api/topics")
    if (!shown.isOpen) return
    setText(
      byId("topics-summary"),
      topics.length === 0 ? "" : `${count(topics.reduce((sum, of) => sum + held(of), 0))} records held`
    )
    byId("topic-list").replaceChildren(
      topics.length === 0 ? empty("No topic yet. `weir produce <topic>` makes one.") : drawList(topics)
    )
    drawControls(topics.find((of) => of.topic === shown.topic))
  } catch (error) {
    byId("topic-list").replaceChildren(empty(error.message))
  }
}

const drawList = (topics) =>
  table(
    [
      { name: "Topic" },
      { name: "Partitions", number: true },
      { name: "Records", number: true },
      { name: "Newest offsets" },
      { name: "Kept" }
    ],
    topics.map((of) => [
      element(
        "a",
        { href: `#/topics/${encodeURIComponent(of.topic)}`, "aria-current": of.topic === shown.topic ? "true" : null },
        of.topic
      ),
      String(of.partitions.length),
      count(held(of)),
      of.partitions
        .slice(0, 8)
        .map(({ latest }) => count(latest))
        .join(" · ") + (of.partitions.length > 8 ? " …" : ""),
      of.retentionMillis === null ? "for ever" : duration(of.retentionMillis)
    ]),
    "Topics"
  )

const drawControls = (topic) => {
  if (topic === undefined || shown.controls === shown.topic) return
  shown.controls = shown.topic
  setText(byId("tail-title"), `Tail of ${topic.topic}`)
  const partition = element(
    "select",
    { "aria-label": "Partition" },
    element("option", { value: "" }, "All partitions"),
    topic.partitions.map((of) => element("option", { value: of.partition }, `Partition ${of.partition}`))
  )
  partition.addEventListener("change", () => {
    shown.partition = partition.value
    refreshTail().catch(() => {})
  })
  const text = element("input", {
    type: "search",
    placeholder: "Contains…",
    "aria-label": "Show only records that contain"
  })
  text.addEventListener("input", () => {
    shown.text = text.value
    drawTail()
  })
  const follow = element("button", { type: "button", "aria-pressed": "true" }, "Follow")
  follow.addEventListener("click", () => {
    shown.follows = !shown.follows
    follow.setAttribute("aria-pressed", String(shown.follows))
    if (shown.follows) tailSoon()
  })
  byId("tail-controls").replaceChildren(partition, text, follow)
}

const refreshTail = async () => {
  const { partition, topic } = shown
  if (topic === null) return
  shown.askedAt = performance.now()
  const path = `/api/topics/${encodeURIComponent(topic)}?offset=-${recordsShown}&count=1000`
  const records = await call(partition === "" ? path : `${path}&partition=${partition}`).catch((error) => {
    byId("tail-records").replaceChildren(empty(error.message))
    return null
  })
  if (records === null || shown.topic !== topic || shown.partition !== partition) return
  shown.records = records
    .sort((one, other) => other.timestamp - one.timestamp || other.offset - one.offset)
    .slice(0, recordsShown * 2)
  drawTail()
}

const drawTail = () => {
  const wanted = shown.text.toLowerCase()
  const found = shown.records
    .filter(
      (of) => wanted === "" || `${textOf(of.key ?? "")} ${JSON.stringify(of.value)}`.toLowerCase().includes(wanted)
    )
    .slice(0, recordsShown)
  byId("tail-records").replaceChildren(
    found.length === 0
      ? empty(shown.records.length === 0 ? "No record yet." : "No record of these contains that.")
      : table(
          [
            { name: "Partition", number: true },
            { name: "Offset", number: true },
            { name: "At" },
            { name: "Key" },
            { name: "Value" }
          ],
          found.map((of) => [
            String(of.partition),
            count(of.offset),
            dayAndTime(of.timestamp),
            element("code", {}, of.key === null ? "–" : textOf(of.key)),
            element("code", {}, textOf(of.value))
          ]),
          "Newest records, newest first"
        )
  )
}

const tailSoon = seldom(() =>
  shown.isOpen && !document.hidden ? Promise.allSettled([refreshTail(), refreshList()]) : null
)

export const onTick = () => {
  if (shown.follows && performance.now() - shown.askedAt >= followMillis) tailSoon()
}
export const refresh = () => tailSoon()
