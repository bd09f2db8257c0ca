/**
 * The folder of a row below the folder of a sink: `year=2017/month=9`, as Hive spells it. Whatever a value holds, it is one
 * name in one folder: what could be a separator, or stand for another folder, is percent-encoded.
 */
import type { RowColumn } from "../../flow/RowColumns.ts"
import { formatDecimal } from "../../model/Columns.ts"
import { formatInstant } from "../../model/Time.ts"

/** What readers of Hive's folders take for null. */
export const nullValue = "__HIVE_DEFAULT_PARTITION__"

/** Bytes of one name of a folder: more, and no file system in use takes it. */
export const nameBytesMax = 255

/** The folder of a row, or why it can have none: one sentence. */
export type Placed = { readonly folder: string } | { readonly refused: string }

/**
 * The folders of rows, by these columns in their order; the folder itself for none of them. Pure; an answer for equal values
 * is made once.
 */
export const make = (columns: ReadonlyArray<RowColumn>): ((row: Readonly<Record<string, unknown>>) => Placed) => {
  if (columns.length === 0) return () => ({ folder: "" })
  const parts = columns.map((column) => partOf(column))
  return (row) => {
    let folder = ""
    for (let i = 0; i < columns.length; i++) {
      const part = parts[i]!(row[columns[i]!.field])
      if ("refused" in part) return part
      folder = i === 0 ? part.folder : `${folder}/${part.folder}`
    }
    return { folder }
  }
}

/** A name or a value as Hive writes it in a path. */
export const escaped = (text: string): string => text.replaceAll(special, hexOf)

// Private

/** Hive's own list: control characters, and what paths, globs and shells mean something by. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const special = /[\u0000-\u001f"#%'*/:=?\\\u007f{[\]^]/g

const hexOf = (character: string): string => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`

const halfOfPair = /[\ud800-\udfff]/u
const utf8 = new TextEncoder()

/** Values whose folders are remembered, of one column: as many as a day has minutes, and more. */
const rememberedMax = 4_096

const partOf = (column: RowColumn): ((value: unknown) => Placed) => {
  const name = escaped(column.field)
  const known = new Map<unknown, Placed>()
  return (value) => {
    const found = known.get(value)
    if (found !== undefined) return found
    const made = placed(name, column, value)
    if (known.size < rememberedMax) known.set(value, made)
    return made
  }
}

const placed = (name: string, column: RowColumn, value: unknown): Placed => {
  if (value === null || value === undefined || value === "") return { folder: `${name}=${nullValue}` }
  const text = textOf(column, value)
  if (text === null) return { refused: `column ${column.field} is no folder's name: ${shown(value)}` }
  const folder = `${name}=${escaped(text)}`
  const { length } = utf8.encode(folder)
  return length <= nameBytesMax
    ? { folder }
    : {
        refused: `column ${column.field} would be a folder's name of ${length} bytes, and at most ${nameBytesMax} can be: ${shown(text)}`
      }
}

/** `null`: it has no text of its column's type. */
const textOf = ({ type }: RowColumn, value: unknown): string | null => {
  switch (type.kind) {
    case "text":
      return typeof value === "string" && !halfOfPair.test(value) ? value : null
    case "decimal":
      return typeof value === "bigint" ? formatDecimal(value, type.scale) : null
    case "instant":
      return typeof value === "number" && Number.isFinite(value) ? formatInstant(value) : null
    case "int64":
      return typeof value === "bigint" ? String(value) : null
    case "boolean":
      return typeof value === "boolean" ? String(value) : null
    case "integer":
      return Number.isInteger(value) ? String((value as number) + 0) : null
    default:
      return null
  }
}

const shown = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length <= 60 ? text : `${text.slice(0, 60)}…`
}
