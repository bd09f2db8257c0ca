/**
 * Reads the objects of JSON into rows of known fields.
 *
 * Names are predicted, not searched: after a field comes the one that followed it in the last record, so a name costs
 * one comparison of its bytes. Values wait in a list until all are there, so every row gets its fields in the order
 * of the Schema and the engine sees one shape of object.
 */
import { afterSpace, type Cursor, enter, refuse, truncated, type ValueReader } from "./Cursor.ts"
import { leave, passColon, readKey, skipValue } from "./JsonValue.ts"
import { absent, leftOut, makeRowMaker } from "./RowMaker.ts"
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
