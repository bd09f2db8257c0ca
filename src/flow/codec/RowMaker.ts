/**
 * Makes rows of values in the order of their columns: the engine sees one shape of object, whatever the order in which
 * the values were read.
 */

/** No value: the row does not get the field. */
export const absent: unique symbol = Symbol("absent")
/** A value that was read, and then left out of the row. */
export const leftOut: unique symbol = Symbol("left out")

/** Columns that are set one by one; each line below is a place where the engine learns one name. */
const unrolled = 12

export interface RowMaker {
  /** Of all columns. */
  readonly full: (values: ReadonlyArray<unknown>) => object
  /** Of some columns: the others are `absent` or `leftOut`. */
  readonly partial: (values: ReadonlyArray<unknown>) => object
}

/** Rows have the given prototype. */
export const makeRowMaker = (columns: ReadonlyArray<string>, prototype: object): RowMaker => {
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

/** Puts a field on an object, whatever its name is. */
export const putField = (object: Record<string, unknown>, name: string, value: unknown): void => {
  if (name === "__proto__") {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true })
  } else object[name] = value
}
