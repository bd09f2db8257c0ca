/**
 * Rows of CSV as JSON by the fields of a Schema, byte for byte where nothing has to change: what `jsonOfRow` and
 * `jsonOfText` say of texts, without the texts.
 *
 * Bytes that are no UTF-8 stay as they are, for the Schema's reader to refuse. What is no row of these columns becomes
 * an array of its cells, or one text, which no struct takes.
 */
import { jsonOfText, type RowField } from "../../flow/RowFields.ts"
import * as Limits from "../../model/Limits.ts"
import { bare, doubled, type Row } from "./CsvRecords.ts"

/** Where each field's cell is in a row of `count` cells; -1: nowhere. */
export interface Columns {
  readonly count: number
  readonly indexes: ReadonlyArray<number>
}

/** Columns in the order of the fields. */
export const inOrder = (fields: ReadonlyArray<RowField>): Columns => ({
  count: fields.length,
  indexes: fields.map((_, i) => i)
})

/** Columns by the names that a header gives them; `null`: two of those that are wanted have one name. */
export const named = (fields: ReadonlyArray<RowField>, header: ReadonlyArray<string>): Columns | null => {
  const names = header.map((name) => name.trim())
  const isTwice = fields.some(({ name }) => names.indexOf(name) !== names.lastIndexOf(name))
  return isTwice ? null : { count: names.length, indexes: fields.map(({ name }) => names.indexOf(name)) }
}

/** The texts of a row's cells. */
export const textsOf = (bytes: Uint8Array, { count, ends, quoting, starts }: Row): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => textOf(bytes.subarray(starts[i], ends[i]), quoting[i]!))

const quote = 34
const backslash = 92
const comma = 44
const [minus, dot, zero, nine] = [45, 46, 48, 57]

/** What a field is written with, whatever the row. */
interface Written {
  readonly field: RowField
  /** The name with its quotes and colon. */
  readonly name: Uint8Array
  /** The JSON of a cell without text; `null`: the field is left out. */
  readonly nothing: Uint8Array | null
}

export class CsvJson {
  readonly #fields: ReadonlyArray<Written>
  readonly #columns: Columns | null
  bytes = new Uint8Array(0)
  size = 0

  /** `columns`: `null` makes every row an array of its cells. */
  constructor(fields: ReadonlyArray<RowField>, columns: Columns | null) {
    this.#fields = fields.map((field) => {
      const nothing = jsonOfText(field, null)
      return {
        field,
        name: encoder.encode(`${JSON.stringify(field.name)}:`),
        nothing: nothing === undefined ? null : encoder.encode(nothing)
      }
    })
    this.#columns = columns
  }

  /** Goes on in bytes of its own, which begin with `head`; about as many are needed as the time before. */
  begin(head: Uint8Array): void {
    this.bytes = new Uint8Array(head.length + Math.min(Math.max(this.size, roomLeast), Limits.batchBytesMax))
    this.bytes.set(head)
    this.size = head.length
  }

  /** Writes a row of `bytes` behind what is there; what it is too long for is cut. */
  write(bytes: Uint8Array, row: Row): void {
    const start = this.size
    if (row.isRefused) this.#text(bytes, row.start, row.end, bare)
    else if (row.count === this.#columns?.count) this.#object(bytes, row, this.#columns)
    else this.#array(bytes, row)
    this.size = Math.min(this.size, start + Limits.fileRecordBytesMax)
  }

  #object(bytes: Uint8Array, row: Row, { indexes }: Columns): void {
    let opening = 123
    for (let i = 0; i < indexes.length; i++) {
      const cell = indexes[i]!
      const { field, name, nothing } = this.#fields[i]!
      if (cell < 0) continue
      const isNothing = row.starts[cell] === row.ends[cell] && row.quoting[cell] === bare
      if (isNothing && nothing === null) continue
      this.#byte(opening)
      opening = comma
      this.#put(name)
      if (isNothing) this.#put(nothing!)
      else this.#cell(bytes, row, cell, field)
    }
    if (opening === 123) this.#byte(123)
    this.#byte(125)
  }

  #array(bytes: Uint8Array, row: Row): void {
    if (row.count === 0) this.#byte(91)
    for (let i = 0; i < row.count; i++) {
      this.#byte(i === 0 ? 91 : comma)
      this.#text(bytes, row.starts[i]!, row.ends[i]!, row.quoting[i]!)
    }
    this.#byte(93)
  }

  #cell(bytes: Uint8Array, row: Row, cell: number, field: RowField): void {
    const [start, end, quoting] = [row.starts[cell]!, row.ends[cell]!, row.quoting[cell]!]
    const part = bytes.subarray(start, end)
    if (field.kind === "number" && isPlainNumber(part)) this.#put(part)
    else if (field.kind === "text") this.#text(bytes, start, end, quoting)
    else {
      const text = textOf(part, quoting)
      // What stands for bytes that are no text must not be taken for the text.
      if (text.includes("\ufffd")) this.#text(bytes, start, end, quoting)
      else this.#put(encoder.encode(jsonOfText(field, text)))
    }
  }

  #text(bytes: Uint8Array, start: number, end: number, quoting: number): void {
    this.#room(escapedMax * (end - start) + 2)
    const out = this.bytes
    let n = this.size
    out[n++] = quote
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      if (byte === quote && quoting === doubled) i++
      if (byte < 32) n = escape(out, n, byte)
      else {
        if (byte === quote || byte === backslash) out[n++] = backslash
        out[n++] = byte
      }
    }
    out[n++] = quote
    this.size = n
  }

  #put(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.bytes.set(bytes, this.size)
    this.size += bytes.length
  }

  #byte(byte: number): void {
    this.#room(1)
    this.bytes[this.size++] = byte
  }

  #room(bytes: number): void {
    if (this.size + bytes <= this.bytes.length) return
    const grown = new Uint8Array(Math.max(2 * this.bytes.length, this.size + bytes))
    grown.set(this.bytes.subarray(0, this.size))
    this.bytes = grown
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { ignoreBOM: true })

/** Bytes of room at the beginning. */
const roomLeast = 4_096

/** Bytes of JSON that one byte of text may need. */
const escapedMax = 6

const textOf = (cell: Uint8Array, quoting: number): string => {
  const text = decoder.decode(cell)
  return quoting === doubled ? text.replaceAll('""', '"') : text
}

const escape = (out: Uint8Array, at: number, byte: number): number => {
  const hex = byte.toString(16).padStart(4, "0")
  out[at] = backslash
  out[at + 1] = 117
  for (let i = 0; i < 4; i++) out[at + 2 + i] = hex.charCodeAt(i)
  return at + 6
}

/** Is it a number as JSON writes it, without an exponent? */
const isPlainNumber = (text: Uint8Array): boolean => {
  let i = text[0] === minus ? 1 : 0
  const first = i
  while (isDigit(text[i])) i++
  if (i === first || (text[first] === zero && i > first + 1)) return false
  if (i === text.length) return true
  if (text[i] !== dot) return false
  const point = i++
  while (isDigit(text[i])) i++
  return i === text.length && i > point + 1
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= zero && byte <= nine
