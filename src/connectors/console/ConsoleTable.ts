/** Rows as text in columns. */

/** A value as it is shown. Numbers stand right. */
export interface Cell {
  readonly text: string
  readonly isNumber: boolean
}

/** Characters of a value that are shown. */
const cellMax = 60

/** The columns of a row. A change shows its key and what it changes to, and which kind of change it is. */
export const cellsOf = (value: unknown): ReadonlyMap<string, Cell> => {
  const cells = new Map<string, Cell>()
  if (isChange(value)) {
    const kind = value.after === undefined ? "removed" : value.before === undefined ? "new" : "changed"
    cells.set("change", cellOf(kind))
    put(cells, value.key, "key")
    put(cells, value.after ?? value.before, "value")
  } else put(cells, value, "value")
  return cells
}

/** A table with a head; columns in the order in which rows name them. */
export const format = (rows: ReadonlyArray<ReadonlyMap<string, Cell>>): string => {
  const columns = [...new Set(rows.flatMap((row) => [...row.keys()]))]
  const widths = columns.map((column) =>
    rows.reduce((width, row) => Math.max(width, row.get(column)?.text.length ?? 0), column.length)
  )
  const line = (cell: (column: string, width: number) => string): string =>
    columns
      .map((column, i) => cell(column, widths[i]!))
      .join("  ")
      .trimEnd()
  return [
    line((column, width) => column.padEnd(width)),
    line((_, width) => "-".repeat(width)),
    ...rows.map((row) =>
      line((column, width) => {
        const cell = row.get(column)
        if (cell === undefined) return " ".repeat(width)
        return cell.isNumber ? cell.text.padStart(width) : cell.text.padEnd(width)
      })
    )
  ].join("\n")
}

// Private

interface Changed {
  readonly key: unknown
  readonly before?: unknown
  readonly after?: unknown
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)

/** A row with just these columns would look the same, and shows the same values. */
const isChange = (value: unknown): value is Changed =>
  isObject(value) &&
  "key" in value &&
  ("before" in value || "after" in value) &&
  Object.keys(value).every((name) => name === "key" || name === "before" || name === "after")

const put = (cells: Map<string, Cell>, value: unknown, name: string): void => {
  if (isObject(value)) for (const [column, part] of Object.entries(value)) cells.set(column, cellOf(part))
  else cells.set(name, cellOf(value))
}

const cellOf = (value: unknown): Cell => {
  const text = printable(textOf(value))
  return {
    text: text.length > cellMax ? `${text.slice(0, cellMax - 1)}…` : text,
    isNumber: typeof value === "number" || typeof value === "bigint"
  }
}

const textOf = (value: unknown): string => {
  if (value === undefined) return ""
  if (typeof value === "string") return value
  if (value instanceof Uint8Array) return new TextDecoder().decode(value.subarray(0, cellMax * 4))
  if (typeof value !== "object" || value === null) return String(value)
  return JSON.stringify(value, (_, part) => (typeof part === "bigint" ? String(part) : part)) ?? ""
}

/** Values come from outside: nothing in them may move a terminal's cursor. */
const printable = (text: string): string =>
  text.replace(/\p{Cc}|\p{Cf}/gu, (character) => `\\u${character.codePointAt(0)!.toString(16).padStart(4, "0")}`)
