/**
 * One session of the embedded PostgreSQL, in the thread that opens it: a statement keeps that thread until it is done,
 * and nothing can cancel it, `statement_timeout` included.
 *
 * What it takes and answers is plain data, failures too, so that it can serve another thread as it serves its own; and
 * it imports little, so that such a thread starts fast.
 */
import { PGlite } from "@electric-sql/pglite"
import type { Answer, SqlValue, Statement } from "../../flow/Tables.ts"
import * as Ask from "./Ask.ts"
import * as PostgresParameter from "./PostgresParameter.ts"
import * as PostgresValue from "./PostgresValue.ts"

/** Why a statement was not done. */
export interface StatementFailure {
  readonly kind: "statement"
  readonly sql: string
  /** SQLSTATE, or `unknown`. */
  readonly code: string
  readonly reason: string
  /** The server itself is broken: the session will never answer again. */
  readonly broken: boolean
}

/** A statement changed another number of rows than it was to. */
export interface RowsFailure {
  readonly kind: "rows"
  readonly statement: number
  readonly expected: number
  readonly found: number
}

export type Failure = StatementFailure | RowsFailure

export type Outcome<A, F extends Failure = StatementFailure> = { readonly value: A } | { readonly failure: F }

export type Row = Readonly<Record<string, unknown>>

/** Requests are served one behind the other, in the order in which they come. */
export interface SqlSession {
  readonly query: (statement: Statement) => Promise<Outcome<ReadonlyArray<Row>>>
  /** How many rows each statement changed. After a failure nothing was kept, except where the code is `unknown`. */
  readonly transaction: (statements: ReadonlyArray<Statement>) => Promise<Outcome<ReadonlyArray<number>, Failure>>
  /** Only what `Ask.isQuestion` lets through. */
  readonly ask: (sql: string, bounds: Ask.Bounds) => Promise<Outcome<Answer>>
  readonly close: () => Promise<void>
}

export interface SessionOptions {
  /** `null`: in memory. */
  readonly folder: string | null
  /** Milliseconds of any clock. */
  readonly now: () => number
  /** Awaited behind a large statement, so that others who need this thread get their turn. */
  readonly breathe?: () => Promise<void>
}

/** Rejects with what the driver says where the folder cannot be opened. */
export const open = async ({ breathe, folder, now }: SessionOptions): Promise<SqlSession> => {
  const session = await PGlite.create({
    ...(folder === null ? {} : { dataDir: folder }),
    parsers: PostgresValue.parsers
  })
  return {
    query: (statement) =>
      attempt(
        () => statement.sql,
        async () => (await run(session, statement)).rows
      ),
    transaction: (statements) => transaction(session, statements, breathe),
    ask: (sql, bounds) =>
      attempt(
        () => sql,
        () => ask(session, sql, bounds, now)
      ),
    close: () => session.close()
  }
}

const run = (session: Pick<PGlite, "query">, statement: Statement) =>
  session.query<Record<string, unknown>>(statement.sql, statement.parameters as Array<SqlValue>, { serializers })

/** PGlite asks by the parameter's type; every type is answered. */
const serializers = new Proxy<Record<number, (value: any) => string>>(
  {},
  { get: (_, type) => (value: Exclude<SqlValue, null>) => PostgresParameter.encode(Number(type), value) as string }
)

/** Array elements of a statement from which on others are let in after it. */
const breatheRowsMin = 1_000

const isLarge = (statement: Statement): boolean =>
  statement.parameters.some((value) => Array.isArray(value) && value.length >= breatheRowsMin)

const transaction = async (
  session: PGlite,
  statements: ReadonlyArray<Statement>,
  breathe: SessionOptions["breathe"]
): Promise<Outcome<ReadonlyArray<number>, Failure>> => {
  let running = "begin"
  let unexpected: RowsFailure | null = null
  const body = () =>
    session.transaction(async (held) => {
      const counts: Array<number> = []
      for (const [statement, one] of statements.entries()) {
        running = one.sql
        const found = (await run(held, one)).affectedRows ?? 0
        if (one.rowsExpected !== undefined && one.rowsExpected !== found) {
          unexpected = { kind: "rows", statement, expected: one.rowsExpected, found }
          await held.rollback()
          return counts
        }
        counts.push(found)
        if (breathe !== undefined && isLarge(one)) await breathe()
      }
      running = "commit"
      return counts
    })
  const outcome = await attempt(() => running, body)
  return unexpected === null || "failure" in outcome ? outcome : { failure: unexpected }
}

// Questions

/** As a role that may only read, whatever it reads from. */
const ask = (session: PGlite, sql: string, bounds: Ask.Bounds, now: () => number): Promise<Answer> =>
  session.transaction(async (held) => {
    await held.exec("set transaction read only; set local role pg_read_all_data")
    const rowsOf: Ask.TextRows = async (sql) => {
      const { fields, rows } = await held.query(sql, [], asText)
      return { columns: fields.map((field) => field.name), rows: rows as unknown as Answer["rows"] }
    }
    const answer = await Ask.ask(rowsOf, sql, bounds, now)
    await held.rollback()
    return answer
  })

/** Object ids of the types that the server brings along, arrays among them, are below this; all others come as text. */
const ownTypesMax = 8_000
const text = (value: string): string => value
const asText = {
  rowMode: "array",
  // The driver copies it over its own, so every type has to be there.
  parsers: Object.fromEntries(Array.from({ length: ownTypesMax }, (_, type) => [type, text]))
} as const

// What fails

const attempt = async <A>(running: () => string, body: () => Promise<A>): Promise<Outcome<A>> => {
  try {
    return { value: await body() }
  } catch (cause) {
    return { failure: failureOf(running(), cause) }
  }
}

/** How WebAssembly and what runs it call their own end. */
const broken = ["RuntimeError", "ExitStatus"]

const failureOf = (sql: string, cause: unknown): StatementFailure => {
  const { code, detail, message, name } = cause as Readonly<Record<"code" | "detail" | "message" | "name", unknown>>
  return {
    kind: "statement",
    sql,
    code: typeof code === "string" ? code : "unknown",
    reason: [message, detail].filter((part) => typeof part === "string" && part !== "").join(": "),
    broken: broken.includes(String(name))
  }
}
