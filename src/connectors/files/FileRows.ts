/** The rows of a whole file, by a Schema: CSV, lines of JSON, or one array of JSON. Works in turns, beside others. */
import { Effect, Schema } from "effect"
import * as Codec from "../../flow/Codec.ts"
import type { Loaded } from "../../flow/Lookup.ts"
import { fieldsOf, jsonOfRow, jsonOfText, type RowField } from "../../flow/RowFields.ts"
import * as Limits from "../../model/Limits.ts"
import { CsvReader, type CsvRecord, CsvRefused } from "./Csv.ts"

export interface CsvOptions {
  /** Is the first record the columns' names? Else cells have the order of the Schema's fields. */
  readonly header: boolean
  readonly separator: string
}

/** Why a file has no rows: one sentence that says line and column, not the file. */
export class RowsRefused {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
}

type Rows<A> = Effect.Effect<Loaded<A>, RowsRefused>

/** Rows between two turns of others. */
const rowsInTurn = 2_048

export const csv = <A, I>(bytes: Uint8Array, schema: Schema.Schema<A, I>, options: CsvOptions): Rows<A> =>
  Effect.gen(function* () {
    const records = yield* refusing(() => new CsvReader(textOf(bytes), options.separator))
    const fields = fieldsOf(schema)
    const columns = yield* refusing(() => columnsOf(fields, options.header ? records.next() : null, options))
    const { read } = Codec.compile(schema)
    const encoder = new TextEncoder()
    return yield* collected(() => {
      const record = records.next()
      if (record === null) return null
      const { cells, line } = record
      if (cells.length !== columns.count)
        throw new RowsRefused(`line ${line} has ${cells.length} cells, and there are ${columns.count} columns`)
      const row = encoder.encode(
        jsonOfRow(fields, (field, i) => {
          const at = columns.indexes[i]!
          return at < 0 ? undefined : jsonOfText(field, cells[at]!)
        })
      )
      return { line, row: at(line, () => read(row, 0, row.length)) }
    })
  })

export const jsonLines = <A, I>(bytes: Uint8Array, schema: Schema.Schema<A, I>): Rows<A> =>
  Effect.gen(function* () {
    const { read } = Codec.compile(schema)
    let start = markOf(bytes)
    let line = 0
    return yield* collected(() => {
      while (start < bytes.length) {
        const found = bytes.indexOf(10, start)
        const [from, end] = [start, found < 0 ? bytes.length : found]
        start = end + 1
        line++
        if (!isBlank(bytes, from, end)) return { line, row: at(line, () => read(bytes, from, end)) }
      }
      return null
    })
  })

/** One array, of `Limits.decodeBytesMax` at most. */
export const json = <A, I>(bytes: Uint8Array, schema: Schema.Schema<A, I>): Rows<A> =>
  refusing(() => {
    const { read } = Codec.compile(Schema.Array(schema))
    try {
      return { rows: read(bytes, markOf(bytes), bytes.length), placeOf: (index: number) => `element ${index}` }
    } catch (error) {
      if (!(error instanceof Codec.Undecodable)) throw error
      throw new RowsRefused(`line ${lineAt(bytes, error.position)}: ${error.message}`)
    }
  })

// Private

interface Found<A> {
  readonly line: number
  readonly row: A
}

const collected = <A>(next: () => Found<A> | null): Rows<A> =>
  Effect.gen(function* () {
    const rows: Array<A> = []
    const lines: Array<number> = []
    let isOver = false
    while (!isOver) {
      isOver = yield* refusing(() => {
        for (let i = 0; i < rowsInTurn; i++) {
          const found = next()
          if (found === null) return true
          if (rows.length === Limits.lookupRowsMax)
            throw new RowsRefused(`line ${found.line} is one row more than ${Limits.lookupRowsMax}`)
          rows.push(found.row)
          lines.push(found.line)
        }
        return false
      })
      yield* Effect.yieldNow()
    }
    return { rows, placeOf: (index: number) => `line ${lines[index]}` }
  })

const refusing = <A>(decide: () => A): Effect.Effect<A, RowsRefused> =>
  Effect.try({
    try: decide,
    catch: (error) => {
      if (error instanceof RowsRefused) return error
      if (error instanceof CsvRefused) return new RowsRefused(`line ${error.line}: ${error.message}`)
      return new RowsRefused(error instanceof Error ? error.message : String(error))
    }
  })

/** Says the line, and the column if it is known, of what cannot be read. */
const at = <A>(line: number, read: () => A): A => {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof Codec.Undecodable)) throw error
    const [column, ...within] = error.path
    if (column === undefined) throw new RowsRefused(`line ${line}: ${error.reason}`)
    const inner = new Codec.Undecodable(error.reason, error.position, within)
    throw new RowsRefused(`line ${line}, column ${column}: ${inner.message}`)
  }
}

const textOf = (bytes: Uint8Array): string => {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    throw new RowsRefused("it is not UTF-8")
  }
}

/** Where each field's cell is in a record; -1: nowhere. */
const columnsOf = (
  fields: ReadonlyArray<RowField>,
  header: CsvRecord | null,
  options: CsvOptions
): { readonly count: number; readonly indexes: ReadonlyArray<number> } => {
  if (!options.header) return { count: fields.length, indexes: fields.map((_, i) => i) }
  if (header === null) throw new RowsRefused("it is empty: its first line must name the columns")
  const names = header.cells.map((name) => name?.trim() ?? "")
  const indexes = fields.map(({ name, optional }) => {
    const index = names.indexOf(name)
    if (index < 0 && !optional)
      throw new RowsRefused(`line ${header.line}: there is no column ${name}, but ${names.join(", ")}`)
    if (index >= 0 && names.includes(name, index + 1))
      throw new RowsRefused(`line ${header.line}: two columns are called ${name}`)
    return index
  })
  return { count: names.length, indexes }
}

/** The bytes of a byte order mark, if the text has one. */
const markOf = (bytes: Uint8Array): number => (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0)

const isBlank = (bytes: Uint8Array, start: number, end: number): boolean => {
  for (let i = start; i < end; i++) if (bytes[i]! > 32) return false
  return true
}

const lineAt = (bytes: Uint8Array, position: number): number => {
  let line = 1
  for (let i = 0; i < position; i++) if (bytes[i] === 10) line++
  return line
}
