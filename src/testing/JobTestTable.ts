/**
 * Rows as a table of text, for tests that read as one: a line of names, then a line for each row, cells parted by `|`.
 *
 *     page  | visits
 *     /     |      2
 *     "a b" |   null
 *
 * Lines may begin and end with `|`, and dashes may stand below the names, as in Markdown. Blanks around a cell do not
 * count. `null`, or nothing at all, is no value. Text in double quotes is read as JSON: for text that is empty, begins
 * or ends with a blank, or says `null`. A `|` within a cell is written `\|`.
 */

export type Cell = string | null

export interface Table {
  readonly columns: ReadonlyArray<string>
  /** Each has as many cells as there are columns. */
  readonly rows: ReadonlyArray<ReadonlyArray<Cell>>
}

/** Throws `TypeError` for a row of fewer or more cells than there are names, or where a name comes twice. */
export const parse = (text: string): Table => {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "")
  const [first, ...rest] = lines
  if (first === undefined) return { columns: [], rows: [] }
  const isFramed = first.trimStart().startsWith("|")
  const columns = cellsOf(first, isFramed).map((cell) => cell.trim())
  const twice = columns.find((column, i) => columns.indexOf(column) < i)
  if (twice !== undefined) throw new TypeError(`the column '${twice}' comes twice`)
  if (columns.includes("")) throw new TypeError(`a column has no name: ${first.trim()}`)
  const isRule = (line: string): boolean => cellsOf(line, isFramed).every((cell) => /^\s*:?-{2,}:?\s*$/.test(cell))
  const body = rest[0] !== undefined && isRule(rest[0]) ? rest.slice(1) : rest
  return {
    columns,
    rows: body.map((line) => {
      const cells = cellsOf(line, isFramed)
      if (cells.length !== columns.length)
        throw new TypeError(`a row has ${cells.length} cells, and there are ${columns.length} columns: ${line.trim()}`)
      return cells.map(read)
    })
  }
}

/** The lines of a table, aligned, without what may stand around it. Numbers are to the right. */
export const lines = ({ columns, rows }: Table): ReadonlyArray<string> => {
  const shown = rows.map((row) => row.map(written))
  const widths = columns.map((column, i) => Math.max(widthOf(column), ...shown.map((row) => widthOf(row[i]!))))
  const isNumeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => number.test(row[i] ?? "0")))
  return [columns, ...shown].map((cells) =>
    cells
      .map((cell, i) => {
        const padding = " ".repeat(widths[i]! - widthOf(cell))
        return isNumeric[i] ? padding + cell : cell + padding
      })
      .join(" | ")
      .trimEnd()
  )
}

/** A table as a test's text has it, within backquotes. */
export const asCode = (table: Table, indent: string): string =>
  [
    "`",
    ...lines(table).map((line) => `${indent}  ${line.replaceAll(/[\\`]|\$(?=\{)/g, (character) => `\\${character}`)}`),
    `${indent}\``
  ].join("\n")

// Private

const number = /^-?\d+(?:\.\d+)?$/

const widthOf = (text: string): number => Array.from(text).length

const cellsOf = (line: string, isFramed: boolean): ReadonlyArray<string> => {
  const cells = line.split(/(?<!\\)\|/)
  if (!isFramed) return cells
  const hasEnd = cells.length > 1 && cells.at(-1)!.trim() === ""
  return cells.slice(1, hasEnd ? -1 : undefined)
}

const read = (cell: string): Cell => {
  const text = cell.trim()
  if (text === "" || text === "null") return null
  if (text.length > 1 && text.startsWith('"') && text.endsWith('"'))
    try {
      return JSON.parse(text.replaceAll("\\|", "|")) as string
    } catch {
      throw new TypeError(`${text} is in double quotes, and no text of JSON`)
    }
  return text.replaceAll("\\|", "|")
}

/** The cell that `read` makes this of. */
const written = (cell: Cell): string => {
  if (cell === null) return "null"
  const isPlain = cell !== "" && cell !== "null" && cell.trim() === cell && !/^"|\p{Cc}|\\\|/u.test(cell)
  return (isPlain ? cell : JSON.stringify(cell)).replaceAll("|", "\\|")
}
