/**
 * The rows of a lookup as bytes, and back: lines of JSON in the order of their keys, one row for each key.
 *
 * Steps see only what was read back from the bytes, so a version that comes from the store gives what it gave when it
 * was new. Long tables are worked off in turns, so that the flow goes on beside.
 */
import { Effect } from "effect"
import * as Codec from "../flow/Codec.ts"
import type { AnyLookup, Loaded } from "../flow/Lookup.ts"
import * as Digest from "../model/Digest.ts"
import { DuplicateKey, isExplained, LookupUnreadable } from "../model/Errors.ts"
import type { Key } from "../model/Key.ts"
import * as Limits from "../model/Limits.ts"
import { type LookupRow, LookupTable } from "../operator/LookupTable.ts"

export type RowsError = DuplicateKey | LookupUnreadable

/** Rows that are ready to be stored. */
export interface Encoded {
  /** A digest of the rows: equal rows have equal versions, in whatever order they were loaded. */
  readonly version: string
  readonly bytes: Uint8Array
}

/** Rows between two turns of others. */
const rowsInTurn = 2_048
const newline = 10
/** Characters of a row in a message. */
const shownMax = 300

export const encode = (lookup: AnyLookup, loaded: Loaded<unknown>): Effect.Effect<Encoded, RowsError> =>
  Effect.gen(function* () {
    const { rows } = loaded
    if (rows.length > Limits.lookupRowsMax)
      return yield* unreadable(lookup, `it has more than ${Limits.lookupRowsMax} rows`, smaller)
    const table = new LookupTable("", lookup.key)
    const place = (index: number): string => loaded.placeOf?.(index) ?? `row ${index + 1}`
    yield* inTurns(rows.length, lookup, place, (index) => {
      const found = table.add(rows[index], index)
      if (found !== null && wins(lookup, loaded, found, index)) table.replace(found, rows[index], index)
    })
    const sorted = table.sorted()
    const write = Codec.encodeJson(lookup.schema)
    const lines = new Array<Uint8Array>(sorted.length)
    let length = 0
    yield* inTurns(
      sorted.length,
      lookup,
      (at) => place(sorted[at]!.index),
      (at) => {
        lines[at] = write(sorted[at]!.row)
        length += lines[at]!.length + 1
      }
    )
    if (length > Limits.lookupBytesMax)
      return yield* unreadable(lookup, `its rows are more than ${Limits.lookupBytesMax} bytes`, smaller)
    const bytes = joined(lines, length)
    const digest = Digest.make()
    digest.bytes(bytes)
    return { version: digest.result(), bytes }
  })

export const decode = (
  lookup: AnyLookup,
  version: string,
  bytes: Uint8Array
): Effect.Effect<LookupTable, LookupUnreadable> =>
  Effect.gen(function* () {
    const { read } = Codec.compile(lookup.schema)
    const table = new LookupTable(version, lookup.key)
    let start = 0
    let index = 0
    while (start < bytes.length) {
      yield* attempt(
        () => {
          for (const end = index + rowsInTurn; index < end && start < bytes.length; index++) {
            const lineEnd = bytes.indexOf(newline, start)
            table.add(read(bytes, start, lineEnd), index)
            start = lineEnd + 1
          }
        },
        (error) =>
          unreadable(
            lookup,
            `the rows of its version ${version} cannot be read by this code: ${messageOf(error)}`,
            otherSchema
          )
      )
      yield* Effect.yieldNow()
    }
    return table
  })

const joined = (lines: ReadonlyArray<Uint8Array>, length: number): Uint8Array => {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const line of lines) {
    bytes.set(line, at)
    at += line.length
    bytes[at++] = newline
  }
  return bytes
}

const smaller = "Keep what changes or grows without end in a topic, and join it: Flow.temporalJoin."
const otherSchema =
  "Give the lookup the Schema that these rows were written with, or a `name` of its own: then it is loaded anew."

/** Does the row at `index` take the place of one of its key? Throws `DuplicateKey` where no rule says it. */
const wins = (lookup: AnyLookup, { placeOf, rows }: Loaded<unknown>, found: LookupRow, index: number): boolean => {
  const { duplicates } = lookup
  if (duplicates === "first") return false
  if (duplicates === "last") return true
  if (duplicates !== "refuse") return duplicates(rows[index] as never, found.row as never) > 0
  const shown = (row: unknown, at: number): string =>
    `${shownRow(lookup, row)}${placeOf === null ? "" : ` (${placeOf(at)})`}`
  const both = [shown(found.row, found.index), shown(rows[index], index)] as const
  const key = shownKey(lookup.key, found.key)
  throw new DuplicateKey({
    lookup: lookup.name,
    key,
    rows: both,
    message: `Lookup ${lookup.name}: two rows have the key ${key}: ${both[0]} and ${both[1]}`,
    hint: 'Remove one, add a column to the key, or say which counts: duplicates: "first", "last" or a comparison.'
  })
}

const shownKey = (names: ReadonlyArray<string>, key: Key): string =>
  names.map((name, i) => `${name} = ${String(key[i])}`).join(", ")

const shownRow = (lookup: AnyLookup, row: unknown): string => {
  const text = new TextDecoder().decode(Codec.encodeJson(lookup.schema)(row))
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
}

/** Does something for each of `count` rows. */
const inTurns = (
  count: number,
  lookup: AnyLookup,
  placeOf: (index: number) => string,
  each: (index: number) => void
): Effect.Effect<void, RowsError> =>
  Effect.gen(function* () {
    for (let start = 0; start < count; start += rowsInTurn) {
      let at = start
      yield* attempt(
        () => {
          for (const end = Math.min(count, start + rowsInTurn); at < end; at++) each(at)
        },
        (error) =>
          isExplained(error) && error._tag === "DuplicateKey"
            ? (error as DuplicateKey)
            : unreadable(lookup, `${placeOf(at)}: ${messageOf(error)}`, "Mend the row, or the Schema that reads it.")
      )
      yield* Effect.yieldNow()
    }
  })

const attempt = <A, E>(decide: () => A, refused: (error: unknown) => E): Effect.Effect<A, E> =>
  Effect.try({ try: decide, catch: refused })

// What a codec throws is no `Error`.
const messageOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error)

const unreadable = (lookup: AnyLookup, why: string, hint: string): LookupUnreadable =>
  new LookupUnreadable({ lookup: lookup.name, message: `Lookup ${lookup.name}: ${why}`, hint })
