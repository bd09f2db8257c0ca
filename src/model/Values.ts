/**
 * Plain values of any depth: a total order, and with it whether two are the same.
 *
 * Plain is what the state can hold: null, undefined, booleans, numbers, bigints, text, bytes, arrays, maps and plain
 * objects. Anything else is the same as itself only.
 */

/**
 * Zero exactly for values that nobody can tell apart: NaN is NaN, -0 comes before 0, the order of an object's names
 * does not matter. Values of one type are in their own order, NaN last; of several types by type.
 */
export const compare = (left: unknown, right: unknown): number => {
  if (Object.is(left, right)) return 0
  const type = rank(left)
  if (type !== rank(right)) return type - rank(right)
  switch (type) {
    case ranks.number:
      return compareNumbers(left as number, right as number)
    case ranks.bytes:
    case ranks.array:
      return compareLists(left as ArrayLike<unknown>, right as ArrayLike<unknown>)
    case ranks.map:
      return compareLists(entriesOf(left as ReadonlyMap<unknown, unknown>), entriesOf(right as never))
    case ranks.object:
      return compareLists(fieldsOf(left as object), fieldsOf(right as object))
    case ranks.other:
      return 1
    default:
      return (left as string) < (right as string) ? -1 : 1
  }
}

/** The value, as a plain object if it is an instance of a class: its own fields. */
export const plain = <A>(value: A): A => (rank(value) === ranks.other && isInstance(value) ? { ...value } : value)

// Private

const ranks = {
  undefined: 0,
  null: 1,
  boolean: 2,
  number: 3,
  bigint: 4,
  text: 5,
  bytes: 6,
  array: 7,
  map: 8,
  object: 9,
  other: 10
} as const

const rank = (value: unknown): number => {
  switch (typeof value) {
    case "undefined":
      return ranks.undefined
    case "boolean":
      return ranks.boolean
    case "number":
      return ranks.number
    case "bigint":
      return ranks.bigint
    case "string":
      return ranks.text
    case "object":
      return value === null ? ranks.null : objectRank(value)
    default:
      return ranks.other
  }
}

const objectRank = (value: object): number => {
  if (Array.isArray(value)) return ranks.array
  if (value instanceof Uint8Array) return ranks.bytes
  if (value instanceof Map) return ranks.map
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null ? ranks.object : ranks.other
}

const isInstance = (value: unknown): value is object => typeof value === "object" && Object.keys(value!).length > 0

/** Of numbers that are not the same: only the signs of zeros and NaN are not in the order of `<`. */
const compareNumbers = (left: number, right: number): number => {
  if (left < right) return -1
  if (left > right) return 1
  if (left === right) return Object.is(left, -0) ? -1 : 1
  return Number.isNaN(left) ? 1 : -1
}

const compareLists = (left: ArrayLike<unknown>, right: ArrayLike<unknown>): number => {
  const length = Math.min(left.length, right.length)
  for (let i = 0; i < length; i++) {
    const order = compare(left[i], right[i])
    if (order !== 0) return order
  }
  return left.length - right.length
}

const fieldsOf = (value: object): ReadonlyArray<unknown> => {
  const fields: Array<unknown> = []
  for (const name of Object.keys(value).sort()) fields.push(name, (value as Readonly<Record<string, unknown>>)[name])
  return fields
}

const entriesOf = (map: ReadonlyMap<unknown, unknown>): ReadonlyArray<unknown> =>
  [...map].sort(([left], [right]) => compare(left, right))
