/** What every sink into a table must hold of names and texts that no one would choose: exact, or refused in words. */
import { Effect, Schema } from "effect"
import * as SqlSink from "../connectors/sql/SqlSink.ts"
import { type Dialect, Tables, type TablesService } from "../flow/Tables.ts"
import { barrier, batch, Income, income, key, onSink, openTable } from "./SinkCase.ts"
import { type Case, expect, expectEqual, expectFailure } from "./TablesCase.ts"

/** Names that a table and its columns may have everywhere, in small letters as columns are. */
const awkwardNames = [
  "select",
  "order by",
  'a"b',
  "a`b",
  "a'b",
  "a.b",
  "a\\b",
  "100%",
  "%s ?",
  "$1",
  ":a",
  "x; drop table y; --",
  "/* x */",
  " x",
  "tab\there",
  "日本é",
  "x".repeat(63)
]

/** Where a table may have the name. */
const namesSomewhere: ReadonlyArray<{ readonly name: string; readonly where: ReadonlyArray<Dialect["name"]> }> = [
  { name: "🦊", where: ["postgres"] },
  { name: "x ", where: ["postgres"] },
  { name: "x".repeat(64), where: ["mysql"] },
  { name: "é".repeat(32), where: ["mysql"] },
  { name: "é".repeat(64), where: ["mysql"] },
  { name: "x".repeat(65), where: [] },
  { name: "", where: [] },
  { name: "a\u0000b", where: [] },
  { name: "a\ud83d", where: [] }
]

const sinkOf = (table: string, field: string) =>
  SqlSink.upsert(table, Schema.Struct({ [field]: Schema.Int, value: Schema.NullOr(Schema.String) }), { key: [field] })

/** Writes, replaces and removes rows of a table whose name, and that of its key, is this one. */
const isUsable = (name: string) =>
  onSink(sinkOf(name, name), ({ read, tables, write }) =>
    Effect.gen(function* () {
      yield* write(1, batch([1, 2].map((id) => ({ [name]: id, value: "a" }))))
      const changed = { key: 2, before: { [name]: 2, value: "a" }, after: { [name]: 2, value: "b" } }
      yield* write(2, batch([{ key: 1, before: { [name]: 1, value: "a" } }, changed]))
      yield* openTable(sinkOf(name, name))
      yield* expectEqual(`rows of ${name}`, yield* read(), [{ [name]: 2, value: "b" }])
      const sql = `select * from ${tables.dialect.quote(name)}`
      const told = { columns: [name, "value"], rows: [["2", "b"]], truncated: false }
      yield* expectEqual(`answer of ${name}`, yield* tables.ask(sql, { rowsMax: 10, millisMax: 10_000 }), told)
      yield* expect(`${name} is listed`, (yield* tables.list).includes(name))
      yield* tables.transaction([{ sql: `drop table ${tables.dialect.quote(name)}`, parameters: [] }])
    })
  )

const names: ReadonlyArray<Case> = [
  {
    name: "a table and its columns may be called by reserved words, quotes, spaces, and signs of SQL",
    run: Effect.forEach(awkwardNames, isUsable, { discard: true })
  },
  {
    name: "a name that the database would cut off or cannot write is refused, and why is said",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      for (const { name, where } of namesSomewhere) {
        if (where.includes(tables.dialect.name)) {
          yield* isUsable(name)
          continue
        }
        yield* expectEqual(`what is called ${JSON.stringify(name)}`, yield* tables.describe(name), null)
        for (const sink of [sinkOf(name, "id"), sinkOf("sink_misnamed", name)]) {
          const error = yield* expectFailure(JSON.stringify(name), "TableMismatch", openTable(sink))
          yield* expect(error.message, error.message.includes(JSON.stringify(name)) && / since it /.test(error.message))
        }
        const view = SqlSink.upsert("sink_misnamed", Income, { key, views: { [name]: "select 1" } })
        yield* expectFailure(`view ${JSON.stringify(name)}`, "TableMismatch", openTable(view))
      }
      yield* expectEqual("nothing was made", yield* tables.describe("sink_misnamed"), null)
    })
  },
  {
    name: "tables whose names differ in case only are two",
    run: Effect.gen(function* () {
      const tables = yield* Tables
      if (!(yield* tellsCasesApart(tables))) return
      yield* onSink(sinkOf("sink_case", "id"), (small) =>
        onSink(sinkOf("sink_CASE", "id"), (large) =>
          Effect.gen(function* () {
            yield* small.write(1, batch([{ id: 1, value: "small" }]))
            yield* large.write(1, batch([{ id: 1, value: "large" }]))
            yield* expectEqual("small", yield* small.read(), [{ id: 1, value: "small" }])
            yield* expectEqual("large", yield* large.read(), [{ id: 1, value: "large" }])
          })
        )
      )
    })
  }
]

/** MariaDB and MySQL do as the file system of their server does. */
const tellsCasesApart = (tables: TablesService) =>
  tables.dialect.name === "postgres"
    ? Effect.succeed(true)
    : Effect.map(
        tables.query({ sql: "select @@lower_case_table_names as folded", parameters: [] }),
        ([row]) => Number(row!.folded) === 0
      )

// Texts

/** A character of each of the 17 planes of Unicode, with the last of each, which no text should hold and any may. */
const planes = Array.from({ length: 17 }, (_, plane) =>
  String.fromCodePoint(plane * 0x10000 + 0x1234, plane * 0x10000 + 0xffff)
)

const Text = Schema.Struct({
  id: Schema.String,
  value: Schema.String,
  nested: Schema.Struct({ value: Schema.String })
})

const megabytes = 1_000_000

const texts: ReadonlyArray<Case> = [
  {
    name: "characters of every plane of Unicode come back as they were, as a key, as a value, and in JSON",
    run: onSink(SqlSink.upsert("sink_planes", Text, { key: ["id"] }), ({ read, tables, write }) =>
      Effect.gen(function* () {
        const written = [...planes, planes.join("")].map((value) => ({ id: value, value, nested: { value } }))
        const prepared = yield* write(1, batch(written))
        yield* expectEqual("refused", prepared.invalid, [])
        const found = new Map((yield* read()).map((row) => [row.id, row]))
        for (const row of written) yield* expectEqual("row", found.get(row.id), row)
        const sql = "select value from sink_planes order by id"
        const { rows } = yield* tables.ask(sql, { rowsMax: 100, millisMax: 10_000 })
        const asked = rows.map(([value]) => value)
        yield* expectEqual("asked", asked.sort(), written.map(({ value }) => value).sort())
      })
    )
  },
  {
    name: "a row with text that no table holds is set aside with every character of it",
    run: onSink(SqlSink.upsert("sink_unfit_text", Income, { key }), ({ writer }) =>
      Effect.gen(function* () {
        const unfit = ["a\u0000b", "\ud83d", "\udd8a", "\udd8a\ud83d", `${planes.join("")}\ud800`]
        const rows = unfit.map((note, i) => income("a", i, 1n, { note }))
        const prepared = yield* writer.prepare({ barrier: barrier(1), batches: [batch(rows)] })
        const told = prepared.invalid.map(({ event }) => JSON.parse(new TextDecoder().decode(event.value)).note)
        yield* expectEqual("rows", prepared.rows, 0)
        yield* expectEqual("notes", told, unfit)
      })
    )
  },
  {
    name: "texts of ten megabytes come back as they were",
    run: onSink(SqlSink.upsert("sink_ten", Text, { key: ["id"] }), ({ read, write }) =>
      Effect.gen(function* () {
        const large = ["x".repeat(10 * megabytes), "🦊".repeat(2.5 * megabytes)]
        const rows = large.map((value, i) => ({ id: `${i}`, value, nested: { value: "" } }))
        const prepared = yield* write(1, batch(rows))
        yield* expectEqual("refused", prepared.invalid.length, 0)
        for (const [i, { value }] of (yield* read()).entries())
          yield* expect(`text ${i} of ${String(value).length} characters`, value === large[i])
      })
    )
  },
  {
    name: "a row that is more than the database takes at once is set aside, with how to mend it; the others are written",
    run: onSink(SqlSink.upsert("sink_too_large", Text, { key: ["id"] }), ({ read, tables, write }) =>
      Effect.gen(function* () {
        const { rowBytesMax } = tables.dialect
        // Where a row may be larger than all that a record holds, there is nothing to show.
        if (rowBytesMax > 50 * megabytes) return
        const row = (id: string, bytes: number) => ({ id, value: "x".repeat(bytes), nested: { value: "" } })
        const prepared = yield* write(
          1,
          batch([row("small", 1), row("large", rowBytesMax), row("fits", rowBytesMax - 60)])
        )
        yield* expectEqual("refused", prepared.invalid.length, 1)
        const { cause, event } = prepared.invalid[0]!
        yield* expect(cause, /sink_too_large has \d+ bytes, .*max_allowed_packet/.test(cause))
        yield* expectEqual("offset", event.offset, 1)
        const lengths = (yield* read("id, length(value) as length")).map(({ id, length }) => [id, Number(length)])
        yield* expectEqual("rows", lengths, [
          ["fits", rowBytesMax - 60],
          ["small", 1]
        ])
      })
    )
  }
]

export const safety: ReadonlyArray<Case> = [...names, ...texts]
