/**
 * The rows of one epoch on their way into a table: gathered from batches, compacted to one for each key, in the order
 * of keys, checked and encoded column by column. The same rows give the same, in whatever order batches come.
 */
import type { SqlType, SqlValue } from "../../flow/Tables.ts"
import { formatDecimal } from "../../model/Columns.ts"
import type { Change, Invalid } from "../../model/Event.ts"
import type { Batch } from "../../model/Message.ts"
import { formatInstant, isEventTime } from "../../model/Time.ts"
import * as Values from "../../model/Values.ts"
import * as RowBytes from "./RowBytes.ts"
import * as RowOrder from "./RowOrder.ts"
import type { FieldColumn } from "./TableColumns.ts"

type Row = Readonly<Record<string, unknown>>

/**
 * What comes to a row of the table, each with its place: value `indexes[i]` of batch `batches[i]`. Its row's key says
 * which row of the table it is about.
 */
interface Gathered {
  /** What is written; where nothing is, what is removed. */
  readonly rows: Array<Row>
  readonly kinds: Array<number>
  /** What a written row of the same key replaces. */
  readonly replaced: Array<Row | null>
  readonly batches: Array<number>
  readonly indexes: Array<number>
}

const written = 0
const removed = 1

/** Where rows stand: what the key of an append table is made of, and what a dead letter says. */
export interface Place {
  readonly origin: string
  readonly partition: number
  readonly offset: number
  readonly row: number
}

/** Encoded rows: one array of values for each column. */
export interface EncodedRows {
  readonly rows: number
  readonly columns: ReadonlyArray<ReadonlyArray<SqlValue>>
  /** Of an append table only. */
  readonly places: ReadonlyArray<Place>
}

export interface TableRows {
  readonly written: EncodedRows
  /** The key columns of the rows to be removed. */
  readonly removed: EncodedRows
  readonly invalid: ReadonlyArray<Invalid>
}

/** What a table wants of its rows. */
export interface TableRowsOptions {
  readonly table: string
  readonly sink: string
  readonly columns: ReadonlyArray<FieldColumn>
  readonly key: ReadonlyArray<FieldColumn>
  /** One row for each key; else every row, by its place. */
  readonly replaces: boolean
  /** Bytes of the values of a row that the database takes. */
  readonly rowBytesMax: number
}

export const make = (batches: ReadonlyArray<Batch>, options: TableRowsOptions): TableRows => {
  const gathered = gather(batches, options)
  const chosen = options.replaces ? compact(gathered, batches, options) : ordered(gathered, batches)
  const invalid: Array<Invalid> = []
  return {
    written: encode(gathered, chosen.written, options.columns, batches, options, invalid),
    removed: encode(gathered, chosen.removed, options.key, batches, options, invalid),
    invalid
  }
}

// Gathering

/**
 * A change has none of the row's own fields, except by name: so a field that is always there tells a row from a
 * change. Where there is none, a change is what has no other properties than a change has.
 */
const changeTest = (columns: ReadonlyArray<FieldColumn>): ((value: Row) => boolean) => {
  const witness = columns.find((column) => !column.nullable && !changeNames.includes(column.field))?.field
  if (witness !== undefined) return (value) => !(witness in value)
  return (value) =>
    ("before" in value || "after" in value) && Object.keys(value).every((name) => changeNames.includes(name))
}

const changeNames: ReadonlyArray<string> = ["key", "before", "after"]

const gather = (batches: ReadonlyArray<Batch>, options: TableRowsOptions): Gathered => {
  const gathered: Gathered = { rows: [], kinds: [], replaced: [], batches: [], indexes: [] }
  const isChange = changeTest(options.columns)
  for (let b = 0; b < batches.length; b++) {
    const values = batches[b]!.values as ReadonlyArray<Row>
    if (values.length === 0) continue
    const changes = options.replaces && isChange(values[0]!)
    for (let i = 0; i < values.length; i++) {
      if (changes) putChange(gathered, values[i]! as unknown as Change<unknown, Row>, options.key, b, i)
      else put(gathered, values[i]!, written, null, b, i)
    }
  }
  return gathered
}

const put = (gathered: Gathered, row: Row, kind: number, replaced: Row | null, batch: number, index: number): void => {
  gathered.rows.push(row)
  gathered.kinds.push(kind)
  gathered.replaced.push(replaced)
  gathered.batches.push(batch)
  gathered.indexes.push(index)
}

const putChange = (
  gathered: Gathered,
  { after, before }: Change<unknown, Row>,
  key: ReadonlyArray<FieldColumn>,
  batch: number,
  index: number
): void => {
  if (after === undefined) {
    if (before !== undefined) put(gathered, before, removed, null, batch, index)
    return
  }
  if (before === undefined) put(gathered, after, written, null, batch, index)
  else if (sameKey(before, after, key)) put(gathered, after, written, before, batch, index)
  else {
    // A step between may have made another key of the row: what was written under the old one goes.
    put(gathered, before, removed, null, batch, index)
    put(gathered, after, written, null, batch, index)
  }
}

const sameKey = (left: Row, right: Row, key: ReadonlyArray<FieldColumn>): boolean => {
  for (let c = 0; c < key.length; c++) {
    const field = key[c]!.field
    if (left[field] !== right[field]) return false
  }
  return true
}

// Choosing

interface Chosen {
  readonly written: ReadonlyArray<number>
  readonly removed: ReadonlyArray<number>
}

/**
 * One for each key. What was written and taken back within the epoch, in whatever order, is nothing; of what remains
 * written the last by its place counts; where nothing remains, a row that was taken back was in the table, and goes.
 */
const compact = (gathered: Gathered, batches: ReadonlyArray<Batch>, options: TableRowsOptions): Chosen => {
  const count = gathered.rows.length
  const order = RowOrder.make(
    count,
    options.key.map((column) => valuesOf(gathered.rows, column.field))
  )
  const chosen: { written: Array<number>; removed: Array<number> } = { written: [], removed: [] }
  for (let start = 0, end = 1; start < count; start = end, end++) {
    const first = order.indexes[start]!
    while (end < count && order.same(first, order.indexes[end]!)) end++
    if (end - start === 1) (gathered.kinds[first] === removed ? chosen.removed : chosen.written).push(first)
    else settle(gathered, batches, order.indexes.subarray(start, end), options.columns, chosen)
  }
  return chosen
}

/** Decides between several that come to one row of the table. */
const settle = (
  gathered: Gathered,
  batches: ReadonlyArray<Batch>,
  several: Int32Array,
  columns: ReadonlyArray<FieldColumn>,
  chosen: { readonly written: Array<number>; readonly removed: Array<number> }
): void => {
  const gone = takenBack(gathered, several, columns)
  let last = -1
  const puts = several.filter((i) => gathered.kinds[i] === written)
  if (gone.length === 0) for (const i of puts) last = later(gathered, batches, last, i)
  else last = lastLeft(gathered, batches, puts, gone, columns)
  if (last >= 0) chosen.written.push(last)
  else if (gone.length > 0) chosen.removed.push(several.reduce((one, other) => later(gathered, batches, one, other)))
}

/** What the table holds of a row, as values that can be compared. */
type Content = ReadonlyArray<unknown>

const takenBack = (gathered: Gathered, several: Int32Array, columns: ReadonlyArray<FieldColumn>): Array<Content> => {
  const contents: Array<Content> = []
  for (const i of several) {
    const before = gathered.kinds[i] === removed ? gathered.rows[i]! : gathered.replaced[i]!
    if (before !== null) contents.push(contentOf(before, columns))
  }
  return contents.sort(Values.compare)
}

/** The last of what is not taken back, -1 for nothing; leaves in `gone` what was taken back and is of earlier epochs. */
const lastLeft = (
  gathered: Gathered,
  batches: ReadonlyArray<Batch>,
  puts: Int32Array,
  gone: Array<Content>,
  columns: ReadonlyArray<FieldColumn>
): number => {
  const sorted = Array.from(puts, (i) => ({ i, content: contentOf(gathered.rows[i]!, columns) })).sort(
    (left, right) =>
      Values.compare(left.content, right.content) || (later(gathered, batches, left.i, right.i) === right.i ? -1 : 1)
  )
  const all = gone.splice(0)
  let last = -1
  let at = 0
  for (const { content, i } of sorted) {
    while (at < all.length && Values.compare(all[at], content) < 0) gone.push(all[at++]!)
    if (at < all.length && Values.compare(all[at], content) === 0) at++
    else last = later(gathered, batches, last, i)
  }
  gone.push(...all.slice(at))
  return last
}

const contentOf = (row: Row, columns: ReadonlyArray<FieldColumn>): Content =>
  columns.map(({ encode, field }) => {
    const value = row[field] ?? null
    return typeof value === "object" && value !== null ? (encode(value) ?? null) : value
  })

/** The one whose place comes later; rows of one place, of a flow that met itself again, go by what they hold. */
const later = (gathered: Gathered, batches: ReadonlyArray<Batch>, one: number, other: number): number => {
  if (one < 0) return other
  const [left, right] = [batches[gathered.batches[one]!]!, batches[gathered.batches[other]!]!]
  if (left.origin !== right.origin) return left.origin < right.origin ? other : one
  const [i, j] = [gathered.indexes[one]!, gathered.indexes[other]!]
  const order =
    left.partition - right.partition ||
    left.offsets[i]! - right.offsets[j]! ||
    (left.rows === null ? 0 : left.rows[i]!) - (right.rows === null ? 0 : right.rows[j]!) ||
    Values.compare(Values.plain(gathered.rows[one]), Values.plain(gathered.rows[other]))
  return order <= 0 ? other : one
}

const valuesOf = (rows: ReadonlyArray<Row>, field: string): ReadonlyArray<unknown> => {
  const values: Array<unknown> = []
  for (let i = 0; i < rows.length; i++) values.push(rows[i]![field])
  return values
}

/** All rows, in the order of their places. */
const ordered = (gathered: Gathered, batches: ReadonlyArray<Batch>): Chosen => {
  const places = gathered.rows.map((_, i) => placeOf(gathered, batches, i))
  const order = RowOrder.make(places.length, [
    places.map((place) => place.origin),
    places.map((place) => place.partition),
    places.map((place) => place.offset),
    places.map((place) => place.row)
  ])
  return { written: Array.from(order.indexes), removed: [] }
}

const placeOf = (gathered: Gathered, batches: ReadonlyArray<Batch>, i: number): Place => {
  const batch = batches[gathered.batches[i]!]!
  const index = gathered.indexes[i]!
  return {
    origin: batch.origin,
    partition: batch.partition,
    offset: batch.offsets[index]!,
    row: batch.rows === null ? 0 : batch.rows[index]!
  }
}

// Encoding

const encode = (
  gathered: Gathered,
  chosen: ReadonlyArray<number>,
  columns: ReadonlyArray<FieldColumn>,
  batches: ReadonlyArray<Batch>,
  options: TableRowsOptions,
  invalid: Array<Invalid>
): EncodedRows => {
  const refusals = new Map<number, string>()
  const refuse = (i: number, column: FieldColumn): void => {
    refusals.set(i, unfit(gathered.rows[chosen[i]!]!, column, options))
  }
  let encoded = encodeColumns(gathered.rows, chosen, columns, refuse)
  let left = chosen
  for (const [i, bytes] of RowBytes.tooLarge(encoded, chosen.length, options.rowBytesMax))
    refusals.set(
      i,
      `A row of ${options.table} has ${bytes} bytes, and its database takes ${options.rowBytesMax} at once (MariaDB and MySQL: raise max_allowed_packet)`
    )
  if (refusals.size > 0) {
    const isLeft = (_: unknown, i: number): boolean => !refusals.has(i)
    encoded = encoded.map((values) => values.filter(isLeft))
    left = chosen.filter(isLeft)
    for (const [i, cause] of refusals) invalid.push(refusal(gathered, batches, chosen[i]!, cause, options))
  }
  const places = options.replaces ? [] : left.map((i) => placeOf(gathered, batches, i))
  return { rows: left.length, columns: encoded, places }
}

/** Row by row: a row is far from the next in memory, its fields are not. A refused row leaves nulls. */
const encodeColumns = (
  rows: ReadonlyArray<Row>,
  chosen: ReadonlyArray<number>,
  columns: ReadonlyArray<FieldColumn>,
  refuse: (i: number, column: FieldColumn) => void
): ReadonlyArray<Array<SqlValue>> => {
  const encoded = columns.map(() => new Array<SqlValue>(chosen.length).fill(null))
  for (let i = 0; i < chosen.length; i++) {
    const row = rows[chosen[i]!]!
    for (let c = 0; c < columns.length; c++) {
      const column = columns[c]!
      const value = row[column.field]
      if (value === null || value === undefined) {
        if (column.nullable) continue
      } else {
        const fit = column.encode(value)
        if (fit !== undefined) {
          encoded[c]![i] = fit
          continue
        }
      }
      refuse(i, column)
      break
    }
  }
  return encoded
}

// Refusing

/** Why the column cannot hold the row's value. */
const unfit = (row: Row, column: FieldColumn, { table }: TableRowsOptions): string =>
  `Column ${column.name} (${typeText(column.type)}${column.nullable ? "" : ", not null"}) of ${table} cannot hold ${shown(row[column.field], column)}`

const refusal = (
  gathered: Gathered,
  batches: ReadonlyArray<Batch>,
  i: number,
  cause: string,
  options: TableRowsOptions
): Invalid => {
  const row = gathered.rows[i]!
  const place = placeOf(gathered, batches, i)
  return {
    event: {
      key: null,
      value: new TextEncoder().encode(rowText(row, options.columns)),
      partition: place.partition,
      offset: place.offset,
      timestamp: batches[gathered.batches[i]!]!.openedAt
    },
    step: options.sink,
    reason: "refused row",
    cause,
    origin: place.origin,
    row: place.row
  }
}

const typeText = (type: SqlType): string => {
  if (type.kind === "decimal") return `decimal(${type.precision}, ${type.scale})`
  if (type.kind === "text" && type.charactersMax !== undefined) return `text of ${type.charactersMax} characters`
  return type.kind === "double" && type.finite === true ? "finite double" : type.kind
}

/** The row as JSON, as far as it can be said: decimals and instants as text, the rest by its own spelling. */
const rowText = (row: Row, columns: ReadonlyArray<FieldColumn>): string => {
  const fields = Object.fromEntries(columns.map((column) => [column.field, said(row[column.field], column)]))
  return JSON.stringify(fields, (_, value: unknown) => {
    if (typeof value === "bigint") return String(value)
    if (typeof value === "number" && !Number.isFinite(value)) return String(value)
    return value instanceof Uint8Array ? Array.from(value) : value
  })
}

const said = (value: unknown, column: FieldColumn): unknown => {
  if (column.type.kind === "decimal" && typeof value === "bigint") return formatDecimal(value, column.type.scale)
  return column.type.kind === "instant" && typeof value === "number" && isEventTime(value)
    ? formatInstant(value)
    : value
}

/** A value in a message: short, and on one line. */
const shown = (value: unknown, column: FieldColumn): string => {
  if (value === null || value === undefined) return "null"
  const text = typeof value === "string" ? JSON.stringify(value) : rowText({ [column.field]: value }, [column])
  return text.length <= 80 ? text : `${text.slice(0, 80)}…`
}
