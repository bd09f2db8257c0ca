/** Takes keys from events: the columns for rows, and one value that is equal exactly for equal keys, for a Map. */

import type { KeyColumn } from "../flow/Topology.ts"
import type { KeyValue } from "../model/Columns.ts"
import type { Key } from "../model/Key.ts"

/** A key as a Map compares it. Of one column it is the column itself; of several, text that begins with none other's. */
export type MapKey = KeyValue

export interface KeyReader {
  readonly mapKeyOf: (event: never) => MapKey
  readonly keyOf: (event: never) => Key
  /** The same `MapKey` from columns that were kept. */
  readonly mapKeyFrom: (key: Key) => MapKey
}

export const make = (columns: ReadonlyArray<KeyColumn>): KeyReader => {
  const readers = columns.map((column) => column.of)
  const keyOf = (event: never): Key => readers.map((of) => canonical(of(event)))
  if (readers.length === 0) return { keyOf, mapKeyOf: () => "", mapKeyFrom: () => "" }
  const first = readers[0]!
  if (readers.length === 1) {
    return { keyOf, mapKeyOf: (event) => canonical(first(event)), mapKeyFrom: (key) => key[0]! }
  }
  return {
    keyOf,
    mapKeyOf: (event) => {
      let text = spelling(first(event))
      for (let i = 1; i < readers.length; i++) text += spelling(readers[i]!(event))
      return text
    },
    mapKeyFrom: (key) => key.map(spelling).join("")
  }
}

/** An absent column is null, and -0 is 0: as in the canonical bytes. */
const canonical = (value: KeyValue | undefined): KeyValue => {
  if (value === undefined) return null
  if (typeof value === "object" && value !== null) throw new TypeError("a key column must not be an object")
  return value === 0 ? 0 : value
}

/** Text of a column that says where it ends, so that no two keys have the same text together. */
const spelling = (value: KeyValue | undefined): string => {
  switch (typeof value) {
    case "string":
      return `${value.length}:${value}`
    case "number":
      return `n${value};`
    case "bigint":
      return `i${value};`
    case "boolean":
      return value ? "t" : "f"
    default:
      if (value === null || value === undefined) return "-"
      throw new TypeError(`a key column must be text, a number, a boolean or null, not ${typeof value}`)
  }
}
