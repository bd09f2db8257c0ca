/**
 * What every database of tables must do, as cases that any test runner can run. A case needs `Tables`, and makes
 * tables of its own: many may share a database. It fails with an `Error` that says what was expected.
 */
import { Effect } from "effect"
import { type Statement, Tables, type TablesService } from "../flow/Tables.ts"
import {
  type Case,
  columnOf,
  expect,
  expectEqual,
  expectFailure,
  insertPair,
  int64,
  onPair,
  pair,
  readAll,
  remade,
  text
} from "./TablesCase.ts"
import { everyType, values } from "./TablesValuesSuite.ts"

/** `select` in a transaction that may not write is all that a stranger gets. */
export const cases = (): ReadonlyArray<Case> => [...transactions, ...values, ...rows, ...questions, ...upkeep]

const transactions: ReadonlyArray<Case> = [
  {
    name: "a transaction keeps all of its statements and says how many rows each changed",
    run: onPair("suite_all", (tables) =>
      Effect.gen(function* () {
        const both = {
          sql: `update ${tables.dialect.quote("suite_all")} set name = 'x'`,
          parameters: [],
          rowsExpected: 2
        }
        const counts = yield* tables.transaction([
          insertPair(tables, "suite_all", 1n, "a"),
          insertPair(tables, "suite_all", 2n, "b"),
          both
        ])
        yield* expectEqual("counts", counts, [1, 1, 2])
        yield* expectEqual("rows", yield* readAll(tables, "suite_all", "id"), [
          { id: "1", name: "x" },
          { id: "2", name: "x" }
        ])
      })
    )
  },
  {
    name: "a transaction whose statement is refused keeps nothing, and the next one works",
    run: onPair("suite_refused", (tables) =>
      Effect.gen(function* () {
        const twice = [1n, 1n].map((id) => insertPair(tables, "suite_refused", id, "secret-value"))
        const error = yield* expectFailure("same key twice", "StatementRefused", tables.transaction(twice))
        yield* expect(`the message has no parameter: ${error.message}`, !String(error.message).includes("secret-value"))
        yield* expectEqual("rows", yield* readAll(tables, "suite_refused", "id"), [])
        yield* tables.transaction([insertPair(tables, "suite_refused", 1n, "a")])
      })
    )
  },
  {
    name: "a transaction that changes another number of rows than expected keeps nothing",
    run: onPair("suite_expected", (tables) =>
      Effect.gen(function* () {
        const fenced = {
          sql: `update ${tables.dialect.quote("suite_expected")} set name = 'x'`,
          parameters: [],
          rowsExpected: 1
        }
        const error = yield* expectFailure(
          "an update of none",
          "RowsUnexpected",
          tables.transaction([
            insertPair(tables, "suite_expected", 1n, "a"),
            insertPair(tables, "suite_expected", 2n, "b"),
            fenced
          ])
        )
        yield* expectEqual("which", [error.statement, error.expected, error.found], [2, 1, 2])
        yield* expectEqual("rows", yield* readAll(tables, "suite_expected", "id"), [])
      })
    )
  },
  {
    name: "transactions that run at the same time do not mix",
    run: onPair("suite_mixed", (tables) =>
      Effect.gen(function* () {
        const ids = Array.from({ length: 20 }, (_, i) => BigInt(i))
        const spoilt = (id: bigint) => [insertPair(tables, "suite_mixed", id, "a"), ...(id % 2n === 0n ? [] : [broken])]
        yield* Effect.forEach(ids, (id) => Effect.either(tables.transaction(spoilt(id))), { concurrency: "unbounded" })
        const kept = (yield* readAll(tables, "suite_mixed", "id")).map((row) => row.id)
        yield* expectEqual("ids", kept, ids.filter((id) => id % 2n === 0n).map(String))
      })
    )
  }
]

const broken: Statement = { sql: "select * from no_such_table_of_the_suite", parameters: [] }

// Rows by key

const upsertPairs = (tables: TablesService, table: string, ids: ReadonlyArray<bigint>, names: ReadonlyArray<string>) =>
  tables.transaction(tables.dialect.upsert(table, pair, ["id"], [ids, names]))

const rows: ReadonlyArray<Case> = [
  {
    name: "an upsert writes new rows and replaces those that are there",
    run: onPair("suite_upsert", (tables) =>
      Effect.gen(function* () {
        yield* upsertPairs(tables, "suite_upsert", [1n, 2n], ["a", "b"])
        yield* upsertPairs(tables, "suite_upsert", [2n, 3n], ["B", "C"])
        const names = (yield* readAll(tables, "suite_upsert", "id")).map((row) => row.name)
        yield* expectEqual("names", names, ["a", "B", "C"])
      })
    )
  },
  {
    name: "an upsert whose columns are all key leaves the row that is there",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      const key = [columnOf("id", int64)]
      yield* remade(tables, "suite_keys", key, ["id"])
      for (const ids of [[1n], [1n, 2n]])
        yield* tables.transaction(tables.dialect.upsert("suite_keys", key, ["id"], [ids]))
      yield* expectEqual("rows", yield* readAll(tables, "suite_keys", "id"), [{ id: "1" }, { id: "2" }])
    })
  },
  {
    name: "an upsert without a key refuses the primary key that is there",
    run: onPair("suite_insert", (tables) =>
      Effect.gen(function* () {
        const insert = tables.dialect.upsert("suite_insert", pair, [], [[1n], ["a"]])
        yield* tables.transaction(insert)
        yield* expectFailure("the same row again", "StatementRefused", tables.transaction(insert))
      })
    )
  },
  {
    name: "rows are removed by key, and none but those",
    run: onPair("suite_remove", (tables) =>
      Effect.gen(function* () {
        yield* upsertPairs(tables, "suite_remove", [1n, 2n, 3n], ["a", "b", "c"])
        const counts = yield* tables.transaction(tables.dialect.remove("suite_remove", [pair[0]!], [[1n, 3n, 9n]]))
        yield* expectEqual("counts", counts, [2])
        yield* expectEqual("rows", yield* readAll(tables, "suite_remove", "id"), [{ id: "2", name: "b" }])
        yield* tables.transaction(tables.dialect.remove("suite_remove", [], []))
        yield* expectEqual("rows", yield* readAll(tables, "suite_remove", "id"), [])
      })
    )
  },
  {
    name: "an identifier may hold any character, and is never SQL",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      const table = 'suite "; drop table x; -- é'
      const columns = [columnOf('i"d', int64), columnOf("select", text, true)]
      yield* remade(tables, table, columns, ['i"d'])
      yield* tables.transaction(tables.dialect.upsert(table, columns, ['i"d'], [[1n], ["a"]]))
      yield* expectEqual("rows", yield* readAll(tables, table, 'i"d'), [{ 'i"d': "1", select: "a" }])
      yield* tables.transaction([{ sql: `drop table ${tables.dialect.quote(table)}`, parameters: [] }])
    })
  }
]

// What strangers ask

const bounds = { rowsMax: 3, millisMax: 10_000 }

const questions: ReadonlyArray<Case> = [
  {
    name: "a question is answered as text, and cut at its bound of rows",
    run: onPair("suite_ask", (tables) =>
      Effect.gen(function* () {
        yield* upsertPairs(tables, "suite_ask", [1n, 2n, 3n, 4n], ["a", "b", "c", "d"])
        const three = yield* tables.ask("select id, name from suite_ask where id < 4 order by id; ", bounds)
        const found = [
          ["1", "a"],
          ["2", "b"],
          ["3", "c"]
        ]
        yield* expectEqual("three of three", three, { columns: ["id", "name"], rows: found, truncated: false })
        const four = yield* tables.ask("-- all\n(select id, name from suite_ask order by id)", bounds)
        yield* expectEqual("three of four", four, { columns: ["id", "name"], rows: found, truncated: true })
        const none = yield* tables.ask("select id from suite_ask where id = 7", bounds)
        yield* expectEqual("none", none, { columns: ["id"], rows: [], truncated: false })
      })
    )
  },
  {
    name: "a question answers values of every type as text",
    run: onPair("suite_text", (tables) =>
      Effect.gen(function* () {
        const { sql, told } = everyTypeAsked[tables.dialect.name]
        const { rows } = yield* tables.ask(sql, bounds)
        const [[boolean = "", ...others] = []] = rows
        yield* expectEqual("values", others, told)
        yield* expect(`a boolean: ${boolean}`, ["t", "true", "1"].includes(boolean ?? ""))
      })
    )
  },
  {
    name: "a question cannot write, in one statement or in several",
    run: onPair("suite_safe", (tables) =>
      Effect.gen(function* () {
        yield* upsertPairs(tables, "suite_safe", [1n], ["a"])
        for (const sql of attacks) yield* expectFailure(sql, "StatementRefused", tables.ask(sql, bounds))
        // Some servers let a large object be made where nothing may be written: it is taken back.
        yield* Effect.either(tables.ask("select lo_create(4242)", bounds))
        const objects = { sql: "select 1 from pg_largeobject_metadata where oid = 4242", parameters: [] }
        if (tables.dialect.name === "postgres") yield* expectEqual("large objects", yield* tables.query(objects), [])
        yield* expectEqual("rows", yield* readAll(tables, "suite_safe", "id"), [{ id: "1", name: "a" }])
        yield* upsertPairs(tables, "suite_safe", [2n], ["b"])
      })
    )
  },
  {
    name: "a question that takes too long is cut off between rows",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      const long = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) select i from n"
      const answer = yield* tables.ask(long, { rowsMax: 1_000_000, millisMax: 0 })
      yield* expect(`${answer.rows.length} rows`, answer.truncated && answer.rows.length < 100_000)
    })
  }
]

/** The first value is true. */
const everyTypeAsked = {
  postgres: {
    sql: "select true, 1::integer, 2.50::numeric, 0.5::double precision, timestamptz '2018-09-21 07:20:00+02', array[1, 2], null",
    told: ["1", "2.50", "0.5", "2018-09-21 05:20:00+00", "{1,2}", null]
  },
  mysql: {
    sql: "select true, cast(1 as signed), 2.50, 0.5e0, cast('2018-09-21 05:20:00.5' as datetime(3)), json_array(1, 'é'), x'00ff', null",
    told: ["1", "2.50", "0.5", "2018-09-21 05:20:00.500", '[1, "é"]', "0x00ff", null]
  }
}

const attacks = [
  "delete from suite_safe",
  "drop table suite_safe",
  "select 1; delete from suite_safe",
  "select 1; commit; drop table suite_safe; begin",
  "commit; drop table suite_safe",
  "commit",
  "with gone as (delete from suite_safe returning id) select id from gone",
  "explain analyze delete from suite_safe",
  "insert into suite_safe values (3, 'c') returning id",
  "select 1 into suite_safe_copy",
  "set session characteristics as transaction read write",
  "with gone as (select 1) delete from suite_safe",
  "analyze delete from suite_safe",
  "/*!50000 delete from suite_safe */",
  "select 'x' into outfile '/tmp/suite_safe'",
  "set @weir = 1",
  "no sql at all"
]

// What is there

const upkeep: ReadonlyArray<Case> = [
  {
    name: "a table is described as it was made, and a missing one is null",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      yield* remade(tables, "suite_described", everyType, ["id"])
      const found = yield* tables.describe("suite_described")
      const wanted = everyType.map((column) => ({ ...column, type: tables.dialect.foundName(column.type) }))
      yield* expectEqual("columns", found?.columns, wanted)
      yield* expectEqual("key", found?.primaryKey, ["id"])
      yield* expectEqual("missing", yield* tables.describe("suite_of_nothing"), null)
    })
  },
  {
    name: "the key's columns are described in the order of the key",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      const columns = [columnOf("a", int64), columnOf("b", int64)]
      yield* remade(tables, "suite_key_order", columns, ["b", "a"])
      yield* expectEqual("key", (yield* tables.describe("suite_key_order"))?.primaryKey, ["b", "a"])
    })
  },
  {
    name: "tables are listed, those of the engine are not",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      yield* remade(tables, "suite_listed", pair, ["id"])
      yield* remade(tables, "weir_suite", pair, ["id"])
      const names = yield* tables.list
      yield* expect(`listed: ${names.join(", ")}`, names.includes("suite_listed") && !names.includes("weir_suite"))
    })
  },
  {
    name: "a table that was written over and over is mended, and keeps its rows",
    run: onPair("suite_churned", (tables) =>
      Effect.gen(function* () {
        const ids = Array.from({ length: 2_000 }, (_, i) => BigInt(i))
        for (const name of ["a", "b", "c"])
          yield* upsertPairs(
            tables,
            "suite_churned",
            ids,
            ids.map(() => name)
          )
        yield* tables.maintain
        const left = yield* readAll(tables, "suite_churned", "id")
        yield* expect("all rows are there", left.length === 2_000 && left.every((row) => row.name === "c"))
      })
    )
  }
]
