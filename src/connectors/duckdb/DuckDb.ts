/**
 * One question over files. A database in memory is opened for it, with a view for each relation, and closed after it: the
 * only file that imports the driver, which is loaded then.
 */
import type { DuckDBConnection } from "@duckdb/node-api"
import { Effect } from "effect"
import type { Answer } from "../../flow/Tables.ts"
import { InvalidConfiguration, StatementRefused } from "../../model/Errors.ts"
import * as Limits from "../../model/Limits.ts"
import type { Relation } from "./Relation.ts"

/** What an answer took: of each relation, how many files are there, and how many were opened for it. */
export interface Reading {
  readonly relation: string
  readonly files: number
  readonly filesRead: number
  /** What the folders' names decided, such as `(year = 2017)`; `null`: nothing. */
  readonly folders: string | null
}

type Refusal = InvalidConfiguration | StatementRefused

/** The rows of one reading statement, values as text: `Limits.queryRowsMax` of them at most. */
export const ask = (sql: string, relations: ReadonlyArray<Relation>): Effect.Effect<Answer, Refusal> =>
  connected(relations, async (connection) => {
    const reader = await (await questionOf(connection, sql)).streamAndReadUntil(Limits.queryRowsMax + 1)
    const rows = reader.getRows().map((row) => row.map((value) => (value === null ? null : String(value))))
    return {
      columns: reader.columnNames(),
      rows: rows.slice(0, Limits.queryRowsMax),
      truncated: rows.length > Limits.queryRowsMax
    }
  })

/** Runs the statement and answers, of each relation, how many files that took; a file that is read twice counts twice. */
export const explain = (
  sql: string,
  relations: ReadonlyArray<Relation>
): Effect.Effect<ReadonlyArray<Reading>, Refusal> =>
  connected(relations, async (connection) => {
    await questionOf(connection, sql)
    const reader = await connection.runAndReadAll(`explain (analyze, format json) ${sql}`)
    const plan: unknown = JSON.parse(String(reader.getRows()[0]?.[1] ?? "null"))
    const scans = scansOf(plan)
    return relations.map((relation) => readingOf(relation, scans))
  })

// Connecting

const connected = <A>(
  relations: ReadonlyArray<Relation>,
  body: (connection: DuckDBConnection) => Promise<A>
): Effect.Effect<A, Refusal> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { DuckDBInstance } = yield* driver
      const instance = yield* Effect.acquireRelease(
        Effect.promise(() => DuckDBInstance.create(":memory:")),
        (opened) => Effect.sync(() => opened.closeSync())
      )
      const connection = yield* Effect.acquireRelease(
        Effect.promise(() => instance.connect()),
        (opened) => Effect.sync(() => opened.closeSync())
      )
      const asked = async () => {
        for (const relation of relations) await connection.run(viewOf(relation))
        return body(connection)
      }
      return yield* Effect.tryPromise({ try: asked, catch: refused }).pipe(
        Effect.timeoutFail({ duration: Limits.queryMillisMax, onTimeout: tooSlow }),
        Effect.onError(() => Effect.sync(() => connection.interrupt()))
      )
    })
  )

const driver = Effect.tryPromise({
  try: () => import("@duckdb/node-api"),
  catch: (cause) =>
    new InvalidConfiguration({
      name: "@duckdb/node-api",
      message: `Questions over files need the package @duckdb/node-api, which cannot be loaded: ${textOf(cause).split("\n")[0]}`,
      hint: "Install it: `npm install @duckdb/node-api`."
    })
})

const readers: Readonly<Record<Relation["format"], string>> = {
  parquet: "read_parquet",
  jsonl: "read_ndjson",
  csv: "read_csv"
}

/** Folders such as `year=2017` are columns; which of them a question wants decides which files are opened. */
const viewOf = ({ files, format, name }: Relation): string =>
  `create view "${name.replaceAll('"', '""')}" as select * from ${readers[format]}([${files.map(quoted).join(", ")}], hive_partitioning = true)`

/** A star in a file's name would be a pattern. */
const quoted = (path: string): string => `'${path.replaceAll("'", "''").replaceAll(/[*?[]/g, "[$&]")}'`

// Asking

/** The one statement, if it reads; an `explain analyze` of one that writes would write. */
const questionOf = async (connection: DuckDBConnection, sql: string) => {
  const { StatementType } = await import("@duckdb/node-api")
  if (sql.trim() === "") throw noQuestion(sql)
  const statements = await connection.extractStatements(sql)
  if (statements.count !== 1) throw noQuestion(sql)
  const prepared = await statements.prepare(0)
  if (prepared.statementType !== StatementType.SELECT) throw noQuestion(sql)
  return prepared
}

const noQuestion = (sql: string): StatementRefused =>
  new StatementRefused({
    code: "25006",
    statement: sql.slice(0, 200),
    message: "Only one reading statement is answered here: select, with, values or from",
    hint: "Files are written by jobs: `weir query --files` reads them."
  })

const tooSlow = (): StatementRefused =>
  new StatementRefused({
    code: "57014",
    statement: "",
    message: "The answer took longer than a question may take",
    hint: "Ask for less: name the folders in a where, such as `year = 2017`."
  })

const refused = (cause: unknown): StatementRefused =>
  cause instanceof StatementRefused
    ? cause
    : new StatementRefused({
        code: "duckdb",
        statement: "",
        message: textOf(cause),
        hint: "Mend the statement; it is DuckDB's SQL. `select * from files limit 1` shows the columns."
      })

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause))

// Explaining

interface Scan {
  readonly [fact: string]: unknown
}

/** What the plan says of each of its scans of files. */
const scansOf = (plan: unknown): ReadonlyArray<Scan> => {
  if (typeof plan !== "object" || plan === null) return []
  if (Array.isArray(plan)) return plan.flatMap(scansOf)
  const { children, extra_info: facts } = plan as { readonly children?: unknown; readonly extra_info?: Scan }
  const own = facts !== undefined && "Total Files Read" in facts ? [facts] : []
  return [...own, ...scansOf(children)]
}

const readingOf = (relation: Relation, scans: ReadonlyArray<Scan>): Reading => {
  const own = scans.filter((scan) => isOf(scan, relation))
  const filters = own.flatMap(({ "File Filters": filter }) =>
    typeof filter === "string" && filter !== "" ? [filter] : []
  )
  return {
    relation: relation.name,
    files: relation.files.length,
    filesRead: own.reduce((sum, scan) => sum + Number(scan["Total Files Read"]), 0),
    folders: filters.length === 0 ? null : filters.join(" ")
  }
}

/** A plan names the first files of a scan. */
const isOf = (scan: Scan, { files }: Relation): boolean => {
  const named = String(scan["Filename(s)"] ?? "")
  return files.some((file) => named.includes(file))
}
