/** Reads whole values of JSON that no reader of its own is made for, and reads over those that nobody wants. */
import { afterSpace, type Cursor, enter, passWord, refuse, truncated } from "./Cursor.ts"
import { numberText, skipNumber } from "./JsonNumber.ts"
import { readString, skipString } from "./JsonString.ts"
import { putField } from "./RowMaker.ts"
import type { Shape } from "./Shape.ts"

/** How the numbers of one value are read. */
export interface Numbers {
  /** Where text and doubles are both wanted: which is given. */
  readonly either: "text" | "double"
  /** Was there such a place? */
  undecided: boolean
}

/** Reads any value: what `JSON.parse` gives, but for numbers where the shape wants text. */
export const readValue = (cursor: Cursor, shape: Shape, numbers: Numbers): unknown => {
  switch (cursor.bytes[cursor.position]) {
    case 34:
      return readString(cursor)
    case 123:
      return readObject(cursor, shape, numbers)
    case 91:
      return readArray(cursor, shape, numbers)
    case 116:
      passWord(cursor, "true")
      return true
    case 102:
      passWord(cursor, "false")
      return false
    case 110:
      passWord(cursor, "null")
      return null
    default:
      return readAnyNumber(cursor, shape, numbers)
  }
}

/** Reads over any value, and refuses what `readValue` refuses. */
export const skipValue = (cursor: Cursor): void => {
  const byte = cursor.bytes[cursor.position]
  if (byte === 34) skipString(cursor)
  else if (byte === 123) passObject(cursor, skipKey, skipValue)
  else if (byte === 91) passArray(cursor, skipValue)
  else if (byte === 116) passWord(cursor, "true")
  else if (byte === 102) passWord(cursor, "false")
  else if (byte === 110) passWord(cursor, "null")
  else if (isNumber(cursor)) skipNumber(cursor)
  else refuse(cursor, "a value")
}

/** Reads the name of a field. */
export const readKey = (cursor: Cursor): string =>
  cursor.bytes[cursor.position] === 34 ? readString(cursor) : refuse(cursor, "a field's name")

/** Reads an array; `element` is called at each of its values. */
export const passArray = (cursor: Cursor, element: (cursor: Cursor) => void): void => {
  const bytes = cursor.bytes
  if (bytes[cursor.position] !== 91) refuse(cursor, "an array")
  enter(cursor)
  cursor.position = afterSpace(bytes, cursor.position + 1)
  let open = bytes[cursor.position] !== 93
  while (open) {
    element(cursor)
    cursor.position = afterSpace(bytes, cursor.position)
    if (cursor.position >= cursor.end) throw truncated(cursor)
    open = bytes[cursor.position] !== 93
    if (open) passComma(cursor, "',' or ']'")
  }
  leave(cursor)
}

const passComma = (cursor: Cursor, expected: string): void => {
  if (cursor.bytes[cursor.position] !== 44) refuse(cursor, expected)
  cursor.position = afterSpace(cursor.bytes, cursor.position + 1)
}

/** Steps out of an array or an object, at its last byte. */
export const leave = (cursor: Cursor): void => {
  cursor.position++
  cursor.depth--
}

/** Reads the `:` between a name and its value, and the spaces around it. */
export const passColon = (cursor: Cursor): void => {
  cursor.position = afterSpace(cursor.bytes, cursor.position)
  if (cursor.bytes[cursor.position] !== 58) refuse(cursor, "':'")
  cursor.position = afterSpace(cursor.bytes, cursor.position + 1)
}

const passObject = <Key>(cursor: Cursor, key: (cursor: Cursor) => Key, field: (cursor: Cursor, key: Key) => void) => {
  const bytes = cursor.bytes
  enter(cursor)
  cursor.position = afterSpace(bytes, cursor.position + 1)
  let open = bytes[cursor.position] !== 125
  while (open) {
    const name = key(cursor)
    passColon(cursor)
    field(cursor, name)
    cursor.position = afterSpace(bytes, cursor.position)
    if (cursor.position >= cursor.end) throw truncated(cursor)
    open = bytes[cursor.position] !== 125
    if (open) passComma(cursor, "',' or '}'")
  }
  leave(cursor)
}

const skipKey = (cursor: Cursor): void => {
  if (cursor.bytes[cursor.position] !== 34) refuse(cursor, "a field's name")
  skipString(cursor)
}

const isNumber = (cursor: Cursor): boolean => {
  const byte = cursor.bytes[cursor.position]!
  return byte === 45 || (byte >= 48 && byte <= 57)
}

const readAnyNumber = (cursor: Cursor, shape: Shape, numbers: Numbers): string | number => {
  if (!isNumber(cursor)) return refuse(cursor, "a value")
  const text = numberText(cursor)
  const wanted = shape.number
  if (wanted === "either") numbers.undecided = true
  return (wanted === "either" ? numbers.either : wanted) === "text" ? text : Number(text)
}

const readObject = (cursor: Cursor, shape: Shape, numbers: Numbers): Record<string, unknown> => {
  const object: Record<string, unknown> = {}
  passObject(cursor, readKey, (_, name) => putField(object, name, readValue(cursor, shape.field(name), numbers)))
  return object
}

const readArray = (cursor: Cursor, shape: Shape, numbers: Numbers): Array<unknown> => {
  const values: Array<unknown> = []
  passArray(cursor, () => values.push(readValue(cursor, shape.element(values.length), numbers)))
  return values
}
