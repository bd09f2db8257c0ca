/**
 * What every sink into a table must do, as cases that any test runner can run. A case needs `Tables`, and makes tables
 * of its own. It prepares epochs and commits their statements as a coordinator would, without the fence.
 */
import { Effect, Schema } from "effect"
import * as SqlSink from "../connectors/sql/SqlSink.ts"
import type { SqlValue, Statement } from "../flow/Tables.ts"
import { Int64 } from "../model/Columns.ts"
import type { Batch } from "../model/Message.ts"
import { barrier, batch, closedAt, gone, Income, income, key, onSink, put } from "./SinkCase.ts"
import { checks, refusals } from "./SinkRefusalSuite.ts"
import { safety } from "./SinkSafetySuite.ts"
import { type Case, expect, expectEqual, expectFailure } from "./TablesCase.ts"

export const cases = (): ReadonlyArray<Case> => [
  ...upserts,
  ...compaction,
  ...appends,
  ...refusals,
  ...checks,
  ...safety
]

/** The values of one column in a statement, which has one parameter for each column, or for each value. */
const valuesOf = ({ parameters }: Statement, column: number, columns: number): ReadonlyArray<SqlValue> => {
  const values = parameters[column]!
  return isList(values) ? values : parameters.filter((_, i) => i % columns === column)
}
const isList = (value: SqlValue): value is ReadonlyArray<SqlValue> => Array.isArray(value)

const upserts: ReadonlyArray<Case> = [
  {
    name: "rows are written under the names and in the types of their columns",
    run: onSink(SqlSink.upsert("sink_types", Income, { key, updatedAt: "updatedAt" }), ({ read, write }) =>
      Effect.gen(function* () {
        const prepared = yield* write(1, batch([income("b", 1, -5n, { note: "n" }), income("a", 1, 12345n)]))
        yield* expectEqual("rows", prepared.rows, 2)
        const same = { window_start: 60_000, total_items: "1", updated_at: closedAt }
        yield* expectEqual("rows", yield* read(), [
          { region: "a", ...same, gross_income: "123.45", note: null },
          { region: "b", ...same, gross_income: "-0.05", note: "n" }
        ])
      })
    )
  },
  {
    name: "a later epoch replaces rows by key and leaves the others",
    run: onSink(SqlSink.upsert("sink_later", Income, { key }), ({ read, write }) =>
      Effect.gen(function* () {
        yield* write(1, batch([income("a", 1, 100n), income("a", 2, 200n)]))
        yield* write(2, batch([put(income("a", 2, 250n), income("a", 2, 200n)), put(income("a", 3, 300n))]))
        yield* expectEqual(
          "income",
          (yield* read()).map((row) => row.gross_income),
          ["1.00", "2.50", "3.00"]
        )
      })
    )
  },
  {
    name: "a change without after removes the row",
    run: onSink(SqlSink.upsert("sink_delete", Income, { key }), ({ read, write }) =>
      Effect.gen(function* () {
        yield* write(1, batch([put(income("a", 1, 100n)), put(income("b", 1, 200n)), put(income("b", 2, 300n))]))
        const prepared = yield* write(2, batch([gone(income("b", 1, 200n)), gone(income("c", 1, 1n))]))
        yield* expectEqual("rows", prepared.rows, 2)
        yield* expectEqual(
          "income",
          (yield* read()).map((row) => row.gross_income),
          ["1.00", "3.00"]
        )
      })
    )
  },
  {
    name: "a change that moves a row to another key leaves nothing under the old one",
    run: onSink(SqlSink.upsert("sink_moved", Income, { key }), ({ read, write }) =>
      Effect.gen(function* () {
        yield* write(1, batch([put(income("a", 1, 100n))]))
        yield* write(2, batch([put(income("b", 1, 100n), income("a", 1, 100n))]))
        yield* expectEqual(
          "regions",
          (yield* read()).map((row) => row.region),
          ["b"]
        )
      })
    )
  },
  {
    name: "a table whose columns are all key takes the same row again and again",
    run: onSink(
      SqlSink.upsert("sink_keys", Schema.Struct({ a: Schema.String, b: Int64 }), { key: ["a", "b"] }),
      (opened) =>
        Effect.gen(function* () {
          yield* opened.write(
            1,
            batch([
              { a: "x", b: 1n },
              { a: "x", b: 1n }
            ])
          )
          yield* opened.write(
            2,
            batch([
              { a: "x", b: 1n },
              { a: "x", b: 2n }
            ])
          )
          yield* expectEqual("rows", yield* opened.read(), [
            { a: "x", b: "1" },
            { a: "x", b: "2" }
          ])
        })
    )
  },
  {
    name: "keys that differ in case, an accent or a space at their end are of different rows",
    run: onSink(
      SqlSink.upsert("sink_alike", Schema.Struct({ a: Schema.String, n: Schema.Int }), { key: ["a"] }),
      (opened) =>
        Effect.gen(function* () {
          const alike = ["a", "A", "a ", "á", "a\u0301", "ａ", "ss", "ß", ""]
          yield* opened.write(1, batch(alike.map((a, n) => ({ a, n }))))
          const removed = { key: "A", before: { a: "A", n: 1 } }
          yield* opened.write(2, batch([removed]))
          yield* opened.write(3, batch([{ a: "a ", n: 20 }]))
          const found = (yield* opened.read("n, a")).map((row) => [row.a, row.n])
          yield* expectEqual("rows", found, [
            ["a", 0],
            ["á", 3],
            ["a\u0301", 4],
            ["ａ", 5],
            ["ss", 6],
            ["ß", 7],
            ["", 8],
            ["a ", 20]
          ])
        })
    )
  },
  {
    name: "a table of one row keeps the last row, and can be emptied",
    run: onSink(
      SqlSink.upsert("sink_one", Schema.Struct({ total: Int64, ok: Schema.Boolean }), { key: [] }),
      (opened) =>
        Effect.gen(function* () {
          yield* opened.write(
            1,
            batch([
              { total: 1n, ok: true },
              { total: 2n, ok: true }
            ])
          )
          yield* opened.write(
            2,
            batch([{ key: null, before: { total: 2n, ok: true }, after: { total: 3n, ok: false } }])
          )
          yield* expectEqual("rows", yield* opened.read(), [{ total: "3", ok: false }])
          yield* opened.write(3)
          yield* expectEqual("an epoch without rows", yield* opened.read(), [{ total: "3", ok: false }])
          yield* opened.write(4, batch([{ key: null, before: { total: 3n, ok: false } }]))
          yield* expectEqual("emptied", yield* opened.read(), [])
        })
    )
  },
  {
    name: "more rows than a statement takes are written by several",
    run: onSink(
      SqlSink.upsert("sink_many", Schema.Struct({ id: Schema.Int, name: Schema.String }), { key: ["id"] }),
      (opened) =>
        Effect.gen(function* () {
          const many = Array.from({ length: 10_001 }, (_, i) => ({ id: (i * 7) % 10_001, name: `n${i}` }))
          const prepared = yield* opened.writer.prepare({ barrier: barrier(1), batches: [batch(many)] })
          const statements: ReadonlyArray<Statement> = opened.writer.statements(prepared)
          const sizes = statements.map((one) => valuesOf(one, 0, 2).length)
          yield* expect(`rows of each: ${sizes}`, sizes.length > 1 && sizes.every((rows) => rows <= 10_000))
          yield* opened.tables.transaction(statements)
          yield* expectEqual("rows", yield* opened.read("count(*) as amount, count(distinct name) as names"), [
            { amount: "10001", names: "10001" }
          ])
        })
    )
  },
  {
    name: "rows too large for one statement are written by several",
    run: onSink(
      SqlSink.upsert("sink_large", Schema.Struct({ id: Schema.Int, name: Schema.String }), { key: ["id"] }),
      (opened) =>
        Effect.gen(function* () {
          const large = Array.from({ length: 5 }, (_, id) => ({ id, name: "x".repeat(7_000_000) }))
          const prepared = yield* opened.writer.prepare({ barrier: barrier(1), batches: [batch(large)] })
          const sizes = opened.writer.statements(prepared).map((one) => valuesOf(one, 0, 2).length)
          yield* expect(`rows of each: ${sizes}`, sizes.length >= 3 && sizes.every((rows) => rows <= 2))
          yield* opened.tables.transaction(opened.writer.statements(prepared))
          const lengths = (yield* opened.read("id, length(name) as length")).map((row) => Number(row.length))
          yield* expectEqual("lengths", lengths, new Array(5).fill(7_000_000))
        })
    )
  },
  {
    name: "clearing removes the rows, and a table that is not there is clear",
    run: Effect.gen(function* () {
      const sink = SqlSink.upsert("sink_clear", Income, { key })
      yield* onSink(sink, ({ read, tables, write }) =>
        Effect.gen(function* () {
          yield* write(1, batch([income("a", 1, 100n)]))
          yield* sink.clear!("j")
          yield* expectEqual("rows", yield* read(), [])
          yield* tables.transaction([{ sql: "drop table sink_clear", parameters: [] }])
          yield* sink.clear!("j")
        })
      )
    })
  }
]

const compaction: ReadonlyArray<Case> = [
  {
    name: "the same key twice in an epoch is one row, the last",
    run: onSink(SqlSink.upsert("sink_twice", Income, { key }), ({ read, write }) =>
      Effect.gen(function* () {
        const first = batch([income("a", 1, 100n), income("b", 1, 1n), income("a", 1, 200n)])
        const prepared = yield* write(1, first, batch([income("a", 1, 300n)], 0, 3))
        yield* expectEqual("rows", prepared.rows, 2)
        yield* expectEqual(
          "income",
          (yield* read()).map((row) => row.gross_income),
          ["3.00", "0.01"]
        )
      })
    )
  },
  {
    name: "an insert and its updates in one epoch are one row; what came and went is none",
    run: onSink(SqlSink.upsert("sink_net", Income, { key }), ({ read, write }) =>
      Effect.gen(function* () {
        const made = put(income("a", 1, 100n))
        const changed = put(income("a", 1, 200n), income("a", 1, 100n))
        const passing = [put(income("b", 1, 1n)), gone(income("b", 1, 1n))]
        const prepared = yield* write(1, batch([made, ...passing, changed]))
        yield* expectEqual("rows", prepared.rows, 1)
        yield* expectEqual(
          "income",
          (yield* read()).map((row) => row.gross_income),
          ["2.00"]
        )
        const again = yield* write(2, batch([gone(income("a", 1, 200n)), put(income("a", 1, 500n))]))
        yield* expectEqual("removed and made again", again.rows, 1)
        yield* expectEqual(
          "income",
          (yield* read()).map((row) => row.gross_income),
          ["5.00"]
        )
      })
    )
  },
  {
    name: "rows that exchange their keys within an epoch are both there, and one whose key another took is not removed",
    run: onSink(SqlSink.upsert("sink_exchange", Income, { key }), ({ read, write }) =>
      Effect.gen(function* () {
        const totals = Effect.map(read(), (rows) => rows.map((row) => [row.region, row.gross_income]))
        const [one, other] = [income("a", 1, 100n), income("b", 1, 200n)]
        yield* write(1, batch([put(one), put(other)]))
        const swapped = [put(income("b", 1, 100n), one), put(income("a", 1, 200n), other)]
        yield* write(2, batch([swapped[1]!]), batch([swapped[0]!], 1))
        yield* expectEqual("exchanged", yield* totals, [
          ["a", "2.00"],
          ["b", "1.00"]
        ])
        yield* write(3, batch([put(income("b", 1, 200n), income("a", 1, 200n)), gone(income("b", 1, 100n))]))
        yield* expectEqual("taken over", yield* totals, [["b", "2.00"]])
      })
    )
  },
  {
    name: "an epoch prepared again has the same digest and leaves the same table",
    run: onSink(SqlSink.upsert("sink_replay", Income, { key, updatedAt: "updatedAt" }), ({ read, write }) =>
      Effect.gen(function* () {
        const rows = [income("b", 2, 1n), income("a", 1, 2n), income("a", 3, 3n)]
        const first = yield* write(1, batch(rows))
        const table = yield* read()
        const second = yield* write(1, batch(rows))
        yield* expectEqual("digest", second.digest, first.digest)
        yield* expectEqual("table", yield* read(), table)
      })
    )
  },
  {
    name: "the digest does not depend on the order of partitions, and on every value it does",
    run: onSink(SqlSink.upsert("sink_digest", Income, { key }), ({ writer }) =>
      Effect.gen(function* () {
        const digest = (...batches: ReadonlyArray<Batch>) =>
          Effect.map(writer.prepare({ barrier: barrier(1), batches }), (prepared) => prepared.digest)
        const left = batch([income("a", 1, 1n), income("c", 1, 2n)], 0)
        const right = batch([income("b", 1, 3n)], 1)
        const wanted = yield* digest(left, right)
        yield* expectEqual("the other order", yield* digest(right, left), wanted)
        const others = [
          [batch([income("a", 1, 1n), income("c", 1, 3n)]), right],
          [batch([income("a", 1, 1n), income("c", 1, 2n, { note: "" })]), right],
          [batch([income("a", 1, 1n), income("c", 1, 2n, { totalItems: 2n ** 32n + 1n })]), right],
          [left]
        ]
        const found = yield* Effect.forEach(others, (batches) => digest(...batches))
        yield* expectEqual("different ones", new Set([wanted, ...found]).size, others.length + 1)
        const removed = yield* digest(batch([gone(income("a", 1, 1n))]))
        yield* expect("a removed row has another digest than none", removed !== (yield* digest()))
      })
    )
  },
  {
    name: "rows go to the database in the order of their keys, wherever they came from",
    run: onSink(SqlSink.upsert("sink_order", Income, { key }), ({ tables, writer }) =>
      Effect.gen(function* () {
        const rows = [
          income("b", 10, 1n),
          income("é", 1, 1n),
          income("b", 9, 1n),
          income("a", 11, 1n),
          income("B", 1, 1n)
        ]
        const prepared = yield* writer.prepare({ barrier: barrier(1), batches: [batch(rows)] })
        const columns = Object.keys(Income.fields).length
        const [statement] = writer.statements(prepared)
        yield* expectEqual("regions", valuesOf(statement!, 0, columns), ["B", "a", "b", "b", "é"])
        const { instant } = tables.dialect
        const minutes = [1, 11, 9, 10, 1].map((minute) => minute * 60_000)
        const said = valuesOf(statement!, 1, columns).map((at) => (typeof at === "number" ? instant(at) : at))
        yield* expectEqual("minutes", said, minutes.map(instant))
      })
    )
  }
]

const Price = Schema.Struct({ symbol: Schema.String, price: Schema.Number })

const appends: ReadonlyArray<Case> = [
  {
    name: "equal records are separate rows, under the place that each came from",
    run: onSink(SqlSink.append("sink_append", Price), ({ read, write }) =>
      Effect.gen(function* () {
        const row = { symbol: "X", price: 0.1 }
        yield* write(1, batch([row, row], 1, 5), batch([row], 0, 7))
        yield* write(2, batch([row], 0, 8))
        const found = yield* read(
          "weir_partition, weir_offset, weir_epoch, weir_source, weir_row, weir_lineage, symbol, price"
        )
        const same = { weir_source: "orders", weir_row: "0", weir_lineage: 3, ...row }
        yield* expectEqual("rows", found, [
          { weir_partition: 0, weir_offset: "7", weir_epoch: "1", ...same },
          { weir_partition: 0, weir_offset: "8", weir_epoch: "2", ...same },
          { weir_partition: 1, weir_offset: "5", weir_epoch: "1", ...same },
          { weir_partition: 1, weir_offset: "6", weir_epoch: "1", ...same }
        ])
      })
    )
  },
  {
    name: "two rows of one record are told apart by their number",
    run: onSink(SqlSink.append("sink_rows", Price), ({ read, write }) =>
      Effect.gen(function* () {
        const row = { symbol: "X", price: 1 }
        const both: Batch = { ...batch([row, row]), offsets: Float64Array.of(4, 4), rows: Float64Array.of(0, 1) }
        yield* write(1, both)
        yield* expectEqual("rows", yield* read("weir_offset, weir_row"), [
          { weir_offset: "4", weir_row: "0" },
          { weir_offset: "4", weir_row: "1" }
        ])
      })
    )
  },
  {
    name: "a place that is there already is refused, never doubled",
    run: onSink(SqlSink.append("sink_place", Price), ({ read, write }) =>
      Effect.gen(function* () {
        yield* write(1, batch([{ symbol: "X", price: 1 }]))
        yield* expectFailure("the same place", "StatementRefused", write(2, batch([{ symbol: "Y", price: 2 }])))
        yield* expectEqual("rows", yield* read("symbol, price"), [{ symbol: "X", price: 1 }])
      })
    )
  }
]
