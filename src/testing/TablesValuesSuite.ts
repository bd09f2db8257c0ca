/** Values of every type and at its edges, written and read back: they must be the same in every bit. */
import { Effect, FastCheck } from "effect"
import { type Column, type SqlValue, Tables, type TablesService } from "../flow/Tables.ts"
import { formatDecimal } from "../model/Columns.ts"
import { eventTimeMax, eventTimeMin } from "../model/Time.ts"
import { type Case, columnOf, expectEqual, int64, readAll, remade, text } from "./TablesCase.ts"

/** A table with a column of each type. */
export const everyType: ReadonlyArray<Column> = [
  columnOf("id", { kind: "integer" }),
  columnOf("a_int64", int64, true),
  columnOf("a_decimal", { kind: "decimal", precision: 38, scale: 9 }, true),
  columnOf("a_instant", { kind: "instant", unit: "millis" }, true),
  columnOf("a_text", text, true),
  columnOf("a_boolean", { kind: "boolean" }, true),
  columnOf("a_double", { kind: "double" }, true),
  columnOf("a_bytes", { kind: "bytes" }, true),
  columnOf("a_json", { kind: "json" }, true)
]

const awkwardTexts = [
  "",
  "null",
  "NULL",
  "a'b",
  'a"b',
  "a\\b",
  "{a,b}",
  "{}",
  ",",
  "\\N",
  "é",
  "日本",
  "🦊",
  "a\nb\tc\r",
  " x ",
  "\\x41",
  "$1",
  "\u0001\u007f"
]

const nullOr = <A>(arbitrary: FastCheck.Arbitrary<A>): FastCheck.Arbitrary<A | null> =>
  FastCheck.option(arbitrary, { freq: 6 })
const decimalMax = 10n ** 38n - 1n

/** Values as a statement takes them; the edges come often. */
const rowOfEveryType: FastCheck.Arbitrary<ReadonlyArray<SqlValue>> = FastCheck.tuple(
  nullOr(FastCheck.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  nullOr(FastCheck.bigInt({ min: -decimalMax, max: decimalMax }).map((value) => formatDecimal(value, 9))),
  nullOr(FastCheck.integer({ min: eventTimeMin, max: eventTimeMax })),
  nullOr(
    FastCheck.oneof(
      FastCheck.constantFrom(...awkwardTexts),
      FastCheck.string({ unit: "grapheme" }).map((value) => value.replaceAll("\u0000", "")),
      FastCheck.string({ unit: FastCheck.constantFrom("\\", '"', "{", "}", ",", "'", "é", "🦊"), maxLength: 8 })
    )
  ),
  nullOr(FastCheck.boolean()),
  nullOr(FastCheck.double()),
  nullOr(FastCheck.uint8Array({ maxLength: 12 })),
  nullOr(FastCheck.constantFrom('{"a": [1, "x\\"y", null]}', "[]", '"{,}"', "0.5", "false"))
)

/** The same values as `query` gives them back. */
const answered = (id: number, row: ReadonlyArray<SqlValue>): Readonly<Record<string, unknown>> => ({
  id,
  a_int64: row[0] === null ? null : String(row[0]),
  a_decimal: row[1],
  a_instant: row[2],
  a_text: row[3],
  a_boolean: row[4],
  a_double: row[5],
  a_bytes: row[6],
  a_json: row[7] === null ? null : JSON.parse(row[7] as string)
})

const roundTrip = (tables: TablesService, written: ReadonlyArray<ReadonlyArray<SqlValue>>) =>
  Effect.gen(function* () {
    const table = "suite_values"
    const withIds = written.map((row, i): ReadonlyArray<SqlValue> => [i, ...row])
    const columns = everyType.map((_, c) => withIds.map((row) => row[c]!))
    yield* tables.transaction([
      ...tables.dialect.remove(table, [], []),
      ...tables.dialect.upsert(table, everyType, ["id"], columns)
    ])
    const found = yield* readAll(tables, table, "id")
    yield* expectEqual(
      "rows",
      found,
      written.map((row, i) => answered(i, row))
    )
  })

const edges: ReadonlyArray<ReadonlyArray<SqlValue>> = [
  [-(2n ** 63n), formatDecimal(-decimalMax, 9), eventTimeMin, "", false, Number.NaN, new Uint8Array(), "null"],
  [2n ** 63n - 1n, formatDecimal(decimalMax, 9), eventTimeMax, "null", true, -0, Uint8Array.of(0, 255), "{}"],
  [
    0n,
    "0.000000000",
    -1,
    "NULL",
    true,
    Number.POSITIVE_INFINITY,
    Uint8Array.from({ length: 256 }, (_, byte) => byte),
    "1"
  ],
  [9_007_199_254_740_993n, "-0.000000001", 0, "{a}", null, Number.NEGATIVE_INFINITY, null, null],
  [1n, "1.000000000", eventTimeMin + 1, "a", true, 1, null, null],
  [1n, "1.000000000", eventTimeMax - 2, "a", true, 1, null, null],
  [null, "10000.000100000", null, null, null, 5e-324, null, null],
  ...awkwardTexts.map((awkward): ReadonlyArray<SqlValue> => [1n, "1.500000000", 1, awkward, true, 1.5, null, null])
]

export const values: ReadonlyArray<Case> = [
  {
    name: "values at the edges of their types come back as they were written",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      yield* remade(tables, "suite_values", everyType, ["id"])
      yield* roundTrip(tables, held(tables, edges))
    })
  },
  {
    name: "random rows of every type come back as they were written",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      yield* remade(tables, "suite_values", everyType, ["id"])
      const holds = FastCheck.asyncProperty(
        FastCheck.array(rowOfEveryType, { minLength: 1, maxLength: 40 }),
        (written) => Effect.runPromise(roundTrip(tables, held(tables, written)))
      )
      yield* Effect.tryPromise({ try: () => FastCheck.assert(holds, { numRuns: 40 }), catch: (cause) => cause })
    })
  },
  {
    name: "a single parameter is as exact as an array of them",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      yield* remade(tables, "suite_single", everyType, ["id"])
      const places = everyType.map((_, i) => tables.dialect.parameter(i + 1)).join(", ")
      const sql = `insert into ${tables.dialect.quote("suite_single")} values (${places})`
      const written = held(tables, edges)
      // The third value is the instant.
      const said = (value: SqlValue, i: number): SqlValue =>
        i === 2 && typeof value === "number" ? tables.dialect.instant(value) : value
      yield* tables.transaction(written.map((row, i) => ({ sql, parameters: [i, ...row.map(said)] })))
      const found = yield* readAll(tables, "suite_single", "id")
      yield* expectEqual(
        "rows",
        found,
        written.map((row, i) => answered(i, row))
      )
    })
  }
]

/** Rows with null for what the database has no value for, and 0 for -0 where doubles are only finite. */
const held = ({ dialect }: TablesService, rows: ReadonlyArray<ReadonlyArray<SqlValue>>) => {
  const isFinite = dialect.bounded(everyType, ["id"]).map(({ type }) => type.kind === "double" && type.finite === true)
  return rows.map((row) =>
    row.map((value, i) => (isFinite[i + 1] !== true ? value : Number.isFinite(value) ? Number(value) + 0 : null))
  )
}
