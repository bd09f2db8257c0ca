/** What every sink into a table must refuse: rows that a column cannot hold, tables that cannot hold the rows. */
import { Effect, Schema } from "effect"
import * as SqlSink from "../connectors/sql/SqlSink.ts"
import { type Column, type Dialect, type SqlType, Tables } from "../flow/Tables.ts"
import { Int64 } from "../model/Columns.ts"
import { batch, Income, income, key, onSink, openTable, put } from "./SinkCase.ts"
import { type Case, columnOf, expect, expectEqual, expectFailure, int64, remade, text } from "./TablesCase.ts"

const unfit: ReadonlyArray<{ readonly what: string; readonly row: Income; readonly cause: RegExp }> = [
  {
    what: "a sum that outgrew its decimal",
    row: income("a", 1, 10n ** 12n),
    cause: /gross_income.*decimal\(12, 2\).*10000000000\.00/
  },
  {
    what: "null where none may be",
    row: income("a", 1, 1n, { totalItems: null }),
    cause: /total_items.*not null.*null/
  },
  {
    what: "more than 64 bits",
    row: income("a", 1, 1n, { totalItems: 2n ** 63n }),
    cause: /total_items.*9223372036854775808/
  },
  { what: "U+0000", row: income("a", 1, 1n, { note: "x\u0000y" }), cause: /note.*\\u0000/ },
  { what: "half a surrogate pair", row: income("a", 1, 1n, { note: "x\ud83d" }), cause: /note.*\\ud83d/ },
  { what: "half a surrogate pair in the key", row: income("\udc00", 1, 1n), cause: /region/ },
  {
    what: "an instant after 9999",
    row: income("a", 1, 1n, { windowStart: 8.64e15 }),
    cause: /window_start.*8640000000000000/
  },
  { what: "a fraction of a millisecond", row: income("a", 1, 1n, { windowStart: 0.5 }), cause: /window_start.*0\.5/ },
  { what: "another type", row: income("a", 1, 1n, { note: 5 }), cause: /note.*5/ },
  { what: "text too long for an index", row: income("é".repeat(2_000), 1, 1n), cause: /region.*é…/ }
]

export const refusals: ReadonlyArray<Case> = [
  {
    name: "a row that a column cannot hold is set aside with its place and why, the others are written",
    run: onSink(SqlSink.upsert("sink_unfit", Income, { key }), ({ read, write }) =>
      Effect.gen(function* () {
        for (const [i, { cause, row, what }] of unfit.entries()) {
          const prepared = yield* write(i + 1, batch([income("good", i, 1n), row], 2, 40))
          const [invalid] = prepared.invalid
          yield* expectEqual(`${what}: rows and refused`, [prepared.rows, prepared.invalid.length], [1, 1])
          yield* expect(`${what}: ${invalid!.cause}`, cause.test(invalid!.cause) && invalid!.cause.length < 250)
          const { event, reason, step } = invalid!
          yield* expectEqual(
            `${what}: place`,
            [step, reason, event.partition, event.offset],
            ["sink_unfit", "refused row", 2, 41]
          )
          yield* expect(`${what}: the row is JSON`, "region" in JSON.parse(new TextDecoder().decode(event.value)))
        }
        yield* expectEqual("rows", (yield* read()).length, unfit.length)
      })
    )
  },
  {
    name: "a refused row leaves the one that was there",
    run: onSink(SqlSink.upsert("sink_kept", Income, { key }), ({ read, write }) =>
      Effect.gen(function* () {
        yield* write(1, batch([income("a", 1, 100n)]))
        yield* write(2, batch([put(income("a", 1, 10n ** 12n), income("a", 1, 100n))]))
        yield* expectEqual(
          "income",
          (yield* read()).map((row) => row.gross_income),
          ["1.00"]
        )
      })
    )
  }
]

interface Mismatch {
  readonly what: string
  readonly columns: ReadonlyArray<Column>
  readonly key: ReadonlyArray<string>
  /** A part of the message. */
  readonly told: (name: Dialect["foundName"]) => string
}

const double: SqlType = { kind: "double" }
const a = columnOf("a", text)
const b = columnOf("b", int64)

const mismatches: ReadonlyArray<Mismatch> = [
  {
    what: "another type",
    columns: [a, columnOf("b", double)],
    key: ["a"],
    told: (name) => `wanted b ${name(int64)} not null, found b ${name(double)} not null`
  },
  {
    what: "a column too few",
    columns: [a],
    key: ["a"],
    told: (name) => `wanted b ${name(int64)} not null, found no column b`
  },
  {
    what: "a column that may be null",
    columns: [a, columnOf("b", int64, true)],
    key: ["a"],
    told: (name) => `wanted b ${name(int64)} not null, found b ${name(int64)}`
  },
  { what: "another key", columns: [a, b], key: ["b"], told: () => "primary key (a), found primary key (b)" },
  { what: "no key", columns: [a, b], key: [], told: () => "found no primary key" },
  {
    what: "a column too many",
    columns: [a, b, columnOf("c", text)],
    key: ["a"],
    told: (name) => `found c ${name(text)} not null`
  }
]

export const checks: ReadonlyArray<Case> = [
  {
    name: "a table that cannot hold the rows is refused, and told apart column by column",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      const sink = SqlSink.upsert("sink_mismatch", Schema.Struct({ a: Schema.String, b: Int64 }), { key: ["a"] })
      for (const { columns, key, told, what } of mismatches) {
        yield* remade(tables, "sink_mismatch", columns, key)
        const error = yield* expectFailure(what, "TableMismatch", openTable(sink))
        yield* expect(`${what}: ${error.message}`, error.message.includes(told(tables.dialect.foundName)))
        yield* expect(`${what}: ${error.hint}`, /alter table/.test(error.hint))
      }
    })
  },
  {
    name: "what the hint of a mismatch says mends the table",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      const sink = SqlSink.upsert(
        "sink_mended",
        Schema.Struct({ a: Schema.String, b: Int64, c: Schema.NullOr(Schema.Boolean) }),
        { key: ["a"] }
      )
      const found = [columnOf("a", text, true), columnOf("b", { kind: "integer" }, true), columnOf("d", text)]
      yield* remade(tables, "sink_mended", found, [])
      const error = yield* expectFailure("before", "TableMismatch", openTable(sink))
      const statements = /Mend it with: (.*)\. `weir query` only reads/.exec(error.hint)![1]!.split("; ")
      yield* tables.transaction(statements.map((sql) => ({ sql, parameters: [] })))
      yield* openTable(sink)
    })
  },
  {
    name: "a table with columns of a person's own that may be null is taken as it is",
    run: onSink(SqlSink.upsert("sink_own", Income, { key }), ({ read, tables, write }) =>
      Effect.gen(function* () {
        yield* tables.transaction([{ sql: "alter table sink_own add column remark text", parameters: [] }])
        yield* openTable(SqlSink.upsert("sink_own", Income, { key }))
        yield* write(1, batch([income("a", 1, 1n)]))
        yield* expectEqual("rows", yield* read("region, remark"), [{ region: "a", remark: null }])
      })
    )
  },
  {
    name: "views are made with the table, and made anew at each start",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      const sink = (sql: SqlSink.View) => SqlSink.upsert("sink_viewed", Income, { key, views: { sink_view: sql } })
      yield* onSink(sink("select region from sink_viewed"), ({ tables, write }) =>
        Effect.gen(function* () {
          yield* write(1, batch([income("a", 1, 1n)]))
          yield* openTable(
            sink({
              postgres: "select region || '!' as region from sink_viewed",
              mysql: "select concat(region, '!') as region from sink_viewed"
            })
          )
          const found = yield* tables.query({ sql: "select * from sink_view", parameters: [] })
          yield* expectEqual("view", found, [{ region: "a!" }])
        })
      )
      yield* tables.transaction([{ sql: "drop view sink_view", parameters: [] }])
    })
  }
]
