/** How many bytes rows have on their way to a database. */
import type { SqlValue } from "../../flow/Tables.ts"

/** Rows that have more bytes than the database takes at once, and how many. */
export const tooLarge = (
  encoded: ReadonlyArray<ReadonlyArray<SqlValue>>,
  rows: number,
  bytesMax: number
): ReadonlyArray<readonly [number, number]> => {
  const found: Array<readonly [number, number]> = []
  for (let i = 0; i < rows; i++) {
    let length = 0
    for (let c = 0; c < encoded.length; c++) length += lengthOf(encoded[c]![i]!)
    // A character of UTF-16 is three bytes at most.
    if (length * 3 <= bytesMax) continue
    const bytes = encoded.reduce((sum, values) => sum + bytesOf(values[i]!), 0)
    if (bytes > bytesMax) found.push([i, bytes])
  }
  return found
}

const lengthOf = (value: SqlValue): number =>
  typeof value === "string" || value instanceof Uint8Array ? value.length + 8 : 8

const bytesOf = (value: SqlValue): number =>
  typeof value === "string" ? new TextEncoder().encode(value).length + 8 : lengthOf(value)
