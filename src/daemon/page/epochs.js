/** The last epochs as a table. */
import { empty, table } from "./dom.js"
import { bytes, compact, duration, rate, time } from "./format.js"
import { tookMillis } from "./over-time.js"

/** The last ten, newest first. */
export const recent = (epochs) => {
  if (epochs.length === 0) return empty("No epoch yet.")
  const rows = epochs.slice(-10).reverse()
  return table(
    [
      { name: "Epoch" },
      { name: "At" },
      { name: "Rows in", number: true },
      { name: "Rows/s", number: true },
      { name: "Processed/s", number: true },
      { name: "Took", number: true },
      { name: "Sink rows" },
      { name: "Watermark" },
      { name: "State rows", number: true },
      { name: "State", number: true },
      { name: "Late", number: true },
      { name: "Dead", number: true }
    ],
    rows.map((epoch) => [
      `${epoch.epoch}${epoch.replayed ? " (replayed)" : ""}${epoch.final ? " (final)" : ""}`,
      time(epoch.triggeredAt),
      compact(epoch.inputRows),
      rate(epoch.inputRowsPerSecond),
      rate(epoch.processedRowsPerSecond),
      duration(tookMillis(epoch)),
      epoch.sinks
        .filter((sink) => sink.rows > 0)
        .map((sink) => `${sink.sink} ${compact(sink.rows)}`)
        .join(", ") || "–",
      epoch.watermark === null ? "–" : time(epoch.watermark),
      compact(epoch.stateRows),
      bytes(epoch.stateBytes),
      compact(epoch.late),
      compact(epoch.deadLetters)
    ]),
    "Last epochs"
  )
}
