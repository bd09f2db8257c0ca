/**
 * Reads the objects of JSON into rows of known fields.
 *
 * Names are predicted, not searched: after a field comes the one that followed it in the last record, so a name costs
 * one comparison of its bytes. Values wait in a list until all are there, so every row gets its fields in the order
 * of the Schema and the engine sees one shape of object.
 */
import { afterSpace, type Cursor, enter, refuse, truncated, type ValueReader } from "./Cursor.ts"
import { leave, passColon, putField, readKey, skipValue } from "./JsonValue.ts"
import { Undecodable } from "./Undecodable.ts"

export interface Field {
  /** Its name in JSON. */
  readonly name: string
  /** Its name in the row. */
  readonly column: string
  readonly read: ValueReader
  /** What the row gets if JSON has no such field: a value, `absent`, or an `Undecodable`. */
  readonly missing: () => unknown
}

/** No value: the row does not get the field. */
export const absent: unique symbol = Symbol("absent")
/** A value that was read, and then left out of the row. */
export const leftOut: unique symbol = Symbol("left out")

/** A reader of objects; rows have the given prototype. */
export const makeStructReader = (fields: ReadonlyArray<Field>, prototype: object): ValueReader => {
  const names = fields.map((field) => new TextEncoder().encode(`${JSON.stringify(field.name)}:`))
  const readers = fields.map((field) => field.read)
  const indexes = new Map(fields.map((field, i) => [field.name, i]))
  const count = fields.length
  const follower = fields.map((_, i) => (i + 1 === count ? 0 : i + 1))
  const values: Array<unknown> = new Array(count).fill(absent)
  /** The field whose value is being read. */
  let reading = -1
  const makeRow = makeRowMaker(
    fields.map((field) => field.column),
    prototype
  )

  const indexAt = (cursor: Cursor, expected: number): number => {
    if (startsWith(cursor.bytes, cursor.position, names[expected]!)) {
      cursor.position += names[expected]!.length
      return expected
    }
    const name = readKey(cursor)
    passColon(cursor)
    return indexes.get(name) ?? -1
  }

  /** Are all fields there? */
  const readFields = (cursor: Cursor): boolean => {
    const bytes = cursor.bytes
    const careful = cursor.careful
    let seen = 0
    let whole = true
    let expected = 0
    let last = -1
    cursor.position = afterSpace(bytes, cursor.position + 1)
    if (bytes[cursor.position] === 125) return count === 0
    for (;;) {
      const index = indexAt(cursor, expected)
      if (bytes[cursor.position]! <= 32) cursor.position = afterSpace(bytes, cursor.position)
      if (index < 0) skipValue(cursor)
      else {
        reading = index
        const value = careful ? readCarefully(cursor, fields[index]!) : readers[index]!(cursor)
        reading = -1
        if (values[index] === absent) seen++
        if (value === leftOut) whole = false
        values[index] = value
        if (index !== expected && last >= 0) follower[last] = index
        last = index
        expected = follower[index]!
      }
      let at = cursor.position
      if (bytes[at]! <= 32) at = afterSpace(bytes, at)
      cursor.position = at
      if (at >= cursor.end) throw truncated(cursor)
      if (bytes[at] === 125) return whole && seen === count
      if (bytes[at] !== 44) refuse(cursor, "',' or '}'")
      at++
      cursor.position = bytes[at]! <= 32 ? afterSpace(bytes, at) : at
    }
  }

  return (cursor) => {
    if (cursor.bytes[cursor.position] !== 123) refuse(cursor, "an object")
    enter(cursor)
    reading = -1
    try {
      const whole = readFields(cursor)
      leave(cursor)
      if (whole && !cursor.careful) return makeRow.full(values)
      complete(values, fields, cursor.position)
      return makeRow.partial(values)
    } catch (error) {
      throw error instanceof Undecodable && reading >= 0 ? error.within(fields[reading]!.name) : error
    } finally {
      for (let i = 0; i < count; i++) values[i] = absent
    }
  }
}

/** A field that cannot be read is passed over: a later one of the same name may replace it. */
const readCarefully = (cursor: Cursor, field: Field): unknown => {
  const { depth, position } = cursor
  try {
    return field.read(cursor)
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error
    cursor.depth = depth
    cursor.position = position
    return skips(cursor) ? error : fail(error)
  }
}

/** Can it be read over? Else it is no JSON, and what refused it first says more. */
const skips = (cursor: Cursor): boolean => {
  try {
    skipValue(cursor)
    return true
  } catch (error) {
    return error instanceof Undecodable ? false : fail(error)
  }
}

const fail = (error: unknown): never => {
  throw error
}

const complete = (values: Array<unknown>, fields: ReadonlyArray<Field>, position: number): void => {
  for (let i = 0; i < fields.length; i++) {
    const failure = values[i]
    if (failure instanceof Undecodable) throw failure.within(fields[i]!.name)
    if (values[i] !== absent) continue
    const value = fields[i]!.missing()
    if (value instanceof Undecodable) throw new Undecodable(value.reason, position, [fields[i]!.name])
    values[i] = value
  }
}

const startsWith = (bytes: Uint8Array, position: number, name: Uint8Array): boolean => {
  for (let i = 0; i < name.length; i++) if (bytes[position + i] !== name[i]) return false
  return true
}

/** Columns that are set one by one; each line below is a place where the engine learns one name. */
const unrolled = 12

interface RowMaker {
  /** Of all columns. */
  readonly full: (values: ReadonlyArray<unknown>) => object
  /** Of some columns: the others are `absent` or `leftOut`. */
  readonly partial: (values: ReadonlyArray<unknown>) => object
}

const makeRowMaker = (columns: ReadonlyArray<string>, prototype: object): RowMaker => {
  // An object of a constructor of its own costs what a literal costs; an own prototype makes it an instance.
  function Row() {}
  Row.prototype = prototype
  const Made = Row as unknown as new () => Record<string, unknown>
  const count = columns.length
  const hasPlainNames = !columns.includes("__proto__")
  const [a, b, c, d, e, f, g, h, i, j, k, l] = columns as ReadonlyArray<string> & { readonly [index: number]: string }
  const partial = (values: ReadonlyArray<unknown>): object => {
    const row = new Made()
    for (let n = 0; n < count; n++) {
      if (values[n] !== absent && values[n] !== leftOut) putField(row, columns[n]!, values[n])
    }
    return row
  }
  const full = (values: ReadonlyArray<unknown>): object => {
    const row = new Made()
    if (count === 0) return row
    row[a!] = values[0]
    if (count === 1) return row
    row[b!] = values[1]
    if (count === 2) return row
    row[c!] = values[2]
    if (count === 3) return row
    row[d!] = values[3]
    if (count === 4) return row
    row[e!] = values[4]
    if (count === 5) return row
    row[f!] = values[5]
    if (count === 6) return row
    row[g!] = values[6]
    if (count === 7) return row
    row[h!] = values[7]
    if (count === 8) return row
    row[i!] = values[8]
    if (count === 9) return row
    row[j!] = values[9]
    if (count === 10) return row
    row[k!] = values[10]
    if (count === 11) return row
    row[l!] = values[11]
    for (let n = unrolled; n < count; n++) row[columns[n]!] = values[n]
    return row
  }
  return { full: hasPlainNames ? full : partial, partial }
}
