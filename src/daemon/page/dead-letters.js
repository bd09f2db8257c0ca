/** Records that the job set aside: what they were, where they came from, why. */
import { element, empty, table } from "./dom.js"
import { time } from "./format.js"

const charactersMax = 160

export const draw = (letters) =>
  letters.length === 0
    ? empty("None.")
    : table(
        [
          { name: "At" },
          { name: "Position" },
          { name: "Cause", className: "prose" },
          { name: "Record", className: "prose" }
        ],
        [...letters]
          .reverse()
          .map(({ record, about }) => [
            time(record.timestamp),
            [about.source, about.partition, about.offset].filter((part) => part !== undefined).join(" / ") ||
              `${record.partition} / ${record.offset}`,
            [about.step, about.cause ?? about.reason].filter((part) => part !== undefined).join(": "),
            element("code", {}, textOf(record.value))
          ]),
        "Dead letters, newest first"
      )

const textOf = (value) => {
  const text = typeof value === "string" ? value : `base64 ${value.base64}`
  return text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`
}
